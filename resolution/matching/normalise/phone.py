"""Phone numbers: E.164 where the country is known, plain national digits where it is not."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, ValidationResult

from resolution.matching.normalise import junk
from resolution.matching.normalise.numbering import (
    Number,
    is_valid,
    plan_of,
    read_international,
    read_national,
)
from resolution.matching.normalise.text import CACHED_VALUES, Canonical, clean_text

_SCHEME = re.compile(
    r"^(?:whatsapp|sms|tel|callto|phone|signal|viber|mobile|fax|wa)\s*:\s*(?://)?", re.IGNORECASE
)
_EXTENSION = re.compile(r"\s*(?:;?\s*ext(?:ension)?\.?|;|#|\bx\.?)\s*[=:]?\s*\d{0,7}.*$", re.IGNORECASE)
SHORTEST, LONGEST = 7, 15
LONGEST_TEXT = 60

# Digits and the usual punctuation, perhaps an extension: what a numbering plan can read without the parser.
# Without look-around, since the bulk functions share them.
PLAIN_NUMBER = r"[ (]*\+?[ (]*[0-9][0-9 ().\-/]*[0-9)]"
PLAIN_EXTENSION = r" (?:x|ext\.?) ?[0-9]{1,6}"
_PLAIN = re.compile(rf"({PLAIN_NUMBER})(?:{PLAIN_EXTENSION})?", re.IGNORECASE)
# What a spreadsheet makes of a number it takes for an amount: a decimal behind it, or its first digits alone.
DECIMAL = r"^ *\+?[0-9]{7,15}[.,]00? *$"
ROUNDED = r"(?i)^ *[0-9]([.,][0-9]+)?E\+?[0-9]{1,2} *$"
_DECIMAL, _ROUNDED = re.compile(DECIMAL), re.compile(ROUNDED)
_PUNCTUATION = str.maketrans("", "", "+ ().-/")


@lru_cache(CACHED_VALUES)
def normalise_phone(text: str, region: str = "") -> Canonical:
    """Write a number as E.164, or as national digits when no region (ISO alpha-2) tells its country."""
    text = _SCHEME.sub("", clean_text(text[: 4 * LONGEST_TEXT]))
    if _ROUNDED.search(text):
        return Canonical("", "a number rounded by a spreadsheet")
    if _DECIMAL.search(text):
        text = re.split("[.,]", text)[0]
    plain = _PLAIN.fullmatch(text)
    digits = plain[1].translate(_PUNCTUATION) if plain else _digits(_EXTENSION.sub("", text))
    if len(text) > LONGEST_TEXT or len(digits) > 2 * LONGEST:
        return Canonical("", "longer than any phone number")
    if len(digits) < SHORTEST:
        return Canonical("", "too short for a phone number" if digits else "no digits")
    written = _read(digits, "+" in text, region.upper()) if plain else _parsed(text, region.upper())
    return _usable_number(_reading(written, "+" in text, digits, region.upper()), digits)


def _digits(text: str) -> str:
    return "".join(str(unicodedata.digit(c)) for c in text if c.isdecimal())


def _read(digits: str, has_plus: bool, region: str) -> Number | None:
    return read_international(digits, region) if has_plus else read_national(digits, region)


def _parsed(text: str, region: str) -> Number | None:
    """Read a number that is written in words, letters or another script's digits."""
    try:
        number = phonenumbers.parse(text, region or None)
    except NumberParseException:
        return None
    whole = phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
    national = phonenumbers.national_significant_number(number)
    return Number(str(number.country_code), national) if whole else None


def _reading(written: Number | None, has_plus: bool, digits: str, region: str) -> Number | None:
    """Choose how to read a number: with its country, by the region's customs, or the country but no plus."""
    international = read_international(digits[2:]) if digits.startswith("00") else None
    # The bare digits as well, so that what is canonical without a country stays so when read again.
    number = international or written or read_national(digits, region)
    plan = plan_of(region)
    if international or has_plus or plan is None or not digits.startswith(plan.code):
        return number
    return _with_country_but_no_plus(number, digits)


def _with_country_but_no_plus(number: Number | None, digits: str) -> Number | None:
    """Prefer "+49…" for "49…" where only that reading is in the numbering plan."""
    if number and is_valid(number):
        return number
    international = read_international(digits)
    return international if international and is_valid(international) else number


def _usable_number(number: Number | None, digits: str) -> Canonical:
    national = number.national.lstrip("0") if number else digits
    if junk.is_junk_phone(national) or junk.is_junk_phone(digits):
        return Canonical("", "a filler, nobody's number")
    if number:
        return Canonical(f"+{number.code}{number.national}")
    if len(digits) > LONGEST:
        return Canonical("", "longer than any phone number")
    return Canonical(digits)


def are_one_national_number(left: str, right: str) -> bool:
    """Tell whether one of two canonical numbers is the other without its country: "+44…" and "0…"."""
    if left.startswith("+") == right.startswith("+"):
        return False
    whole, bare = (left, right) if left.startswith("+") else (right, left)
    national = phonenumbers.national_significant_number(phonenumbers.parse(whole))
    return bare in (national, f"0{national}", f"00{whole[1:]}", whole[1:])
