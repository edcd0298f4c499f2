"""A person with planted values, its erasure, and a look for what is left of it."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from django.db import connection

from customers.models import Customer
from resolution.models import AuditEntry
from resolution.services.erase import erase_customer
from resolution.services.profiles import create_customer
from resolution.types import Actor

ADA = Actor(kind="user", name="ada", user_id=None)
REASON = "Request 4711"
# Values that stand nowhere else in a database.
PLANTED = (
    "Quorlanda",
    "Vexmoor",
    "quorlanda.vexmoor@planted.example",
    "15199887766",
    "Zwirngasse 77",
    "Plumbost",
)


def erase(customer: Customer | uuid.UUID, **given: Any) -> Any:
    key = customer if isinstance(customer, uuid.UUID) else customer.pk
    return erase_customer(**{"customer_id": key, "actor": ADA, "reason": REASON, **given})


def planted_person() -> Customer:
    return create_customer(
        fields={
            "name": "Quorlanda Vexmoor", "given_name": "Quorlanda", "family_name": "Vexmoor",
            "email": "quorlanda.vexmoor@planted.example", "phone": "+4915199887766",
            "address": "Zwirngasse 77", "company": "Plumbost", "birth_date": date(1980, 2, 1),
        },
        actor=ADA,
    )  # fmt: skip


def traces() -> dict[str, list[str]]:
    """Every place in the database where a planted value stands: table → columns."""
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " JOIN information_schema.tables USING (table_schema, table_name)"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            " AND data_type IN ('text', 'character varying', 'character', 'json', 'jsonb', 'ARRAY')"
        )
        for table, column in cursor.fetchall():
            for value in PLANTED:
                cursor.execute(
                    f'SELECT count(*) FROM "{table}" WHERE "{column}"::text ILIKE %s', [f"%{value}%"]
                )
                if cursor.fetchone()[0]:
                    found.setdefault(table, []).append(f"{column}: {value}")
    return found


def entry_of(action: str) -> AuditEntry:
    return AuditEntry.objects.filter(action=action).latest("sequence")


def pair(left: Customer, right: Customer) -> dict[str, Any]:
    part = {
        "field": "name",
        "level": "far",
        "detail": "",
        "weight": 1.0,
        "left": "",
        "right": "Quorlanda Vexmoor",
    }
    return {
        "left": str(left.pk), "right": str(right.pk), "weight": 3.0, "fields": [part], "hard_conflict": "",
    }  # fmt: skip


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def check_as_a_commit_would() -> None:
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute("SET CONSTRAINTS ALL DEFERRED")
