"""Street, house, postcode and town as one ordered comparison: each next level contains less of the place."""

from __future__ import annotations

from functools import lru_cache

from rapidfuzz import fuzz

from resolution.matching.comparisons.outcome import Outcome, is_near, is_one_slip
from resolution.matching.normalise.address import street_core

LEVELS = ("house", "likely_house", "street", "postcode", "postcode_only", "town", "town_only", "different")

SAME_HOUSE = Outcome("house", "same house")
SIMILAR_HOUSE = Outcome("house", "same house, street spelled differently")
HOUSE_SOMEWHERE = Outcome("likely_house", "same street and number, town not certain")
OTHER_POSTCODE = Outcome("street", "same street and number, but another postcode")
SAME_STREET = Outcome("street", "same street, other or no house number")
SAME_POSTCODE = Outcome("postcode", "same postcode, other street")
ONLY_POSTCODE = Outcome("postcode_only", "same postcode, no street to compare")
SAME_TOWN = Outcome("town", "same town, other street")
ONLY_TOWN = Outcome("town_only", "same town, nothing finer to compare")
DIFFERENT = Outcome("different", "different place")

STREET_ALIKE, MISTYPED_STREET = 84.0, 92.0

# (street, house, postcode, city, country), each canonical or empty.
AddressParts = tuple[str, str, str, str, str]


@lru_cache(1 << 16)
def compare_addresses(left: AddressParts, right: AddressParts) -> Outcome | None:
    """Compare two addresses; None when they have no part in common to compare."""
    if left[0] and right[0]:
        return _compare_streets(left, right)
    return _compare_towns(left, right)


def _compare_streets(left: AddressParts, right: AddressParts) -> Outcome:
    if _streets_alike(left[0], right[0]) and not _towns_differ(left, right):
        return _compare_doors(left, right)
    if left[2] and left[2] == right[2]:
        return SAME_POSTCODE
    return SAME_TOWN if words_agree(left[3], right[3]) else DIFFERENT


def _compare_doors(left: AddressParts, right: AddressParts) -> Outcome:
    """Compare two addresses of one street name that may well be in one town."""
    place = _same_place(left, right)
    if not _houses_agree(left[1], right[1]):
        return SAME_STREET if place else _compare_towns(left, right) or SAME_STREET
    if place is None:
        return HOUSE_SOMEWHERE
    if not place:
        return OTHER_POSTCODE
    return SAME_HOUSE if left[0] == right[0] else SIMILAR_HOUSE


def _towns_differ(left: AddressParts, right: AddressParts) -> bool:
    """Whether town or country speak against one place and no postcode speaks for it."""
    if left[4] and right[4] and left[4] != right[4]:
        return True
    return bool(left[3] and right[3]) and not _same_place(left, right)


def _same_place(left: AddressParts, right: AddressParts) -> bool | None:
    """Whether postcode or town agree; None when neither is known on both sides."""
    postcodes, cities = left[2] and right[2], left[3] and right[3]
    if not postcodes and not cities:
        return None
    same_code = bool(postcodes) and is_one_slip(left[2], right[2])
    return same_code or (bool(cities) and words_agree(left[3], right[3]))


def _compare_towns(left: AddressParts, right: AddressParts) -> Outcome | None:
    if left[2] and left[2] == right[2]:
        return ONLY_POSTCODE
    codes_differ = bool(left[2] and right[2]) and not is_one_slip(left[2], right[2])
    if left[3] and right[3]:
        if not words_agree(left[3], right[3]):
            return DIFFERENT
        return SAME_TOWN if codes_differ else ONLY_TOWN
    return DIFFERENT if codes_differ else None


def words_agree(left: str, right: str) -> bool:
    """Tell whether two canonical towns are one, typing slips allowed."""
    return bool(left) and bool(right) and (left == right or is_near(left, right))


def _houses_agree(left: str, right: str) -> bool:
    """The same number, with or without the letter of an entrance."""
    if not left or not right:
        return False
    return left == right or left.rstrip("abcdefgh") == right.rstrip("abcdefgh") != ""


@lru_cache(1 << 16)
def _streets_alike(left: str, right: str) -> bool:
    core, other = street_core(left), street_core(right)
    if core.replace(" ", "") == other.replace(" ", ""):
        return True
    # A mistyped "street" is not taken off, so one name comes out longer than the other.
    if (core == left) != (other == right):
        return fuzz.ratio(left, right, score_cutoff=MISTYPED_STREET) > 0
    return fuzz.ratio(core, other, score_cutoff=STREET_ALIKE) > 0
