"""The reference's three scores, with its faults gone: each test names what the old code answered."""

from __future__ import annotations

import pytest

from resolution.matching.comparisons.simple import (
    composite_match_score,
    exact_match_identifiers,
    fuzzy_match_identifiers,
)


class TestExactMatchIdentifiers:
    @pytest.mark.parametrize(
        ("left", "right", "type"),
        [
            ("Anna@X.de ", "anna@x.DE", "email"),
            ("anna.smith+x@gmail.com", "annasmith@googlemail.com", "email"),
            ("+44 7700 900123", "(+44) 7700-900123", "phone"),
            ("+44 7700 900123", "07700 900123", "phone"),
            ("whatsapp:+447700900123", "+447700900123", "whatsapp"),
            ("C-17", " C-17 ", "external_id"),
            ("@Anna", "anna", "handle"),
            ("Smith, Anna", "Anna Smith", "name"),
        ],
    )
    def test_one_identifier_in_two_spellings_matches(self, left: str, right: str, type: str) -> None:
        assert exact_match_identifiers(left, right, type) == 1.0

    @pytest.mark.parametrize("short", ["", "-", "23", "0123", "900123"])
    def test_p8_an_empty_or_short_number_is_no_ending_of_every_number(self, short: str) -> None:
        """The reference asked `endswith` on bare digits: 1.0 for each of these."""
        assert exact_match_identifiers("+44 7700 900123", short, "phone") == 0.0

    def test_a_number_is_no_ending_of_another_one(self) -> None:
        """The reference: 1.0, since one ends with the other's digits."""
        assert exact_match_identifiers("+44 7700 900123", "0900123", "phone") == 0.0

    @pytest.mark.parametrize(("value", "type"), [("", "email"), ("000000", "phone"), ("n/a", "external_id")])
    def test_p8_blank_and_junk_match_nothing_not_even_themselves(self, value: str, type: str) -> None:
        """The reference: 1.0, two customers without a value were one."""
        assert exact_match_identifiers(value, value, type) == 0.0

    def test_two_identifiers_do_not_match(self) -> None:
        assert exact_match_identifiers("anna@x.de", "anna@y.de", "email") == 0.0


class TestFuzzyMatchIdentifiers:
    def test_is_one_for_texts_that_differ_in_case_and_accents(self) -> None:
        assert fuzzy_match_identifiers(" Jürgen  Müller", "jurgen muller") == 1.0

    def test_is_the_share_of_common_letters(self) -> None:
        assert fuzzy_match_identifiers("anna smith", "ana smith") == pytest.approx(18 / 19)

    def test_is_nothing_below_the_threshold(self) -> None:
        assert fuzzy_match_identifiers("anna smith", "peter jones") == 0.0
        assert fuzzy_match_identifiers("anna smith", "ana smith", threshold=0.99) == 0.0

    def test_p8_blank_is_like_nothing(self) -> None:
        """The reference: 1.0 for two empty texts."""
        assert fuzzy_match_identifiers("", " ") == 0.0

    def test_a_threshold_that_is_no_share_is_refused(self) -> None:
        with pytest.raises(ValueError, match="threshold is 85"):
            fuzzy_match_identifiers("a", "a", threshold=85)


class TestCompositeMatchScore:
    def test_p8_a_field_on_one_side_only_does_not_count(self) -> None:
        """The reference: 0.4, the phone of one side was held against both."""
        left = {"email": "anna@x.de", "phone": "+447700900123", "name": "Anna Smith", "external_id": "17"}
        assert composite_match_score(left, {"email": "anna@x.de"}) == 1.0

    def test_p8_junk_on_both_sides_does_not_count(self) -> None:
        """The reference: 0.67, both have test@test.com."""
        left = {"email": "test@test.com", "name": "Anna Smith"}
        right = {"email": "test@test.com", "name": "Peter Jones"}
        assert composite_match_score(left, right) == 0.0

    def test_weighs_agreement_against_disagreement(self) -> None:
        left = {"email": "anna@x.de", "phone": "+447700900123"}
        right = {"email": "anna@x.de", "phone": "+447700911999"}
        assert composite_match_score(left, right) == pytest.approx(0.4 / 0.7)

    def test_ids_in_a_row_are_different_ids(self) -> None:
        """The reference: 0.86 and more, since almost all characters agree."""
        assert composite_match_score({"external_id": "C-1000001"}, {"external_id": "C-1000002"}) == 0.0

    def test_a_name_may_be_mistyped(self) -> None:
        assert composite_match_score({"name": "Anna Smith"}, {"name": "Ana Smith"}) > 0.9

    def test_takes_other_weights(self) -> None:
        left = {"email": "anna@x.de", "company": "Foods Ltd"}
        right = {"email": "bob@y.com", "company": "FOODS Limited"}
        assert composite_match_score(left, right, {"email": 1, "company": 3}) == 0.75

    def test_is_zero_without_a_shared_field_or_any_weight(self) -> None:
        assert composite_match_score({"email": "anna@x.de"}, {"phone": "+447700900123"}) == 0.0
        assert composite_match_score({"email": None}, {}, {}) == 0.0
