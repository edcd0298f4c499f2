"""What people said before of customers that are compared, and what has changed since."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from customers.models import Customer
from resolution.models import Judgement
from resolution.selectors.judgements import (
    Compared,
    changed_fields,
    describe_change,
    fingerprint_of,
    load_compared,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person said before about two of these customers.

    `changed` says in words what has changed since, empty while what was compared is still the same.
    """

    left_name: str
    right_name: str
    verdict: str
    verdict_label: str
    relation_label: str
    changed: str
    reason: str
    who: str
    when: datetime


def verdicts_on(customers: Mapping[uuid.UUID, Customer]) -> tuple[Verdict, ...]:
    """What people said of these customers, or of those absorbed into them, newest first."""
    ids = list(customers)
    left = Q(left__in=ids) | Q(left__merged_into__in=ids)
    right = Q(right__in=ids) | Q(right__merged_into__in=ids)
    found = Judgement.objects.filter(left & right, superseded_at__isnull=True).order_by("-pk")
    rows = list(found.select_related("left", "right"))
    compared = load_compared(ids) if rows else {}
    return tuple(
        Verdict(
            left_name=row.left.display_name,
            right_name=row.right.display_name,
            verdict=row.verdict,
            verdict_label=row.get_verdict_display(),
            relation_label=row.get_relation_display() if row.relation else "",
            changed=_change_since(row, compared),
            reason=row.reason,
            who=row.actor_name,
            when=row.created_at,
        )
        for row in rows
    )


def _change_since(judgement: Judgement, compared: Mapping[uuid.UUID, Compared]) -> str:
    left = compared.get(judgement.left.canonical_id)
    right = compared.get(judgement.right.canonical_id)
    if left is None or right is None or judgement.fingerprint == fingerprint_of(left, right):
        return ""
    return describe_change(changed_fields(judgement.compared, left, right))
