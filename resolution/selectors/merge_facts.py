"""What a merge has to know of its members, for any number of customers in a constant number of queries."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q

from customers.models import PROFILE_FIELDS, Channel, Customer
from customers.services.statements import array_of
from resolution.models import Judgement
from resolution.relations import MOVED
from resolution.selectors.judgements import different_pairs
from resolution.services.merge_plan import CURRENT, CustomerFacts, IdentifierFact, ValueFact
from resolution.types import DifferenceFact

IDENTIFIER_FIELDS = ("email", "phone")
NO_VALUE = ValueFact("")


# Whole rows of thousands of customers: plain tuples, ids sent as one array.
_LINKS = """
    SELECT id, customer_id, channel_id, identifier_type, channel_identifier, normalised, status, verified,
        confidence_score, last_seen_at
    FROM customer_identity_mapping
    WHERE customer_id = ANY(%(ids)s::uuid[])
    ORDER BY id
"""
_RECORDS = """
    SELECT customer_id, channel_id, data, updated_at
    FROM source_records
    WHERE customer_id = ANY(%(ids)s::uuid[])
    ORDER BY id
"""
_INTERACTIONS = """
    SELECT customer_id, count(*)::int
    FROM (
        SELECT customer_id FROM messages WHERE customer_id = ANY(%(ids)s::uuid[])
        UNION ALL
        SELECT customer_id FROM tickets WHERE customer_id = ANY(%(ids)s::uuid[])
    ) AS interactions
    GROUP BY customer_id
"""


class _Link(NamedTuple):
    """One identifier link, as it is stored."""

    id: uuid.UUID
    customer_id: uuid.UUID
    channel_id: uuid.UUID
    type: str
    value: str
    normalised: str
    status: str
    verified: bool
    confidence: Decimal
    last_seen_at: datetime


class _Sighting(NamedTuple):
    """One place a value was seen: a source record or an identifier link."""

    channel: Channel
    seen_at: datetime
    verified: bool = False


class _Sightings:
    """Where one customer's values were seen; texts are compared without case and outer blanks."""

    __slots__ = ("_by_text", "all")

    def __init__(self) -> None:
        self.all: list[_Sighting] = []
        self._by_text: dict[tuple[str, str], list[_Sighting]] = {}

    def add(self, texts: Iterable[tuple[str, Any]], sighting: _Sighting) -> None:
        self.all.append(sighting)
        for field, text in texts:
            if isinstance(text, str) and text:
                self._by_text.setdefault((field, text.strip().casefold()), []).append(sighting)

    def of(self, field: str, text: str) -> list[_Sighting]:
        return self._by_text.get((field, text.casefold()), [])


def load_facts(customers: Iterable[Customer], *, rows: bool = True) -> dict[str, CustomerFacts]:
    """Return the facts by customer id; `rows` lists every row that would move, not only identifiers."""
    members = {row.pk: row for row in customers}
    links = _links(members)
    sightings = _sightings(links, members)
    identifiers = _identifiers(links)
    owned = _rows(members) if rows else {}
    interactions = _interactions(members)
    return {
        str(key): CustomerFacts(
            id=str(key),
            name=customer.display_name,
            status=customer.status,
            merged_into=str(customer.merged_into_id or ""),
            version=customer.version,
            created_at=customer.created_at,
            interactions=interactions.get(key, 0),
            values=_values(customer, sightings[key]),
            identifiers=tuple(identifiers[key]),
            rows=owned.get(key, {}),
            attributes=customer.attributes,
            last_interaction_at=customer.last_interaction_at,
        )
        for key, customer in members.items()
    }


def where_seen(customers: Iterable[Customer]) -> dict[tuple[str, str], str]:
    """Return, by customer id and field, the names of the channels that show its value."""
    members = {row.pk: row for row in customers}
    sightings = _sightings(_links(members), members)
    seen = {}
    for key, customer in members.items():
        for name in PROFILE_FIELDS:
            channels = [entry.channel.name for entry in sightings[key].of(name, _text(customer, name))]
            seen[str(key), name] = ", ".join(dict.fromkeys(channels))
    return seen


def load_differences(ids: Collection[uuid.UUID]) -> list[DifferenceFact]:
    """Return who said, and when, that two of these customers' groups are not one; ids are the customers'."""
    pairs = different_pairs(ids)
    judged = {key for pair in pairs for key in pair}
    found = Judgement.objects.filter(
        Q(left__in=judged) | Q(left__merged_into__in=judged),
        verdict=Judgement.Verdict.DIFFERENT,
        superseded_at__isnull=True,
    )
    named = (
        [_difference(row) for row in found.select_related("left", "right").order_by("id")] if pairs else []
    )
    return [fact for fact in named if frozenset({uuid.UUID(fact.left), uuid.UUID(fact.right)}) in pairs]


@lru_cache(maxsize=1)
def field_limits() -> dict[str, int]:
    """Profile field → greatest length in characters."""
    return {
        name: getattr(Customer._meta.get_field(name), "max_length", None) or len("1980-12-31")
        for name in PROFILE_FIELDS
    }


def _difference(row: Judgement) -> DifferenceFact:
    sides = (row.left, row.right)
    return DifferenceFact(
        left=str(row.left.canonical_id),
        right=str(row.right.canonical_id),
        who=row.actor_name,
        when=row.created_at,
        judgement=row.pk,
        reason=row.reason,
        parts=tuple(side.display_name for side in sides if side.canonical_id != side.pk),
    )


def _links(ids: Collection[uuid.UUID]) -> list[_Link]:
    return [_Link(*row) for row in _fetch(_LINKS, ids)]


def _identifiers(links: Iterable[_Link]) -> Mapping[uuid.UUID, list[IdentifierFact]]:
    held: defaultdict[uuid.UUID, list[IdentifierFact]] = defaultdict(list)
    for link in links:
        held[link.customer_id].append(
            IdentifierFact(
                row_id=str(link.id),
                channel_id=str(link.channel_id),
                type=link.type,
                normalised=link.normalised,
                status=link.status,
                verified=link.verified,
                confidence=float(link.confidence),
                last_seen_at=link.last_seen_at,
            )
        )
    return held


def _sightings(links: Iterable[_Link], ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, _Sightings]:
    """Gather sightings; an identifier speaks for the value as it came and for its canonical form."""
    channels = Channel.objects.in_bulk()
    seen: defaultdict[uuid.UUID, _Sightings] = defaultdict(_Sightings)
    for customer_id, channel_id, data, seen_at in _fetch(_RECORDS, ids):
        seen[customer_id].add(_texts(data).items(), _Sighting(channels[channel_id], seen_at))
    for link in links:
        if link.status in CURRENT:
            texts = {(link.type, link.value), (link.type, link.normalised)}
            sighting = _Sighting(channels[link.channel_id], link.last_seen_at, link.verified)
            seen[link.customer_id].add(texts, sighting)
    return seen


def _values(customer: Customer, sightings: _Sightings) -> dict[str, ValueFact]:
    return {name: _value_fact(name, _text(customer, name), customer, sightings) for name in PROFILE_FIELDS}


def _value_fact(name: str, text: str, customer: Customer, sightings: _Sightings) -> ValueFact:
    """Join what speaks for one value; where nobody shows it, all the customer's channels stand for it."""
    if not text:
        return NO_VALUE
    speaking = sightings.of(name, text)
    behind = speaking or sightings.all
    return ValueFact(
        value=text,
        verified=name in IDENTIFIER_FIELDS and any(entry.verified for entry in speaking),
        trust=max((entry.channel.trust for entry in behind), default=0),
        seen_at=max((entry.seen_at for entry in behind), default=customer.updated_at),
    )


def _interactions(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    return dict(_fetch(_INTERACTIONS, ids))


def _rows(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, dict[str, tuple[str, ...]]]:
    owned: defaultdict[uuid.UUID, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for relation in MOVED:
        if relation.name == "mappings":
            continue
        found = relation.model._default_manager.filter(customer__in=ids).order_by("pk")
        for owner, key in found.values_list("customer", "pk"):
            owned[owner][relation.name].append(str(key))
    return {owner: {name: tuple(keys) for name, keys in rows.items()} for owner, rows in owned.items()}


def _text(customer: Customer, name: str) -> str:
    value = getattr(customer, name)
    return "" if value is None else str(value)


def _texts(data: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """A JSON column as a raw cursor returns it."""
    found: Mapping[str, Any] = json.loads(data) if isinstance(data, str) else data
    return found


def _fetch(query: str, ids: Collection[uuid.UUID]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"ids": array_of(ids)})
        return list(cursor.fetchall())
