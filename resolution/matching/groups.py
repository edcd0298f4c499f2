"""Scored rows of a table to clusters: what plainly holds together at once, the rest as `clusters` does.

A group whose pairs all speak for it can only become one cluster, whatever the order, so arrays settle it.
Only groups with a pair that is missing or speaks against it are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resolution.matching.clusters import MOST_AT_ONCE, connected_rows, group_customers
from resolution.matching.decide import Policy
from resolution.matching.kernel import Floats, score_rows
from resolution.matching.model import MatchModel
from resolution.matching.table import ProfileTable, Rows
from resolution.types import Group, PairScore

Mask = npt.NDArray[np.bool_]

# A group below this mean weight does not hold together.
NEUTRAL = 0.0


@dataclass(frozen=True, eq=False)
class Links:
    """Scored pairs of rows: `weight` is log2 odds."""

    left: Rows
    right: Rows
    weight: Floats

    def of(self, kept: Mask) -> Links:
        return Links(self.left[kept], self.right[kept], self.weight[kept])

    def and_also(self, other: Links) -> Links:
        return Links(
            np.concatenate((self.left, other.left)),
            np.concatenate((self.right, other.right)),
            np.concatenate((self.weight, other.weight)),
        )


@dataclass(frozen=True, eq=False)
class Clusters:
    """The cluster of every row, named by its first row; doubtful groups, and why; how many were cut apart."""

    labels: Rows
    doubtful: tuple[tuple[tuple[int, ...], str], ...]
    cut: int


def cluster_rows(
    model: MatchModel, table: ProfileTable, links: Links, threshold: float, *, sources: Rows | None = None
) -> Clusters:
    """Cluster the rows of a table by the pairs at or above `threshold`.

    With `sources` (link only) two rows of one source never come together.
    """
    count = len(table)
    linked = links.of(links.weight >= threshold)
    components = connected_rows(count, linked.left, linked.right)
    inner = links.of(components[links.left] == components[links.right])
    inner = inner.and_also(_score_missing(model, table, components, inner))
    whole = _whole(components, inner, sources)
    labels = np.where(whole[components], components, np.arange(count))
    doubtful: list[tuple[tuple[int, ...], str]] = []
    for group, members in _regroup(components, inner, whole, threshold, sources):
        labels[list(members)] = members[0]
        if group.why:
            doubtful.append((members, group.why))
    return Clusters(labels, tuple(doubtful), cut=_cut(components, labels, whole))


def _cut(components: Rows, labels: Rows, whole: Mask) -> int:
    """How many groups that pairs had joined came apart again."""
    rows = np.flatnonzero(~whole[components])
    apart = np.unique(np.stack((components[rows], labels[rows])), axis=1)[0]
    return int((np.unique(apart, return_counts=True)[1] > 1).sum())


def _score_missing(model: MatchModel, table: ProfileTable, components: Rows, inner: Links) -> Links:
    """Score the pairs inside components of moderate size that were never candidates."""
    wanted = np.setdiff1d(_pairs_inside(components), inner.left * len(table) + inner.right)
    parts = list(score_rows(model, table, wanted // max(len(table), 1), wanted % max(len(table), 1)))
    nothing = np.zeros(0, dtype=np.int64)
    return Links(
        np.concatenate([nothing, *(part.left for part in parts)]),
        np.concatenate([nothing, *(part.right for part in parts)]),
        np.concatenate([np.zeros(0), *(part.weight for part in parts)]),
    )


def _pairs_inside(components: Rows) -> Rows:
    """Every pair of rows of a component of three up to MOST_AT_ONCE rows, as left * count + right."""
    count = len(components)
    order = np.argsort(components, kind="stable")
    starts = (
        np.flatnonzero(np.append(True, components[order][1:] != components[order][:-1])) if count else order
    )
    sizes = np.diff(np.append(starts, count))
    found = [np.zeros(0, dtype=np.int64)]
    for size in np.unique(sizes[(sizes > 2) & (sizes <= MOST_AT_ONCE)]):
        block = order[starts[sizes == size][:, None] + np.arange(size)]
        one, other = np.triu_indices(int(size), 1)
        found.append((block[:, one] * count + block[:, other]).ravel())
    return np.concatenate(found)


def _whole(components: Rows, inner: Links, sources: Rows | None) -> Mask:
    """Which components hold together without a doubt: every pair of theirs speaks for it."""
    count = len(components)
    sizes = np.bincount(components, minlength=count)
    speaking = inner.weight >= NEUTRAL
    if sources is not None:
        speaking &= sources[inner.left] != sources[inner.right]
    support = np.bincount(components[inner.left[speaking]], minlength=count)
    found: Mask = (support == sizes * (sizes - 1) // 2) & (sizes <= MOST_AT_ONCE)
    return found


def _regroup(
    components: Rows, inner: Links, whole: Mask, threshold: float, sources: Rows | None
) -> Iterator[tuple[Group, tuple[int, ...]]]:
    """Agglomerate what is left, all of it in one go; keys are row numbers as text of one length."""
    open_links = inner.of(~whole[components[inner.left]])
    if not len(open_links.left):
        return
    width = len(str(len(components)))
    edges = [
        PairScore(f"{left:0{width}}", f"{right:0{width}}", weight, ())
        for left, right, weight in zip(
            open_links.left.tolist(), open_links.right.tolist(), open_links.weight.tolist(), strict=True
        )
    ]
    apart = _of_one_source(components, whole, sources, width) if sources is not None else frozenset()
    policy = Policy(auto=threshold, sample=threshold, review=min(threshold, NEUTRAL))
    for group in group_customers(edges, policy=policy, score=_unknown, different=apart):
        yield group, tuple(int(key) for key in group.members)


def _unknown(pairs: Sequence[tuple[str, str]]) -> list[PairScore]:
    """Pairs of components too large to score whole: nothing speaks for them."""
    return [PairScore(left, right, NEUTRAL - 1.0, ()) for left, right in pairs]


def _of_one_source(components: Rows, whole: Mask, sources: Rows, width: int) -> frozenset[frozenset[str]]:
    rows = np.flatnonzero(~whole[components])
    pairs = _pairs_inside(components)
    left, right = pairs // len(components), pairs % len(components)
    kept = np.isin(left, rows) & (sources[left] == sources[right])
    return frozenset(
        frozenset((f"{a:0{width}}", f"{b:0{width}}"))
        for a, b in zip(left[kept].tolist(), right[kept].tolist(), strict=True)
    )
