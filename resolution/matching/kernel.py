"""The one door to scoring: pairs of profiles and a model to match weights, levels and reasons.

    weight = prior + sum of field weights + household correction        (log2 odds)

Online look-up, batch, the file tool, training and tests all come through here, so the same two customers
always get the same weight, levels and reasons. A field missing on a side adds nothing and has no row. The
household correction is never positive: it says how much likelier the agreements are for two people of one
home than for two people at random.

`score_rows` works on the columns of a table and gives arrays; `score_pairs` and `score_pair` give the same as
`PairScore`s with their reasons. What makes it fast, in the order it pays: values are numbered, so equality is
an equality of numbers; a pair is dropped as soon as an optimistic bound shows that it cannot reach the floor;
texts are compared once for each distinct pair of values that is still wanted; names, the most telling for
their price, go first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from resolution.matching.bounded import score_batch
from resolution.matching.model import MatchModel
from resolution.matching.reasons import explain_rows
from resolution.matching.scores import Scores
from resolution.matching.table import ProfileTable, Rows, table_of
from resolution.matching.weights import weights_of
from resolution.types import PairScore, Profile

# Pairs that are scored at a time: the more, the fewer values meet twice; memory is bounded.
PAIRS_A_BATCH = 1 << 18
PROFILE_PAIRS_A_BATCH = 1 << 13


def score_pair(model: MatchModel, left: Profile, right: Profile) -> PairScore:
    """Score two profiles. Exchanging them exchanges `left` and `right` in the result and nothing else."""
    [score] = score_pairs(model, [(left, right)])
    return score


def score_pairs(
    model: MatchModel, pairs: Iterable[tuple[Profile, Profile]], *, floor: float | None = None
) -> Iterator[PairScore]:
    """Score pairs in their order, leaving out those below `floor` (log2 odds) as cheaply as can be told."""
    waiting = iter(pairs)
    while batch := list(islice(waiting, PROFILE_PAIRS_A_BATCH)):
        yield from _score_profiles(model, batch, floor)


def _score_profiles(
    model: MatchModel, pairs: Sequence[tuple[Profile, Profile]], floor: float | None
) -> Iterator[PairScore]:
    places: dict[int, int] = {}
    profiles: list[Profile] = []
    for pair in pairs:
        for profile in pair:
            if id(profile) not in places:
                places[id(profile)] = len(profiles)
                profiles.append(profile)
    table = table_of(profiles)
    left = np.array([places[id(one)] for one, _ in pairs], dtype=np.int64)
    right = np.array([places[id(other)] for _, other in pairs], dtype=np.int64)
    scores = score_batch(weights_of(model), table, left, right, floor, explained=True)
    return explain_rows(model, table, scores, profiles)


def score_rows(
    model: MatchModel,
    table: ProfileTable,
    left: Rows,
    right: Rows,
    *,
    floor: float | None = None,
    explained: bool = False,
) -> Iterator[Scores]:
    """Score rows of a table against each other, a bounded batch at a time, without those below `floor`."""
    weights = weights_of(model)
    for start in range(0, len(left), PAIRS_A_BATCH):
        part = slice(start, start + PAIRS_A_BATCH)
        yield score_batch(weights, table, left[part], right[part], floor, explained=explained)
