"""Phone numbers: E.164 with E.164; a number without country only speaks when it is the same."""

from __future__ import annotations

from resolution.matching.comparisons.outcome import Outcome, is_one_slip

LEVELS = ("exact", "close", "different")

SAME = Outcome("exact", "same number")
SLIP = Outcome("close", "one digit differs")
SWAPPED_DIGITS = Outcome("close", "two digits changed places")
DIFFERENT = Outcome("different", "different number")

COUNTRY_PART = 4


def compare_phones(left: str, right: str) -> Outcome | None:
    """Compare two canonical numbers; None when only one of them tells its country."""
    if left == right:
        return SAME
    if (left[0] == "+") != (right[0] == "+"):
        return None
    if left[:COUNTRY_PART] == right[:COUNTRY_PART] and is_one_slip(left, right):
        return SWAPPED_DIGITS if sorted(left) == sorted(right) else SLIP
    return DIFFERENT
