"""Records that say exactly the same: found first, compared once, put together again at the end.

A record with a hundred thousand copies would fill every block it is in, so that neither the copies nor
anybody like them would meet. Of a set of more than FEW only the first is blocked, and each further one is a
candidate of the first alone. Smaller sets are compared as any records are. The score decides as ever: what
too many people could say joins nobody.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from resolution.batch.spread import in_threads
from resolution.matching.candidates import Candidates
from resolution.matching.groups import Clusters, Mask
from resolution.matching.table import Column, ProfileTable, Rows

Hashes = npt.NDArray[np.uint64]

# So many records that say the same do not crowd others out of their blocks.
FEW = 8

# Odd numbers that spread bits: those of splitmix64 (Steele, Lea & Flood 2014).
_STEP, _FIRST, _SECOND = (
    np.uint64(number) for number in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)


@dataclass(frozen=True, eq=False)
class Copies:
    """For each row of a table the first that says the same in every field; itself where none does."""

    first: Rows

    @cached_property
    def distinct(self) -> Rows:
        """The rows that are the first of theirs."""
        return np.flatnonzero(self.first == np.arange(len(self.first)))

    @cached_property
    def further(self) -> Rows:
        """The rows that say what an earlier one said."""
        return np.flatnonzero(self.first != np.arange(len(self.first)))

    def between(self, right: Rows) -> Mask:
        """Which pairs are of a copy and its first, by their right rows: copies have no other pairs."""
        found: Mask = self.first[right] != right
        return found

    def pairs(self) -> Rows:
        """Each further copy with its first, as candidates are numbered."""
        return np.sort(self.first[self.further] * len(self.first) + self.further)


def copies_of(table: ProfileTable, *, few: int = FEW) -> Copies:
    """Find the rows with the same values in every field, whatever their order; empty rows are no copies.

    Sets of up to `few` rows are left as they are.
    """
    first = np.arange(len(table))
    numbered = list(enumerate(table.columns.values(), 1))
    found = in_threads(lambda entry: _hashes(entry[1], np.uint64(entry[0])), numbered)
    hashes: Hashes = np.sum(found, axis=0)
    filled = np.logical_or.reduce([column.filled for column in table.columns.values()])
    rows = np.flatnonzero(filled)
    if _most_alike(hashes[rows]) <= few:
        return Copies(first)
    _, firsts, groups, sizes = np.unique(
        hashes[rows], return_index=True, return_inverse=True, return_counts=True
    )
    many = sizes[groups] > few
    first[rows[many]] = rows[firsts[groups[many]]]
    return Copies(first)


def _most_alike(hashes: Hashes) -> int:
    """How often the commonest number occurs."""
    ordered = np.sort(hashes)
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
    return int(np.diff(ends, prepend=-1).max(initial=0))


def no_copies(table: ProfileTable) -> Copies:
    """Take every row as one of its own."""
    return Copies(np.arange(len(table)))


def _hashes(column: Column, salt: np.uint64) -> Hashes:
    """One number for all values of each row; their order does not count, and 0 stands for none."""
    sums = np.append(
        np.uint64(0), np.cumsum(_mixed(column.codes.astype(np.uint64) + (salt << np.uint64(40))))
    )
    found: Hashes = sums[column.starts[1:]] - sums[column.starts[:-1]]
    return found


def _mixed(numbers: Hashes) -> Hashes:
    numbers = numbers * _STEP
    numbers = (numbers ^ (numbers >> np.uint64(30))) * _FIRST
    numbers = (numbers ^ (numbers >> np.uint64(27))) * _SECOND
    return numbers ^ (numbers >> np.uint64(31))


def rows_of(table: ProfileTable, rows: Rows) -> ProfileTable:
    """Only some rows of a table; values and their numbers stay."""
    if len(rows) == len(table):
        return table
    columns = {field: _rows_of_column(column, rows) for field, column in table.columns.items()}
    return ProfileTable([table.keys[row] for row in rows.tolist()], columns)


def _rows_of_column(column: Column, rows: Rows) -> Column:
    counts = column.counts[rows]
    starts = np.append(0, np.cumsum(counts)).astype(np.int64)
    places = np.repeat(column.starts[rows] - starts[:-1], counts) + np.arange(starts[-1])
    return Column(column.values, column.codes[places], starts)


def with_copies(found: Candidates, copies: Copies) -> Candidates:
    """Tell candidates of the distinct rows by the rows of the whole table, and add every further copy."""
    if not len(copies.further):
        return found
    count, distinct = len(copies.first), copies.distinct

    def renumbered(pairs: Rows) -> Rows:
        return distinct[pairs // found.count] * count + distinct[pairs % found.count]

    joined = tuple(
        replace(entry, pairs=renumbered(entry.pairs), example=int(distinct[entry.example]))
        if entry.example >= 0
        else entry
        for entry in found.joined
    )
    pairs = np.sort(np.concatenate((renumbered(found.pairs), copies.pairs())))
    return replace(found, count=count, pairs=pairs, joined=joined)


def clusters_with_copies(clusters: Clusters, copies: Copies, joined: Rows) -> Clusters:
    """Put the copies that a link joins to their first into its cluster; `joined` are their rows."""
    labels = clusters.labels.copy()
    labels[joined] = labels[copies.first[joined]]
    grown = set(labels[joined].tolist())
    doubtful = tuple(
        (tuple(np.flatnonzero(labels == labels[rows[0]]).tolist()) if labels[rows[0]] in grown else rows, why)
        for rows, why in clusters.doubtful
    )
    return replace(clusters, labels=labels, doubtful=doubtful)
