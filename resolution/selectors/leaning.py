"""What leaned on a value: who was brought together by it, and whom it alone holds together.

The ledger knows what every member of a merged customer was by itself. Those records are weighed against each
other once more without the value; where they fall apart and the value is what the parts have in common, it
alone held them. Links that came one by one are told apart by what came together (`link_parts`).
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from customers.models import Customer
from resolution.matching.blocked import Blocked, Blocklist
from resolution.matching.came_together import Part
from resolution.matching.clusters import MOST_AT_ONCE, connected
from resolution.matching.decide import Policy
from resolution.matching.kernel import score_pairs
from resolution.matching.key_numbers import number_keys, number_limit
from resolution.models import Merge, MergeMember
from resolution.selectors.link_parts import LinkStanding, find_link_parts
from resolution.selectors.match_model import live_model, live_policy
from resolution.selectors.records import RECORDS_A_CHUNK, load_records
from resolution.types import PairScore, Profile


@dataclass(frozen=True, slots=True)
class Leaning:
    """A customer several of whose records had a value, or whose links came together by it.

    `merges` are those that took in a record with it. `parts` are the records' groups without the value, the
    largest first; `bridged` are those among them that had it, and `scores` what still speaks across them.
    `links` are the parts of single links, the largest first; none where they hold together. `untold` are how
    many of these are left where they are because nothing tells how they came.
    """

    customer_id: uuid.UUID
    merges: tuple[int, ...] = ()
    parts: tuple[tuple[str, ...], ...] = ()
    bridged: int = 0
    scores: tuple[PairScore, ...] = ()
    links: tuple[Part, ...] = ()
    untold: int = 0

    @property
    def falls_apart(self) -> bool:
        """Whether the value alone held the customer together."""
        return self.records_fall_apart or bool(self.links)

    @property
    def records_fall_apart(self) -> bool:
        """Whether the value alone held merged records together."""
        return self.bridged > 1


@dataclass(slots=True)
class _Whole:
    """One merged customer: its records without the value, which of them had it, and how they came."""

    survivor: uuid.UUID
    records: dict[str, Profile] = field(default_factory=dict)
    holders: set[str] = field(default_factory=set)
    merges: dict[str, int] = field(default_factory=dict)
    by_people: bool = False

    def level(self, policy: Policy) -> float:
        """What a pair must weigh to hold: what the machine may link, or what a person may be asked about."""
        return policy.review if self.by_people else policy.sample

    def pairs(self) -> Iterator[tuple[Profile, Profile]]:
        """The records to compare: of few all with all, of many those that share a key, as everywhere."""
        if len(self.records) <= MOST_AT_ONCE:
            yield from combinations(self.records.values(), 2)
            return
        blocks: defaultdict[int, list[str]] = defaultdict(list)
        for name, record in self.records.items():
            for key in number_keys(record):
                blocks[key].append(name)
        small = (members for key, members in blocks.items() if len(members) <= number_limit(key))
        wanted = dict.fromkeys(pair for members in small for pair in combinations(members, 2))
        yield from ((self.records[left], self.records[right]) for left, right in wanted)


def find_leaning(
    block: Blocked | None, survivors: Collection[uuid.UUID], *, all_had_it: bool = False
) -> list[Leaning]:
    """Return those among canonical customers who leaned on a value, a bounded number at a time.

    Once a value is blocked its links have ended, and nothing tells any more which records had it:
    `all_had_it` takes every record for one that did. With no value to leave out they are weighed with all
    that is known of them.
    """
    merged = Customer.objects.filter(merged_into__in=list(survivors)).order_by("merged_into", "pk")
    members: dict[uuid.UUID, list[uuid.UUID]] = {}
    for row in merged.only("merged_into"):
        members.setdefault(row.canonical_id, [row.canonical_id]).append(row.pk)
    merges = [entry for lot in _lots(members) for entry in _leaning_of(block, lot, all_had_it)]
    links = find_link_parts(block, survivors) if block else {}
    standing = [(entry, links.pop(entry.customer_id, LinkStanding())) for entry in merges]
    standing += [(Leaning(customer), found) for customer, found in links.items()]
    return [replace(entry, links=found.parts, untold=found.untold) for entry, found in standing]


def _lots(members: Mapping[uuid.UUID, list[uuid.UUID]]) -> Iterator[dict[uuid.UUID, list[uuid.UUID]]]:
    lot: dict[uuid.UUID, list[uuid.UUID]] = {}
    held = 0
    for survivor, ids in members.items():
        lot[survivor] = ids
        held += len(ids)
        if held >= RECORDS_A_CHUNK:
            yield lot
            lot, held = {}, 0
    if lot:
        yield lot


def _leaning_of(
    block: Blocked | None, members: Mapping[uuid.UUID, list[uuid.UUID]], all_had_it: bool
) -> Iterator[Leaning]:
    wholes = [entry for entry in _wholes(block, members, all_had_it) if len(entry.holders) > 1]
    owner = {name: place for place, entry in enumerate(wholes) for name in entry.records}
    pairs = [pair for entry in wholes for pair in entry.pairs()]
    found: list[list[PairScore]] = [[] for _ in wholes]
    for score in score_pairs(live_model(), pairs, floor=live_policy().review):
        found[owner[score.left]].append(score)
    for entry, scores in zip(wholes, found, strict=True):
        yield _leaning(entry, scores)


def _wholes(
    block: Blocked | None, members: Mapping[uuid.UUID, list[uuid.UUID]], all_had_it: bool
) -> list[_Whole]:
    ids = [key for group in members.values() for key in group]
    records, without = load_records(ids), Blocklist((block,) if block else ())
    merges = _merges_of(ids)
    wholes = []
    for survivor, group in members.items():
        whole = _Whole(survivor)
        for key in group:
            if key not in records:
                continue
            record = without.strip(records[key])
            whole.records[record.key] = record
            if all_had_it or record is not records[key]:
                whole.holders.add(record.key)
            if key in merges:
                whole.merges[record.key], by_people = merges[key]
                whole.by_people |= by_people
        wholes.append(whole)
    return wholes


def _merges_of(ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, tuple[int, bool]]:
    """Absorbed customer → the merge that took it in, and whether a person decided that."""
    rows = MergeMember.objects.filter(customer__in=ids, live=True)
    found = rows.values_list("customer", "merge", "merge__method")
    return {customer: (merge, method == Merge.Method.MANUAL) for customer, merge, method in found}


def _leaning(whole: _Whole, scores: Sequence[PairScore]) -> Leaning:
    level = whole.level(live_policy())
    holding = [score for score in scores if score.weight >= level and not score.hard_conflict]
    together = connected(holding)
    alone = whole.records.keys() - {key for part in together for key in part}
    parts = sorted([*map(sorted, together), *([key] for key in alone)], key=lambda part: (-len(part), part))
    bridged = [part for part in parts if whole.holders.intersection(part)]
    return Leaning(
        customer_id=whole.survivor,
        merges=tuple(sorted({whole.merges[key] for key in whole.holders if key in whole.merges})),
        parts=tuple(map(tuple, parts)),
        bridged=len(bridged),
        scores=tuple(_across(parts, scores)),
    )


def _across(parts: Sequence[Sequence[str]], scores: Sequence[PairScore]) -> Iterator[PairScore]:
    place = {key: number for number, part in enumerate(parts) for key in part}
    yield from (score for score in scores if place[score.left] != place[score.right])
