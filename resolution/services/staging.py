"""The first step of an import for one batch: what is new, what changed, what stays; customers made of it.

All of it runs inside the change of one batch and leaves one audit row for every customer and every link.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from customers.ids import uuid7
from customers.models import Channel, SourceRecord
from customers.services.copying import copy_rows
from resolution.batch.prepare import Source, prepare_newcomer
from resolution.batch.records import NOBODY, SOURCE_ID, Record, details_of
from resolution.batch.sql import read_sql
from resolution.batch.table import Refusal
from resolution.services import limits, locks
from resolution.services.audit import Trail
from resolution.services.staged import Taken, fetch, keys_of
from resolution.services.staged_changes import update_customers
from resolution.services.staged_links import see_again
from resolution.services.staged_newcomers import Arrival, create_customers


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
        fetch("SELECT source_key, fingerprint FROM import_seen WHERE source_key = ANY(%s)", keys_of(records))
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
    rows = SourceRecord.objects.filter(channel=channel, source_key__in=keys_of(records))
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
    arrivals = [Arrival(record, prepare_newcomer(record, source)) for record in new]
    _lock_busy_values(channel, arrivals, changed)
    see_again(channel, [*unchanged, *changed])
    taken.refused += [_nobody(entry.record) for entry in arrivals if not entry.details.describes_somebody]
    create_customers(
        trail, channel, [entry for entry in arrivals if entry.details.describes_somebody], run_id, taken
    )
    update_customers(trail, channel, changed, taken)
    taken.last = uuid7()
    return taken


_LAST_NOTICED = """
    SELECT record.customer_id FROM source_records record
    JOIN import_seen USING (source_key)
    WHERE record.channel_id = %(channel)s
    ORDER BY record.customer_id DESC LIMIT 1
"""


def taken_before(channel: Channel, records: Sequence[Record]) -> Taken:
    """What is left to do for records that are in and noticed: their customers are to be compared.

    More batches may be in than were settled, so those to come are told by the records noticed so far.
    """
    rows = SourceRecord.objects.filter(channel=channel, source_key__in=keys_of(records))
    taken = Taken(touched=set(rows.values_list("customer_id", flat=True)))
    for (customer,) in fetch(_LAST_NOTICED, {"channel": channel.pk}):
        taken.last = customer
    return taken


def _lock_busy_values(channel: Channel, arrivals: Sequence[Arrival], changed: Sequence[Record]) -> None:
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
        details = details_of(record.data, channel.default_region)
        if details.describes_somebody:
            taken.created += 1
            taken.note_unread(record, details)
        else:
            taken.refused.append(_nobody(record))
    for record in changed:
        taken.note_unread(record, details_of(record.data, channel.default_region))
    return taken


def _nobody(record: Record) -> Refusal:
    return Refusal(record.line, "", NOBODY, record.raw)
