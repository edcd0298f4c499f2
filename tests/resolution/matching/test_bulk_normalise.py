"""Bulk normalisers: to the letter what the functions for one value give, whatever way a value takes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from unittest import mock

import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata, PhoneNumberType

from resolution.matching.normalise import bulk, junk
from resolution.matching.normalise.address import (
    STREET_WORDS,
    normalise_city,
    normalise_postcode,
    split_street_line,
)
from resolution.matching.normalise.bulk import phones as bulk_phones_module
from resolution.matching.normalise.company import LEGAL_FORMS, normalise_company
from resolution.matching.normalise.date import normalise_date
from resolution.matching.normalise.email import normalise_email
from resolution.matching.normalise.name import SUFFIXES, TITLES, normalise_name_part, parse_name
from resolution.matching.normalise.phone import normalise_phone
from tests.resolution.matching.strategies import AWKWARD, texts

Row = tuple[str, ...]


def _full_name(text: str) -> Row:
    name = parse_name(text)
    return (name.given, name.family) if name else ("", "")


# What a bulk function of one column should give for one text, as a row of its columns.
SINGLE: dict[str, tuple[Callable[..., Any], Callable[[str], Row]]] = {
    "email": (bulk.bulk_emails, lambda text: (normalise_email(text).value,)),
    "name_part": (bulk.bulk_name_parts, lambda text: (normalise_name_part(text),)),
    "full_name": (bulk.bulk_full_names, _full_name),
    "street": (bulk.bulk_street_lines, split_street_line),
    "city": (bulk.bulk_cities, lambda text: (normalise_city(text),)),
    "postcode": (bulk.bulk_postcodes, lambda text: (normalise_postcode(text),)),
    "company": (bulk.bulk_companies, lambda text: (normalise_company(text),)),
}

FILLERS = sorted(
    junk.NAMES | junk.EMAILS | junk.BIRTH_DATES | {f"{local}@firm.de" for local in junk.EMAIL_LOCAL_PARTS}
)
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZäöüßÄÉéłŁñçøÅàЖжёщαΩ"
WORDS = (
    "Anna", "SMITH", "o'Brien", "O’Neill", "St.", "Hauptstr", "Hauptstr.", "straße", "12", "12a", "007",
    "3/4", "1-3", "'", "`", "nr.", "No", "#4", "flat", "Apt.", "Dr.", "jr", "de", "van", "P.", "E", "iv", "X",
    "&", "GmbH", "Co.", "KG", "S.r.l.", "Ltd", "pty", "(north)", "Łódź", "Юстин", "山田", "aaa", "12345-6789",
    "AB1", "2CD", "e\u0301", "Ⅷ", "½", ",", "-", "--", ".", "n/a", "a", "bb", "1980-02-30", "\u00a0", "\t",
)  # fmt: skip
EMAIL_PARTS = (
    "anna", "Anna.Smith", "a+b", "+b", ".", "..", "_x", "-", "info", "noreply", "@", "@@", "gmail.com",
    "@gmail.com",
    "@GoogleMail.com", "@ya.ru", "@firm.de", "@x_y.de", "@-a.de", "@a.d", "bücher.de", "<", ">", "mailto:",
    " ", ",",
)  # fmt: skip

sentences = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
words = st.text(LETTERS, min_size=1, max_size=9)
names = st.lists(words, min_size=1, max_size=8).map(" ".join)
printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
emails = st.lists(st.sampled_from(EMAIL_PARTS), max_size=5).map("".join)
vocabulary = st.sampled_from(
    sorted(TITLES | SUFFIXES | set(STREET_WORDS) | {" ".join(form) for form in LEGAL_FORMS})
)
mixtures = st.lists(st.one_of(words, vocabulary), min_size=1, max_size=6).map(" ".join)
values = st.one_of(texts, sentences, names, printable, emails, mixtures, st.sampled_from(FILLERS), st.none())

PLANTED = (
    *AWKWARD,
    *FILLERS,
    *WORDS,
    "a ' b", "Anna ' ` Lee", "ctra    #4 ltd", "12 ' St", "a, flat 3 , b",
    "12 High St, Flat 3", "12a High Street", "12 a High Street", "12 A", "12/14 rue de la Paix",
    "Hauptstr. nr. 5 b",
    "5", "0012 Via Roma", "High Street 12 - 14", "Flat 2, 14 Some Road", "unit 5/12 abstr 7", "xstr 7",
    "12,  Lane",
    "Anna Smith", "Dr Anna Smith", "Anna Jr", "Mr Jr", "Anna P. Smith", "Anna E Smith", "A. Smith",
    "First Name",
    "John Q Public", "Guest Smith", "Anna Guest", "Anna Smith Jr", "van Berg", "Łukasz d'Żak", "anna  smith",
    "Foods & Sons Ltd", "Co", "x GmbH & Co. KG", "Guest Ltd", "a b c s r l s a", "S A Ltd",
    "anna.smith+x@gmail.com", "A.N.N.A@googlemail.com", "+x@gmail.com", "no.reply@gmail.com", "anna@ya.ru",
    "12345-6789", "12345 6789", "ca19 8gx", "11111", "ab", "1234567890123", "a" * 300, "é" * 60, "é" * 130,
    "#N/A", "\\N", "k.A.", "keine Angabe", " N/A ", "n / a", "Not  Available", "(null)", "不明",
    "a b c d e f g h", "jr jr", "mr mr", "İstanbul", "ŉ", "ſmith", "ﬁsh", "x\ny", "anna\r\n",
)  # fmt: skip


def storable(text: str | None) -> str | None:
    """Arrow holds no lone surrogates, and no file brings any."""
    return text if text is None else text.encode("utf-8", "ignore").decode("utf-8")


def rows_of(result: Any) -> list[Row]:
    columns = result if isinstance(result, tuple) else (result,)
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


def expect_equal(kind: str, given_values: Sequence[str | None]) -> None:
    function, one = SINGLE[kind]
    some = [storable(value) for value in given_values]
    blank = ("",) * len(one(""))
    assert rows_of(function(pa.array(some, pa.string()))) == [
        blank if value is None else one(value) for value in some
    ]


class TestColumnsOfText:
    @pytest.mark.parametrize("kind", SINGLE)
    @given(some=st.lists(values, max_size=25))
    @settings(max_examples=40, deadline=None)
    def test_any_column_is_what_its_single_values_are(self, kind: str, some: list[str | None]) -> None:
        expect_equal(kind, some)

    @pytest.mark.parametrize("kind", SINGLE)
    def test_planted_shapes_are_what_they_are_alone(self, kind: str) -> None:
        expect_equal(kind, PLANTED)

    @pytest.mark.parametrize("kind", SINGLE)
    def test_columns_in_pieces_and_in_codes_are_read_like_any(self, kind: str) -> None:
        function, one = SINGLE[kind]
        pieces = pa.chunked_array([["Anna Smith"], ["12 High St", None]])
        expected = [one("Anna Smith"), one("12 High St"), ("",) * len(one(""))]
        assert rows_of(function(pieces)) == expected
        assert rows_of(function(pieces.dictionary_encode())) == expected

    @pytest.mark.parametrize("kind", SINGLE)
    def test_a_column_without_values_stays_empty(self, kind: str) -> None:
        expect_equal(kind, [])
        expect_equal(kind, [None, None])

    def test_plain_values_need_no_function_for_one(self) -> None:
        asked: list[Any] = []

        def mapper(function: Callable[[Any], Any], some: Sequence[Any], /) -> Iterator[Any]:
            asked.extend(some)
            return map(function, some)

        bulk.bulk_emails(pa.array(["anna@firm.de", "Anna.B+x@gmail.com", "no e-mail"]), mapper)
        bulk.bulk_name_parts(pa.array(["Anna", "O'Neill", "Łukasz", "山田"]), mapper)
        bulk.bulk_street_lines(pa.array(["12 High St", "Hauptstraße 5", "Lazienki"]), mapper)
        assert asked == [("no e-mail",), ("山田",)]


DAYS = (
    "1980-02-03", "1980-02-30", "1900-01-01", "1849-12-31", "2101-01-01", "1980-02-03 10:00",
    "1980-02-03T00:00Z",
    "1980-02-03x", "03/02/1980", "13.02.80", "02-13-1980", "19800203", "1980.02.03", "3 Feb 1980",
    "febrero", "",
)  # fmt: skip


class TestBulkDates:
    @given(some=st.lists(st.tuples(st.one_of(st.sampled_from(DAYS), texts, st.none()), st.sampled_from(
        ("", "US", "us", "GB", "PH", "uſ", None)))))  # fmt: skip
    @settings(max_examples=60, deadline=None)
    def test_a_day_follows_the_custom_of_its_region(self, some: list[tuple[str | None, str | None]]) -> None:
        days, regions = [storable(day) for day, _ in some], [region for _, region in some]
        found = bulk.bulk_dates(pa.array(days, pa.string()), pa.array(regions, pa.string()))
        assert found.to_pylist() == [
            "" if day is None else normalise_date(day, region or "")
            for day, region in zip(days, regions, strict=True)
        ]


def example_numbers(region: str) -> set[str]:
    """The national digits of a number of each kind a region has."""
    found = (phonenumbers.example_number_for_type(region, kind) for kind in PhoneNumberType.values())
    return {phonenumbers.national_significant_number(number) for number in found if number}


def spellings(region: str, draw: random.Random, many: int) -> Iterator[str]:
    """Numbers of a region as people write and mistype them."""
    metadata = PhoneMetadata.metadata_for_region(region)
    assert metadata is not None
    code, trunk = str(metadata.country_code), metadata.national_prefix or ""
    prefixes = ("", trunk, "0", "00", "tel:+", f"+{code}", f"+{code}", f"00{code}", code, f"+{code} (0) ",
                f"{code}{trunk}", f"+00{code}", "011", "(0)", f"(+{code}) ", f"+ {code}", "810")  # fmt: skip
    endings = ("", "", "", " x12", " ext 45", "x 9", " EXT. 3", ";ext=3", " #4", ".", " ",
               ".0", ".00")  # fmt: skip
    for national in sorted(example_numbers(region)):
        for _ in range(many):
            digits = mistyped(national, draw) if draw.random() < 0.6 else national
            text = punctuated(digits, draw) if draw.random() < 0.5 else digits
            yield draw.choice(prefixes) + text + draw.choice(endings)


def mistyped(digits: str, draw: random.Random) -> str:
    place, digit = draw.randrange(len(digits)), draw.choice("0123456789")
    kept = digits[:place] + draw.choice(("", digit, digits[place] + digit)) + digits[place + 1 :]
    return kept[draw.choice((0, 0, 0, 2)) :] + draw.choice(("", "", "", digit * 3))


def punctuated(digits: str, draw: random.Random) -> str:
    signs = ("", "", "", "", " ", "-", ".", ") ", " (", "/", "  ")
    return "".join(digit + draw.choice(signs) for digit in digits)


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, str]]:
    """Numbers of every region, each with a region to read it by."""
    draw = random.Random(20)
    regions = sorted(phonenumbers.SUPPORTED_REGIONS)
    return [
        (text, draw.choice((region, region, region.lower(), draw.choice(regions), "", "XX")))
        for region in regions
        for text in spellings(region, draw, many=3)
    ]


class TestBulkPhones:
    @pytest.fixture(autouse=True)
    def _groups_of_any_size(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bulk_phones_module, "SMALLEST_GROUP", 1)

    def test_numbers_of_every_region_are_what_they_are_alone(self, pairs: list[tuple[str, str]]) -> None:
        texts, regions = zip(*pairs, strict=True)
        found = bulk.bulk_phones(pa.array(texts), pa.array(regions))
        wrong = [
            (text, region, number)
            for (text, region), number in zip(pairs, found.to_pylist(), strict=True)
            if number != normalise_phone(text, region).value
        ]
        assert not wrong

    def test_small_groups_are_left_to_the_function_for_one(self, pairs: list[tuple[str, str]]) -> None:
        texts, regions = zip(*pairs[:500], strict=True)
        quick = bulk.bulk_phones(pa.array(texts), pa.array(regions))
        with mock.patch.object(bulk_phones_module, "SMALLEST_GROUP", 10_000):
            assert bulk.bulk_phones(pa.array(texts), pa.array(regions)) == quick

    def test_missing_numbers_and_regions_are_borne(self) -> None:
        found = bulk.bulk_phones(
            pa.array([None, "030 1234567", "030 1234567", "0000000"]), pa.array(["DE", None, "DE", "DE"])
        )
        assert found.to_pylist() == ["", "0301234567", "+49301234567", ""]


class TestBulkPhonesOfAnyText:
    @given(some=st.lists(st.tuples(
        st.one_of(texts, st.text("0123456789 +-()./x", max_size=20), st.text("012", min_size=7, max_size=12)),
        st.sampled_from(("", "US", "gb", "DE", "IT", "RU", "AR", "SM", "xx", "🇩🇪")))))  # fmt: skip
    @settings(max_examples=60, deadline=None)
    def test_any_text_gives_what_it_gives_alone(self, some: list[tuple[str, str]]) -> None:
        texts, regions = [storable(text) or "" for text, _ in some], [region for _, region in some]
        with mock.patch.object(bulk_phones_module, "SMALLEST_GROUP", 1):
            found = bulk.bulk_phones(pa.array(texts, pa.string()), pa.array(regions, pa.string()))
        assert found.to_pylist() == [
            normalise_phone(text, region).value for text, region in zip(texts, regions, strict=True)
        ]
