"""Everything the database holds of a person: what an erasure takes, and what it leaves, as plain data."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from customers.models import Customer, Message, SourceRecord, Ticket
from customers.models import Mapping as Link
from resolution.models import (
    AuditEntry,
    BlockedValue,
    BlockingKey,
    Conflict,
    Judgement,
    Merge,
    MergeMember,
    MergeProposal,
    OutboxEvent,
)
from resolution.selectors.customers import get_canonical
from resolution.selectors.told_elsewhere import Place, Told, Traces, find_traces, records_before, values_now

# channel id, identifier type, normalised value
Key = tuple[uuid.UUID, str, str]
_KEY = ("channels", "types", "values")

# An entry is found by its customer, by an identifier that was this person's alone, by a question or a
# proposal about them, by an id of theirs in what it tells, or because it wrote down somebody they met, or
# what that one had of theirs. Reads the whole trail once.
_ENTRIES = """
    SELECT sequence FROM customer_identity_audit
    WHERE erased_by IS NULL AND action <> 'erase'
      AND (identifier_value <> '' OR old_value <> '' OR metadata <> '{}')
      AND (customer_id = ANY(%(people)s)
           OR (action = 'note' AND customer_id = ANY(%(met)s))
           OR (action IN ('create', 'update', 'merge', 'unmerge') AND customer_id = ANY(%(met)s)
               AND EXISTS (SELECT FROM unnest(%(holders)s::uuid[], %(told)s::text[]) AS told (holder, value)
                           WHERE holder = customer_id AND strpos(lower(metadata::text), lower(value)) > 0))
           OR (channel_id, identifier_type, identifier_value)
              IN (SELECT * FROM unnest(%(channels)s::uuid[], %(types)s::text[], %(values)s::text[]))
           OR metadata ->> 'conflict' = ANY(%(conflicts)s::text[])
           OR metadata ->> 'proposal' = ANY(%(proposals)s::text[])
           OR action = 'judge' AND metadata ->> 'judgement' = ANY(%(told_judgements)s::text[])
           OR sequence = ANY(%(told_entries)s)
           OR metadata::text LIKE ANY(%(patterns)s::text[]))
    ORDER BY sequence
"""
# Answers and evidence about others that score this person among the candidates.
_MESSAGES = """
    SELECT id FROM messages
    WHERE (customer_id IS NULL OR customer_id <> ALL(%(people)s))
      AND payload::text LIKE ANY(%(patterns)s::text[])
    ORDER BY id
"""
_EVIDENCE = """
    SELECT id FROM conflicts
    WHERE evidence::text LIKE ANY(%(patterns)s::text[]) AND NOT id = ANY(%(conflicts)s) ORDER BY id
"""
# Merges of others that took from this person, or that absorbed them once; undone ones of somebody they met.
_PLANS = """
    SELECT id FROM merges
    WHERE survivor_id <> ALL(%(people)s)
      AND (plan::text LIKE ANY(%(patterns)s::text[])
           OR id IN (SELECT merge_id FROM merge_members WHERE customer_id = ANY(%(people)s))
           OR undone_at IS NOT NULL AND EXISTS (
               SELECT FROM unnest(%(told)s::text[]) AS told (value)
               WHERE survivor_id = ANY(%(met)s) AND strpos(lower(plan::text), lower(value)) > 0))
    ORDER BY id
"""
# What undone merges of somebody they met kept of what that one had of theirs.
_SPENT_MERGES = """
    SELECT id FROM merges JOIN unnest(%(holders)s::uuid[], %(told)s::text[]) AS told (holder, value)
        ON holder = survivor_id
    WHERE undone_at IS NOT NULL AND strpos(lower(pre_image::text), lower(value)) > 0
    GROUP BY id ORDER BY id
"""
_SPENT_MEMBERSHIPS = """
    SELECT id FROM merge_members JOIN unnest(%(holders)s::uuid[], %(told)s::text[]) AS told (holder, value)
        ON holder = customer_id
    WHERE NOT live AND strpos(lower(pre_image::text), lower(value)) > 0
    GROUP BY id ORDER BY id
"""
# Everybody who was ever one with somebody, also through others, as far as they were not erased.
_KIN = """
    WITH RECURSIVE kin (id) AS (
        SELECT unnest(%(seeds)s::uuid[])
        UNION
        SELECT customers.id
        FROM kin
        CROSS JOIN LATERAL (
            SELECT survivor_id FROM merges JOIN merge_members ON merge_id = merges.id
            WHERE customer_id = kin.id
            UNION ALL
            SELECT customer_id FROM merges JOIN merge_members ON merge_id = merges.id
            WHERE survivor_id = kin.id
        ) AS other (id)
        JOIN customers ON customers.id = other.id AND customers.status <> 'erased'
    )
    SELECT id FROM kin
"""
_ANSWERS = (
    "SELECT id FROM idempotency_records WHERE response::text LIKE ANY(%(patterns)s::text[]) ORDER BY id"
)


@dataclass(frozen=True, slots=True)
class Person:
    """The live customer an id stands for and everyone absorbed into it, read without locks.

    `freed` are identifiers nobody else has, `ended` links of others that had these before. `met` are all
    whose past tells of this person too: who had one of their identifiers, or was split from them or they
    from it, and everybody who was ever one with any of these.
    """

    canonical: uuid.UUID
    people: frozenset[uuid.UUID]
    freed: tuple[Key, ...]
    ended: tuple[uuid.UUID, ...]
    met: frozenset[uuid.UUID]

    @classmethod
    def of(cls, canonical: uuid.UUID) -> Person:
        people = frozenset(Customer.objects.members_of(canonical).values_list("pk", flat=True))
        freed = _freed(people)
        ended = _ended_elsewhere(people, freed)
        holders = {link.customer_id for link in ended} | _took_from(people)
        return cls(canonical, people, freed, tuple(link.pk for link in ended), _met_by(people, holders))

    def touched(self) -> Collection[uuid.UUID]:
        return self.people | self.met

    def holds(self, locked: Mapping[uuid.UUID, Customer]) -> bool:
        """Whether nobody was merged in, taken out or erased meanwhile."""
        return locked[self.canonical].status == Customer.Status.ACTIVE and Person.of(self.canonical) == self


@dataclass(frozen=True, slots=True)
class ErasurePlan:
    """What an erasure will do: `people` are all ids that become erased, the rest are keys of rows.

    `freed` are identifiers nobody else has, `values` all they have, by type, and `places` what questions
    about theirs alone name; `links` are the person's own and ended ones of others that go with those.
    `merges` and `memberships` are the person's own, and undone ones of others that kept what was theirs.
    `mentions`, `evidence` and `plans` are rows about others in which only this person's part goes;
    `traces` those that do not even name them and tell of them all the same, found by what they `told`.
    """

    asked: uuid.UUID
    canonical: uuid.UUID
    name: str
    people: tuple[uuid.UUID, ...]
    owned: tuple[Key, ...]
    freed: tuple[Key, ...]
    values: tuple[tuple[str, str], ...]
    places: frozenset[Place]
    links: tuple[uuid.UUID, ...]
    messages: tuple[uuid.UUID, ...]
    tickets: tuple[uuid.UUID, ...]
    source_records: tuple[uuid.UUID, ...]
    blocking_keys: int
    conflicts: tuple[int, ...]
    live_conflicts: int
    proposals: tuple[int, ...]
    pending_proposals: int
    judgements: tuple[int, ...]
    merges: tuple[int, ...]
    memberships: tuple[int, ...]
    mentions: tuple[uuid.UUID, ...]
    evidence: tuple[int, ...]
    plans: tuple[int, ...]
    answers: tuple[int, ...]
    entries: tuple[int, ...]
    events: int
    traces: Traces
    told: Told

    @property
    def absorbed(self) -> tuple[uuid.UUID, ...]:
        return tuple(key for key in self.people if key != self.canonical)

    @property
    def fingerprint(self) -> str:
        """Names whom it erases: with somebody merged in since, it is another erasure."""
        return hashlib.sha256("\0".join(map(str, self.people)).encode()).hexdigest()

    def goes(self) -> tuple[tuple[str, int], ...]:
        """What is removed or emptied, label and number, in the order a reader asks."""
        return (
            ("Customers emptied", len(self.people)),
            ("Identifiers removed", len(self.links)),
            ("Search keys removed", self.blocking_keys),
            ("Messages emptied", len(self.messages)),
            ("Tickets emptied", len(self.tickets)),
            ("Source records emptied", len(self.source_records)),
            ("Open questions closed or narrowed", self.live_conflicts),
            ("Questions whose text goes", len(self.conflicts)),
            ("Pending proposals withdrawn", self.pending_proposals),
            ("Proposals whose text goes", len(self.proposals)),
            ("Judgements whose reason goes", len(self.judgements)),
            ("Merges whose values go", len(self.merges)),
            ("Audit entries emptied", len(self.entries)),
            ("Stored answers to services", len(self.answers)),
            (
                "Places that name them as a candidate",
                len(self.mentions) + len(self.evidence) + len(self.plans),
            ),
            ("Rows about others that tell of them", self.traces.number),
        )

    def stays(self) -> tuple[tuple[str, int], ...]:
        """What is left of the rows, and holds no personal value."""
        return (
            ("Ids, answering “erased”", len(self.people)),
            ("Judgements, without their reasons", len(self.judgements)),
            ("Merges, as who absorbed whom", len(self.merges)),
            ("Audit entries, as who acted when on which id", len(self.entries)),
            ("Events", self.events),
        )


def find_person(customer_id: uuid.UUID) -> Person:
    """Return whom an id stands for, with all its ids. Raises UnknownCustomer, CustomerErased."""
    return Person.of(get_canonical(customer_id).pk)


def plan_erasure(customer_id: uuid.UUID) -> ErasurePlan:
    """Return everything that erasing the person behind an id would take.

    Reads the trail, the messages and the questions once from end to end. Raises UnknownCustomer,
    CustomerErased.
    """
    return plan_for(customer_id, find_person(customer_id))


def plan_for(asked: uuid.UUID, person: Person) -> ErasurePlan:
    """Return the plan for a person whose ids are known."""
    people = tuple(sorted(person.people))
    own = Link.objects.filter(customer__in=people)
    conflicts = Conflict.objects.filter(members__customer__in=people).distinct()
    proposals = MergeProposal.objects.filter(
        Q(survivor__in=people) | Q(members__customer__in=people)
    ).distinct()
    named: dict[str, Any] = {
        "people": list(people),
        "met": list(person.met),
        **_told(person),
        "patterns": [f"%{key}%" for key in people],
        "conflicts": list(_keys_of(conflicts)),
        "proposals": list(_keys_of(proposals)),
    }
    judgements = _keys_of(Judgement.objects.filter(Q(left__in=people) | Q(right__in=people)))
    messages = _keys_of(Message.objects.filter(customer__in=people))
    own_rows = Traces(tuple(named["conflicts"]), tuple(named["proposals"]), judgements, messages)
    told = Told.of(people, person.met)
    places = _places(people, person.freed)
    traces = find_traces(told, places, but=own_rows)
    named |= {
        "conflicts": [*named["conflicts"], *traces.conflicts],
        "proposals": [*named["proposals"], *traces.proposals],
        "told_judgements": list(traces.judgements),
        "told_entries": list(traces.entries),
    }
    identifiers = {name: [key[place] for key in person.freed] for place, name in enumerate(_KEY)}
    return ErasurePlan(
        asked=asked,
        canonical=person.canonical,
        name=Customer.objects.get(pk=person.canonical).display_name,
        people=people,
        owned=tuple(own.owned().order_by("pk").values_list("channel", "identifier_type", "normalised")),
        freed=person.freed,
        values=tuple(own.order_by().values_list("identifier_type", "normalised").distinct()),
        places=places,
        links=(*_keys_of(own), *person.ended),
        messages=messages,
        tickets=_keys_of(Ticket.objects.filter(customer__in=people)),
        source_records=_keys_of(SourceRecord.objects.filter(customer__in=people)),
        blocking_keys=BlockingKey.objects.filter(customer__in=people).count(),
        conflicts=own_rows.conflicts,
        live_conflicts=conflicts.exclude(state=Conflict.State.DONE).count(),
        proposals=own_rows.proposals,
        pending_proposals=proposals.filter(state=MergeProposal.State.PENDING).count(),
        judgements=judgements,
        merges=(*_keys_of(Merge.objects.filter(survivor__in=people)), *_found(_SPENT_MERGES, named)),
        memberships=(
            *_keys_of(MergeMember.objects.filter(customer__in=people)),
            *_found(_SPENT_MEMBERSHIPS, named),
        ),
        mentions=_found(_MESSAGES, named),
        evidence=_found(_EVIDENCE, named),
        plans=_found(_PLANS, named),
        answers=_found(_ANSWERS, named),
        entries=_found(_ENTRIES, named | identifiers),
        events=OutboxEvent.objects.filter(customer__in=people).count(),
        traces=traces,
        told=told,
    )


def values_of(people: Collection[uuid.UUID]) -> Iterator[str]:
    """Give what tells by itself who these customers are: names, contact, address, identifiers."""
    told = ("name", "family_name", "email", "phone", "company", "address")
    for row in Customer.objects.filter(pk__in=people).values_list(*told):
        yield from filter(None, row)
    for pair in Link.objects.filter(customer__in=people).values_list("channel_identifier", "normalised"):
        yield from pair


def _met_by(people: Collection[uuid.UUID], holders: Collection[uuid.UUID]) -> frozenset[uuid.UUID]:
    """Who had what is theirs, and all who were ever one with these or with them, and were not erased."""
    return frozenset(_found(_KIN, {"seeds": [*people, *holders]})) - frozenset(people)


def _took_from(people: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Whose identifiers moved to these, by a claim or by a split, and who was not erased."""
    moves = AuditEntry.objects.filter(customer__in=people, action="move", erased_by__isnull=True)
    former = {uuid.UUID(key) for key in moves.values_list("old_value", flat=True) if key}
    found = Customer.objects.filter(pk__in=former).exclude(status=Customer.Status.ERASED)
    return set(found.values_list("pk", flat=True))


def _told(person: Person) -> dict[str, list[Any]]:
    """Pair those they met with each value that was this person's and is not the other's own today."""
    theirs = [value for _, value in values_now(person.people)]
    earlier = [value for record in records_before(person.people) for value in record.values()]
    values = {value.casefold(): json.dumps(value, ensure_ascii=False) for value in (*theirs, *earlier)}
    own: dict[uuid.UUID, set[str]] = {key: set() for key in person.met}
    for key, value in values_now(person.met):
        own[key].add(value.casefold())
    pairs = [(key, values[name]) for key, names in own.items() for name in sorted(values.keys() - names)]
    return {"holders": [key for key, _ in pairs], "told": [value for _, value in pairs]}


def _freed(people: Collection[uuid.UUID]) -> tuple[Key, ...]:
    """The person's identifiers, but those that somebody else has today, or that are blocked as nobody's."""
    same = {name: OuterRef(name) for name in ("channel", "identifier_type", "normalised")}
    others = Link.objects.current().filter(**same).exclude(customer__in=people)
    blocked = BlockedValue.objects.filter(value=OuterRef("normalised"))
    own = Link.objects.filter(~Exists(others), ~Exists(blocked), customer__in=people)
    return tuple(
        own.order_by("channel", "identifier_type", "normalised")
        .values_list("channel", "identifier_type", "normalised")
        .distinct()
    )


def _places(people: Collection[uuid.UUID], freed: Collection[Key]) -> frozenset[Place]:
    """The freed identifiers on their channels, and on any if nobody else has them on another one either."""
    others = Link.objects.current().exclude(customer__in=people)
    values = {(kind, value) for _, kind, value in freed}
    found = others.filter(normalised__in={value for _, value in values})
    kept = set(found.values_list("identifier_type", "normalised"))
    return frozenset([*freed, *((None, kind, value) for kind, value in values - kept)])


def _ended_elsewhere(people: Collection[uuid.UUID], freed: Collection[Key]) -> list[Link]:
    """Links of others that had a value before this person did, and have ended."""
    wanted = set(freed)
    found = Link.objects.exclude(customer__in=people).filter(normalised__in={value for _, _, value in freed})
    return [
        row for row in found.order_by("pk") if (row.channel_id, row.identifier_type, row.normalised) in wanted
    ]


def _keys_of(rows: Any) -> tuple[Any, ...]:
    return tuple(rows.order_by("pk").values_list("pk", flat=True))


def _found(query: str, named: Mapping[str, Any]) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(query, named)
        return tuple(key for (key,) in cursor.fetchall())
