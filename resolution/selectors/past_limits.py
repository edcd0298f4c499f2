"""What of the register is past a limit of a rule, counted by the database."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from resolution.selectors.identifier_rules import OF_ONE_CHANNEL, Rule

MOST_SHOWN = 20

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
_FIRST = "SELECT found.*, count(*) OVER () FROM ({}) AS found ORDER BY number DESC, 1, 2 LIMIT %(most)s"


class Subject(NamedTuple):
    """A value or a customer's id, the channel it is counted in, and how many it has."""

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
        return self.limit_name.startswith("customers")

    @property
    def counted(self) -> str:
        """What the numbers count."""
        if self.about_values:
            return "customers"
        return "verified values" if self.limit_name == "exclusive" else "values"

    @property
    def sentence(self) -> str:
        subject = "value" if self.about_values else "customer"
        noun, have = (subject, "has") if self.number == 1 else (f"{subject}s", "have")
        most = self.shown[0].number
        return f"{self.number:,} {noun} {have} more than {self.limit:,} {self.counted}, the most {most:,}"


def count_past(rule: Rule, limit_name: str, limit: int) -> Past:
    """Count what is past a limit, by the rule's window; the first are named."""
    rows = _fetch(_FIRST.format(_query(rule, limit_name)), rule, limit)
    return Past(limit_name, limit, rows[0][-1] if rows else 0, tuple(Subject(*row[:-1]) for row in rows))


def all_past(rule: Rule, limit_name: str, limit: int) -> list[Subject]:
    """Return all that is past a limit, by the rule's window."""
    return [Subject(*row) for row in _fetch(f"{_query(rule, limit_name)} ORDER BY 1, 2", rule, limit)]


def _query(rule: Rule, limit_name: str) -> str:
    query = (
        _VERIFIED if limit_name == "exclusive" else _SHARED if limit_name.startswith("customers") else _MANY
    )
    return query.format(
        current=_CURRENT, channel="channel_id" if rule.type in OF_ONE_CHANNEL else "NULL::uuid"
    )


def _fetch(query: str, rule: Rule, limit: int) -> list[tuple[Any, ...]]:
    given = {
        "type": rule.type, "limit": limit, "since": rule.begins(timezone.now()), "most": MOST_SHOWN,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(query, given)
        return list(cursor.fetchall())
