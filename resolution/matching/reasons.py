"""The reasons of scores: for each field that counted, a steward's phrase and the log2 odds it added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from resolution.matching.comparisons.answers import SILENT, number_of
from resolution.matching.comparisons.external_id import hard_conflict
from resolution.matching.comparisons.many import compare_two
from resolution.matching.comparisons.name import TWO_NAMES, compare_names
from resolution.matching.comparisons.outcome import Outcome
from resolution.matching.model import MatchModel
from resolution.matching.scores import FAMILY, GIVEN, NAME, Scores
from resolution.matching.table import ProfileTable
from resolution.types import Address, FieldEvidence, Name, PairScore, Profile

PRIOR_DETAIL = "two customers picked at random"
HOUSEHOLD_DETAIL = "two people of one home or firm would agree on as much"

_NEAR = number_of(GIVEN, "near")


def explain_rows(
    model: MatchModel, table: ProfileTable, scores: Scores, profiles: Sequence[Profile]
) -> Iterator[PairScore]:
    """Give the reasons of scores that were made `explained`; `profiles` are those of the table's rows."""
    prior = FieldEvidence("prior", "start", PRIOR_DETAIL, model.prior)
    for place in range(len(scores)):
        left, right = profiles[scores.left[place]], profiles[scores.right[place]]
        rows = [prior, *_evidence(table, scores, place)]
        if scores.correction[place]:
            correction = float(scores.correction[place])
            rows.append(FieldEvidence("household", "possible", HOUSEHOLD_DETAIL, correction))
        conflict = hard_conflict(left, right, model.exclusive_systems)
        yield PairScore(left.key, right.key, float(scores.weight[place]), tuple(rows), conflict)


def _evidence(table: ProfileTable, scores: Scores, place: int) -> Iterator[FieldEvidence]:
    """The scalar comparisons' phrases on the values that counted."""
    for field, (lefts, rights) in scores.values.items():
        left, right = int(lefts[place]), int(rights[place])
        if left < 0:
            continue
        values = table.columns[field].values
        if field == NAME:
            yield from _name_evidence(scores, place, values[left], values[right])
        elif scores.levels[field][place] != SILENT:
            outcome = compare_two(field, values[left], values[right])
            yield _row(field, outcome, scores, place, values[left], values[right])


def _name_evidence(scores: Scores, place: int, left: Name, right: Name) -> Iterator[FieldEvidence]:
    given, family = compare_names((left.given, left.family), (right.given, right.family))
    if given is not None:
        if scores.levels[GIVEN][place] == _NEAR:
            given = TWO_NAMES
        yield _row(GIVEN, given, scores, place, left.given, right.given)
    if family is not None:
        yield _row(FAMILY, family, scores, place, left.family, right.family)


def _row(
    field: str, outcome: Outcome | None, scores: Scores, place: int, left: Any, right: Any
) -> FieldEvidence:
    if outcome is None:
        raise AssertionError(f"{field} was scored and has nothing to say")
    weight = float(scores.weights[field][place])
    return FieldEvidence(field, outcome.level, outcome.detail, weight, as_text(left), as_text(right))


def as_text(value: str | Address) -> str:
    """Write a compared value as a steward reads it: an address in one line."""
    if isinstance(value, str):
        return value
    line, town = f"{value.house} {value.street}".strip(), f"{value.postcode} {value.city}".strip()
    return ", ".join(filter(None, (line, town)))
