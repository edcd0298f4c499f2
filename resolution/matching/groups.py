"""Scored rows of a table to clusters: what plainly holds together at once, the rest as `clusters` does.

A group whose pairs all speak for it can only become one cluster, whatever the order, so arrays settle it.
Large groups, and those with a pair that is missing or speaks against it, are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from resolution.matching.clusters import (
    LARGE_GROUP,
    MOST_AT_ONCE,
    connected_rows,
    group_customers,
    held_back,
    too_large,
)
from resolution.matching.comparisons.external_id import system_of
from resolution.matching.decide import Policy
from resolution.matching.kernel import Floats, hard_conflict, score_rows
from resolution.matching.model import MatchModel
from resolution.matching.table import ProfileTable, Rows
from resolution.types import Group, PairScore, Profile

Mask = npt.NDArray[np.bool_]

# A group below this mean weight does not hold together.
NEUTRAL = 0.0
# What a row's number begins with where reasons speak of it.
ROW = "#"


@dataclass(frozen=True, eq=False)
class Links:
    """Scored pairs of rows, each once and its smaller row left: `weight` is log2 odds."""

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

    With `sources` (link only) two rows of one source never come together, nor do rows whose ids of a system
    that gives a person only one contradict each other.
    """
    count = len(table)
    bars = _Bars(model, table, sources)
    linked = links.of(links.weight >= threshold)
    linked = linked.of(~bars.between(linked.left, linked.right))
    components = connected_rows(count, linked.left, linked.right)
    inner = links.of(components[links.left] == components[links.right])
    inner = inner.and_also(_score_missing(model, table, components, inner))
    whole = _whole(components, inner, bars)
    labels = np.where(whole[components], components, np.arange(count))
    doubtful = list(_large_ones(components, whole))
    for group, members in _regroup(components, inner, whole, threshold, bars):
        labels[list(members)] = members[0]
        if group.why:
            doubtful.append((members, group.why))
    return Clusters(labels, tuple(doubtful), cut=_cut(components, labels, whole))


def _large_ones(components: Rows, whole: Mask) -> Iterator[tuple[tuple[int, ...], str]]:
    """Groups that hold together and are so large that someone should look."""
    sizes = np.bincount(components, minlength=len(components))
    large = np.flatnonzero((whole & (sizes > LARGE_GROUP))[components])
    for component in np.unique(components[large]):
        members = large[components[large] == component].tolist()
        yield tuple(members), held_back([too_large(len(members))])


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


class _Bars:
    """What forbids that two rows become one: one source, or ids of which a person has only one.

    Holds the pairs of keys of one source, for which nothing is worked out beforehand.
    """

    def __init__(self, model: MatchModel, table: ProfileTable, sources: Rows | None) -> None:
        self.systems, self.sources = model.exclusive_systems, sources
        self.ids = table.columns["external_id"]
        counts = [system_of(value) in self.systems for value in self.ids.values] if self.systems else []
        self.exclusive = np.zeros(len(table), dtype=np.bool_)
        if counts:
            self.exclusive[self.ids.owners[np.array(counts)[self.ids.codes]]] = True

    def __contains__(self, pair: object) -> bool:
        if self.sources is None or not isinstance(pair, frozenset):
            return False
        left, right = map(row_of, pair)
        return bool(self.sources[left] == self.sources[right])

    def between(self, left: Rows, right: Rows) -> Mask:
        """Which pairs of rows may not become one."""
        found: Mask = np.zeros(len(left), dtype=np.bool_)
        if self.sources is not None:
            found |= self.sources[left] == self.sources[right]
        for place in np.flatnonzero(self.exclusive[left] & self.exclusive[right]):
            found[place] |= bool(self.conflict(int(left[place]), int(right[place])))
        return found

    def conflict(self, left: int, right: int) -> str:
        """Why the ids of two rows contradict each other; empty when they do not."""
        if not (self.exclusive[left] and self.exclusive[right]):
            return ""
        return hard_conflict(self._profile(left), self._profile(right), self.systems)

    def _profile(self, row: int) -> Profile:
        codes = self.ids.codes[self.ids.starts[row] : self.ids.starts[row + 1]]
        return Profile(str(row), external_ids=tuple(self.ids.values[code] for code in codes))


def _whole(components: Rows, inner: Links, bars: _Bars) -> Mask:
    """Which components hold together whatever the order: every pair of theirs speaks for it."""
    count = len(components)
    sizes = np.bincount(components, minlength=count)
    speaking = (inner.weight >= NEUTRAL) & ~bars.between(inner.left, inner.right)
    support = np.bincount(components[inner.left[speaking]], minlength=count)
    found: Mask = support == sizes * (sizes - 1) // 2
    return found


def _regroup(
    components: Rows, inner: Links, whole: Mask, threshold: float, bars: _Bars
) -> Iterator[tuple[Group, tuple[int, ...]]]:
    """Agglomerate what is left, all of it in one go; keys are row numbers as `key_of` writes them."""
    open_links = inner.of(~whole[components[inner.left]])
    if not len(open_links.left):
        return
    width = len(str(len(components)))
    edges = [
        PairScore(key_of(left, width), key_of(right, width), weight, (), bars.conflict(left, right))
        for left, right, weight in zip(
            open_links.left.tolist(), open_links.right.tolist(), open_links.weight.tolist(), strict=True
        )
    ]
    policy = Policy(auto=threshold, sample=threshold, review=min(threshold, NEUTRAL))
    unknown = partial(_unknown, bars)
    for group in group_customers(
        edges,
        policy=policy,
        score=unknown,
        different=bars if bars.sources is not None else (),
        apart_because="are of one file",
    ):
        yield group, tuple(row_of(key) for key in group.members)


def key_of(row: int, width: int) -> str:
    """Write a row's number so that texts sort as numbers do, and no other number looks like it."""
    return f"{ROW}{row:0{width}}"


def row_of(key: str) -> int:
    """Read what `key_of` wrote."""
    return int(key.removeprefix(ROW))


def _unknown(bars: _Bars, pairs: Sequence[tuple[str, str]]) -> list[PairScore]:
    """Pairs of components too large to score whole: nothing speaks for them."""
    return [
        PairScore(left, right, NEUTRAL - 1.0, (), bars.conflict(row_of(left), row_of(right)))
        for left, right in pairs
    ]
