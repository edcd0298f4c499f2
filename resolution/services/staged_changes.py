"""Records that their source has changed, and what that changes of the customers they speak for."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.utils import timezone

from customers.models import Channel, Customer, SourceRecord
from customers.services import register
from resolution.batch.records import CUSTOMER_FIELDS, Details, Record, details_of
from resolution.batch.table import Refusal
from resolution.services import keys, locks
from resolution.services.audit import Trail
from resolution.services.staged import METHOD, Taken, column_of, keys_of
from resolution.services.staged_links import link_from_file, link_identifiers
from resolution.types import Identifier


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
    rows = SourceRecord.objects.filter(channel=channel, source_key__in=keys_of(records))
    return _Stored(dict(rows.values_list("pk", "customer_id")))


def update_customers(trail: Trail, channel: Channel, records: Sequence[Record], taken: Taken) -> None:
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
        taken.note_unread(change.record, change.after)
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
        columns = {field: column_of(field, value) for field, value in news.items()}
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
        link_from_file(change.stored.customer_id, entry)
        for change in changes
        if change.stored.customer_id in customers
        for entry in change.new_identifiers
    ]
    link_identifiers(trail, channel, links, timezone.now(), taken)


def _shown(customer: Customer, field: str) -> str:
    value = getattr(customer, field)
    return "" if value is None else str(value)
