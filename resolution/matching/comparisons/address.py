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
SAME_STREET = Outcome("street", "same street, other or no house number")
SAME_POSTCODE = Outcome("postcode", "same postcode, other street")
ONLY_POSTCODE = Outcome("postcode_only", "same postcode, no street to compare")
SAME_TOWN = Outcome("town", "same town, other street")
ONLY_TOWN = Outcome("town_only", "same town, nothing finer to compare")
DIFFERENT = Outcome("different", "different place")

STREET_ALIKE = 84.0

# (street, house, postcode, city, country), each canonical or empty.
AddressParts = tuple[str, str, str, str, str]


@lru_cache(1 << 16)
def compare_addresses(left: AddressParts, right: AddressParts) -> Outcome | None:
    """Compare two addresses; None when they have no part in common to compare."""
    if left[0] and right[0]:
        return _compare_streets(left, right)
    return _compare_towns(left, right)


def _compare_streets(left: AddressParts, right: AddressParts) -> Outcome:
    place = _same_place(left, right)
    if _streets_alike(left[0], right[0]):
        if _houses_agree(left[1], right[1]):
            return _same_door(left, right, place)
        if place:
            return SAME_STREET
    if left[2] and left[2] == right[2]:
        return SAME_POSTCODE
    return SAME_TOWN if _words_agree(left[3], right[3]) else DIFFERENT


def _same_door(left: AddressParts, right: AddressParts, place: bool | None) -> Outcome:
    if not place:
        return HOUSE_SOMEWHERE if place is None else SAME_STREET
    return SAME_HOUSE if left[0] == right[0] else SIMILAR_HOUSE


def _same_place(left: AddressParts, right: AddressParts) -> bool | None:
    """Whether postcode or town agree; None when neither is known on both sides."""
    postcodes, cities = left[2] and right[2], left[3] and right[3]
    if left[4] and right[4] and left[4] != right[4]:
        return False
    if not postcodes and not cities:
        return None
    same_code = bool(postcodes) and is_one_slip(left[2], right[2])
    return same_code or (bool(cities) and _words_agree(left[3], right[3]))


def _compare_towns(left: AddressParts, right: AddressParts) -> Outcome | None:
    if left[2] and left[2] == right[2]:
        return ONLY_POSTCODE
    codes_differ = bool(left[2] and right[2]) and not is_one_slip(left[2], right[2])
    if left[3] and right[3]:
        if not _words_agree(left[3], right[3]):
            return DIFFERENT
        return SAME_TOWN if codes_differ else ONLY_TOWN
    return DIFFERENT if codes_differ else None


def _words_agree(left: str, right: str) -> bool:
    return bool(left) and bool(right) and (left == right or is_near(left, right))


def _houses_agree(left: str, right: str) -> bool:
    """The same number, with or without the letter of an entrance."""
    if not left or not right:
        return False
    return left == right or left.rstrip("abcdefgh") == right.rstrip("abcdefgh") != ""


@lru_cache(1 << 16)
def _streets_alike(left: str, right: str) -> bool:
    left, right = street_core(left), street_core(right)
    if left == right or left.replace(" ", "") == right.replace(" ", ""):
        return True
    return fuzz.ratio(left, right, score_cutoff=STREET_ALIKE) > 0
