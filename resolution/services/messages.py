"""Messages as they are kept: what came, what became of it and why, and the answer that was given."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from typing import Any

from customers.ids import uuid7
from customers.models import Channel, Customer, Message
from customers.models import Mapping as Link
from customers.services import erasing, register
from resolution.errors import CustomerErased
from resolution.selectors.told_elsewhere import Told
from resolution.services.answer import owners_of
from resolution.services.conflict_evidence import evidence_of, scores_in, without
from resolution.services.intake import Intake, message_columns, storable
from resolution.types import Band, Resolution

_OUTCOMES = {
    "matched": Message.Outcome.LINKED,
    "linked": Message.Outcome.LINKED,
    "created": Message.Outcome.CREATED,
    "review": Message.Outcome.QUEUED,
    "unknown": Message.Outcome.REFUSED,
}


def begin_message(channel: Channel, message: Mapping[str, object]) -> Message:
    """Return a message with its id and columns, not yet stored. Raises InvalidInput for its message_id."""
    return Message(id=uuid7(), channel=channel, **message_columns(message))


def find_message(row: Message) -> Message | None:
    """Return the message of this channel that came with the same id before."""
    if not row.external_id:
        return None
    return (
        Message.objects.select_related("customer")
        .filter(channel=row.channel, external_id=row.external_id)
        .first()
    )


def keep_message(
    row: Message, message: Mapping[str, object], newcomer: Intake, resolution: Resolution
) -> None:
    """Store a message with its outcome, its reason, what could not be used and the answer given."""
    row.outcome = _OUTCOMES[resolution.status]
    row.reason = " ".join(resolution.reasons)[:500]
    row.customer_id = uuid.UUID(resolution.customer_id) if resolution.customer_id else None
    row.mapping = _came_with(newcomer, row.customer_id)
    row.payload = {"message": storable(message), "notes": list(newcomer.notes), "answer": _stored(resolution)}
    register.store_message(row)


def forget_candidates(message_ids: Collection[uuid.UUID], gone: Collection[uuid.UUID]) -> None:
    """Take erased customers out of the candidates that answers to others' messages named."""
    for row in Message.objects.filter(pk__in=message_ids):
        answer = row.payload.get("answer", {})
        if "candidates" in answer:
            answer["candidates"] = without(answer["candidates"], gone)
            erasing.set_message_payload(row.pk, row.payload)


def forget_told(message_ids: Collection[uuid.UUID], told: Told) -> None:
    """Take candidates out of answers to others' messages that tell of somebody erased."""
    for row in Message.objects.filter(pk__in=message_ids):
        answer = row.payload["answer"]
        answer["candidates"] = [pair for pair in answer["candidates"] if not told.in_pair(pair)]
        erasing.set_message_payload(row.pk, row.payload)


def answer_given(message: Message) -> Resolution:
    """Return the answer that was given when a message came first; its customer as that id stands today.

    Raises CustomerErased.
    """
    if message.customer and message.customer.status == Customer.Status.ERASED:
        raise CustomerErased(message.customer.pk)
    stored = message.payload["answer"]
    return Resolution(
        status=stored["status"],
        customer_id=str(message.customer.canonical_id) if message.customer else None,
        confidence=stored["confidence"],
        band=Band(stored["band"]),
        reasons=tuple(stored["reasons"]),
        weight=stored["weight"],
        candidates=scores_in(stored["candidates"]),
        conflict_id=stored["conflict_id"],
        message_id=str(message.pk),
    )


def _came_with(newcomer: Intake, customer_id: uuid.UUID | None) -> Link | None:
    """The most trusted identifier of the message that is its customer's: an unmerge sends it back by that."""
    owners = owners_of(newcomer)
    links = (owners.get(newcomer.key_of(entry)) for entry in newcomer.explicit)
    return next((link for link in links if link and link.customer_id == customer_id), None)


def _stored(resolution: Resolution) -> dict[str, Any]:
    return {
        "status": resolution.status,
        "confidence": resolution.confidence,
        "band": resolution.band.value,
        "reasons": list(resolution.reasons),
        "weight": resolution.weight,
        "candidates": evidence_of(resolution.candidates),
        "conflict_id": resolution.conflict_id,
    }
