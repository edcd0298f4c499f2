"""The register as it stands, row for row, to be compared before and after."""

from __future__ import annotations

from typing import Any

from customers.models import Customer, Mapping, Message, SourceRecord, Ticket
from resolution.models import BlockingKey

# What counts changes rather than holds facts: a change that is taken back is still two changes.
COUNTERS = frozenset({"version", "updated_at"})


def register_state() -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table of the register, and the blocking keys, without the counters."""
    tables = {
        model.__name__: [_facts(row) for row in model._default_manager.order_by("pk").values()]
        for model in (Customer, Mapping, Message, SourceRecord, Ticket)
    }
    keys = BlockingKey.objects.order_by("key", "customer_id").values("key", "customer_id")
    return tables | {"BlockingKey": list(keys)}


def _facts(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in COUNTERS}
