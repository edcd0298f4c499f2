"""The rules of identifiers and the values that are blocked, as decisions ask for them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from django.db import connection
from django.utils import timezone

from customers.models import Mapping as Link
from resolution.errors import NotFound
from resolution.matching.blocked import NOTHING_BLOCKED, Blocked, Blocklist, blocklist_of
from resolution.matching.identifiers import IDENTIFIER_TYPES
from resolution.models import BlockedValue, IdentifierRule

LIMITS = ("values_soft", "values_hard", "customers_soft", "customers_hard", "valid_days")
# Ids of one system mean nothing in another, so that their values are counted within a channel.
OF_ONE_CHANNEL = frozenset({"external_id"})

# Asked before every decision: without the ORM each costs a third.
_RULES = """
    SELECT identifier_type, values_soft, values_hard, customers_soft, customers_hard, valid_days, exclusive,
        rank, changed_at
    FROM identifier_rules
"""
# What tells one blocklist from another, null while nothing is blocked: which rows in which version. Two lists
# of one stamp are one list, also where a change was rolled back.
BLOCKLIST_STAMP = """
    SELECT count(*) || ' ' || sum(hashint8extended((id << 32) # xmin::text::bigint, 0))
    FROM blocked_values WHERE state = 'live'
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is allowed of one type; None is no limit."""

    type: str
    values_soft: int | None = None
    values_hard: int | None = None
    customers_soft: int | None = None
    customers_hard: int | None = None
    valid_days: int | None = None
    exclusive: bool = False
    rank: int = 99
    changed_at: datetime | None = None

    def begins(self, now: datetime) -> datetime | None:
        """From when on a link must have been seen to be valid."""
        return now - timedelta(days=self.valid_days) if self.valid_days else None


def scope_of(type: str, channel_id: uuid.UUID | None) -> uuid.UUID | None:
    """Return the channel that values of a type are counted within; None for all."""
    return channel_id if type in OF_ONE_CHANNEL else None


def load_rules() -> Mapping[str, Rule]:
    """Return the rule of each type; a type without a row has no limits and its shipped rank. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_RULES)
        stored = {row[0]: Rule(*row) for row in cursor.fetchall()}
    shipped = {
        code: Rule(code, exclusive=kind.exclusive, rank=kind.trust) for code, kind in IDENTIFIER_TYPES.items()
    }
    return shipped | stored


def windows(rules: Mapping[str, Rule]) -> dict[str, datetime]:
    """Return from when on a link must have been seen to be valid now, by the types that have a window."""
    now = timezone.now()
    return {type: begins for type, rule in rules.items() if (begins := rule.begins(now))}


def load_blocklist() -> Blocklist:
    """Return what is blocked now. One small query; the list itself is read when it has changed."""
    with connection.cursor() as cursor:
        cursor.execute(BLOCKLIST_STAMP)
        return blocklist_at(cursor.fetchone()[0])


def blocklist_at(stamp: str | None) -> Blocklist:
    """Return the blocklist of the stamp a query just gave; no query while it is the one known."""
    return _blocklist(stamp) if stamp else NOTHING_BLOCKED


@lru_cache(maxsize=2)
def _blocklist(stamp: str) -> Blocklist:
    live = BlockedValue.objects.filter(state=BlockedValue.State.LIVE).order_by("pk")
    return blocklist_of(as_blocked(row) for row in live)


def as_blocked(row: BlockedValue) -> Blocked:
    return Blocked(row.identifier_type, row.value, row.pattern, row.reason)


def is_valid(link: Link, rules: Mapping[str, Rule], at: datetime | None = None) -> bool:
    """Tell whether a link was seen within its type's window, so that it may answer, now or `at` a moment.

    Of a moment before it was last seen that is true: who had a value before and after had it between.
    """
    rule = rules.get(link.identifier_type)
    begins = rule.begins(at or timezone.now()) if rule else None
    return begins is None or link.last_seen_at >= begins


def get_rule(identifier_type: str) -> IdentifierRule:
    """Return the stored rule of a type. Raises NotFound."""
    row = IdentifierRule.objects.filter(identifier_type=identifier_type).first()
    if row is None:
        known = ", ".join(IdentifierRule.objects.order_by("rank").values_list("identifier_type", flat=True))
        raise NotFound(
            f"There is no rule for “{identifier_type[:40]}”; there are rules for {known}.",
            type=identifier_type[:40],
        )
    return row


def get_blocked(block_id: int) -> BlockedValue:
    """Return a blocked value. Raises NotFound."""
    row = BlockedValue.objects.filter(pk=block_id).first()
    if row is None:
        raise NotFound(f"There is no blocked value {block_id}. Check the number.", blocked_value=block_id)
    return row
