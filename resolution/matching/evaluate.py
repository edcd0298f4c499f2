"""How good matching is against labels: pairs, clusters, and how sure a measured share is. Pure arithmetic."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

Labels = Mapping[str, Hashable]


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


def count_pairs(labels: Labels) -> int:
    """Count the pairs of keys that share a label."""
    return sum(math.comb(size, 2) for size in Counter(labels.values()).values())


def evaluate_pairs(pairs: Iterable[tuple[str, str]], truth: Labels) -> Quality:
    """Judge claimed pairs, each counted once in either order, by the true label of every key."""
    distinct = {(min(pair), max(pair)) for pair in pairs}
    right = sum(truth[left] == truth[right] for left, right in distinct)
    return Quality(right, len(distinct), count_pairs(truth))


def evaluate_clusters(found: Labels, truth: Labels) -> Quality:
    """Judge every pair of keys that `found` puts into one cluster. Both label the same keys."""
    together = {key: (found[key], truth[key]) for key in truth}
    return Quality(count_pairs(together), count_pairs(found), count_pairs(truth))


def evaluate_b_cubed(found: Labels, truth: Labels) -> tuple[float, float, float]:
    """Mean over keys of the precision and recall of the key's cluster, and F1 (Bagga & Baldwin 1998)."""
    if not truth:
        return 1.0, 1.0, 1.0
    both = Counter((found[key], truth[key]) for key in truth)
    of_found, of_truth = Counter(found[key] for key in truth), Counter(truth.values())
    precision = math.fsum(size * size / of_found[cluster] for (cluster, _), size in both.items()) / len(truth)
    recall = math.fsum(size * size / of_truth[label] for (_, label), size in both.items()) / len(truth)
    return precision, recall, 2 * precision * recall / (precision + recall)


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
