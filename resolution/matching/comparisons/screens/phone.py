"""What numbers tell of many pairs of phone numbers: equal, certainly different, nothing."""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc
from rapidfuzz.distance import OSA

from resolution.matching.comparisons.answers import (
    SILENT,
    UNDECIDED,
    Answers,
    Codes,
    lengths_of,
    mask_of,
    number_of,
    within,
)
from resolution.matching.comparisons.phone import COUNTRY_PART, SHORTEST_NATIONAL
from resolution.matching.table import Column, number_values


class _PhoneFacts:
    def __init__(self, column: Column) -> None:
        numbers = column.arrow
        self.whole = mask_of(pc.starts_with(numbers, "+"))
        self.start = number_values(pc.utf8_slice_codeunits(numbers, 0, COUNTRY_PART))
        self.length = lengths_of(numbers)
        self.tail = number_values(pc.utf8_slice_codeunits(numbers, -SHORTEST_NATIONAL))


def phone_facts(column: Column) -> _PhoneFacts:
    """What the screen asks of the distinct phone numbers of a column, worked out once."""
    found: _PhoneFacts = column.fact("phone", lambda _: _PhoneFacts(column))
    return found


def screen_phones(column: Column, left: Codes, right: Codes) -> Answers:
    """One slip, and a number with and without its country, are left open."""
    facts = phone_facts(column)
    answers = np.full(len(left), number_of("phone", "different"), dtype=np.int8)
    equal = left == right
    answers[equal] = number_of("phone", "exact")
    one_whole = facts.whole[left] != facts.whole[right]
    answers[one_whole] = np.where((facts.tail[left] == facts.tail[right])[one_whole], UNDECIDED, SILENT)
    near = ~equal & ~one_whole & (facts.start[left] == facts.start[right])
    near &= np.abs(facts.length[left] - facts.length[right]) <= 1
    places = np.flatnonzero(near)
    answers[places[within(column.values, left, right, places, OSA.distance, 1)]] = UNDECIDED
    return answers
