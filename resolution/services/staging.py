"""The set-based writes of an import: new customers with their records, links and keys; changed records.

All of it runs inside the change of one batch and leaves one audit row for every customer and every link.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from customers.ids import uuid7
from customers.models import Channel, Customer, SourceRecord
from customers.services import register
from customers.services.copying import copy_rows
from resolution.batch.prepare import Newcomer, Source, prepare_newcomer
from resolution.batch.records import (
    CUSTOMER_FIELDS,
    IDENTIFIER_FIELDS,
    NOBODY,
    SOURCE_ID,
    Details,
    Record,
    details_of,
    shows,
)
from resolution.batch.sql import read_sql
from resolution.batch.table import Refusal
from resolution.matching.blocked import Blocklist
from resolution.matching.key_numbers import number_keys
from resolution.selectors.identifier_rules import load_blocklist, load_rules, windows
from resolution.selectors.merge_facts import load_differences
from resolution.services import keys, limits, locks
from resolution.services.audit import Trail, link_facts
from resolution.services.link import OUT_OF_WINDOW
from resolution.types import Identifier, Profile

# How sure a link from a file is; the source's own id is certain.
FILE_CONFIDENCE = Decimal("0.90")
CERTAIN = Decimal("1.00")
METHOD = "import"
SIGHTINGS_APART = timedelta(hours=1)
_STAGED = (
    "place", "id", "customer_id", "identifier_type", "channel_identifier", "normalised", "confidence_score",
    "verified",
)  # fmt: skip


@dataclass(slots=True)
class Taken:
    """What became of one batch's records.

    `links_blocked` and `links_refused` count identifiers left out by a block and by a hard limit. `touched`
    are the customers to be compared now, `profiles` those of the new ones among them. Customers of batches to
    come get ids greater than `last`.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: list[Refusal] = field(default_factory=list)
    links_blocked: int = 0
    links_refused: int = 0
    touched: set[uuid.UUID] = field(default_factory=set)
    profiles: dict[uuid.UUID, Profile] = field(default_factory=dict)
    last: uuid.UUID = field(default_factory=uuid7)


@dataclass(frozen=True, slots=True)
class _Link:
    """An identifier about to be linked."""

    id: uuid.UUID
    customer_id: uuid.UUID
    identifier: Identifier
    confidence: Decimal
    verified: bool


def prepare_staging() -> None:
    """Make the session's own tables of an import, empty."""
    with connection.cursor() as cursor:
        cursor.execute(read_sql("staging"))
        cursor.execute("TRUNCATE import_seen, staged_identifiers")


def notice(records: Sequence[Record]) -> tuple[list[Record], list[Record], list[Refusal]]:
    """Part the records first met in this file from repeats of a row, and from other rows under a used id.

    A file that gives one id to two different rows would change the customer back and forth for ever.
    """
    known = dict(
        _fetch(
            "SELECT source_key, fingerprint FROM import_seen WHERE source_key = ANY(%s)", _keys_of(records)
        )
    )
    fresh, repeats, refused, added = [], [], [], []
    for record in records:
        seen = known.get(record.key)
        if seen is None:
            known[record.key] = record.fingerprint
            fresh.append(record)
            added.append((record.key, record.fingerprint))
        elif seen == record.fingerprint:
            repeats.append(record)
        else:
            refused.append(Refusal(record.line, SOURCE_ID, _same_id(record), record.raw))
    copy_rows("import_seen", ("source_key", "fingerprint"), added)
    return fresh, repeats, refused


def _same_id(record: Record) -> str:
    return f"an earlier row of this file has the id {record.key[:80]} too, with other values"


def part_by_novelty(
    channel: Channel, records: Sequence[Record]
) -> tuple[list[Record], list[Record], list[Record]]:
    """Part records into new ones, changed ones, and those the register has exactly so."""
    rows = SourceRecord.objects.filter(channel=channel, source_key__in=_keys_of(records))
    known = dict(rows.values_list("source_key", "fingerprint"))
    new = [record for record in records if record.key not in known]
    stored = [record for record in records if record.key in known]
    changed = [record for record in stored if known[record.key] != record.fingerprint]
    unchanged = [record for record in stored if known[record.key] == record.fingerprint]
    return new, changed, unchanged


def take_in(
    trail: Trail,
    channel: Channel,
    records: Sequence[Record],
    *,
    run_id: int,
) -> Taken:
    """Store one batch: a customer for every new record, new values for changed ones; one file at a time."""
    locks.hold_files()
    fresh, repeats, refused = notice(records)
    new, changed, unchanged = part_by_novelty(channel, fresh)
    taken = Taken(unchanged=len(unchanged) + len(repeats), refused=refused)
    source = Source(channel.code, channel.default_region)
    arrivals = [_Arrival(record, prepare_newcomer(record, source)) for record in new]
    _lock_busy_values(channel, arrivals, changed)
    _see_again(channel, [*unchanged, *changed])
    taken.refused += [_nobody(entry.record) for entry in arrivals if not entry.details.describes_somebody]
    _create_customers(
        trail, channel, [entry for entry in arrivals if entry.details.describes_somebody], run_id, taken
    )
    _update_customers(trail, channel, changed, taken)
    taken.last = uuid7()
    return taken


def taken_before(channel: Channel, records: Sequence[Record]) -> Taken:
    """What is left to do for records that are in: their customers are to be compared."""
    rows = SourceRecord.objects.filter(channel=channel, source_key__in=_keys_of(records))
    return Taken(touched=set(rows.values_list("customer_id", flat=True)))


def _see_again(channel: Channel, records: Sequence[Record]) -> None:
    """Note of the links that known records show again that they were seen now.

    That is no change: it leaves no trail, counts no version up and waits for nobody. It is noted once an hour
    at most, which a window of days does not feel. A source's own ids have no window and stay as they are.
    """
    now, by_key = timezone.now(), {record.key: record for record in records}
    facts = {
        "channel": channel.pk,
        "keys": list(by_key),
        "types": list(IDENTIFIER_FIELDS),
        "before": now - SIGHTINGS_APART,
    }
    seen = [
        link
        for key, link, *identifier in (_fetch(read_sql("sightings"), facts) if records else ())
        if shows(by_key[key].data, channel.default_region, *identifier)
    ]
    if seen:
        with connection.cursor() as cursor:
            cursor.execute(read_sql("see_links"), {"links": seen, "now": now})


def _lock_busy_values(channel: Channel, arrivals: Sequence[_Arrival], changed: Sequence[Record]) -> None:
    """Hold, before any customer, the values that come near a limit with this batch, and what is blocked."""
    after = (details_of(record.data, channel.default_region) for record in changed)
    identifiers = [
        entry for details in (*(row.details for row in arrivals), *after) for entry in details.usable
    ]
    locks.lock_identifiers(limits.values_near_limits(channel, identifiers))


def count_news(channel: Channel, records: Sequence[Record]) -> Taken:
    """Count what take_in would do, writing nothing but the notice of which ids this file has used."""
    fresh, repeats, refused = notice(records)
    new, changed, unchanged = part_by_novelty(channel, fresh)
    taken = Taken(updated=len(changed), unchanged=len(unchanged) + len(repeats), refused=refused)
    for record in new:
        if details_of(record.data, channel.default_region).describes_somebody:
            taken.created += 1
        else:
            taken.refused.append(_nobody(record))
    return taken


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A new record and the customer it becomes."""

    record: Record
    newcomer: Newcomer

    @property
    def id(self) -> uuid.UUID:
        return self.newcomer.customer_id

    @property
    def details(self) -> Details:
        return self.newcomer.details

    def without(self, blocked: Blocklist) -> _Arrival:
        """The arrival with a profile and keys that know nothing of what is blocked."""
        profile = blocked.strip(self.newcomer.profile)
        if profile is self.newcomer.profile:
            return self
        keys = tuple(number_keys(profile))
        return replace(self, newcomer=replace(self.newcomer, profile=profile, keys=keys))


def _nobody(record: Record) -> Refusal:
    return Refusal(record.line, "", NOBODY, record.raw)


def _create_customers(
    trail: Trail, channel: Channel, arrivals: Sequence[_Arrival], run_id: int, taken: Taken
) -> None:
    """Make one customer a record, with its links and blocking keys."""
    now, blocked = timezone.now(), load_blocklist()
    arrivals = [entry.without(blocked) for entry in arrivals]
    _copy_customers(arrivals, now)
    _copy_source_records(channel, arrivals, now)
    for entry in arrivals:
        _record_creation(trail, channel, entry, run_id)
    links = [link for entry in arrivals for link in _links_of(entry)]
    link_identifiers(trail, channel, links, now, taken, new_customers=True)
    keys.write_keys((entry.id, entry.newcomer.keys) for entry in arrivals)
    taken.created = len(arrivals)
    taken.profiles = {entry.id: entry.newcomer.profile for entry in arrivals}
    taken.touched |= taken.profiles.keys()


def _copy_customers(arrivals: Sequence[_Arrival], now: datetime) -> None:
    columns = ("id", *CUSTOMER_FIELDS, "attributes", "status", "version", "created_at", "updated_at")
    rows = (
        (
            entry.id,
            *(_column(name, entry.details.fields[name]) for name in CUSTOMER_FIELDS),
            "{}",
            "active",
            1,
            now,
            now,
        )
        for entry in arrivals
    )
    copy_rows("customers", columns, rows)


def _copy_source_records(channel: Channel, arrivals: Sequence[_Arrival], now: datetime) -> None:
    columns = (
        "id",
        "channel_id",
        "customer_id",
        "source_key",
        "fingerprint",
        "data",
        "created_at",
        "updated_at",
    )
    rows = (
        (uuid7(), channel.pk, entry.id, record.key, record.fingerprint, record.data, now, now)
        for entry in arrivals
        for record in (entry.record,)
    )
    copy_rows("source_records", columns, rows)


def _record_creation(trail: Trail, channel: Channel, entry: _Arrival, run_id: int) -> None:
    trail.record(
        "create",
        customer_id=entry.id,
        channel_id=channel.pk,
        method=METHOD,
        after={name: value for name in CUSTOMER_FIELDS if (value := entry.details.fields[name])},
        import_run=run_id,
        line=entry.record.line,
        source_key=entry.record.key,
    )
    trail.tell("customer.created", customer_id=entry.id, method=METHOD)


def _links_of(entry: _Arrival) -> list[_Link]:
    links = [_link(entry.id, identifier) for identifier in entry.details.usable]
    if entry.record.own_id:
        own = Identifier(SOURCE_ID, entry.record.key, entry.record.key)
        links.insert(0, _Link(uuid7(), entry.id, own, CERTAIN, verified=True))
    return links


def _link(customer_id: uuid.UUID, identifier: Identifier) -> _Link:
    return _Link(uuid7(), customer_id, identifier, FILE_CONFIDENCE, verified=False)


def link_identifiers(
    trail: Trail,
    channel: Channel,
    links: Sequence[_Link],
    now: datetime,
    taken: Taken,
    *,
    new_customers: bool = False,
) -> None:
    """Link identifiers in their order: first come owns, whoever comes later shares.

    An owner not seen within its type's window gives way. What is blocked and what a hard limit refuses is
    left out and counted; past a soft one a person is asked.
    """
    sifted = limits.sift(channel, links, new_customers=new_customers)
    taken.links_blocked += sifted.blocked
    taken.links_refused += sifted.refused
    links = sifted.kept
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE staged_identifiers")
    copy_rows("staged_identifiers", _STAGED, (_staged(place, link) for place, link in enumerate(links)))
    former = _end_lapsed_owners(trail, channel, now)
    actions = dict(_fetch(read_sql("link_identifiers"), {"channel": channel.pk, "now": now}))
    for link in links:
        if action := actions.get(link.id):
            _record_link(trail, channel, link, action, former.get(link.id) if action == "link" else None)
    keys.rebuild_keys(set(former.values()))
    limits.ask(trail, list(sifted.crossings.values()))


def _end_lapsed_owners(trail: Trail, channel: Channel, now: datetime) -> dict[uuid.UUID, uuid.UUID]:
    """End the owners out of their window whose values were staged; return whose each value was, by new link.

    Who was told apart from the owner by a person takes nothing.
    """
    since = windows(load_rules())
    valid = {"types": list(since), "since": list(since.values()), "channel": channel.pk, "now": now}
    found = _fetch(read_sql("lapsed_owners"), valid) if since else []
    apart = (
        {frozenset((fact.left, fact.right)) for fact in load_differences(_people_of(found))} if found else ()
    )
    claims = {
        owned: (link, claimant)
        for owned, owner, link, claimant in found
        if frozenset((str(owner), str(claimant))) not in apart
    }
    if not claims:
        return {}
    locks.lock_customers({owner for owned, owner, _, _ in found if owned in claims})
    former = {}
    for owned, owner, type, raw, value, confidence, verified in _fetch(
        read_sql("end_lapsed"), valid | {"links": list(claims)}
    ):
        link, claimant = claims[owned]
        former[link] = owner
        trail.reown(channel.pk, type, value)
        trail.record(
            "lose",
            customer_id=owner,
            channel_id=channel.pk,
            identifier_type=type,
            identifier_value=value,
            old_value=str(owner),
            method=METHOD,
            confidence=confidence,
            **link_facts(owned, raw, value, verified=verified),
            to=str(claimant),
        )
    register.count_changes(set(former.values()))
    return former


def _people_of(found: Iterable[tuple[Any, ...]]) -> set[uuid.UUID]:
    return {person for _, owner, _, claimant in found for person in (owner, claimant)}


def _staged(place: int, link: _Link) -> tuple[Any, ...]:
    entry = link.identifier
    return (
        place,
        link.id,
        link.customer_id,
        entry.type,
        entry.value,
        entry.normalised,
        link.confidence,
        link.verified,
    )


def _record_link(trail: Trail, channel: Channel, link: _Link, action: str, former: uuid.UUID | None) -> None:
    """Write down a link that was made, or with a `former` owner moved."""
    moved: dict[str, Any] = {"old_value": str(former), "reason": OUT_OF_WINDOW} if former else {}
    trail.record(
        "move" if former else action,
        customer_id=link.customer_id,
        channel_id=channel.pk,
        identifier_type=link.identifier.type,
        identifier_value=link.identifier.normalised,
        method=METHOD,
        confidence=link.confidence,
        **moved,
        **link_facts(
            link.id,
            link.identifier.value,
            link.identifier.normalised,
            verified=link.verified and action == "link",
        ),
    )
    if former:
        trail.tell(
            "identifier.moved",
            customer_id=link.customer_id,
            identifier_type=link.identifier.type,
            from_customer=str(former),
        )


@dataclass(frozen=True, slots=True)
class _Change:
    """A record the source has changed, what the register holds of it, and the customer it speaks for."""

    record: Record
    stored: SourceRecord
    before: Details
    after: Details

    @property
    def new_identifiers(self) -> list[Identifier]:
        known = {(entry.type, entry.normalised) for entry in self.before.usable}
        return [entry for entry in self.after.usable if (entry.type, entry.normalised) not in known]


@dataclass(slots=True)
class _Stored:
    """Whose the stored records of a batch are, read without locks; `rows` once they are locked."""

    owners: dict[uuid.UUID, uuid.UUID]
    rows: dict[uuid.UUID, SourceRecord] = field(default_factory=dict)

    def touched(self) -> set[uuid.UUID]:
        return set(self.owners.values())

    def holds(self, locked: Mapping[uuid.UUID, Customer]) -> bool:
        """Lock the records after their customers; a merge may have moved one meanwhile."""
        self.rows = locks.lock_source_records(self.owners.keys())
        return {key: row.customer_id for key, row in self.rows.items()} == self.owners


def _find_stored(channel: Channel, records: Sequence[Record]) -> _Stored:
    rows = SourceRecord.objects.filter(channel=channel, source_key__in=_keys_of(records))
    return _Stored(dict(rows.values_list("pk", "customer_id")))


def _update_customers(trail: Trail, channel: Channel, records: Sequence[Record], taken: Taken) -> None:
    if not records:
        return
    found, customers = locks.lock_as_planned(lambda: _find_stored(channel, records))
    stored = {row.source_key: row for row in found.rows.values()}
    changes = [_change_of(channel, record, stored[record.key]) for record in records]
    changed: set[uuid.UUID] = set()
    for change in changes:
        customer = customers[change.stored.customer_id]
        if customer.status != Customer.Status.ACTIVE:
            taken.refused.append(_gone(change, customer))
            continue
        _apply_change(trail, channel, customer, change)
        taken.updated += 1
        changed.add(customer.pk)
    _link_new_identifiers(trail, channel, changes, changed, taken)
    keys.rebuild_keys(changed)
    taken.touched |= changed


def _change_of(channel: Channel, record: Record, stored: SourceRecord) -> _Change:
    region = channel.default_region
    return _Change(record, stored, details_of(stored.data, region), details_of(record.data, region))


def _gone(change: _Change, customer: Customer) -> Refusal:
    record = change.record
    return Refusal(record.line, "", f"its customer {customer.pk} is {customer.status}", record.raw)


def _apply_change(trail: Trail, channel: Channel, customer: Customer, change: _Change) -> None:
    """Give the customer new values where it still holds the source's old ones; a blank takes nothing away."""
    SourceRecord.objects.filter(pk=change.stored.pk).update(
        data=change.record.data, fingerprint=change.record.fingerprint, updated_at=timezone.now()
    )
    news = {
        field: value
        for field, value in _news(change).items()
        if _shown(customer, field) == change.before.fields[field]
    }
    before = {field: _shown(customer, field) for field in news}
    if news or change.new_identifiers:
        columns = {field: _column(field, value) for field, value in news.items()}
        register.update_customer(customer, columns)
    trail.record(
        "update",
        customer_id=customer.pk,
        channel_id=channel.pk,
        method=METHOD,
        source_key=change.record.key,
        line=change.record.line,
        before=before,
        after=news,
    )


def _news(change: _Change) -> dict[str, str]:
    before, after = change.before.fields, change.after.fields
    return {
        field: after[field] for field in CUSTOMER_FIELDS if after[field] and after[field] != before[field]
    }


def _link_new_identifiers(
    trail: Trail, channel: Channel, changes: Iterable[_Change], customers: set[uuid.UUID], taken: Taken
) -> None:
    links = [
        _link(change.stored.customer_id, entry)
        for change in changes
        if change.stored.customer_id in customers
        for entry in change.new_identifiers
    ]
    link_identifiers(trail, channel, links, timezone.now(), taken)


def _shown(customer: Customer, field: str) -> str:
    value = getattr(customer, field)
    return "" if value is None else str(value)


def _column(field: str, value: str) -> str | None:
    """A day is a column of its own type, where nothing known is NULL."""
    return value or None if field == "birth_date" else value


def _keys_of(records: Iterable[Record]) -> list[str]:
    return [record.key for record in records]


def _fetch(query: str, values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values if isinstance(values, dict) else [values])
        return list(cursor.fetchall())
