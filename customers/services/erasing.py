"""The register's part of erasing a person: ids and rows stay, what they say of anybody goes.

Nothing here decides; `resolution.services.erase` does and holds the locks.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection

from django.db.models import F
from django.utils import timezone

from customers.models import PROFILE_FIELDS, Customer, Mapping, Message, SourceRecord, Ticket

_BLANK_PROFILE = {name: None if name == "birth_date" else "" for name in PROFILE_FIELDS}


def erase_customers(ids: Collection[uuid.UUID]) -> int:
    """Empty customers and mark them erased; each then answers for itself, whoever it was merged into."""
    return Customer.objects.filter(pk__in=ids).update(
        **_BLANK_PROFILE,
        attributes={},
        last_interaction_at=None,
        status=Customer.Status.ERASED,
        merged_into=None,
        version=F("version") + 1,
        updated_at=timezone.now(),
    )


def remove_identifiers(ids: Collection[uuid.UUID]) -> None:
    """Delete identifier links, so that their values are free; what came with them no longer says so."""
    for model in (Message, Ticket):
        model._default_manager.filter(mapping__in=ids).update(mapping=None)
    Mapping.objects.filter(pk__in=ids).delete()


def empty_messages(ids: Collection[uuid.UUID]) -> int:
    """Take what messages say; the channel's id stays, by which the same one is not taken in again (P6)."""
    return Message.objects.filter(pk__in=ids).update(sender="", subject="", content="", payload={}, reason="")


def empty_tickets(ids: Collection[uuid.UUID]) -> int:
    return Ticket.objects.filter(pk__in=ids).update(subject="")


def empty_source_records(ids: Collection[uuid.UUID]) -> int:
    """Take what sources said; the source's key stays, by which the same record is not taken in again (P6)."""
    return SourceRecord.objects.filter(pk__in=ids).update(data={}, fingerprint="", updated_at=timezone.now())


def set_message_payload(message_id: uuid.UUID, payload: dict[str, object]) -> None:
    Message.objects.filter(pk=message_id).update(payload=payload)
