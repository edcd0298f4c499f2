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
from resolution.matching.comparisons.external_id import hard_conflict, system_of
from resolution.matching.decide import Policy
from resolution.matching.kernel import score_rows
from resolution.matching.model import MatchModel
from resolution.matching.normalise.bulk import Mapper, in_process
from resolution.matching.scores import Floats
from resolution.matching.table import ProfileTable, Rows
from resolution.types import PairScore, Profile

Mask = npt.NDArray[np.bool_]

# A group below this mean weight does not hold together.
NEUTRAL = 0.0
# How many pairs of what is looked at one by one make a share of the work.
LINKS_A_SHARE = 8_000
# What a row's number begins with where reasons speak of it.
ROW = "#"


@dataclass(frozen=True, eq=False)
class Links:
    """Scored pairs of rows, each once and its smaller row left: `weight` is log2 odds."""

    left: Rows
    right: Rows
    weight: Floats

    def of(self, kept: Mask | Rows) -> Links:
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
    model: MatchModel,
    table: ProfileTable,
    links: Links,
    threshold: float,
    *,
    sources: Rows | None = None,
    mapper: Mapper = in_process,
) -> Clusters:
    """Cluster the rows of a table by the pairs at or above `threshold`.

    `mapper` runs what is looked at one by one, some components at a time; it may do so in other processes.
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
    whole |= _holding(components, inner, whole, threshold, bars)
    labels = np.where(whole[components], components, np.arange(count))
    doubtful = list(_large_ones(components, whole))
    for members, why in _regroup(components, inner, whole, threshold, bars, mapper):
        labels[list(members)] = members[0]
        if why:
            doubtful.append((members, why))
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
    wanted = np.sort(_pairs_inside(components))
    wanted = wanted[~_among(wanted, np.sort(inner.left * len(table) + inner.right))]
    parts = list(score_rows(model, table, wanted // max(len(table), 1), wanted % max(len(table), 1)))
    nothing = np.zeros(0, dtype=np.int64)
    return Links(
        np.concatenate([nothing, *(part.left for part in parts)]),
        np.concatenate([nothing, *(part.right for part in parts)]),
        np.concatenate([np.zeros(0), *(part.weight for part in parts)]),
    )


def _among(pairs: Rows, known: Rows) -> Mask:
    """Which pairs are known; both come in order."""
    places = np.searchsorted(known, pairs)
    found: Mask = np.append(known, -1)[places] == pairs
    return found


def _pairs_inside(components: Rows) -> Rows:
    """Every pair of rows of a component of three up to MOST_AT_ONCE rows, as left * count + right."""
    found = [np.zeros(0, dtype=np.int64)]
    for block in _blocks(components, np.ones(len(components), dtype=np.bool_), MOST_AT_ONCE):
        one, other = np.triu_indices(block.shape[1], 1)
        found.append((block[:, one] * len(components) + block[:, other]).ravel())
    return np.concatenate(found)


def _blocks(components: Rows, wanted: Mask, most: int) -> Iterator[Rows]:
    """The rows of the wanted components of three up to `most` rows: those of one size as one array."""
    sizes = np.bincount(components, minlength=len(components))
    sizes[(sizes < 3) | (sizes > most) | ~wanted] = 0
    rows = np.flatnonzero(sizes[components])
    rows = rows[np.argsort(components[rows], kind="stable")]
    size_of = sizes[components[rows]]
    for size in np.unique(size_of):
        yield rows[size_of == size].reshape(-1, size)


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
        self.any_exclusive = bool(self.exclusive.any())

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


def _holding(components: Rows, inner: Links, whole: Mask, threshold: float, bars: _Bars) -> Mask:
    """Which of the other components agglomerate to one that nobody has to be told of.

    They are joined by falling weight as `group_customers` does; where it refuses a join, or the outcome may
    be large, sparse or hang on one pair, it has to say so itself.
    """
    found = np.zeros(len(components), dtype=np.bool_)
    if bars.any_exclusive or bars.sources is not None:
        return found
    open_links = inner.of(~whole[components[inner.left]])
    keys = open_links.left * len(components) + open_links.right
    order = np.argsort(keys)
    keys, weights = keys[order], open_links.weight[order]
    for block in _blocks(components, ~whole, LARGE_GROUP):
        one, other = np.triu_indices(block.shape[1], 1)
        weight = weights[np.searchsorted(keys, block[:, one] * len(components) + block[:, other])]
        found[block[:, 0]] = _join_by_weight(weight, one, other, threshold) & _plain(weight, one, other)
    return found


def _join_by_weight(weight: Floats, one: Rows, other: Rows, threshold: float) -> Mask:
    """Which of many groups of one size come together without a refusal; `weight` is that of every pair."""
    count, size = len(weight), int(other.max()) + 1
    every = np.arange(count)
    between = np.zeros((count, size, size))
    between[:, one, other] = between[:, other, one] = weight
    label = np.tile(np.arange(size), (count, 1))
    refused = np.zeros(count, dtype=np.bool_)
    for edge in np.argsort(-weight, axis=1, kind="stable").T:
        ours, theirs = label[every, one[edge]], label[every, other[edge]]
        left, right = label == ours[:, None], label == theirs[:, None]
        joins = (ours != theirs) & (weight[every, edge] >= threshold)
        refused |= joins & (np.einsum("ni,nij,nj->n", left, between, right) < NEUTRAL)
        label = np.where(right & joins[:, None], ours[:, None], label)
    return ~refused


def _plain(weight: Floats, one: Rows, other: Rows) -> Mask:
    """Which groups are surely neither sparse nor hang on one pair: each row has half of the others behind it.

    A pair that all hangs on would leave a row with less in the smaller part.
    """
    size = int(other.max()) + 1
    speaking = weight >= NEUTRAL
    behind = np.zeros((len(weight), size), dtype=np.int64)
    for pair, (left, right) in enumerate(zip(one.tolist(), other.tolist(), strict=True)):
        behind[:, left] += speaking[:, pair]
        behind[:, right] += speaking[:, pair]
    found: Mask = behind.min(axis=1) * 2 >= size
    return found if size > 3 else speaking.sum(axis=1) >= 2


def _regroup(
    components: Rows, inner: Links, whole: Mask, threshold: float, bars: _Bars, mapper: Mapper
) -> list[tuple[tuple[int, ...], str]]:
    """Agglomerate what is left; gives the rows of every group and why it is doubtful, if it is."""
    open_links = inner.of(~whole[components[inner.left]])
    width = len(str(len(components)))
    found = mapper(partial(_regroup_some, width, threshold, bars), _shares(components, open_links))
    return sorted(entry for share in found for entry in share)


def _shares(components: Rows, links: Links) -> list[Links]:
    """Cut links into shares of whole components."""
    owners = components[links.left]
    order = np.argsort(owners, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(owners[order])) + 1, len(order))
    wanted = np.searchsorted(ends, np.arange(LINKS_A_SHARE, len(order), LINKS_A_SHARE))
    return [links.of(part) for part in np.split(order, np.unique(ends[wanted])) if len(part)]


def _regroup_some(
    width: int, threshold: float, bars: _Bars, links: Links
) -> list[tuple[tuple[int, ...], str]]:
    """Group the rows of some components; keys are row numbers as `key_of` writes them."""
    edges = [
        PairScore(key_of(left, width), key_of(right, width), weight, (), bars.conflict(left, right))
        for left, right, weight in zip(
            links.left.tolist(), links.right.tolist(), links.weight.tolist(), strict=True
        )
    ]
    policy = Policy(auto=threshold, sample=threshold, review=min(threshold, NEUTRAL))
    groups = group_customers(
        edges,
        policy=policy,
        score=partial(_unknown, bars),
        different=bars if bars.sources is not None else (),
        apart_because="are of one file",
    )
    return [(tuple(map(row_of, group.members)), group.why) for group in groups]


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
