"""What of the register is past a limit of a rule, counted by the database."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from resolution.selectors.identifier_rules import OF_ONE_CHANNEL, Rule

MOST_SHOWN = 20
ValueAt = tuple[str, uuid.UUID | None]  # a value, and the channel it is counted within

_CURRENT = """
    identifier_type = %(type)s AND status IN ('active', 'shared')
    AND (%(since)s::timestamptz IS NULL OR last_seen_at >= %(since)s)
"""
_SHARED = """
    SELECT normalised AS subject, {channel} AS channel_id, count(DISTINCT customer_id) AS number
    FROM customer_identity_mapping WHERE {current}
    GROUP BY 1, 2 HAVING count(DISTINCT customer_id) > %(limit)s
"""
_MANY = """
    SELECT customer_id::text AS subject, NULL::uuid AS channel_id, count(DISTINCT normalised) AS number
    FROM customer_identity_mapping WHERE {current}
    GROUP BY 1, 2 HAVING count(DISTINCT normalised) > %(limit)s
"""
_VERIFIED = """
    SELECT customer_id::text AS subject, {channel} AS channel_id, count(DISTINCT normalised) AS number
    FROM customer_identity_mapping WHERE {current} AND verified
    GROUP BY 1, 2 HAVING count(DISTINCT normalised) > %(limit)s
"""
_HOLDERS = """
    SELECT wanted.subject, wanted.channel_id, count(DISTINCT m.customer_id)
    FROM unnest(%(values)s::text[], %(channels)s::uuid[]) AS wanted (subject, channel_id)
    JOIN customer_identity_mapping m ON m.normalised = wanted.subject
        AND (wanted.channel_id IS NULL OR m.channel_id = wanted.channel_id) AND {current}
    GROUP BY 1, 2
"""
_VALUES = """
    SELECT customer_id, count(DISTINCT normalised) FROM customer_identity_mapping
    WHERE customer_id = ANY(%(customers)s) AND {current} GROUP BY 1
"""
# Who has each value, its owner first, then by how long.
_FIRST_HOLDERS = """
    SELECT wanted.type, wanted.value, wanted.channel_id, found.customer_id
    FROM unnest(%(types)s::text[], %(values)s::text[], %(channels)s::uuid[])
        AS wanted (type, value, channel_id)
    CROSS JOIN LATERAL (
        SELECT m.customer_id, min(m.status) AS standing, min(m.first_seen_at) AS since
        FROM customer_identity_mapping m
        WHERE m.identifier_type = wanted.type AND m.normalised = wanted.value
          AND (wanted.channel_id IS NULL OR m.channel_id = wanted.channel_id)
          AND m.status IN ('active', 'shared')
        GROUP BY m.customer_id ORDER BY standing, since, m.customer_id LIMIT %(most)s
    ) AS found
    ORDER BY 1, 2, 3, found.standing, found.since, found.customer_id
"""
# Owners that answer by the window as it stands and would no more by the new one; `number` is days.
_LAPSING = """
    SELECT normalised AS subject, channel_id,
        floor(extract(epoch FROM now() - last_seen_at) / 86400)::int AS number
    FROM customer_identity_mapping
    WHERE identifier_type = %(type)s AND status = 'active'
      AND last_seen_at < now() - make_interval(days => %(limit)s)
      AND (%(since)s::timestamptz IS NULL OR last_seen_at >= %(since)s)
"""
_FIRST = "SELECT found.*, count(*) OVER () FROM ({}) AS found ORDER BY number DESC, 1, 2 LIMIT %(most)s"


class Subject(NamedTuple):
    """A value or a customer's id, the channel it is counted in, and how many it has.

    Past a window: an owned value, its channel, and for how many days it was not seen.
    """

    subject: str
    channel_id: uuid.UUID | None
    number: int


@dataclass(frozen=True, slots=True)
class Past:
    """How many values or customers are past a limit, and the first of them."""

    limit_name: str
    limit: int
    number: int
    shown: tuple[Subject, ...]

    @property
    def about_values(self) -> bool:
        return self.limit_name.startswith("customers") or self.about_window

    @property
    def about_window(self) -> bool:
        return self.limit_name == "valid_days"

    @property
    def counted(self) -> str:
        """What the numbers count."""
        if self.about_values:
            return "days" if self.about_window else "customers"
        return "verified values" if self.limit_name == "exclusive" else "values"

    @property
    def sentence(self) -> str:
        most = self.shown[0].number
        if self.about_window:
            links = "1 link was" if self.number == 1 else f"{self.number:,} links were"
            lapse = f"not seen for {self.limit:,} days and would answer no more"
            return f"{links} {lapse}, the oldest not for {most:,}"
        subject = "value" if self.about_values else "customer"
        noun, have = (subject, "has") if self.number == 1 else (f"{subject}s", "have")
        counted = self.counted.removesuffix("s") if self.limit == 1 else self.counted
        return f"{self.number:,} {noun} {have} more than {self.limit:,} {counted}, the most has {most:,}"


def count_past(rule: Rule, limit_name: str, limit: int) -> Past:
    """Count what is past a limit, by the rule's window; the first are named."""
    rows = _fetch(_FIRST.format(_query(rule, limit_name)), rule, limit)
    return Past(limit_name, limit, rows[0][-1] if rows else 0, tuple(Subject(*row[:-1]) for row in rows))


def all_past(rule: Rule, limit_name: str, limit: int) -> list[Subject]:
    """Return all that is past a limit, by the rule's window."""
    return [Subject(*row) for row in _fetch(f"{_query(rule, limit_name)} ORDER BY 1, 2", rule, limit)]


def count_holders(rule: Rule, values: Collection[ValueAt]) -> dict[ValueAt, int]:
    """Count the customers that have each value, by the rule's window; what nobody has is left out."""
    if not values:
        return {}
    places = {"values": [value for value, _ in values], "channels": [channel for _, channel in values]}
    rows = _fetch(_HOLDERS.format(current=_CURRENT), rule, 0, **places)
    return {(value, channel): number for value, channel, number in rows}


def count_values(rule: Rule, customers: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    """Count the values that each customer has, by the rule's window; who has none is left out."""
    if not customers:
        return {}
    rows: list[Any] = _fetch(_VALUES.format(current=_CURRENT), rule, 0, customers=list(customers))
    return dict(rows)


def first_holders(
    values: Collection[tuple[str, ValueAt]], most: int
) -> dict[tuple[str, ValueAt], list[uuid.UUID]]:
    """Return the first customers that have each value of a type, its owner before all. One query."""
    found: dict[tuple[str, ValueAt], list[uuid.UUID]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            _FIRST_HOLDERS,
            {
                "types": [type for type, _ in values],
                "values": [value for _, (value, _) in values],
                "channels": [channel for _, (_, channel) in values],
                "most": most,
            },
        )
        for type, value, channel, customer in cursor.fetchall():
            found.setdefault((type, (value, channel)), []).append(customer)
    return found


def _query(rule: Rule, limit_name: str) -> str:
    if limit_name == "valid_days":
        return _LAPSING
    query = (
        _VERIFIED if limit_name == "exclusive" else _SHARED if limit_name.startswith("customers") else _MANY
    )
    return query.format(
        current=_CURRENT, channel="channel_id" if rule.type in OF_ONE_CHANNEL else "NULL::uuid"
    )


def _fetch(query: str, rule: Rule, limit: int, **more: Any) -> list[tuple[Any, ...]]:
    given: dict[str, Any] = {
        "type": rule.type, "limit": limit, "since": rule.begins(timezone.now()), "most": MOST_SHOWN, **more,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(query, given)
        return list(cursor.fetchall())
