"""Identifiers in messages: explicit fields, the sender's form, and free text with its places."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolution.matching.normalise.extract import extract_identifiers_from_message
from tests.resolution.matching.strategies import regions, texts

FIELDS = (
    "sender_id",
    "customer_email",
    "customer_phone",
    "external_customer_id",
    "handle",
    "content",
    "subject",
)


def found_in(message: dict[str, object], region: str = "GB") -> list[tuple[str, str, str]]:
    found = extract_identifiers_from_message(message, region=region)
    return [(identifier.type, identifier.normalised, identifier.found_in) for identifier in found]


class TestExplicitFields:
    @pytest.mark.parametrize(
        ("sender", "type", "normalised"),
        [
            ("anna@x.de", "email", "anna@x.de"),
            ("mailto:anna@x.de", "email", "anna@x.de"),
            ("whatsapp:+447700900123", "phone", "+447700900123"),
            ("sms:07700 900123", "phone", "+447700900123"),
            ("(07700) 900.123", "phone", "+447700900123"),
            ("@anna_s", "handle", "anna_s"),
        ],
    )
    def test_the_senders_form_tells_its_type(self, sender: str, type: str, normalised: str) -> None:
        assert found_in({"sender_id": sender}) == [(type, normalised, "sender_id")]

    def test_a_sender_of_no_known_form_is_nothing(self) -> None:
        assert found_in({"sender_id": "U02F7X"}) == []

    def test_metadata_does_not_replace_the_sender(self) -> None:
        """The reference kept one e-mail a message: the second overwrote the first."""
        message: dict[str, object] = {"sender_id": "anna@x.de", "customer_email": "a.smith@y.de"}
        assert [value for _, value, _ in found_in(message)] == ["anna@x.de", "a.smith@y.de"]

    def test_fields_come_before_text_and_each_value_once(self) -> None:
        message: dict[str, object] = {
            "content": "write to ANNA@x.de",
            "customer_email": "anna@x.de",
            "customer_phone": 447700900123,
            "external_customer_id": "C-17",
        }
        assert found_in(message) == [
            ("email", "anna@x.de", "customer_email"),
            ("phone", "+447700900123", "customer_phone"),
            ("external_id", "C-17", "external_customer_id"),
        ]

    def test_p8_junk_is_left_out(self) -> None:
        assert (
            found_in({"customer_email": "test@test.com", "customer_phone": "000000", "handle": "n/a"}) == []
        )


class TestFreeText:
    def test_each_find_names_its_place(self) -> None:
        text = "call 07911 123456 or anna@x.de, cc @bob_x"
        found = found_in({"content": text})
        assert found == [
            ("phone", "+447911123456", "content[5:17]"),
            ("email", "anna@x.de", "content[21:30]"),
            ("handle", "bob_x", "content[35:41]"),
        ]
        assert text[21:30] == "anna@x.de"

    def test_a_national_number_needs_a_region_and_an_international_one_does_not(self) -> None:
        message: dict[str, object] = {"content": "07911 123456 or +49 30 1234567"}
        assert [value for _, value, _ in found_in(message, region="")] == ["+49301234567"]

    def test_numbers_that_are_no_phones_stay_numbers(self) -> None:
        assert found_in({"content": "order 4711-2026 of 12.03.2026 cost 1.250,00"}) == []

    def test_a_number_inside_an_address_is_no_phone(self) -> None:
        assert [type for type, _, _ in found_in({"content": "+447911123456@x.de"})] == ["email"]


class TestAnyMessage:
    @given(st.dictionaries(st.sampled_from(FIELDS), texts), regions)
    @settings(max_examples=150, deadline=None)
    def test_no_text_breaks_it_and_places_lie_within(self, message: dict[str, str], region: str) -> None:
        for found in extract_identifiers_from_message(message, region=region):
            assert found.usable
            assert found.found_in.partition("[")[0] in FIELDS

    @pytest.mark.parametrize("value", [None, 1.5, True, ["a@x.de"], {"a": 1}, b"a@x.de"])
    def test_what_is_not_text_is_passed_over(self, value: object) -> None:
        assert found_in(dict.fromkeys(FIELDS, value)) == []

    @pytest.mark.parametrize(
        "text", ["1" * 10_000, "1-" * 5_000, "a@" * 5_000, "a." * 5_000 + "@", "+1 " * 4_000]
    )
    def test_long_text_ends(self, text: str) -> None:
        assert len(extract_identifiers_from_message({"content": text, "sender_id": text}, region="US")) <= 50
