"""Customers whose single links a value brought together, found by the trail: it tells what came with what."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from customers.models import Message, SourceRecord
from resolution.batch.records import SOURCE_ID, details_of
from resolution.matching.blocked import Blocked, Blocklist
from resolution.matching.came_together import LinkFact, Part, Value, parts_without
from resolution.selectors.identifier_rules import OF_ONE_CHANNEL, load_blocklist
from resolution.services.intake import read_message

CUSTOMERS_A_CHUNK = 1_000
SCORED = "linked"  # recognised by all that was alike
_SCOPED = OF_ONE_CHANNEL | {SOURCE_ID}

Acts = set[frozenset[Value]]

# Who owns several identifiers; nobody else can fall apart into some.
_SEVERAL = """
    SELECT customer_id FROM customer_identity_mapping
    WHERE customer_id = ANY(%(ids)s) AND status = 'active'
    GROUP BY customer_id HAVING count(DISTINCT (identifier_type, normalised)) > 1
"""
_LINKS = """
    SELECT customer_id, id, identifier_type, normalised, channel_id, verified
    FROM customer_identity_mapping
    WHERE customer_id = ANY(%(ids)s) AND status = 'active'
    ORDER BY created_at, id
"""
# What was ever linked to a customer, or to those merged into it, in which change; of what came, which links
# were known, or which types decided a score.
_TRAIL = """
    SELECT coalesce(owner.merged_into_id, owner.id), entry.customer_id, entry.created_at, entry.action,
        entry.resolution_method, entry.metadata -> 'known', entry.metadata -> 'decisive',
        entry.metadata ->> 'message', entry.metadata ->> 'mapping',
        entry.identifier_type, entry.identifier_value, entry.channel_id
    FROM customer_identity_audit AS entry JOIN customers AS owner ON owner.id = entry.customer_id
    WHERE (owner.id = ANY(%(ids)s) OR owner.merged_into_id = ANY(%(ids)s))
      AND entry.action IN ('link', 'share', 'move', 'resolve')
    ORDER BY entry.sequence
"""


@dataclass(frozen=True, slots=True)
class _Link:
    id: uuid.UUID
    value: Value
    verified: bool


@dataclass(slots=True)
class _Act:
    """One change of one customer: what it linked, what came along and was known, how who it is was told.

    `decisive` are the types of identifiers without which a score would not have told it. Earlier releases
    wrote neither these nor what was `known`: then it is told by the `message` what came, if by anything.
    """

    record: uuid.UUID
    linked: dict[uuid.UUID, Value] = field(default_factory=dict)
    known: list[uuid.UUID] = field(default_factory=list)
    decisive: list[str] = field(default_factory=list)
    told: str = ""
    message: str = ""
    came: frozenset[Value] = frozenset()
    recorded: bool = True

    @property
    def untold(self) -> bool:
        """Whether nothing tells what the customer was recognised by."""
        return not self.recorded and (self.told == SCORED or not self.came)

    def leaned_on(self, came: frozenset[Value]) -> frozenset[Value]:
        """What of all that came the customer was recognised by; nothing where nobody was recognised."""
        if self.told == SCORED:
            return frozenset(value for value in came if value.type in self.decisive)
        return came if self.told else frozenset()


@dataclass(frozen=True, slots=True)
class LinkStanding:
    """How a customer's single links stand without a value: the parts, if they fall into several, and how many
    are left where they are because nothing tells how they came."""

    parts: tuple[Part, ...] = ()
    untold: int = 0


def find_link_parts(block: Blocked, customers: Collection[uuid.UUID]) -> dict[uuid.UUID, LinkStanding]:
    """Return the canonical customers whose identifiers fall apart without a value, or may for all one knows.

    A constant number of queries a chunk of customers. What leaves no trace of how it came is not parted.
    """
    several = [key for (key,) in _fetch(_SEVERAL, customers)]
    nobodys = Blocklist((block, *load_blocklist().entries)) if several else Blocklist()
    found: dict[uuid.UUID, LinkStanding] = {}
    for start in range(0, len(several), CUSTOMERS_A_CHUNK):
        found.update(_parts_of(several[start : start + CUSTOMERS_A_CHUNK], block, nobodys))
    return found


def _parts_of(
    customers: Sequence[uuid.UUID], block: Blocked, nobodys: Blocklist
) -> Iterator[tuple[uuid.UUID, LinkStanding]]:
    """Read the source records, which only ever hold more together, of nobody but who falls apart so far."""
    came = _came_to(customers)
    found = {key: parts_without(links, acts, block, nobodys) for key, (links, acts) in came.items()}
    records = _records_of([key for key, parts in found.items() if len(parts) > 1])
    for key, said in records.items():
        links, acts = came[key]
        found[key] = parts_without(links, acts | said, block, nobodys)
    for key, parts in found.items():
        untold = _untold([link for part in parts for link in part])
        if len(parts) > 1 or untold:
            yield key, LinkStanding(parts if len(parts) > 1 else (), untold)


def _untold(left: Collection[LinkFact]) -> int:
    """How many links are left of which nothing tells how they came; one that is left alone is no matter."""
    return sum(link.untold for link in left) if len({link.value for link in left}) > 1 else 0


def _came_to(customers: Sequence[uuid.UUID]) -> dict[uuid.UUID, tuple[list[LinkFact], Acts]]:
    """Return what each customer owns, the oldest link first, and what ever came at once."""
    links, acts = _links_of(customers), _acts_of(customers)
    found = {}
    for customer in customers:
        values = {key: value for act in acts[customer] for key, value in act.linked.items()}
        values |= {link.id: link.value for link in links[customer]}
        came = [_values(act, values) for act in acts[customer]]
        found[customer] = (list(_facts(customer, links[customer], acts[customer], came)), set(came))
    return found


def _facts(
    customer: uuid.UUID, links: Iterable[_Link], acts: Sequence[_Act], came: Sequence[frozenset[Value]]
) -> Iterator[LinkFact]:
    made_by = {key: place for place, act in enumerate(acts) for key in act.linked}
    for link in links:
        place = made_by.get(link.id)
        if place is None:
            yield LinkFact(link.id, customer, link.value, untold=not link.verified)
        else:
            act = acts[place]
            beside = act.leaned_on(came[place])
            untold = act.untold and not link.verified
            yield LinkFact(link.id, act.record, link.value, beside, link.verified or not beside, untold)


def _values(act: _Act, values: Mapping[uuid.UUID, Value]) -> frozenset[Value]:
    return act.came.union(values[key] for key in (*act.linked, *act.known) if key in values)


def _links_of(customers: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, list[_Link]]:
    links: defaultdict[uuid.UUID, list[_Link]] = defaultdict(list)
    for customer, key, type, text, channel, verified in _fetch(_LINKS, customers):
        links[customer].append(_Link(key, _value(type, text, channel), verified))
    return links


def _acts_of(customers: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, list[_Act]]:
    """Gather the trail by change: the rows of one change have one moment."""
    acts: defaultdict[uuid.UUID, dict[tuple[uuid.UUID, datetime], _Act]] = defaultdict(dict)
    for row in _fetch(_TRAIL, customers):
        customer, record, moment, action, method, known, decisive, message, link, *named = row
        act = acts[customer].setdefault((record, moment), _Act(record))
        if action == "resolve":
            act.told, act.message, act.recorded = method, message or "", known is not None
            act.known = [uuid.UUID(key) for key in _list(known)]
            act.decisive = _list(decisive)
        elif link:
            act.linked[uuid.UUID(link)] = _value(*named)
    _read_messages([act for found in acts.values() for act in found.values() if not act.recorded])
    return defaultdict(list, {customer: list(found.values()) for customer, found in acts.items()})


def _read_messages(acts: Collection[_Act]) -> None:
    """Let acts of an earlier release tell what came by the message they are about; one that linked nothing,
    too, holds together what came in it."""
    told = {uuid.UUID(act.message) for act in acts if act.message}
    messages = Message.objects.select_related("channel").in_bulk(told) if told else {}
    for act in acts:
        row = messages.get(uuid.UUID(act.message)) if act.message else None
        if row and "message" in row.payload:
            came = read_message(row.channel, row.payload["message"]).explicit
            act.came = frozenset(_value(entry.type, entry.normalised, row.channel_id) for entry in came)


def _records_of(customers: Collection[uuid.UUID]) -> Mapping[uuid.UUID, Acts]:
    """Give what each source record says: its own key and its identifiers came at once."""
    found: defaultdict[uuid.UUID, Acts] = defaultdict(set)
    rows = SourceRecord.objects.filter(customer__in=customers).select_related("channel")
    for row in rows.order_by("pk"):
        usable = details_of(row.data, row.channel.default_region).usable
        said = [(SOURCE_ID, row.source_key), *((entry.type, entry.normalised) for entry in usable)]
        found[row.customer_id].add(frozenset(_value(*entry, row.channel_id) for entry in said))
    return found


def _list(stored: str | None) -> list[str]:
    """Read a list of an entry; those of earlier releases have none."""
    return list(json.loads(stored)) if stored else []


def _value(type: str, text: str, channel: uuid.UUID) -> Value:
    return Value(type, text, str(channel) if type in _SCOPED else "")


def _fetch(query: str, customers: Collection[uuid.UUID]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"ids": list(customers)})
        return cursor.fetchall()
