"""Columns only one caller knows: a birth place, an occupation, a sex. Equal, spelled alike, or different."""

from __future__ import annotations

from resolution.matching.comparisons.outcome import Outcome, is_near

LEVELS = ("exact", "close", "different")

SAME = Outcome("exact", "same value")
ALIKE = Outcome("close", "spelled differently")
DIFFERENT = Outcome("different", "different value")


def compare_extras(left: str, right: str) -> Outcome:
    """Compare two canonical texts."""
    if left == right:
        return SAME
    return ALIKE if is_near(left, right) else DIFFERENT
