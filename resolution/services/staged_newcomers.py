"""New customers of an import with their records, links and keys, set by set."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.utils import timezone

from customers.ids import uuid7
from customers.models import Channel
from customers.services.copying import copy_rows
from resolution.batch.prepare import Newcomer
from resolution.batch.records import CUSTOMER_FIELDS, SOURCE_ID, Details, Record
from resolution.matching.blocked import Blocklist
from resolution.matching.key_numbers import number_keys
from resolution.selectors.identifier_rules import load_blocklist
from resolution.services import keys
from resolution.services.audit import Trail
from resolution.services.staged import METHOD, Taken, column_of
from resolution.services.staged_links import CERTAIN, FileLink, link_from_file, link_identifiers
from resolution.types import Identifier


@dataclass(frozen=True, slots=True)
class Arrival:
    """A new record and the customer it becomes."""

    record: Record
    newcomer: Newcomer

    @property
    def id(self) -> uuid.UUID:
        return self.newcomer.customer_id

    @property
    def details(self) -> Details:
        return self.newcomer.details

    def without(self, blocked: Blocklist) -> Arrival:
        """The arrival with a profile and keys that know nothing of what is blocked."""
        profile = blocked.strip(self.newcomer.profile)
        if profile is self.newcomer.profile:
            return self
        keys = tuple(number_keys(profile))
        return replace(self, newcomer=replace(self.newcomer, profile=profile, keys=keys))


def create_customers(
    trail: Trail, channel: Channel, arrivals: Sequence[Arrival], run_id: int, taken: Taken
) -> None:
    """Make one customer a record, with its links and blocking keys."""
    now, blocked = timezone.now(), load_blocklist()
    arrivals = [entry.without(blocked) for entry in arrivals]
    _copy_customers(arrivals, now)
    _copy_source_records(channel, arrivals, now)
    for entry in arrivals:
        _record_creation(trail, channel, entry, run_id)
        taken.note_unread(entry.record, entry.details)
    links = [link for entry in arrivals for link in _links_of(entry)]
    link_identifiers(trail, channel, links, now, taken, new_customers=True)
    keys.write_keys((entry.id, entry.newcomer.keys) for entry in arrivals)
    taken.created = len(arrivals)
    taken.profiles = {entry.id: entry.newcomer.profile for entry in arrivals}
    taken.touched |= taken.profiles.keys()


def _copy_customers(arrivals: Sequence[Arrival], now: datetime) -> None:
    columns = ("id", *CUSTOMER_FIELDS, "attributes", "status", "version", "created_at", "updated_at")
    rows = (
        (
            entry.id,
            *(column_of(name, entry.details.fields[name]) for name in CUSTOMER_FIELDS),
            "{}",
            "active",
            1,
            now,
            now,
        )
        for entry in arrivals
    )
    copy_rows("customers", columns, rows)


def _copy_source_records(channel: Channel, arrivals: Sequence[Arrival], now: datetime) -> None:
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


def _record_creation(trail: Trail, channel: Channel, entry: Arrival, run_id: int) -> None:
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


def _links_of(entry: Arrival) -> list[FileLink]:
    links = [link_from_file(entry.id, identifier) for identifier in entry.details.usable]
    if entry.record.own_id:
        own = Identifier(SOURCE_ID, entry.record.key, entry.record.key)
        links.insert(0, FileLink(uuid7(), entry.id, own, CERTAIN, verified=True))
    return links
