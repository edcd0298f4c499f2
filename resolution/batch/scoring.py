"""Every candidate pair scored on all processors, a bounded batch at a time, what is kept put together.

The children are forks: they share the table and the model with this process and send arrays back. Where the
system cannot fork, or the pairs are few, the work stays here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resolution.batch.spread import in_forks
from resolution.matching.comparisons.answers import SILENT, Answers
from resolution.matching.kernel import PAIRS_A_BATCH, score_rows
from resolution.matching.model import MatchModel
from resolution.matching.normalise.bulk import Mapper, in_process
from resolution.matching.scores import Floats, Scores
from resolution.matching.table import ProfileTable, Rows

# Fewer pairs are scored before a process has started.
FEWEST_SPREAD = 2 * PAIRS_A_BATCH
Singles = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Kept:
    """The pairs at or above the floor: `weight` in log2 odds; by field the number of its level, and its bits.

    `household` is the household correction, and `at_home` the log2 odds of one home against strangers.
    """

    left: Rows
    right: Rows
    weight: Floats
    levels: Mapping[str, Answers]
    weights: Mapping[str, Singles]
    household: Singles
    at_home: Singles

    def __len__(self) -> int:
        return len(self.weight)

    def of(self, kept: npt.NDArray[np.bool_]) -> Kept:
        """Only some of the pairs."""
        return Kept(
            self.left[kept],
            self.right[kept],
            self.weight[kept],
            {field: levels[kept] for field, levels in self.levels.items()},
            {field: weights[kept] for field, weights in self.weights.items()},
            self.household[kept],
            self.at_home[kept],
        )


def score_candidates(
    model: MatchModel,
    table: ProfileTable,
    left: Rows,
    right: Rows,
    *,
    floor: float,
    watch: Callable[[int], None] = lambda done: None,
) -> Kept:
    """Score rows against each other and keep what reaches the floor; `watch` is told how many are done."""
    starts = range(0, len(left), PAIRS_A_BATCH)

    def score(start: int) -> Kept:
        part = slice(start, start + PAIRS_A_BATCH)
        return _kept(next(iter(score_rows(model, table, left[part], right[part], floor=floor))))

    mapper: Mapper = in_forks if len(left) >= FEWEST_SPREAD else in_process
    parts = []
    for start, part in zip(starts, mapper(score, starts), strict=True):
        parts.append(part)
        watch(min(start + PAIRS_A_BATCH, len(left)))
    return together(parts, model)


def _kept(scores: Scores) -> Kept:
    return Kept(
        scores.left,
        scores.right,
        scores.weight,
        scores.levels,
        {field: weights.astype(np.float32) for field, weights in scores.weights.items()},
        scores.correction.astype(np.float32),
        scores.at_home.astype(np.float32),
    )


def together(parts: Sequence[Kept], model: MatchModel) -> Kept:
    """Put kept pairs together, one part after another."""
    present = [field for field in model.comparisons if any(field in part.levels for part in parts)]
    return Kept(
        left=np.concatenate([np.zeros(0, dtype=np.int64), *(part.left for part in parts)]),
        right=np.concatenate([np.zeros(0, dtype=np.int64), *(part.right for part in parts)]),
        weight=np.concatenate([np.zeros(0), *(part.weight for part in parts)]),
        levels={field: np.concatenate([_level(part, field) for part in parts]) for field in present},
        weights={field: np.concatenate([_weight(part, field) for part in parts]) for field in present},
        household=np.concatenate([np.zeros(0, dtype=np.float32), *(part.household for part in parts)]),
        at_home=np.concatenate([np.zeros(0, dtype=np.float32), *(part.at_home for part in parts)]),
    )


def _level(part: Kept, field: str) -> Answers:
    """A part of which every pair was dropped before it came to a field has nothing of it."""
    found = part.levels.get(field)
    return np.full(len(part), SILENT, dtype=np.int8) if found is None else found


def _weight(part: Kept, field: str) -> Singles:
    found = part.weights.get(field)
    return np.zeros(len(part), dtype=np.float32) if found is None else found
