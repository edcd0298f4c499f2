"""Birth dates: slips of typing, swapped day and month, placeholders that keep only the year."""

from __future__ import annotations

import datetime as dt

from resolution.matching.comparisons.outcome import Outcome, is_one_slip

LEVELS = ("exact", "swapped", "close", "placeholder", "year", "near", "different")

SAME = Outcome("exact", "same day")
FIRST_OF_JANUARY = Outcome("placeholder", "same year, both on the first of January")
SWAPPED = Outcome("swapped", "day and month swapped")
ONE_DIGIT = Outcome("close", "one digit differs or two changed places")
NEIGHBOUR = Outcome("close", "one day apart")
SAME_YEAR = Outcome("year", "only the year agrees, one side is the first of January")
TWO_PARTS = Outcome("near", "two of day, month and year agree")
DAYS_APART = Outcome("near", "a few weeks apart")
DIFFERENT = Outcome("different", "another date")

FEW_WEEKS = 45  # days


def compare_birth_dates(left: str, right: str) -> Outcome:
    """Compare two ISO dates."""
    if left == right:
        return FIRST_OF_JANUARY if _is_first_of_january(left) else SAME
    if left[:4] == right[:4]:
        return _compare_in_one_year(left, right)
    if is_one_slip(left, right) or _days_apart(left, right) == 1:
        return ONE_DIGIT
    return _compare_parts(left, right)


def _compare_in_one_year(left: str, right: str) -> Outcome:
    if _is_first_of_january(left) or _is_first_of_january(right):
        return SAME_YEAR
    if left[5:7] == right[8:] and left[8:] == right[5:7]:
        return SWAPPED
    if is_one_slip(left, right):
        return ONE_DIGIT
    return NEIGHBOUR if _days_apart(left, right) == 1 else _compare_parts(left, right)


def _compare_parts(left: str, right: str) -> Outcome:
    """What is left of a date typed wrongly more than once."""
    parts = zip(left.split("-"), right.split("-"), strict=True)
    if sum(one == other for one, other in parts) == 2:
        return TWO_PARTS
    return DAYS_APART if _days_apart(left, right) <= FEW_WEEKS else DIFFERENT


def _is_first_of_january(date: str) -> bool:
    return date.endswith("-01-01")


def _days_apart(left: str, right: str) -> int:
    return abs((dt.date.fromisoformat(left) - dt.date.fromisoformat(right)).days)
