"""Short ways past slow parsers: numbering plans, plain names and lone letters give what the parsers give."""

from __future__ import annotations

import random
import re

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nameparser import HumanName
from phonenumbers import NumberParseException, ValidationResult

from resolution.matching.normalise.name import name_of, parse_name
from resolution.matching.normalise.numbering import Number, is_valid, read_international, read_national
from resolution.matching.normalise.text import FOLDED_LETTERS, fold_text, word_set
from tests.resolution.matching.test_bulk_normalise import example_numbers, mistyped

REGIONS = sorted(phonenumbers.SUPPORTED_REGIONS)
FIRST_WORDS = word_set("""
    Anna ÉLOÏSE lukasz Jean-Pierre O'Shea D’Arcy Max Ludovica Ryszard Łucja Vi Al Ma Bo Ed Iv Do A. J X.
    """)
MIDDLE_WORDS = word_set("P. P E e. Marie VAN Jr M.D. X V. de Sophia Q I. y")
LAST_WORDS = word_set("""
    Smith SMITH smith Müller-Lüdenscheid O’Brien O'Neil Ma III Berg Phd Żak St-Onge Oglu II vi Mbe
    """)


def library_number(text: str, region: str) -> Number | None:
    """Read a number the way `phonenumbers` does."""
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    whole = phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
    national = phonenumbers.national_significant_number(number)
    return Number(str(number.country_code), national) if whole else None


def dialled(region: str, draw: random.Random) -> list[str]:
    """Digits as they may be dialled in a region, right and wrong, with every usual prefix."""
    code = str(phonenumbers.country_code_for_region(region))
    prefixes = (
        "",
        "0",
        "00",
        "1",
        "8",
        "011",
        "810",
        code,
        f"00{code}",
        f"{code}0",
        f"0{code}",
        "001",
        "15",
        "90",
    )
    nationals = sorted(example_numbers(region))
    some = nationals + [mistyped(national, draw) for national in nationals]
    return [draw.choice(prefixes) + national for national in some for _ in range(2)]


class TestNumberingPlans:
    def test_digits_are_read_as_the_library_reads_them_in_every_region(self) -> None:
        draw = random.Random(7)
        for region in REGIONS:
            for digits in dialled(region, draw):
                if len(digits) >= 7:
                    assert read_national(digits, region) == library_number(digits, region), (digits, region)

    def test_digits_behind_a_plus_are_read_as_the_library_reads_them(self) -> None:
        draw = random.Random(8)
        for region in REGIONS:
            for digits in dialled(region, draw):
                if len(digits) >= 7:
                    expected = library_number(f"+{digits}", region)
                    assert read_international(digits, region) == expected, (digits, region)

    def test_the_same_numbers_are_valid(self) -> None:
        draw = random.Random(9)
        for region in REGIONS:
            code = str(phonenumbers.country_code_for_region(region))
            for national in example_numbers(region):
                for text in (national, mistyped(national, draw)):
                    number = phonenumbers.PhoneNumber(int(code), int(text or 0))
                    whole = phonenumbers.national_significant_number(number)
                    assert is_valid(Number(code, whole)) == phonenumbers.is_valid_number(number), text

    def test_a_region_without_a_plan_reads_only_what_names_its_country(self) -> None:
        assert read_national("0301234567", "XX") is None
        assert read_international("49301234567", "XX") == Number("49", "301234567")


class TestPlainNames:
    @given(
        first=st.sampled_from(sorted(FIRST_WORDS)),
        middle=st.lists(st.sampled_from(sorted(MIDDLE_WORDS)), max_size=2),
        last=st.sampled_from(sorted(LAST_WORDS)),
    )
    @settings(max_examples=250, deadline=None)
    def test_names_in_plain_order_are_read_as_the_parser_reads_them(
        self, first: str, middle: list[str], last: str
    ) -> None:
        text = " ".join([first, *middle, last])
        parsed = HumanName(text)
        whole = parsed.first and parsed.last and not re.fullmatch(r"[^\W\d_]+ [^\W\d_]+", text)
        if whole:
            assert parse_name(text) == name_of(f"{parsed.first} {parsed.middle}", parsed.last)


class TestLettersThatFoldAlone:
    @given(
        text=st.text(st.sampled_from([chr(code) for code in FOLDED_LETTERS] + list(" aZ9.-")), max_size=20)
    )
    @settings(max_examples=300, deadline=None)
    def test_they_fold_as_they_do_among_others(self, text: str) -> None:
        assert fold_text(f"山 {text}") == f"山 {fold_text(text)}".rstrip()

    @pytest.mark.parametrize("text", ["e\u0301", "山é", "\u00a0é", "é\u200b", "İ\u0307", "é\x00"])
    def test_what_stands_beside_them_may_need_the_long_way(self, text: str) -> None:
        assert fold_text(text) == fold_text(f"山{text}").removeprefix("山").strip()
