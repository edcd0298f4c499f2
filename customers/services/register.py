"""Write customers, their identifiers and their messages, one row at a time.

Callers hold the locks and keep the trail; merges move whole sets of rows in `customers.services.merging`.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from collections.abc import Mapping as MappingOf
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import F, Max, QuerySet
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone

from customers.models import Channel, Customer, Mapping, Message, Ticket


def create_customer(fields: MappingOf[str, Any]) -> Customer:
    """Issue a new customer id; `fields` are profile columns with stored values."""
    return Customer.objects.create(**fields)


def update_customer(customer: Customer, changes: MappingOf[str, Any]) -> Customer:
    """Set profile columns of a locked customer and count its version up."""
    for name, value in changes.items():
        setattr(customer, name, value)
    customer.save(update_fields=changes)
    count_changes([customer.pk])
    customer.refresh_from_db(fields=["version", "updated_at"])
    return customer


def count_changes(customer_ids: Collection[uuid.UUID]) -> int:
    """Count the versions of locked customers up: they are no longer what somebody saw. Returns how many."""
    return Customer.objects.filter(pk__in=customer_ids).update(
        version=F("version") + 1, updated_at=timezone.now()
    )


def attach_identifier(
    *,
    customer_id: uuid.UUID,
    channel: Channel,
    identifier_type: str,
    value: str,
    normalised: str,
    confidence: Decimal,
    verified: bool,
    valid_from: datetime | None = None,
) -> Mapping:
    """Make a customer the owner of a value nobody owns; a link that shared it so far owns it from now on.

    `valid_from` is now unless given, and never before the time of the last owner has ended. Raises
    IntegrityError (p1_one_owner) when another change gave the value an owner at the same moment.
    """
    value_on_channel = {"channel": channel, "identifier_type": identifier_type, "normalised": normalised}
    place = {"customer_id": customer_id, **value_on_channel}
    now = timezone.now()
    facts = {
        "status": Mapping.Status.ACTIVE, "channel_identifier": value, "confidence_score": confidence,
        "verified": verified, "last_seen_at": now, "updated_at": now,
        "valid_from": _first_free(value_on_channel, valid_from or now),
    }  # fmt: skip
    count_changes([customer_id])
    if Mapping.objects.filter(**place, status=Mapping.Status.SHARED).update(**facts):
        return Mapping.objects.get(**place, status=Mapping.Status.ACTIVE)
    return Mapping.objects.create(**place, **facts)


def _first_free(value: MappingOf[str, Any], wanted: datetime) -> datetime:
    """The moment wanted, or a later one until which a value had another owner (clocks differ)."""
    ended = Mapping.objects.former().filter(**value).aggregate(last=Max("valid_to"))["last"]
    return max(wanted, ended) if ended else wanted


def detach_identifier(mapping: Mapping, *, at: datetime | None = None) -> Mapping:
    """End a link, as of now unless told; the row stays, since messages that came with it point there."""
    owned_since = mapping.valid_from if mapping.status == Mapping.Status.ACTIVE else None
    mapping.status = Mapping.Status.ENDED
    mapping.valid_to = max(at or timezone.now(), mapping.valid_from)
    mapping.valid_from = owned_since or mapping.valid_to
    mapping.save(update_fields=["status", "valid_from", "valid_to", "updated_at"])
    count_changes([mapping.customer_id])
    return mapping


def date_identifier(
    mapping: Mapping, *, valid_from: datetime | None = None, valid_to: datetime | None = None
) -> Mapping:
    """Put right from when, or until when, a link owned its value."""
    mapping.valid_from = valid_from or mapping.valid_from
    mapping.valid_to = valid_to or mapping.valid_to
    mapping.save(update_fields=["valid_from", "valid_to", "updated_at"])
    count_changes([mapping.customer_id])
    return mapping


def confirm_identifier(mapping: Mapping, *, confidence: Decimal, verified: bool) -> bool:
    """Note that a link was seen again, never weakening it; True when it became surer or verified."""
    stronger = confidence > mapping.confidence_score or verified > mapping.verified
    mapping.confidence_score = max(mapping.confidence_score, confidence)
    mapping.verified = mapping.verified or verified
    mapping.last_seen_at = timezone.now()
    mapping.save(update_fields=["confidence_score", "verified", "last_seen_at", "updated_at"])
    return stronger


def hand_over_arrivals(former_id: uuid.UUID, link: Mapping) -> None:
    """Give the messages and tickets that came to a former owner with an identifier to its owner's link."""
    same = {
        "channel": link.channel_id,
        "identifier_type": link.identifier_type,
        "normalised": link.normalised,
    }
    came_with = Mapping.objects.filter(**same).values("pk")
    handed = {"customer": link.customer_id, "mapping": link}
    Message.objects.filter(customer=former_id, mapping__in=came_with).update(**handed)
    Ticket.objects.filter(customer=former_id, mapping__in=came_with).update(**handed)


def hear_again(former_id: uuid.UUID, new_id: uuid.UUID) -> None:
    """Note when a new customer was last heard of, by the messages it was handed.

    Who was last heard of by one of these is so by the last one before that it still has.
    """
    handed, left = Message.objects.filter(customer=new_id), Message.objects.filter(customer=former_id)
    Customer.objects.filter(pk=new_id).update(last_interaction_at=_last_of(handed))
    moment = Customer.objects.values_list("last_interaction_at", flat=True).get(pk=former_id)
    if moment and handed.filter(received_at=moment).exists():
        before = _last_of(left.filter(received_at__lte=moment))
        Customer.objects.filter(pk=former_id).update(last_interaction_at=before)


def _last_of(messages: QuerySet[Message]) -> datetime | None:
    return messages.aggregate(last=Max("received_at"))["last"]


def store_message(message: Message) -> Message:
    """Keep a new message with what became of it, and note when its customer was last heard of."""
    message.save(force_insert=True)
    if message.customer_id:
        heard = Greatest(Coalesce(F("last_interaction_at"), message.received_at), message.received_at)
        Customer.objects.filter(pk=message.customer_id).update(last_interaction_at=heard)
    return message
