"""Comparisons: which level two values reach and the phrase a steward reads, the same in either order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolution.matching.comparisons import FIELD_LEVELS
from resolution.matching.comparisons.address import compare_addresses
from resolution.matching.comparisons.birth_date import compare_birth_dates
from resolution.matching.comparisons.company import compare_companies
from resolution.matching.comparisons.email import compare_emails
from resolution.matching.comparisons.external_id import compare_external_ids, hard_conflict
from resolution.matching.comparisons.handle import compare_handles
from resolution.matching.comparisons.name import compare_family, compare_given, compare_names
from resolution.matching.comparisons.outcome import Outcome
from resolution.matching.comparisons.phone import compare_phones
from resolution.types import Profile

words = st.text("abcdeino ", min_size=1, max_size=12).map(lambda text: " ".join(text.split())).filter(bool)
mailboxes = st.builds(
    "{}@{}.de".format, st.text("ab1.", min_size=1, max_size=8), st.sampled_from(("x", "y", "yy"))
)
numbers = st.one_of(
    st.text("0123", min_size=7, max_size=9), st.text("0123", min_size=9, max_size=10).map("+44{}".format)
)
dates = st.dates().map(str)
addresses = st.tuples(
    st.sampled_from(("", "high street", "high strete", "mill lane")),
    st.sampled_from(("", "1", "1a", "2")),
    st.sampled_from(("", "12345", "12354", "99999")),
    st.sampled_from(("", "newton", "nweton", "london")),
    st.sampled_from(("", "gb", "de")),
)
ids = st.builds("{}:{}".format, st.sampled_from(("a", "b")), st.text("012", min_size=4, max_size=7))

COMPARISONS: dict[str, tuple[Callable[[Any, Any], Outcome | None], st.SearchStrategy[Any]]] = {
    "given_name": (compare_given, words),
    "family_name": (compare_family, words),
    "birth_date": (compare_birth_dates, dates),
    "email": (compare_emails, mailboxes),
    "phone": (compare_phones, numbers),
    "external_id": (compare_external_ids, ids),
    "address": (compare_addresses, addresses),
    "company": (compare_companies, words),
    "handle": (compare_handles, ids),
}


class TestEveryComparison:
    def test_is_covered_here(self) -> None:
        assert COMPARISONS.keys() == FIELD_LEVELS.keys()

    @pytest.mark.parametrize("field", COMPARISONS)
    @given(data=st.data())
    @settings(max_examples=150, deadline=None)
    def test_p7_gives_one_answer_in_either_order(self, field: str, data: st.DataObject) -> None:
        compare, values = COMPARISONS[field]
        left, right = data.draw(values), data.draw(values)
        assert compare(left, right) == compare(right, left)

    @pytest.mark.parametrize("field", COMPARISONS)
    @given(data=st.data())
    @settings(max_examples=50, deadline=None)
    def test_answers_only_with_levels_of_its_table(self, field: str, data: st.DataObject) -> None:
        compare, values = COMPARISONS[field]
        outcome = compare(data.draw(values), data.draw(values))
        assert outcome is None or outcome.level in FIELD_LEVELS[field]


class TestGivenNames:
    @pytest.mark.parametrize(
        ("left", "right", "level", "detail"),
        [
            ("anna", "anna", "exact", "same given name"),
            ("william k", "william", "exact", "same given name, a middle name on one side"),
            ("william k", "william james", "close", "same given name, other middle name"),
            ("bob", "robert", "variant", "nickname or other form of the name"),
            ("sasha", "aleksandr", "variant", "nickname or other form of the name"),
            ("maria", "anna maria", "variant", "one of several given names"),
            ("maximilian", "maxi", "variant", "nickname or other form of the name"),
            ("jonathan", "jontahan", "close", "given name spelled differently"),
            ("yustin", "justin", "close", "given name spelled differently"),
            ("a", "anna", "initial", "initial fits"),
            ("b", "anna", "different", "initial does not fit"),
            ("anna", "peter", "different", "different given name"),
        ],
    )
    def test_levels(self, left: str, right: str, level: str, detail: str) -> None:
        assert compare_given(left, right) == (level, detail)


class TestFamilyNames:
    @pytest.mark.parametrize(
        ("left", "right", "level"),
        [
            ("smith", "smith", "exact"),
            ("de la cruz", "delacruz", "exact"),
            ("van der berg", "berg", "exact"),
            ("smith jones", "smith", "part"),
            ("mueller", "muller", "close"),
            ("bulochsev", "bulotschsew", "close"),
            ("ivanov", "ivanova", "gendered"),
            ("kowalski", "kowalska", "gendered"),
            ("tolstoy", "tolstaya", "gendered"),
            ("smith", "jones", "different"),
        ],
    )
    def test_levels(self, left: str, right: str, level: str) -> None:
        assert compare_family(left, right).level == level


class TestNames:
    def test_finds_names_that_changed_places(self) -> None:
        given, family = compare_names(("luger", "fuhrhms"), ("fuhrhms", "luger"))
        assert given == family == ("swapped", "given and family name changed places")

    def test_finds_them_with_a_slip_or_an_initial(self) -> None:
        assert (
            compare_names(("smith", "jonathan"), ("jontahan", "smith"))[0]
            == compare_names(("l", "fuhrhms"), ("fuhrhms", "luger"))[0]
        )

    @pytest.mark.parametrize(
        ("left", "right"),
        [
            (("newman", "carl"), ("carlton", "newman")),
            (("smith", "robert"), ("bob", "smith")),
            (("bellnone", "maury g"), ("maury", "bellnone")),
            (("hzyes", "irene"), ("irene", "hayes")),
        ],
    )
    def test_finds_them_with_a_nickname_a_middle_name_or_a_short_slip(
        self, left: tuple[str, str], right: tuple[str, str]
    ) -> None:
        assert compare_names(left, right)[0] == ("swapped", "given and family name changed places")
        assert compare_names(right, left) == compare_names(left, right)

    def test_two_people_are_no_swap(self) -> None:
        given, family = compare_names(("mary", "chambers"), ("chambers", "mark"))
        assert (given, family) == (
            ("different", "different given name"),
            ("different", "different family name"),
        )

    def test_p8_two_scripts_are_no_evidence(self) -> None:
        assert compare_names(("伟", "王"), ("wei", "wang")) == (None, None)
        assert compare_names(("伟", "王"), ("伟", "王"))[0] == ("exact", "same given name")
        assert compare_names(("伟", "王"), ("娜", "李"))[1] == ("different", "different family name")

    def test_p8_a_missing_part_is_no_evidence(self) -> None:
        assert compare_names(("", "smith"), ("anna", "smith"))[0] is None
        assert compare_names(("anna", ""), ("anna", "smith"))[1] is None


class TestGroupedIds:
    @pytest.mark.parametrize(
        ("left", "right", "level"),
        [
            ("id:656.292.012-14", "id:65629201214", "exact"),
            ("dni:72883881-D", "dni:72883881D", "exact"),
            ("id:656.292.012-14", "id:65629201215", "close"),
            ("id:123-45-6789", "id:987 65 4321", "different"),
        ],
    )
    def test_signs_that_group_an_id_do_not_count(self, left: str, right: str, level: str) -> None:
        outcome = compare_external_ids(left, right)
        assert outcome is not None
        assert outcome.level == level

    def test_one_id_in_two_spellings_is_no_conflict(self) -> None:
        left = Profile("a", external_ids=("ssn:123-45-6789",))
        assert not hard_conflict(left, Profile("b", external_ids=("ssn:123456789",)), ("ssn",))
        assert hard_conflict(left, Profile("c", external_ids=("ssn:123456780",)), ("ssn",))


class TestEmails:
    @pytest.mark.parametrize(
        ("left", "right", "level"),
        [
            ("anna@x.de", "anna@x.de", "exact"),
            ("info@x.de", "info@x.de", "shared"),
            ("annasmith@gmail.com", "annasmtih@gmail.com", "close"),
            ("anna@gmail.com", "anna@gmial.com", "close"),
            ("anna.s84@x.de", "anna.s84@y.com", "local"),
            ("anna.smith@x.de", "anna.smith@y.com", "namelike"),
            ("anna.smith1@x.de", "anna.smith2@x.de", "different"),
            ("info@firm.de", "info@other.com", "different"),
            ("iwilkinsmn@bush.co", "iwilkinson@bush.com", "alike"),
            ("anna@smithers.example", "bea@smithers.example", "different"),
            ("emily.jones@smithers.example", "emma.jones@smithers.example", "different"),
        ],
    )
    def test_levels(self, left: str, right: str, level: str) -> None:
        outcome = compare_emails(left, right)
        assert outcome is not None
        assert outcome.level == level

    def test_p8_a_relay_address_that_differs_is_no_evidence(self) -> None:
        assert compare_emails("4f@relay.market.example", "anna@x.de") is None
        assert compare_emails("4f@relay.market.example", "4f@relay.market.example") == (
            "exact",
            "same mailbox",
        )


class TestPhones:
    @pytest.mark.parametrize(
        ("left", "right", "detail"),
        [
            ("+447700900123", "+447700900123", "same number"),
            ("+447700900123", "+447700900124", "one digit differs"),
            ("+447700900123", "+447700900132", "two digits changed places"),
            ("+447700900123", "+447700911199", "different number"),
            ("+447700900123", "+497700900123", "different number"),
        ],
    )
    def test_details(self, left: str, right: str, detail: str) -> None:
        outcome = compare_phones(left, right)
        assert outcome is not None
        assert outcome.detail == detail

    def test_p8_a_number_without_country_says_nothing_against_one_with(self) -> None:
        assert compare_phones("07700900123", "+447700900124") is None


class TestBirthDates:
    @pytest.mark.parametrize(
        ("left", "right", "detail"),
        [
            ("1980-02-03", "1980-02-03", "same day"),
            ("1980-02-03", "1980-03-02", "day and month swapped"),
            ("1980-02-03", "1980-02-08", "one digit differs or two changed places"),
            ("1980-02-03", "1990-02-03", "one digit differs or two changed places"),
            ("1980-02-29", "1980-03-01", "one day apart"),
            ("1981-01-01", "1981-01-01", "same year, both on the first of January"),
            ("1981-01-01", "1981-06-17", "only the year agrees, one side is the first of January"),
            ("1980-02-03", "1955-11-30", "another date"),
            ("1994-04-03", "1994-03-24", "a few weeks apart"),
            ("1994-04-03", "1994-07-03", "one digit differs or two changed places"),
            ("1994-04-03", "1997-06-03", "another date"),
            ("1994-04-15", "1994-11-15", "two of day, month and year agree"),
        ],
    )
    def test_details(self, left: str, right: str, detail: str) -> None:
        assert compare_birth_dates(left, right).detail == detail


class TestAddresses:
    HOME = ("high street", "12", "ca198gx", "newton", "gb")

    @pytest.mark.parametrize(
        ("other", "level"),
        [
            (("high street", "12", "ca198gx", "newton", "gb"), "house"),
            (("high steet", "12a", "", "newtno", ""), "house"),
            (("high street", "12", "", "", ""), "likely_house"),
            (("high street", "14", "ca198gx", "", ""), "street"),
            (("high street", "12", "zz11zz", "london", "gb"), "different"),
            (("mill lane", "3", "ca198gx", "", ""), "postcode"),
            (("", "", "ca198gx", "", ""), "postcode_only"),
            (("mill lane", "3", "zz11zz", "newton", ""), "town"),
            (("", "", "", "newton", ""), "town_only"),
            (("", "", "zz11zz", "london", ""), "different"),
        ],
    )
    def test_levels(self, other: tuple[str, str, str, str, str], level: str) -> None:
        outcome = compare_addresses(self.HOME, other)
        assert outcome is not None
        assert outcome.level == level

    def test_p8_parts_that_only_one_side_has_are_no_evidence(self) -> None:
        assert compare_addresses(("high street", "12", "", "", ""), ("", "", "12345", "", "")) is None


class TestCompaniesIdsAndHandles:
    def test_a_company_may_be_mistyped(self) -> None:
        assert compare_companies("alvarado motors", "alvardo motors").level == "close"
        assert compare_companies("alvarado motors", "trust dental").level == "different"

    def test_ids_speak_only_within_one_system(self) -> None:
        assert compare_external_ids("crm:1001234", "crm:1001234") == ("exact", "same id in one system")
        assert compare_external_ids("crm:1001234", "crm:1001235") == (
            "close",
            "one character of the id differs",
        )
        assert compare_external_ids("crm:1001234", "crm:77") == ("different", "two ids of one system")
        assert compare_external_ids("crm:1001234", "shop:1001234") is None

    def test_handles_speak_only_within_one_network(self) -> None:
        assert compare_handles("x:anna", "x:anna") == ("exact", "same handle")
        assert compare_handles("anna", "bob") == ("different", "different handle")
        assert compare_handles("x:anna", "y:anna") is None
