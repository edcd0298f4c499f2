"""How far a value reaches: its links, customers, merges and questions, and what blocking it does to each."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from django.db import connection

from customers.models import Channel
from resolution.matching.blocked import FIELD_OF, Blocked, Blocklist
from resolution.matching.identifiers import IDENTIFIER_TYPES
from resolution.matching.kernel import score_pairs
from resolution.models import Conflict, ConflictMember
from resolution.selectors.candidates import value_key
from resolution.selectors.leaning import Leaning, find_leaning
from resolution.selectors.match_model import live_model, live_policy
from resolution.selectors.profiles import load_profiles
from resolution.selectors.written import find_written, like
from resolution.types import PairScore, Profile

State, Kind = Conflict.State, Conflict.Kind
# Questions nobody is at work on, whose evidence is weighed again.
WAITING = (State.OPEN, State.PARKED, State.RETURNED)
ASK_OF_PAIRS = (Kind.LIKELY_DUPLICATE, Kind.SEVERAL_CANDIDATES)

# A link that a merge folded counts where nothing else of its customer has the value any more: an undone merge
# would unfold it.
_LINKED = """
    SELECT m.customer_id, m.identifier_type, m.normalised FROM customer_identity_mapping m
    WHERE m.identifier_type = ANY(%(types)s) AND m.status IN ('active', 'shared') AND m.normalised {fits}
    UNION ALL
    SELECT DISTINCT coalesce(c.merged_into_id, c.id), m.identifier_type, m.normalised
    FROM customer_identity_mapping m JOIN customers c ON c.id = m.customer_id
    WHERE m.identifier_type = ANY(%(types)s) AND m.status = 'collapsed' AND m.normalised {fits}
      AND NOT EXISTS (
          SELECT FROM customer_identity_mapping stays
          WHERE stays.customer_id = coalesce(c.merged_into_id, c.id) AND stays.status IN ('active', 'shared')
            AND stays.identifier_type = m.identifier_type AND stays.normalised = m.normalised
      )
"""
_KEYED = "SELECT customer_id FROM blocking_keys WHERE key = ANY(%(keys)s)"
_EQUAL, _LIKE = "= ANY(%(values)s)", "LIKE ANY(%(values)s)"


@dataclass(frozen=True, slots=True)
class Held:
    """Who has a value: customers by id, and the links as (customer, type, canonical value)."""

    customers: frozenset[uuid.UUID]
    links: tuple[tuple[uuid.UUID, str, str], ...]

    @property
    def values(self) -> list[tuple[str, str, int]]:
        """Each value that is covered: type, value, customers; the most shared first."""
        holders: dict[tuple[str, str], set[uuid.UUID]] = {}
        for customer, type, value in self.links:
            holders.setdefault((type, value), set()).add(customer)
        return sorted(((*key, len(found)) for key, found in holders.items()), key=lambda row: (-row[2], row))


@dataclass(frozen=True, slots=True)
class Reach:
    """What blocking a value does: this is shown first, and this is done.

    `gone` are questions that nothing but the value asked, `rescored` those that stand on other evidence with
    their pairs as they weigh now, `moot` those that were about the value itself.
    """

    block: Blocked
    held: Held
    leaning: tuple[Leaning, ...]
    gone: tuple[int, ...]
    rescored: tuple[tuple[int, tuple[PairScore, ...]], ...]
    moot: tuple[int, ...]

    @property
    def merges(self) -> tuple[int, ...]:
        return tuple(sorted({merge for entry in self.leaning for merge in entry.merges}))

    @property
    def over_merged(self) -> tuple[Leaning, ...]:
        return tuple(entry for entry in self.leaning if entry.falls_apart)

    @property
    def untold(self) -> int:
        """How many customers have links beside the value of which nothing tells how they came."""
        return sum(1 for entry in self.leaning if entry.untold)

    def numbers(self) -> dict[str, int]:
        """The reach in numbers, as it is kept and audited."""
        return {
            "links": len(self.held.links),
            "customers": len(self.held.customers),
            "merges": len(self.merges),
            "over_merged": len(self.over_merged),
            "untold": self.untold,
            "questions_closed": len(self.gone) + len(self.moot),
            "questions_rescored": len(self.rescored),
        }


def find_held(block: Blocked) -> Held:
    """Return who has a value, by a link or in what is known of them.

    Two queries; for a pattern those of `find_written` besides.
    """
    links = tuple(_linked(block))
    return Held(frozenset(customer for customer, _, _ in links).union(_knowing(block)), links)


def measure_reach(block: Blocked, held: Held | None = None) -> Reach:
    """Work out what blocking a value does; reads only."""
    held = held or find_held(block)
    questions = questions_between(held.customers)
    gone, rescored = _weigh_again(block, questions)
    return Reach(
        block=block,
        held=held,
        leaning=tuple(find_leaning(block, held.customers)),
        gone=gone,
        rescored=rescored,
        moot=tuple(_moot(held)),
    )


def questions_between(customers: Collection[uuid.UUID]) -> dict[int, list[uuid.UUID]]:
    """Return the waiting questions about two or more of these customers: id → all their members."""
    about = ConflictMember.objects.filter(
        customer__in=list(customers), conflict__state__in=WAITING, conflict__kind__in=ASK_OF_PAIRS
    )
    touched: dict[int, int] = {}
    for conflict in about.values_list("conflict", flat=True):
        touched[conflict] = touched.get(conflict, 0) + 1
    wanted = [conflict for conflict, holders in touched.items() if holders > 1]
    members: dict[int, list[uuid.UUID]] = {}
    rows = ConflictMember.objects.filter(conflict__in=wanted).order_by("conflict", "pk")
    for conflict, customer in rows.values_list("conflict", "customer"):
        members.setdefault(conflict, []).append(customer)
    return members


def _linked(block: Blocked) -> Iterator[tuple[uuid.UUID, str, str]]:
    values = [block.value]
    if block.pattern:
        values = [like(block.value)]
        if "external_id" in _types_of(block):
            values.append(f"%:{like(block.value)}")
    for customer, type, value in _fetch(_LINKED, block, values):
        if block.covers(type, value):
            yield customer, type, value


def _knowing(block: Blocked) -> Collection[uuid.UUID]:
    """Customers whose profile has a value, linked or not. Keys are numbers and fit no pattern."""
    if block.pattern:
        return find_written(block)
    with connection.cursor() as cursor:
        cursor.execute(_KEYED, {"keys": _keys_of(block.value, _types_of(block))})
        return {customer for (customer,) in cursor.fetchall()}


def _keys_of(value: str, types: Sequence[str]) -> list[int]:
    """The blocking keys of a value; an external id is written with each system."""
    keys = []
    for type in types:
        systems = [f"{code.casefold()}:" for code in _codes()] if type == "external_id" else []
        keys += [value_key(type, f"{system}{value}") for system in ("", *systems)]
    return keys


def _codes() -> list[str]:
    return list(Channel.objects.values_list("code", flat=True))


def _types_of(block: Blocked) -> list[str]:
    return [block.type] if block.type else sorted(IDENTIFIER_TYPES.keys() & FIELD_OF.keys())


def _fetch(query: str, block: Blocked, values: Sequence[str]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            query.format(fits=_LIKE if block.pattern else _EQUAL),
            {"types": _types_of(block), "values": list(values)},
        )
        return cursor.fetchall()


def _weigh_again(
    block: Blocked, questions: dict[int, list[uuid.UUID]]
) -> tuple[tuple[int, ...], tuple[tuple[int, tuple[PairScore, ...]], ...]]:
    """Part questions that only the value asked from those that stand without it, with their pairs' scores."""
    without = Blocklist((block,))
    loaded = load_profiles({key for members in questions.values() for key in members})
    profiles = {key: without.strip(profile) for key, profile in loaded.items()}
    owners: list[int] = []
    pairs: list[tuple[Profile, Profile]] = []
    for question, members in questions.items():
        for left, right in combinations([key for key in members if key in profiles], 2):
            owners.append(question)
            pairs.append((profiles[left], profiles[right]))
    standing: dict[int, list[PairScore]] = {}
    for question, score in zip(owners, score_pairs(live_model(), pairs), strict=True):
        if score.weight >= live_policy().review:
            standing.setdefault(question, []).append(score)
    gone = tuple(question for question in questions if question not in standing)
    return gone, tuple((question, tuple(scores)) for question, scores in standing.items())


def _moot(held: Held) -> Iterator[int]:
    """Live questions about the value itself: who owns it, whether too many have it."""
    values = {(type, value) for _, type, value in held.links}
    live = Conflict.objects.exclude(state__in=[State.DONE, State.DECIDED]).exclude(kind=Kind.OVER_MERGE)
    asked = live.filter(
        identifier_type__in={type for type, _ in values}, identifier_value__in={value for _, value in values}
    )
    for key, type, value in asked.values_list("pk", "identifier_type", "identifier_value"):
        if (type, value) in values:
            yield key
