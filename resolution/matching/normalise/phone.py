"""Phone numbers: E.164 where the country is known, plain national digits where it is not."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, ValidationResult

from resolution.matching.normalise import junk
from resolution.matching.normalise.text import CACHED_VALUES, Canonical, clean_text

_SCHEME = re.compile(
    r"^(?:whatsapp|sms|tel|callto|phone|signal|viber|mobile|fax|wa)\s*:\s*(?://)?", re.IGNORECASE
)
_EXTENSION = re.compile(r"\s*(?:;?\s*ext(?:ension)?\.?|;|#|\bx\.?)\s*[=:]?\s*\d{0,7}.*$", re.IGNORECASE)
_SHORTEST, _LONGEST = 7, 15
_LONGEST_TEXT = 60


@lru_cache(CACHED_VALUES)
def normalise_phone(text: str, region: str = "") -> Canonical:
    """Write a number as E.164, or as national digits when no region (ISO alpha-2) tells its country."""
    text = _SCHEME.sub("", clean_text(text[: 4 * _LONGEST_TEXT]))
    digits = _digits(_EXTENSION.sub("", text))
    if len(text) > _LONGEST_TEXT or len(digits) > 2 * _LONGEST:
        return Canonical("", "longer than any phone number")
    if len(digits) < _SHORTEST:
        return Canonical("", "too short for a phone number" if digits else "no digits")
    return _usable_number(_parse(text, digits, region.upper()), digits)


def _digits(text: str) -> str:
    return "".join(str(unicodedata.digit(c)) for c in text if c.isdecimal())


def _parse(text: str, digits: str, region: str) -> PhoneNumber | None:
    """Read a number: with its country, by the region's customs, or with the country but no plus."""
    international = _possible(f"+{digits[2:]}", None) if digits.startswith("00") else None
    # The bare digits as well, so that what is canonical without a country stays so when read again.
    number = international or _possible(text, region) or _possible(digits, region)
    dialling_code = str(phonenumbers.country_code_for_region(region))
    if international or "+" in text or not digits.startswith(dialling_code):
        return number
    return _with_country_but_no_plus(number, digits)


def _possible(text: str, region: str | None) -> PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, region or None)
    except NumberParseException:
        return None
    whole = phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
    return number if whole else None


def _with_country_but_no_plus(number: PhoneNumber | None, digits: str) -> PhoneNumber | None:
    """Prefer "+49…" for "49…" where only that reading is in the numbering plan."""
    if number and phonenumbers.is_valid_number(number):
        return number
    international = _possible(f"+{digits}", None)
    valid = international is not None and phonenumbers.is_valid_number(international)
    return international if valid else number


def _usable_number(number: PhoneNumber | None, digits: str) -> Canonical:
    national = str(number.national_number) if number else digits
    if junk.is_junk_phone(national) or junk.is_junk_phone(digits):
        return Canonical("", "a filler, nobody's number")
    if number:
        return Canonical(phonenumbers.format_number(number, PhoneNumberFormat.E164))
    if len(digits) > _LONGEST:
        return Canonical("", "longer than any phone number")
    return Canonical(digits)


def are_one_national_number(left: str, right: str) -> bool:
    """Tell whether one of two canonical numbers is the other without its country: "+44…" and "0…"."""
    if left.startswith("+") == right.startswith("+"):
        return False
    whole, bare = (left, right) if left.startswith("+") else (right, left)
    national = phonenumbers.national_significant_number(phonenumbers.parse(whole))
    return bare in (national, f"0{national}", f"00{whole[1:]}", whole[1:])
