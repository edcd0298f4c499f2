"""Events for other systems, written in the transaction they tell of."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from resolution.models import OutboxEvent


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: `kind` such as customer.merged, and JSON-ready facts."""

    kind: str
    customer_id: uuid.UUID | None
    payload: dict[str, Any]


def write(told: Sequence[Event]) -> None:
    """Store events in the order given; must run inside the transaction they tell of."""
    OutboxEvent.objects.bulk_create(
        [OutboxEvent(kind=event.kind, customer_id=event.customer_id, payload=event.payload) for event in told],
        batch_size=2000,
    )
