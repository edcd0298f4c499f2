"""Events for other systems, written in the transaction they tell of."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils import timezone

_COPY = "COPY outbox_events (kind, customer_id, payload, created_at) FROM STDIN"


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
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for event in told:
            copy.write_row((event.kind, event.customer_id, json.dumps(event.payload), now))
