"""The register as it stands, row for row, to be compared before and after."""

from __future__ import annotations

from typing import Any

from django.db import connection

from customers.models import Customer, Mapping, Message, SourceRecord, Ticket

# What counts changes rather than holds facts: a change that is taken back is still two changes.
COUNTERS = frozenset({"version", "updated_at"})
TABLES = {
    model.__name__: model._meta.db_table for model in (Customer, Mapping, Message, SourceRecord, Ticket)
}


def register_state() -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table of the register, and the blocking keys, without the counters."""
    tables = {name: _rows(f"SELECT * FROM {table} ORDER BY id") for name, table in TABLES.items()}
    return tables | {"BlockingKey": _rows("SELECT key, customer_id FROM blocking_keys ORDER BY 1, 2")}


def _rows(query: str) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        names = [column.name for column in cursor.description]
        return [
            {name: value for name, value in zip(names, row, strict=True) if name not in COUNTERS}
            for row in cursor.fetchall()
        ]
