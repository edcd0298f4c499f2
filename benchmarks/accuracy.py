"""How right a tool's pairs and clusters are: one scorer for every tool, on arrays of row numbers.

`left`, `right` and `weight` describe distinct scored pairs; pairs a tool never proposed count as missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Codes = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float64]
NO_HOUSEHOLD = -1


@dataclass(frozen=True)
class Truth:
    """Row by row: who it is, which home it belongs to (-1: not known), which file it came from."""

    person: Codes
    household: Codes
    source: Codes

    def __len__(self) -> int:
        return len(self.person)


@dataclass(frozen=True)
class Shares:
    """Precision, recall and F1."""

    precision: float
    recall: float
    f1: float

    @classmethod
    def of(cls, right: float, claimed: float, true: float) -> Shares:
        precision, recall = right / claimed if claimed else 1.0, right / true if true else 1.0
        total = claimed + true
        return cls(precision, recall, 2 * right / total if total else 1.0)


@dataclass(frozen=True)
class PairAccuracy:
    """The best cut over all weights, the cut a tool chose itself, and what it compared at all."""

    best: Shares
    best_weight: float
    own: Shares
    candidates: int
    blocking_recall: float


@dataclass(frozen=True)
class ClusterAccuracy:
    """B-cubed means, and how many pairs of two people of one home there are and are linked."""

    b_cubed: Shares
    pairs: Shares
    household_pairs: int
    household_errors: int

    @property
    def household_share(self) -> float:
        return self.household_errors / self.household_pairs if self.household_pairs else 0.0


def read_truth(path: Path) -> Truth:
    """Read what belongs to a set, in the order of its rows. Households and sources may be missing."""
    seen = pq.read_table(
        path, columns=[c for c in pq.read_schema(path).names if c in ("record_id", "source")]
    )
    truth = pq.read_table(path.with_suffix(".truth.parquet"))
    truth = truth.take(pc.index_in(seen["record_id"], truth["record_id"]))
    household = _codes(truth["household_id"]) if "household_id" in truth.column_names else None
    return Truth(
        person=_codes(truth["true_cluster"]),
        household=np.full(len(truth), NO_HOUSEHOLD) if household is None else household,
        source=_codes(seen["source"]) if "source" in seen.column_names else np.zeros(len(truth), np.int64),
    )


def _codes(column: pa.ChunkedArray) -> Codes:
    """Number the distinct values; what is missing is -1."""
    indices = column.combine_chunks().dictionary_encode().indices
    codes: Codes = pc.fill_null(indices, NO_HOUSEHOLD).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def pairs_within(*codes: Codes) -> int:
    """Count the pairs of rows that agree in every array; rows with -1 agree with none."""
    sizes = np.unique(np.column_stack(codes)[np.min(codes, axis=0) >= 0], axis=0, return_counts=True)[1]
    return int((sizes * (sizes - 1) // 2).sum())


def true_pairs(truth: Truth) -> int:
    """Count the pairs to be found: of one person, and from two files when the set has two."""
    together = pairs_within(truth.person)
    return together - pairs_within(truth.person, truth.source) if truth.source.any() else together


def judge_pairs(
    left: Codes, right: Codes, weight: Weights, truth: Truth, *, own: float, known: Codes | None = None
) -> PairAccuracy:
    """Score distinct pairs; `own` is the weight from which the tool links.

    `known` numbers pairs (see `number_pairs`) whose answer the tool was given: they count for nothing.
    """
    right_answer = truth.person[left] == truth.person[right]
    true = true_pairs(truth)
    if known is not None:
        true -= int((truth.person[known // len(truth)] == truth.person[known % len(truth)]).sum())
        kept = ~np.isin(number_pairs(left, right, len(truth)), known)
        weight, right_answer = weight[kept], right_answer[kept]
    best, best_weight = _best_cut(weight, right_answer, true)
    linked = weight >= own
    found = int(right_answer.sum())
    return PairAccuracy(
        best=best,
        best_weight=best_weight,
        own=Shares.of(int(right_answer[linked].sum()), int(linked.sum()), true),
        candidates=len(weight),
        blocking_recall=found / true if true else 1.0,
    )


def number_pairs(left: Codes, right: Codes, rows: int) -> Codes:
    """Give each pair of rows, in either order, one number."""
    return np.minimum(left, right) * rows + np.maximum(left, right)


def _best_cut(weight: Weights, hit: npt.NDArray[np.bool_], true: int) -> tuple[Shares, float]:
    if not len(weight):
        return Shares.of(0, 0, true), np.inf
    order = np.argsort(-weight, kind="stable")
    weight, right = weight[order], np.cumsum(hit[order])
    cuts = np.flatnonzero(np.append(weight[1:] != weight[:-1], True))
    best = cuts[np.argmax(right[cuts] / (cuts + 1 + true))]
    return Shares.of(int(right[best]), int(best) + 1, true), float(weight[best])


def judge_clusters(found: Codes, truth: Truth) -> ClusterAccuracy:
    """Score one cluster number a row, rows that stand alone included."""
    sizes_found, sizes_true = _sizes(found), _sizes(truth.person)
    together = _sizes(
        np.unique(np.column_stack([found, truth.person]), axis=0, return_inverse=True)[1].ravel()
    )
    precision, recall = float((together / sizes_found).mean()), float((together / sizes_true).mean())
    right = pairs_within(found, truth.person)
    one_home = pairs_within(truth.household) - pairs_within(truth.household, truth.person)
    errors = pairs_within(found, truth.household) - pairs_within(found, truth.household, truth.person)
    return ClusterAccuracy(
        b_cubed=Shares(precision, recall, 2 * precision * recall / (precision + recall)),
        pairs=Shares.of(right, pairs_within(found), pairs_within(truth.person)),
        household_pairs=one_home,
        household_errors=errors,
    )


def join_pairs(left: Codes, right: Codes, rows: int) -> Codes:
    """Cluster rows by linked pairs: whatever hangs together gets the smallest of its row numbers."""
    cluster = np.arange(rows)
    while True:
        lower = cluster.copy()
        smaller = np.minimum(cluster[left], cluster[right])
        np.minimum.at(lower, cluster[left], smaller)
        np.minimum.at(lower, cluster[right], smaller)
        lower = lower[lower]
        if np.array_equal(lower, cluster):
            return cluster
        cluster = lower


def _sizes(codes: Codes) -> Codes:
    """The size of each row's group."""
    _, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    return counts[inverse.ravel()]


def write_shares(shares: Shares) -> str:
    """Write F1 with the precision and recall it is made of."""
    return f"{shares.f1:.4f} (P {shares.precision:.4f}, R {shares.recall:.4f})"
