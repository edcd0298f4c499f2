"""Birth dates: slips of typing, swapped day and month, placeholders that keep only the year."""

from __future__ import annotations

import datetime as dt

from resolution.matching.comparisons.outcome import Outcome, is_one_slip

LEVELS = ("exact", "swapped", "close", "placeholder", "year", "different")

SAME = Outcome("exact", "same day")
FIRST_OF_JANUARY = Outcome("placeholder", "same year, both on the first of January")
SWAPPED = Outcome("swapped", "day and month swapped")
ONE_DIGIT = Outcome("close", "one digit differs or two changed places")
NEIGHBOUR = Outcome("close", "one day apart")
SAME_YEAR = Outcome("year", "only the year agrees, one side is the first of January")
DIFFERENT = Outcome("different", "another date")


def compare_birth_dates(left: str, right: str) -> Outcome:
    """Compare two ISO dates."""
    if left == right:
        return FIRST_OF_JANUARY if _is_first_of_january(left) else SAME
    if left[:4] == right[:4]:
        return _compare_in_one_year(left, right)
    return ONE_DIGIT if is_one_slip(left, right) or _one_day_apart(left, right) else DIFFERENT


def _compare_in_one_year(left: str, right: str) -> Outcome:
    if _is_first_of_january(left) or _is_first_of_january(right):
        return SAME_YEAR
    if left[5:7] == right[8:] and left[8:] == right[5:7]:
        return SWAPPED
    if is_one_slip(left, right):
        return ONE_DIGIT
    return NEIGHBOUR if _one_day_apart(left, right) else DIFFERENT


def _is_first_of_january(date: str) -> bool:
    return date.endswith("-01-01")


def _one_day_apart(left: str, right: str) -> bool:
    days = dt.date.fromisoformat(left) - dt.date.fromisoformat(right)
    return abs(days.days) == 1
