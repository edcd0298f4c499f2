"""What a comparison answers, and the string distances comparisons share."""

from __future__ import annotations

from typing import NamedTuple

from rapidfuzz.distance import OSA, JaroWinkler

# Jaro–Winkler similarities from which on words are near, or look alike from afar.
NEAR, ALIKE = 0.94, 0.8
SHORTEST_NEAR, SHORTEST_ALIKE = 4, 6
# Words of so many letters may have two slips.
LONG_WORD = 8


class Outcome(NamedTuple):
    """One of a field's levels and the phrase a steward reads."""

    level: str
    detail: str


def is_one_slip(left: str, right: str) -> bool:
    """Tell whether one letter wrong, left out, added or out of place turns one text into the other."""
    return OSA.distance(left, right, score_cutoff=1) <= 1


def is_near(left: str, right: str) -> bool:
    """Tell whether two words differ by typing: one slip in four letters or more, two in eight or more."""
    shorter = min(len(left), len(right))
    if shorter < SHORTEST_NEAR or abs(len(left) - len(right)) > 2:
        return False
    slips = 2 if shorter >= LONG_WORD else 1
    if OSA.distance(left, right, score_cutoff=slips) <= slips:
        return True
    return shorter >= 5 and left[0] == right[0] and JaroWinkler.similarity(left, right) >= NEAR


def is_alike(left: str, right: str) -> bool:
    """Tell whether two words look alike from afar: typed wrongly more than once, or two similar words."""
    if JaroWinkler.similarity(left, right) >= ALIKE:
        return True
    return min(len(left), len(right)) >= SHORTEST_ALIKE and OSA.distance(left, right, score_cutoff=2) <= 2
