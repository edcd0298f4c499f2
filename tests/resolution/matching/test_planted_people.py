"""People who are easily taken for one, and one person who looks like two: the hard cases by name."""

from __future__ import annotations

import pytest

from resolution.matching.decide import Policy, band_of
from resolution.types import Band
from tests.resolution.matching.people import details, levels, person, score

POLICY = Policy()
LINKED = (Band.AUTO, Band.SAMPLE)

HOME = {
    "address": "12 High St",
    "city": "Newton",
    "postcode": "CA19 8GX",
    "phone": "020 7946 0123",
    "email": "smithfamily12@gmail.com",
}


def band(left: dict[str, str], right: dict[str, str]) -> Band:
    return band_of(POLICY, score(person("a", **left), person("b", **right)))


class TestTwoPeople:
    def test_of_one_home_with_one_surname_phone_and_mailbox(self) -> None:
        assert band({"name": "Anna Smith", **HOME}, {"name": "Peter Smith", **HOME}) not in LINKED

    def test_twins_share_even_the_birth_date(self) -> None:
        twins = {"birth_date": "1980-02-03", **HOME}
        assert band({"name": "Anna Smith", **twins}, {"name": "Alice Smith", **twins}) not in LINKED

    def test_twins_named_alike_by_a_letter(self) -> None:
        twins = {"birth_date": "1980-02-03", **HOME}
        found = score(person("a", name="Daniel Smith", **twins), person("b", name="Daniela Smith", **twins))
        assert levels(found)["given_name"] == "near"
        assert band_of(POLICY, found) not in LINKED

    def test_father_and_son_of_one_name(self) -> None:
        father = {"name": "John Smith Sr", "birth_date": "1950-06-17", **HOME}
        son = {"name": "John Smith Jr", "birth_date": "1984-11-02", **HOME}
        assert band(father, son) not in LINKED

    def test_a_couple_with_slavic_forms_of_one_surname(self) -> None:
        assert band({"name": "Igor Ivanov", **HOME}, {"name": "Olga Ivanova", **HOME}) not in LINKED

    def test_colleagues_at_one_switchboard(self) -> None:
        firm = {"company": "Foods Ltd", "phone": "020 7946 0999", "email": "info@foods.co.uk"}
        assert band({"name": "Anna Smith", **firm}, {"name": "Peter Jones", **firm}) not in LINKED

    def test_namesakes_with_a_common_name(self) -> None:
        left = {"name": "John Smith", "phone": "07700 900123", "address": "1 Mill Lane", "city": "Leeds"}
        right = {"name": "John Smith", "phone": "07700 911999", "address": "9 Park Road", "city": "Bath"}
        assert band(left, right) is Band.NONE

    def test_a_landline_and_a_mailbox_do_not_carry_a_pair_without_names(self) -> None:
        shared = {"phone": HOME["phone"], "email": HOME["email"]}
        assert band(shared, shared) not in LINKED

    def test_blank_names_say_nothing(self) -> None:
        assert band({"name": " "}, {"name": ""}) is Band.NONE


class TestOnePerson:
    @pytest.mark.parametrize(
        ("left", "right", "field", "detail"),
        [
            (
                {"name": "Bob Smith"},
                {"name": "Robert Smith"},
                "given_name",
                "nickname or other form of the name",
            ),
            (
                {"given_name": "Smith", "family_name": "Jonathan"},
                {"given_name": "Jonathan", "family_name": "Smith"},
                "given_name",
                "given and family name changed places",
            ),
            (
                {"name": "Юстин Игнатов"},
                {"name": "Justin Ignatow"},
                "given_name",
                "given name spelled differently",
            ),
            ({"phone": "07700 900124"}, {"phone": "07700 900123"}, "phone", "one digit differs"),
            (
                {"birth_date": "1980-02-03"},
                {"birth_date": "1980-03-02"},
                "birth_date",
                "day and month swapped",
            ),
            ({"name": "A. Smith"}, {"name": "Anna Smith"}, "given_name", "initial fits"),
        ],
    )
    def test_is_found_through_a_slip_and_told_why(
        self, left: dict[str, str], right: dict[str, str], field: str, detail: str
    ) -> None:
        same = {"email": "a.quux84@x.de", "phone": "07700 900124", "birth_date": "1980-02-03"}
        found = score(person("a", **{**same, **left}), person("b", **{**same, **right}))
        assert details(found)[field] == detail
        assert band_of(POLICY, found) in LINKED

    def test_who_married_and_moved_is_asked_about(self) -> None:
        old = {"name": "Anna Smith", "birth_date": "1980-02-03", "phone": "07700 900123", "city": "Leeds"}
        new = {"name": "Anna Jones", "birth_date": "1980-02-03", "phone": "07700 900123", "city": "Bath"}
        assert band(old, new) is not Band.NONE
