"""How a customer was built: who was absorbed when, by which merge, and what has been taken back."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from customers.models import Customer
from resolution.models import Merge
from resolution.selectors.customers import fetch_customers
from resolution.selectors.history import MergedRow, MergeRow, merge_rows

MOST_MERGES = 500


@dataclass(frozen=True, slots=True)
class TreeMember:
    """One customer of a merge, with the merges it had gone through itself; none once it was taken out."""

    row: MergedRow
    merges: tuple[TreeMerge, ...]


@dataclass(frozen=True, slots=True)
class TreeMerge:
    """One merge, standing or undone, `depth` merges below the customer the tree is of."""

    row: MergeRow
    depth: int
    members: tuple[TreeMember, ...]


@dataclass(frozen=True, slots=True)
class MergeTree:
    """A customer's merges, newest first; `cut` when there are more than are shown, the oldest left out."""

    customer_id: str
    merges: tuple[TreeMerge, ...]
    cut: bool

    @property
    def stands(self) -> bool:
        """Whether any of the customer's own merges can still be taken back."""
        return any(merge.row.undo_possible for merge in self.merges)

    def flat(self) -> Iterator[TreeMerge]:
        """Give each merge before those of its members."""
        yield from _flat(self.merges)


def merge_tree(customer_id: uuid.UUID) -> MergeTree:
    """Return the tree of merges that made a customer, merged by now or not. Raises UnknownCustomer.

    A constant number of queries.
    """
    root = fetch_customers([customer_id])[customer_id].canonical_id
    group = Customer.objects.members_of(root).values("pk")
    found = merge_rows(Merge.objects.filter(survivor__in=group), limit=MOST_MERGES + 1)
    by_survivor: defaultdict[str, list[MergeRow]] = defaultdict(list)
    for row in found[:MOST_MERGES]:
        by_survivor[row.survivor_id].append(row)
    return MergeTree(
        customer_id=str(customer_id),
        merges=_merges_of(str(customer_id), by_survivor, depth=0),
        cut=len(found) > MOST_MERGES,
    )


def _merges_of(
    customer_id: str, by_survivor: Mapping[str, Sequence[MergeRow]], depth: int
) -> tuple[TreeMerge, ...]:
    return tuple(
        TreeMerge(row, depth, tuple(_member(entry, by_survivor, depth) for entry in row.absorbed))
        for row in by_survivor.get(customer_id, ())
    )


def _member(row: MergedRow, by_survivor: Mapping[str, Sequence[MergeRow]], depth: int) -> TreeMember:
    below = _merges_of(row.customer_id, by_survivor, depth + 1) if row.live else ()
    return TreeMember(row, below)


def _flat(merges: Sequence[TreeMerge]) -> Iterator[TreeMerge]:
    for merge in merges:
        yield merge
        for member in merge.members:
            yield from _flat(member.merges)
