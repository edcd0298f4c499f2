"""What numbers tell of many pairs of external ids and of handles: both are values within a system."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow.compute as pc
from rapidfuzz.distance import OSA

from resolution.matching.comparisons.answers import (
    SILENT,
    UNDECIDED,
    Answers,
    Codes,
    lengths_of,
    number_of,
    within,
)
from resolution.matching.facts import bare_ids_of
from resolution.matching.table import ArrowTexts, Column, arrow_of, number_values


class _IdFacts:
    def __init__(self, column: Column) -> None:
        bare = bare_ids_of(column)
        self.system = _number_systems(column.values)
        self.bare, self.texts, self.length = number_values(bare), ArrowTexts(bare), lengths_of(bare)


def id_facts(column: Column) -> _IdFacts:
    """What the screen asks of the distinct external ids of a column, worked out once."""
    found: _IdFacts = column.fact("external_id", lambda _: _IdFacts(column))
    return found


def screen_ids(column: Column, left: Codes, right: Codes) -> Answers:
    """An id of another system says nothing; one slip is left open, all else is told."""
    facts = id_facts(column)
    answers = np.full(len(left), number_of("external_id", "different"), dtype=np.int8)
    one_system = facts.system[left] == facts.system[right]
    answers[~one_system] = SILENT
    same = facts.bare[left] == facts.bare[right]
    near = one_system & ~same & (np.abs(facts.length[left] - facts.length[right]) <= 1)
    places = np.flatnonzero(near)
    answers[places[within(facts.texts, left, right, places, OSA.distance, 1)]] = UNDECIDED
    answers[one_system & same] = number_of("external_id", "exact")
    return answers


def screen_handles(column: Column, left: Codes, right: Codes) -> Answers:
    """Nothing of a handle is left to the scalar function."""
    network = column.fact("network", _number_systems)
    answers = np.where(network[left] == network[right], number_of("handle", "different"), SILENT)
    answers[left == right] = number_of("handle", "exact")
    return answers.astype(np.int8)


def _number_systems(values: Sequence[str]) -> Codes:
    """Number the systems of ids, as `system_of` names them."""
    return number_values(pc.replace_substring_regex(arrow_of(values), "^[^:]*$|:[^:]*$", ""))
