"""Normalisers: what becomes one value, what becomes none, and that no text breaks them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from resolution.matching.normalise.address import (
    address_of,
    normalise_city,
    normalise_postcode,
    split_street_line,
)
from resolution.matching.normalise.company import normalise_company
from resolution.matching.normalise.country import country_code
from resolution.matching.normalise.date import normalise_date
from resolution.matching.normalise.email import is_relay, is_shared_mailbox, normalise_email
from resolution.matching.normalise.external_id import external_id_in, normalise_external_id, normalise_handle
from resolution.matching.normalise.name import (
    name_of,
    normalise_name_part,
    parse_name,
    sound_of,
    sounds_of,
)
from resolution.matching.normalise.phone import normalise_phone
from resolution.matching.normalise.text import LONGEST_VALUE, clean_text, fold_text
from resolution.types import Name
from tests.resolution.matching.strategies import AWKWARD, regions, texts

# Every normaliser of one text as a function from text to text.
NORMALISERS: dict[str, Callable[[str], str]] = {
    "clean_text": clean_text,
    "fold_text": fold_text,
    "email": lambda text: normalise_email(text).value,
    "phone": lambda text: normalise_phone(text).value,
    "phone_gb": lambda text: normalise_phone(text, "GB").value,
    "external_id": lambda text: normalise_external_id(text).value,
    "handle": lambda text: normalise_handle(text).value,
    "name_part": normalise_name_part,
    "company": normalise_company,
    "date": normalise_date,
    "city": normalise_city,
    "postcode": normalise_postcode,
    "country": country_code,
}


class TestAnyText:
    @pytest.mark.parametrize("name", NORMALISERS)
    @given(text=texts)
    @settings(max_examples=60, deadline=None)
    def test_normalising_twice_changes_nothing(self, name: str, text: str) -> None:
        once = NORMALISERS[name](text)
        assert NORMALISERS[name](once) == once

    @pytest.mark.parametrize("name", NORMALISERS)
    @pytest.mark.parametrize("text", AWKWARD)
    def test_awkward_text_gives_text_a_database_can_hold(self, name: str, text: str) -> None:
        value = NORMALISERS[name](text)
        assert "\x00" not in value
        assert value.encode("utf-8").decode("utf-8") == value
        assert len(value) <= (len(text) if name == "clean_text" else 4 * LONGEST_VALUE)

    @given(text=texts)
    @settings(max_examples=100, deadline=None)
    def test_a_street_line_always_splits_into_plain_text(self, text: str) -> None:
        street, house = split_street_line(text)
        assert fold_text(street) == street
        assert fold_text(house) == house

    @given(text=texts, region=regions)
    @example("0043 1 234567", "🇩🇪")
    @settings(max_examples=200, deadline=None)
    def test_a_phone_is_canonical_in_every_region(self, text: str, region: str) -> None:
        once = normalise_phone(text, region).value
        assert normalise_phone(once, region).value == once


class TestEmail:
    @pytest.mark.parametrize(
        "text",
        [
            "Anna.Smith@gmail.com",
            "ANNA.SMITH@GMAIL.COM",
            " annasmith+shop@googlemail.com ",
            "mailto:a.n.n.a.smith@gmail.com",
            '"Smith, Anna" <anna.smith@gmail.com>',
        ],
    )
    def test_the_spellings_of_one_mailbox_have_one_key(self, text: str) -> None:
        assert normalise_email(text).value == "annasmith@gmail.com"

    def test_dots_tell_mailboxes_apart_where_the_provider_says_so(self) -> None:
        assert normalise_email("a.smith@firm.de") != normalise_email("asmith@firm.de")

    def test_an_international_domain_is_written_in_ascii(self) -> None:
        assert normalise_email("anna@Bücher.example").value == "anna@xn--bcher-kva.example"

    @pytest.mark.parametrize(
        "text", ["anna", "anna@", "@x.de", "anna@localhost", "a b@x.de", "a@b@c", "anna@x..de"]
    )
    def test_what_is_no_address_says_so(self, text: str) -> None:
        assert normalise_email(text) == ("", "not an e-mail address")

    @pytest.mark.parametrize(
        "text", ["test@test.com", "noreply@firm.de", "none@none.com", "Info@Example.com"]
    )
    def test_p8_a_filler_is_nobodys_mailbox(self, text: str) -> None:
        assert normalise_email(text) == ("", "a filler, nobody's mailbox")

    def test_relays_and_shared_mailboxes_are_known(self) -> None:
        assert is_relay("x1@privaterelay.appleid.com")
        assert is_relay("4f@relay.market.example")
        assert not is_relay("anna@relayhouse.com")
        assert is_shared_mailbox("info@firm.de")
        assert is_shared_mailbox("smithfamily12@gmail.com")
        assert not is_shared_mailbox("anna.smith@gmail.com")


class TestPhone:
    @pytest.mark.parametrize(
        "text",
        [
            "07700 900123",
            "+44 7700 900123",
            "0044 7700 900123",
            "447700900123",
            "whatsapp:+447700900123",
            "tel:+44-7700-900-123;ext=5",
            "07700 900123 ext 58",
            "(07700) 900-123",
            "7700900123.0",
            "447700900123.0",
        ],
    )
    def test_the_spellings_of_one_british_number_are_one(self, text: str) -> None:
        assert normalise_phone(text, "GB").value == "+447700900123"

    def test_two_zeros_mean_a_country_follows_in_every_region(self) -> None:
        assert normalise_phone("0049 30 1234567", "US").value == "+49301234567"

    def test_without_a_region_a_national_number_keeps_its_digits(self) -> None:
        assert normalise_phone("07700 900123").value == "07700900123"

    def test_digits_of_other_scripts_are_digits(self) -> None:
        assert normalise_phone("٠٧٧٠٠ ٩٠٠١٢٣", "GB").value == "+447700900123"

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("call me", "no digits"),
            ("12345", "too short for a phone number"),
            ("0000000000", "a filler, nobody's number"),
            ("1234567890", "a filler, nobody's number"),
            ("+44 1111111111", "a filler, nobody's number"),
            ("1" * 10_000, "longer than any phone number"),
            ("4.47701E+11", "a number rounded by a spreadsheet"),
        ],
    )
    def test_p8_an_unusable_number_says_why(self, text: str, why: str) -> None:
        assert normalise_phone(text, "GB") == ("", why)


class TestName:
    @pytest.mark.parametrize(
        "text",
        [
            "Anna Smith",
            "SMITH, Anna",
            "Dr. Anna Smith",
            "Smith, Dr. Anna PhD",
            "  anna   smith ",
            "Änna Smith",
        ],
    )
    def test_one_name_however_written(self, text: str) -> None:
        assert parse_name(text) == Name("anna", "smith")

    def test_a_middle_name_belongs_to_the_given_name(self) -> None:
        assert parse_name("John Q. Smith III") == Name("john q", "smith")

    def test_parts_lose_titles_suffixes_and_digits(self) -> None:
        assert name_of("Mrs. Anna-Maria", "O'Brien Jr. 3") == Name("anna maria", "obrien")

    def test_cyrillic_is_transliterated_and_han_kept(self) -> None:
        assert name_of("Юстин", "Игнатов") == Name("yustin", "ignatov")
        assert name_of("太郎", "山田") == Name("太郎", "山田")

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("山田 太郎", Name("太郎", "山田")),
            ("山田太郎", Name("太郎", "山田")),
            ("山田\u3000さくら", Name("sakura", "山田")),
            ("王伟", Name("伟", "王")),
            ("欧阳娜", Name("娜", "欧阳")),
            ("곤 희슬", Name("huiseul", "gon")),
            ("곤희슬", Name("huiseul", "gon")),
            ("李", Name("", "李")),
        ],
    )
    def test_an_eastern_name_begins_with_the_family_name(self, text: str, name: Name) -> None:
        assert parse_name(text) == name

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("Кассиль Николай Егорович", Name("nikolay egorovich", "kassil")),
            ("Николай Егорович Кассиль", Name("nikolay egorovich", "kassil")),
            ("Тетерина Карина Васильевна", Name("karina vasilevna", "teterina")),
            ("Каминова Р. Е.", Name("r e", "kaminova")),
            ("KAMINOVA R.E.", Name("r e", "kaminova")),
            ("Kumar A K", Name("a k", "kumar")),
            ("A. K. Kumar", Name("a k", "kumar")),
            ("Anna Li", Name("anna", "li")),
            ("John II", Name("john", "")),
        ],
    )
    def test_a_family_name_may_stand_before_initials_and_patronymics(self, text: str, name: Name) -> None:
        assert parse_name(text) == name

    @pytest.mark.parametrize(
        ("given", "family"), [("N/A", ""), ("Test", "-"), ("xxx", "Unknown"), ("Guest", "")]
    )
    def test_p8_a_placeholder_is_no_name(self, given: str, family: str) -> None:
        assert name_of(given, family) is None

    def test_a_placeholder_word_is_a_family_name_behind_a_given_one(self) -> None:
        assert name_of("Christopher", "Guest") == Name("christopher", "guest")

    @pytest.mark.parametrize(
        ("left", "right"),
        [("mueller", "muller"), ("schmidt", "schmitt"), ("smith", "smyth"), ("ignatov", "ignatoff")],
    )
    def test_spellings_that_sound_alike_sound_the_same(self, left: str, right: str) -> None:
        assert sound_of(left) == sound_of(right)

    @given(st.lists(st.text("abcdefghijklmnopqrstuvwxyz '山é", max_size=12), max_size=20))
    def test_many_names_sound_as_each_does(self, names: list[str]) -> None:
        assert sounds_of(names) == [sound_of(name) for name in names]


class TestDate:
    @pytest.mark.parametrize(
        "text",
        [
            "1980-04-03",
            "19800403",
            "3.4.1980",
            "03/04/1980",
            "3 April 1980",
            "1980年4月3日",
            "1980년 4월 3일",
            "1980. 04. 03.",
            "April 3, 1980",
            "3. Apr. 80",
            "1980-04-03T00:00:00",
            "03.04.1980 00:00",
            "Apr 3, 1980 12:00 AM",
            "Thu Apr 3 1980",
            "1980/4/3 0:00",
            "1980.04.03.",
            "29314",
            "29314.0",
        ],
    )
    def test_one_day_however_written(self, text: str) -> None:
        assert normalise_date(text) == "1980-04-03"

    def test_the_month_comes_first_in_america(self) -> None:
        assert normalise_date("04/03/1980", "US") == "1980-04-03"
        assert normalise_date("13/04/1980", "US") == "1980-04-13"

    @pytest.mark.parametrize(
        "text", ["1980", "99999", "1980-02-30", "1980-13-01", "0001-01-01", "soon", "99999999"]
    )
    def test_what_is_no_day_is_empty(self, text: str) -> None:
        assert normalise_date(text) == ""

    @pytest.mark.parametrize("text", ["1900-01-01", "01.01.1970"])
    def test_p8_a_forms_placeholder_is_no_birth_date(self, text: str) -> None:
        assert normalise_date(text) == ""


class TestAddress:
    @pytest.mark.parametrize(
        ("line", "street", "house"),
        [
            ("12 High St", "high street", "12"),
            ("12, High Street, Flat 3", "high street", "12"),
            ("Hauptstr. 5a", "hauptstrasse", "5a"),
            ("Gelsenkircher Straße 53", "gelsenkircher strasse", "53"),
            ("ul. Marszałkowska 12/3", "ulica marszalkowska", "12/3"),
            ("Невский проспект, д. 5", "nevskiy prospekt", "5"),
            ("7 Stock Road", "stock road", "7"),
            ("5", "", "5"),
        ],
    )
    def test_a_line_is_split_into_street_and_house(self, line: str, street: str, house: str) -> None:
        assert split_street_line(line) == (street, house)

    def test_a_country_alone_is_no_address(self) -> None:
        assert address_of("", "n/a", "-", "Germany") is None

    @pytest.mark.parametrize("text", ["de", "DEU", "Deutschland", "GERMANY", "germany "])
    def test_countries_are_known_by_code_and_name(self, text: str) -> None:
        assert country_code(text) == "DE"


class TestCompany:
    @pytest.mark.parametrize(
        "text",
        ["Foo & Bär GmbH & Co. KG", "FOO AND BAR", "foo & bar Ltd.", "Foo and Bar S.r.l.", "Foo & Bar & Co."],
    )
    def test_the_legal_form_does_not_count(self, text: str) -> None:
        assert normalise_company(text) == "foo and bar"

    @pytest.mark.parametrize("text", ["n/a", "N.A.", "-", "Privat", "self-employed", "Not applicable"])
    def test_p8_what_stands_for_none_is_none(self, text: str) -> None:
        assert normalise_company(text) == ""


class TestExternalId:
    def test_an_id_keeps_its_case_and_gets_its_system(self) -> None:
        assert external_id_in("CRM", " 00Ab ").value == "crm:00Ab"
        assert external_id_in("", "00Ab").value == "id:00Ab"
        assert external_id_in("web", "crm:00Ab").value == "crm:00Ab"

    @pytest.mark.parametrize("text", ["", "0", "n/a", "000-000", "crm:none"])
    def test_p8_a_filler_is_no_id(self, text: str) -> None:
        assert external_id_in("crm", text).value == ""

    def test_a_handle_loses_its_sign_and_case(self) -> None:
        assert normalise_handle("@Anna.Smith").value == "anna.smith"
        assert normalise_handle("Twitter:@anna").value == "twitter:anna"


class TestFillers:
    """What programs and people write where there is nothing: never evidence, whatever the field."""

    @pytest.mark.parametrize(
        "text",
        ["NULL", "n/a", "#N/A", "\\N", "(null)", "-", "??", "k.A.", "keine Angabe", "#REF!", "Not available"],
    )
    @pytest.mark.parametrize(
        "normalise",
        [
            normalise_name_part, normalise_company, normalise_city, normalise_postcode,
            lambda text: split_street_line(text)[0],
            lambda text: parse_name(text) or "",
            lambda text: normalise_external_id(text).value,
        ],
    )  # fmt: skip
    def test_p8_mean_nothing(self, normalise: Callable[[str], str], text: str) -> None:
        assert normalise(text) == ""
