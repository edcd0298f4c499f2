"""Given and family names, compared together because people write them in either field."""

from __future__ import annotations

import re
from functools import lru_cache

from resolution.matching.comparisons.nicknames import are_forms_of_one_name
from resolution.matching.comparisons.outcome import Outcome, is_alike, is_near
from resolution.matching.normalise.name import core_family, sound_of

GIVEN_LEVELS = ("exact", "variant", "close", "initial", "swapped", "near", "far", "different")
FAMILY_LEVELS = ("exact", "part", "close", "gendered", "swapped", "far", "different")

_CACHED_PAIRS = 1 << 17
SHORTEST_SOUND = 3
SHORTEST_SHORTENED = 3
SHORTEST_FOR_SWAPPED_SLIP = 5

SAME_GIVEN = Outcome("exact", "same given name")
SAME_FIRST = Outcome("exact", "same given name, a middle name on one side")
NICKNAME = Outcome("variant", "nickname or other form of the name")
SHORTENED = Outcome("variant", "short form of the name")
ONE_OF_SEVERAL = Outcome("variant", "one of several given names")
MIDDLE_DIFFERS = Outcome("close", "same given name, other middle name")
GIVEN_SLIP = Outcome("close", "given name spelled differently")
GIVEN_SOUND = Outcome("close", "given name sounds alike")
INITIAL = Outcome("initial", "initial fits")
TWO_NAMES = Outcome("near", "two names that differ by a letter")
GIVEN_ALIKE = Outcome("far", "given name looks a little alike")
OTHER_GIVEN = Outcome("different", "different given name")
OTHER_INITIAL = Outcome("different", "initial does not fit")

SAME_FAMILY = Outcome("exact", "same family name")
JOINED_FAMILY = Outcome("exact", "same family name, written apart or with other small words")
PART_OF_DOUBLE = Outcome("part", "one family name is part of the other")
FAMILY_SLIP = Outcome("close", "family name spelled differently")
FAMILY_SOUND = Outcome("close", "family name sounds alike")
GENDERED = Outcome("gendered", "masculine and feminine form of one family name")
FAMILY_ALIKE = Outcome("far", "family name looks a little alike")
OTHER_FAMILY = Outcome("different", "different family name")

SWAPPED = Outcome("swapped", "given and family name changed places")

# The commonest case of each level comes first.
GIVEN_OUTCOMES = (
    SAME_GIVEN, SAME_FIRST, NICKNAME, SHORTENED, ONE_OF_SEVERAL, GIVEN_SLIP, MIDDLE_DIFFERS, GIVEN_SOUND,
    INITIAL, SWAPPED, TWO_NAMES, GIVEN_ALIKE, OTHER_GIVEN, OTHER_INITIAL,
)  # fmt: skip
FAMILY_OUTCOMES = (
    SAME_FAMILY, JOINED_FAMILY, PART_OF_DOUBLE, FAMILY_SLIP, FAMILY_SOUND, GENDERED, SWAPPED, FAMILY_ALIKE,
    OTHER_FAMILY,
)  # fmt: skip

_NOT_ONE_GIVEN = (OTHER_GIVEN, OTHER_INITIAL, GIVEN_ALIKE)
_NOT_ONE_FAMILY = (OTHER_FAMILY, FAMILY_ALIKE)
_ONE_GIVEN = ("exact", "variant", "initial")

_LATIN_LETTER = re.compile("[a-z]")

NameParts = tuple[str, str]
NameOutcomes = tuple[Outcome | None, Outcome | None]


def compare_names(left: NameParts, right: NameParts) -> NameOutcomes:
    """Compare two (given, family) names; each part's outcome is None when it is missing on a side."""
    given = compare_given(left[0], right[0]) if left[0] and right[0] else None
    family = compare_family(left[1], right[1]) if left[1] and right[1] else None
    if family in _NOT_ONE_FAMILY and given in _NOT_ONE_GIVEN and _changed_places(left, right):
        return SWAPPED, SWAPPED
    return given, family


def _changed_places(left: NameParts, right: NameParts) -> bool:
    """One part must be the same by letter; the other may be an initial, a nickname or a word with a slip."""
    crossed = ((left[0], right[1]), (left[1], right[0]))
    same = sum(one == other for one, other in crossed)
    return same == 2 or (same == 1 and all(_could_be_one(*parts) for parts in crossed))


def _could_be_one(one: str, other: str) -> bool:
    outcome = compare_given(one, other)
    if one == other or (outcome and outcome.level in _ONE_GIVEN):
        return True
    return min(len(one), len(other)) >= SHORTEST_FOR_SWAPPED_SLIP and is_near(one, other)


def are_of_two_scripts(left: str, right: str) -> bool:
    """Tell whether one is in Latin letters and the other has none: how that sounds nobody can know."""
    return left.isascii() != right.isascii() and not (
        _LATIN_LETTER.search(left) and _LATIN_LETTER.search(right)
    )


@lru_cache(_CACHED_PAIRS)
def compare_given(left: str, right: str) -> Outcome | None:
    """Compare two given names, which may hold middle names or be an initial; None where scripts differ."""
    if left == right:
        return SAME_GIVEN if len(left) > 1 or not left.isascii() else INITIAL
    if are_of_two_scripts(left, right):
        return None
    lefts, rights = left.split(), right.split()
    first, other = lefts[0], rights[0]
    if len(first) == 1 or len(other) == 1:
        return INITIAL if first[0] == other[0] else OTHER_INITIAL
    if first == other:
        return SAME_FIRST if _middle_fits(lefts[1:], rights[1:]) else MIDDLE_DIFFERS
    return _compare_first_names(first, other) or _compare_all_given(lefts, rights)


def _middle_fits(lefts: list[str], rights: list[str]) -> bool:
    if not lefts or not rights or lefts[0] == rights[0]:
        return True
    return lefts[0][0] == rights[0][0] and 1 in (len(lefts[0]), len(rights[0]))


@lru_cache(_CACHED_PAIRS)
def _compare_first_names(first: str, other: str) -> Outcome | None:
    if are_forms_of_one_name(first, other):
        return NICKNAME
    if is_near(first, other):
        return GIVEN_SLIP
    if _sounds_alike(first, other):
        return GIVEN_SOUND
    short, long = sorted((first, other), key=len)
    return SHORTENED if len(short) >= SHORTEST_SHORTENED and long.startswith(short) else None


def _compare_all_given(lefts: list[str], rights: list[str]) -> Outcome:
    if "".join(lefts) == "".join(rights):
        return SAME_GIVEN
    shared = {word for word in lefts if len(word) > 1} & set(rights)
    if shared:
        return ONE_OF_SEVERAL
    return GIVEN_ALIKE if is_alike(lefts[0], rights[0]) else OTHER_GIVEN


def _sounds_alike(left: str, right: str) -> bool:
    sound = sound_of(left)
    return len(sound) >= SHORTEST_SOUND and sound == sound_of(right)


@lru_cache(_CACHED_PAIRS)
def compare_family(left: str, right: str) -> Outcome | None:
    """Compare two family names, which may be double or carry particles; None where scripts differ."""
    if left == right:
        return SAME_FAMILY
    if are_of_two_scripts(left, right):
        return None
    if " " in left or " " in right:
        return _compare_several_words(left, right)
    return _compare_spelling(left, right)


def _compare_several_words(left: str, right: str) -> Outcome:
    core, other = core_family(left), core_family(right)
    if left.replace(" ", "") == right.replace(" ", "") or core == other:
        return JOINED_FAMILY
    if _is_part(left, right) or _is_part(right, left):
        return PART_OF_DOUBLE
    return _compare_spelling(core, other)


def _is_part(short: str, long: str) -> bool:
    words = set(short.split())
    return max(map(len, words)) >= 3 and words < set(long.split())


def _compare_spelling(left: str, right: str) -> Outcome:
    if _is_gendered(left, right):
        return GENDERED
    if is_near(left, right):
        return FAMILY_SLIP
    if _sounds_alike(left, right):
        return FAMILY_SOUND
    return FAMILY_ALIKE if is_alike(left, right) else OTHER_FAMILY


# So many more letters a feminine form may have: novak, novakova.
LONGEST_GENDERED = 3
_MASCULINE_ENDINGS = ("ov", "ev", "in", "yn", "off", "eff", "ow", "ew")


def _is_gendered(left: str, right: str) -> bool:
    """Slavic pairs: ivanov, ivanova; kowalski, kowalska; tolstoy, tolstaya; novak, novakova."""
    short, long = sorted((left, right), key=len)
    if long == short + "a" and short.endswith(_MASCULINE_ENDINGS):
        return True
    if len(short) > 4 and short[:-1] == long[:-1] and {short[-1], long[-1]} in ({"i", "a"}, {"y", "a"}):
        return short[-2] in "kc"
    return len(short) > 3 and (long == short + "ova" or (short[:-2] == long[:-3] and long.endswith("aya")))


@lru_cache(_CACHED_PAIRS)
def are_two_names(first: str, other: str) -> bool:
    """Tell whether two spellings of known first names are no slip: Anna and Anne, Daniel and Daniela."""
    return first != other and (first[-1] != other[-1] or sound_of(first) != sound_of(other))
