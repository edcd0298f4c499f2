"""Events for other systems, written in the transaction they tell of."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from customers.services.copying import copy_rows


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: `kind` such as customer.merged, and JSON-ready facts."""

    kind: str
    customer_id: uuid.UUID | None
    payload: dict[str, Any]


def write(told: Sequence[Event]) -> None:
    """Store events in the order given; must run inside the transaction they tell of."""
    if not told:
        return
    now = timezone.now()
    rows = ((event.kind, event.customer_id, event.payload, now) for event in told)
    copy_rows("outbox_events", ("kind", "customer_id", "payload", "created_at"), rows)
