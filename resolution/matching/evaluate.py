"""How good matching is against labels: pairs, clusters, and how sure a measured share is. Pure arithmetic.

The arithmetic is on arrays: records are places 0 … n − 1, and `Codes` hold per place the number of its
cluster, or of the person it truly is. The functions named `evaluate_…` take mappings of keys to labels.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Labels = Mapping[str, Hashable]
Codes = NDArray[np.int64]
Weights = NDArray[np.float64]


class Interval(NamedTuple):
    """A share's lower and upper bound."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Quality:
    """Counts of pairs, or of records, and the shares that follow from them.

    Without a claimed pair precision is 1, without a true one recall is 1: nothing was wrong, nothing was
    missed.
    """

    right: float
    claimed: float
    true: float

    @property
    def precision(self) -> float:
        return self.right / self.claimed if self.claimed else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


@dataclass(frozen=True, slots=True)
class Cut:
    """A lowest weight to link at, and how good the pairs at or above it are."""

    weight: float
    quality: Quality


def number_labels(labels: Iterable[Hashable]) -> Codes:
    """Number labels from 0 on, equal ones alike, in the order they come."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(label, len(numbers)) for label in labels], dtype=np.int64)


def count_pairs_together(codes: Codes) -> int:
    """Count the pairs of places that share a code."""
    return _pairs_within(np.bincount(codes))


def _pairs_within(sizes: Codes) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


def judge_clusters(found: Codes, truth: Codes) -> Quality:
    """Judge every pair of places that `found` puts into one cluster; place by place the true codes."""
    _, together = _sizes_together(found, truth)
    return Quality(_pairs_within(together), count_pairs_together(found), count_pairs_together(truth))


def judge_b_cubed(found: Codes, truth: Codes) -> tuple[float, float, float]:
    """Mean over places of the precision and recall of the place's cluster, and F1 (Bagga & Baldwin 1998)."""
    if not truth.size:
        return 1.0, 1.0, 1.0
    (clusters, people), together = _sizes_together(found, truth)
    squares = together.astype(np.float64) ** 2
    precision = math.fsum(squares / np.bincount(found)[clusters]) / truth.size
    recall = math.fsum(squares / np.bincount(truth)[people]) / truth.size
    return precision, recall, 2 * precision * recall / (precision + recall)


def _sizes_together(found: Codes, truth: Codes) -> tuple[tuple[Codes, Codes], Codes]:
    """Both codes of each overlap of a cluster and a true one, and how many places lie in it."""
    width = int(truth.max(initial=0)) + 1
    overlaps, sizes = np.unique(found * width + truth, return_counts=True)
    return (overlaps // width, overlaps % width), sizes


def distinct_pairs(left: Codes, right: Codes, *, places: int) -> Codes:
    """Find the first of every pair of places that comes several times, in either order, in their order.

    A place with itself is no pair. Returns indices into `left` and `right`.
    """
    keys = np.minimum(left, right) * places + np.maximum(left, right)
    apart = np.flatnonzero(left != right)
    _, first = np.unique(keys[apart], return_index=True)
    return apart[np.sort(first)]


def judge_pairs(left: Codes, right: Codes, truth: Codes) -> Quality:
    """Judge claimed pairs of places, each counted once in either order, by the true code of every place."""
    kept = distinct_pairs(left, right, places=truth.size)
    right_ones = int(np.count_nonzero(truth[left[kept]] == truth[right[kept]]))
    return Quality(right_ones, kept.size, count_pairs_together(truth))


def best_cut(left: Codes, right: Codes, weights: Weights, truth: Codes) -> Cut | None:
    """Find the weight to link at that gives the best F1; of equal ones the highest. None without pairs.

    A pair given several times counts at its highest weight.
    """
    order = np.argsort(-weights, kind="stable")
    kept = order[distinct_pairs(left[order], right[order], places=truth.size)]
    if not kept.size:
        return None
    sorted_weights = weights[kept]
    hits = np.cumsum(truth[left[kept]] == truth[right[kept]])
    # Pairs of one weight stand or fall together.
    ends = np.flatnonzero(np.append(sorted_weights[1:] != sorted_weights[:-1], True))
    true = count_pairs_together(truth)
    scores = 2 * hits[ends] / (ends + 1 + true)
    best = ends[int(np.argmax(scores))]
    return Cut(float(sorted_weights[best]), Quality(int(hits[best]), int(best) + 1, true))


def count_pairs(labels: Labels) -> int:
    """Count the pairs of keys that share a label."""
    return count_pairs_together(number_labels(labels.values()))


def evaluate_pairs(pairs: Iterable[tuple[str, str]], truth: Labels) -> Quality:
    """Judge claimed pairs, each counted once in either order, by the true label of every key."""
    place = {key: number for number, key in enumerate(truth)}
    places = [(place[left], place[right]) for left, right in pairs]
    left, right = np.array(places, dtype=np.int64).reshape(-1, 2).T
    return judge_pairs(left, right, number_labels(truth.values()))


def evaluate_clusters(found: Labels, truth: Labels) -> Quality:
    """Judge every pair of keys that `found` puts into one cluster. Both label the same keys."""
    return judge_clusters(*_both_numbered(found, truth))


def evaluate_b_cubed(found: Labels, truth: Labels) -> tuple[float, float, float]:
    """Mean over keys of the precision and recall of the key's cluster, and F1: `judge_b_cubed` of labels."""
    return judge_b_cubed(*_both_numbered(found, truth))


def _both_numbered(found: Labels, truth: Labels) -> tuple[Codes, Codes]:
    return number_labels(found[key] for key in truth), number_labels(truth.values())


def wilson_interval(successes: int, trials: int, *, z: float = 1.96) -> Interval:
    """Bound a share measured on a sample (Wilson 1927); `z` is the normal quantile, 1.96 for 95 %.

    Without trials nothing is known: 0 to 1. Raises ValueError for counts that cannot be.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes of {trials} trials cannot be; give 0 to {trials} successes.")
    if trials == 0:
        return Interval(0.0, 1.0)
    share, spread = successes / trials, z * z / trials
    middle = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def label_groups(groups: Iterable[Iterable[str]], keys: Iterable[str]) -> dict[str, str]:
    """Label every key with the smallest key of its group; a key of no group stands alone."""
    labels = {key: key for key in keys}
    for group in groups:
        members = sorted(group)
        labels.update(dict.fromkeys(members, members[0]))
    return labels


def clusters_of(labels: Labels) -> list[list[str]]:
    """List the keys of each label, sorted, larger clusters first."""
    members: dict[Hashable, list[str]] = defaultdict(list)
    for key in sorted(labels):
        members[labels[key]].append(key)
    return sorted(members.values(), key=lambda keys: (-len(keys), keys))
