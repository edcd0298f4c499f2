"""Every candidate pair scored on all processors, a bounded batch at a time, what is kept put together.

The children are forks: they share the table and the model with this process and send arrays back. Where the
system cannot fork, or the pairs are few, the work stays here.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from resolution.batch.spread import leave_interrupts, processors
from resolution.matching.comparisons.many import SILENT, Answers
from resolution.matching.kernel import PAIRS_A_BATCH, Floats, Scores, score_rows
from resolution.matching.model import MatchModel
from resolution.matching.table import ProfileTable, Rows

# Fewer pairs are scored before a process has started.
FEWEST_SPREAD = 4 * PAIRS_A_BATCH
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
    work = _Work(model, table, left, right, floor)
    parts = []
    for start, part in zip(work.starts(), work.parts(), strict=True):
        parts.append(part)
        watch(min(start + PAIRS_A_BATCH, len(left)))
    return _joined(parts, tuple(model.comparisons))


@dataclass(frozen=True, eq=False)
class _Work:
    """What is to be scored; children find it where their parent left it."""

    model: MatchModel
    table: ProfileTable
    left: Rows
    right: Rows
    floor: float
    current: ClassVar[_Work | None] = None

    def starts(self) -> range:
        return range(0, len(self.left), PAIRS_A_BATCH)

    def parts(self) -> Iterator[Kept]:
        """The batches' results in order. The first is scored here, which works out what the others share."""
        if len(self.left) < FEWEST_SPREAD or processors() < 2 or not sys.platform.startswith("linux"):
            yield from map(self.score, self.starts())
            return
        first, *rest = self.starts()
        yield self.score(first)
        _Work.current = self
        context = multiprocessing.get_context("fork")
        try:
            with ProcessPoolExecutor(processors(), mp_context=context, initializer=leave_interrupts) as pool:
                yield from pool.map(_score_current, rest)
        finally:
            _Work.current = None

    def score(self, start: int) -> Kept:
        part = slice(start, start + PAIRS_A_BATCH)
        scores = score_rows(self.model, self.table, self.left[part], self.right[part], floor=self.floor)
        return _kept(next(iter(scores)))


def _score_current(start: int) -> Kept:
    if _Work.current is None:
        raise AssertionError("a child was started without work")
    return _Work.current.score(start)


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


def _joined(parts: list[Kept], fields: Iterable[str]) -> Kept:
    present = [field for field in fields if any(field in part.levels for part in parts)]
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
