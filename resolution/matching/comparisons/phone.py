"""Phone numbers: E.164 with E.164; a number without its country only speaks when it is the same."""

from __future__ import annotations

from resolution.matching.comparisons.outcome import Outcome, is_one_slip

LEVELS = ("exact", "national", "close", "different")

SAME = Outcome("exact", "same number")
SAME_NATIONAL = Outcome("national", "same number, its country on one side only")
SLIP = Outcome("close", "one digit differs")
SWAPPED_DIGITS = Outcome("close", "two digits changed places")
DIFFERENT = Outcome("different", "different number")

COUNTRY_PART = 4
# So many last digits at least make a number without its country the same.
SHORTEST_NATIONAL = 7


def compare_phones(left: str, right: str) -> Outcome | None:
    """Compare two canonical numbers; None when only one tells its country and the rest is another number."""
    if left == right:
        return SAME
    if (left[0] == "+") != (right[0] == "+"):
        return SAME_NATIONAL if _ends_alike(left, right) else None
    if left[:COUNTRY_PART] == right[:COUNTRY_PART] and is_one_slip(left, right):
        return SWAPPED_DIGITS if sorted(left) == sorted(right) else SLIP
    return DIFFERENT


def _ends_alike(left: str, right: str) -> bool:
    """Whether the whole number ends in the one without country and without its leading zeros."""
    whole, bare = (left, right) if left[0] == "+" else (right, left)
    national = bare.lstrip("0")
    return len(national) >= SHORTEST_NATIONAL and whole.endswith(national)
