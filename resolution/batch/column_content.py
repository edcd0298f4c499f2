"""What a column holds, by the look of its values, where its name does not say."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache

from resolution.matching.model import load_model
from resolution.matching.normalise.address import STREET_KINDS, STREET_WORDS
from resolution.matching.normalise.company import has_legal_form
from resolution.matching.normalise.country import country_code
from resolution.matching.normalise.date import normalise_date
from resolution.matching.normalise.email import normalise_email
from resolution.matching.normalise.name import PARTICLES
from resolution.matching.normalise.text import letter_words, plain_words

_ENOUGH = 0.8
_FEWEST_VALUES = 3
# Names, streets and postcodes are told by what many of them have in common, not one by one.
_FEWEST_OF_MANY = 20
_OLDEST_SPREAD_YEARS = 15
_LONGEST_LOOKED_AT = 200

# Codes that no other kind of number is written as.
_NATIONAL_POSTCODE = re.compile(
    r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z][ -]?\d[A-Z]\d|\d{4} ?[A-Z]{2}|\d{2}-\d{3}|\d{3} \d{2}"
    r"|\d{4}-\d{3}|\d{5}-\d{3}|\d{5}-\d{4}|[A-Z]{1,2}-\d{4,5}|\d{3}-\d{4}",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d{5,6}")
_NUMBER = re.compile(r"[+\d ().\-/]+(?:\s*(?:ext|x)\.?\s*\d+)?", re.IGNORECASE)
_WRITTEN_NUMBER = re.compile(r"\+[\d ().\-/]+|\(?0[\d ().\-/]+|[\d().]+[ \-/][\d ().\-/]+")
# The share of mailboxes, and of telephone numbers, in a column of both.
_FEWEST_OF_EACH = 0.1
# The share of numbers that must be written as telephone numbers are.
_WRITTEN = 0.3
# Shares of a column's values among the names of the model from which it is a column of names.
_KNOWN_GIVEN, _KNOWN_FAMILY, _KNOWN_WHOLE = 0.35, 0.12, 0.1
_FEWEST_NAMES = 15
# The share of companies that are written with their legal form.
_FORMED = 0.3
_KINDS_OF_STREET = frozenset(STREET_WORDS.values()) | STREET_WORDS.keys() | STREET_KINDS
_GLUED_KIND = re.compile(
    r"(?:strasse|str|weg|platz|gasse|allee|straat|laan|gatan|vagen|vej|gade|veien|katu|tie)$"
)


def field_by_content(values: Sequence[str], taken: Collection[str] = ()) -> str:
    """Find the field that at least eight in ten of the values look like; empty when none, or one `taken`."""
    filled = [value.strip()[:_LONGEST_LOOKED_AT] for value in values if value.strip()]
    if len(filled) < _FEWEST_VALUES:
        return ""
    found = next((field for field, holds in _CONTENT if holds(filled)), "")
    return "" if found in taken else found


def is_contradicted(field: str, values: Sequence[str]) -> bool:
    """Tell whether what a column holds cannot be what its name says: a "mail" of yes and no."""
    filled = [value.strip()[:_LONGEST_LOOKED_AT] for value in values if value.strip()]
    looks_like = _PLAINLY.get(field)
    return looks_like is not None and len(filled) >= _FEWEST_VALUES and not any(map(looks_like, filled))


def _mostly(looks_like: Callable[[str], bool]) -> Callable[[Sequence[str]], bool]:
    return lambda values: sum(map(looks_like, values)) >= _ENOUGH * len(values)


def _looks_like_email(value: str) -> bool:
    return "@" in value and bool(normalise_email(value).value)


def _looks_like_date(value: str) -> bool:
    return bool(re.search(r"\d(?:[-/.]|[年년] ?)\d|^\d{8}$", value)) and bool(normalise_date(value))


def _has_digits(value: str) -> bool:
    return sum(map(str.isdigit, value)) > 4


def _looks_like_country(value: str) -> bool:
    return len(value) > 1 and (value.isupper() or len(value) > 3) and bool(country_code(value))


def _are_births(values: Sequence[str]) -> bool:
    """Births lie decades apart; dates of one business do not."""
    if not _mostly(_looks_like_date)(values):
        return False
    years = [int(day[:4]) for day in map(normalise_date, values) if day]
    return max(years) - min(years) >= _OLDEST_SPREAD_YEARS


def _are_phones(values: Sequence[str]) -> bool:
    """Numbers of the right length, some of them written as only telephone numbers are."""
    numbers = [value for value in values if _NUMBER.fullmatch(value)]
    likely = [value for value in numbers if 7 <= sum(map(str.isdigit, value)) <= 15]
    written = sum(bool(_WRITTEN_NUMBER.fullmatch(value)) for value in likely)
    enough = len(likely) >= _ENOUGH * len(values) and written >= _WRITTEN * len(values)
    return enough and not _mostly(_looks_like_date)(values)


def _are_contacts(values: Sequence[str]) -> bool:
    """Mailboxes and telephone numbers in one column, a good part of each."""
    mailboxes = [value for value in values if "@" in value]
    others = [value for value in values if "@" not in value]
    fewest = _FEWEST_OF_EACH * len(values)
    enough = len(mailboxes) >= fewest and len(others) >= fewest
    return enough and _mostly(_looks_like_email)(mailboxes) and _mostly(_looks_like_number)(others)


def _looks_like_number(value: str) -> bool:
    return bool(_NUMBER.fullmatch(value)) and _has_digits(value)


def _are_postcodes(values: Sequence[str]) -> bool:
    if len(values) < _FEWEST_OF_MANY:
        return False
    if _mostly(lambda value: bool(_NATIONAL_POSTCODE.fullmatch(value)))(values):
        return True
    return _are_coded_digits(values)


def _are_coded_digits(values: Sequence[str]) -> bool:
    """Five or six digits are a code, not an amount, where some begin with 0 or others have a country's shape.

    They lie all over a country, and some come again.
    """
    codes = [value for value in values if _DIGITS.fullmatch(value) or _NATIONAL_POSTCODE.fullmatch(value)]
    coded = sum(value[0] == "0" or not value.isdigit() for value in codes)
    spread = len({code[0] for code in codes}) >= 3 and len(set(codes)) < len(codes)
    return len(codes) >= 0.95 * len(values) and coded >= 0.02 * len(values) and spread


def _are_companies(values: Sequence[str]) -> bool:
    """Many end in a legal form, as people, streets and towns do not."""
    firms = sum(has_legal_form(value) for value in values)
    return len(values) >= _FEWEST_OF_MANY and firms >= _FORMED * len(values)


def _are_street_lines(values: Sequence[str]) -> bool:
    """Lines with a number and often a word for street, or nearly always such a word at one of their ends."""
    lines = [plain_words(value) for value in values]
    lines = [words if 2 <= len(words) <= 10 else [] for words in lines]
    numbered = [words for words in lines if any(word[0].isdigit() for word in words)]
    streets = sum(any(map(_is_kind_of_street, words)) for words in numbered)
    ends = sum(
        any(len(word) > 3 and _is_kind_of_street(word) for word in words[:1] + words[-1:]) for words in lines
    )
    with_numbers = len(numbered) >= 0.7 * len(values) and streets >= 0.4 * len(values)
    return len(values) >= _FEWEST_OF_MANY and (with_numbers or ends >= 0.6 * len(values))


def _is_kind_of_street(word: str) -> bool:
    return word in _KINDS_OF_STREET or bool(_GLUED_KIND.search(word))


@lru_cache(2)
def _known(part: str) -> frozenset[str]:
    """The given or family names whose frequency is known, the bits and letters among them left out."""
    return frozenset(name for name in load_model().frequencies[part].values if len(name) > 2)


def _share(words: Sequence[str], part: str) -> float:
    return sum(word in _known(part) for word in words) / max(len(words), 1)


def _names(values: Sequence[str], most_words: int) -> list[list[str]]:
    """Values as words where nearly all are made of so few words and letters; else none."""
    found = [letter_words(value) for value in values if not re.search(r"[\d@/&]", value)]
    short = [words for words in found if 0 < len(words) <= most_words]
    varied = len({tuple(words) for words in short}) >= _FEWEST_NAMES
    return short if varied and len(short) >= 0.9 * len(values) and len(values) >= _FEWEST_OF_MANY else []


def _are_given_names(values: Sequence[str]) -> bool:
    words = [name[0] for name in _names(values, 2)]
    given = _share(words, "given_name")
    return given >= _KNOWN_GIVEN and given > _share(words, "family_name") and not _are_full_names(values)


def _are_family_names(values: Sequence[str]) -> bool:
    words = [name[-1] for name in _names(values, 3)]
    family = _share(words, "family_name")
    return family >= _KNOWN_FAMILY and family > _share(words, "given_name") and not _are_full_names(values)


def _are_full_names(values: Sequence[str]) -> bool:
    """Two words and more, one end of them a given name and the other now and then a family name."""
    names = [[word for word in name if word not in PARTICLES] for name in _names(values, 5)]
    several = [name for name in names if len(name) > 1]
    if len(several) < _ENOUGH * max(len(names), _FEWEST_OF_MANY):
        return False
    ends = [(name[0], name[-1]) for name in several]
    given = max(_share([end[side] for end in ends], "given_name") for side in (0, 1))
    family = max(_share([end[side] for end in ends], "family_name") for side in (0, 1))
    return given >= _KNOWN_GIVEN and family >= _KNOWN_WHOLE


_PLAINLY: dict[str, Callable[[str], object]] = {
    "email": lambda value: "@" in value,
    "phone": _has_digits,
    "birth_date": normalise_date,
}
_CONTENT: tuple[tuple[str, Callable[[Sequence[str]], bool]], ...] = (
    ("email", _mostly(_looks_like_email)),
    ("birth_date", _are_births),
    ("postcode", _are_postcodes),
    ("phone", _are_phones),
    ("email", _are_contacts),
    ("country", _mostly(_looks_like_country)),
    ("company", _are_companies),
    ("name", _are_full_names),
    ("given_name", _are_given_names),
    ("family_name", _are_family_names),
    ("address", _are_street_lines),
)
