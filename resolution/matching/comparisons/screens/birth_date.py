"""What numbers tell of many pairs of birth dates, which is everything."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from resolution.matching.comparisons.answers import Answers, Codes, Mask, number_of
from resolution.matching.comparisons.birth_date import FEW_WEEKS
from resolution.matching.table import Column


class _DateFacts:
    def __init__(self, column: Column) -> None:
        values = list(column.values)
        digits = "".join(value.replace("-", "") for value in values)
        self.digits = np.frombuffer(digits.encode(), dtype=np.uint8).reshape(-1, 8)
        self.year, self.month, self.day = (
            np.fromiter((int(value[part]) for value in values), dtype=np.int32, count=len(values))
            for part in (slice(0, 4), slice(5, 7), slice(8, 10))
        )
        self.ordinal = np.array(list(values), dtype="datetime64[D]").astype(np.int64)
        self.new_year = (self.month == 1) & (self.day == 1)


def date_facts(column: Column) -> _DateFacts:
    """What the screen asks of the distinct birth dates of a column, worked out once."""
    found: _DateFacts = column.fact("birth_date", lambda _: _DateFacts(column))
    return found


# Digits that stand side by side in YYYY-MM-DD, by their place among the eight.
_SIDE_BY_SIDE = ((0, 1), (1, 2), (2, 3), (4, 5), (6, 7))


def screen_dates(column: Column, left: Codes, right: Codes) -> Answers:
    """Nothing of a date is left to the scalar function: its parts are numbers."""
    facts = date_facts(column)
    apart = np.abs(facts.ordinal[left] - facts.ordinal[right])
    equal_parts = [part[left] == part[right] for part in (facts.year, facts.month, facts.day)]
    same_year = equal_parts[0]
    answers = np.full(len(left), number_of("birth_date", "different"), dtype=np.int8)
    near = (apart <= FEW_WEEKS) | (sum(part.astype(np.int8) for part in equal_parts) == 2)
    answers[near] = number_of("birth_date", "near")
    places = np.flatnonzero(near)
    slipped = places[(apart[places] == 1) | _one_slip(facts.digits, left[places], right[places])]
    answers[slipped] = number_of("birth_date", "close")
    swapped = same_year & (facts.month[left] == facts.day[right]) & (facts.day[left] == facts.month[right])
    answers[swapped] = number_of("birth_date", "swapped")
    answers[same_year & (facts.new_year[left] | facts.new_year[right])] = number_of("birth_date", "year")
    answers[apart == 0] = np.where(
        facts.new_year[left[apart == 0]],
        number_of("birth_date", "placeholder"),
        number_of("birth_date", "exact"),
    )
    return answers


def _one_slip(digits: npt.NDArray[np.uint8], left: Codes, right: Codes) -> Mask:
    """Whether one digit differs, or two side by side changed places."""
    ones, others = digits[left], digits[right]
    wrong = (ones != others).sum(axis=1)
    found: Mask = wrong == 1
    for one, other in _SIDE_BY_SIDE:
        changed = (ones[:, one] == others[:, other]) & (ones[:, other] == others[:, one])
        found |= (wrong == 2) & changed & (ones[:, one] != others[:, one])
    return found
