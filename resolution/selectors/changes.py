"""What happened to customers since somebody looked at them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime

from customers.models import Customer
from resolution.models import AuditEntry
from resolution.services.audit import ACTIONS

# Acts that make a customer another than it was.
CHANGES = ("create", "update", "link", "unlink", "share", "move", "lose", "merge", "unmerge", "split")
_LISTED = 5


def changed_members(members: Mapping[uuid.UUID, Customer], seen: Mapping[uuid.UUID, int]) -> list[Customer]:
    """Return the members that are not at the version that was seen."""
    return [row for key, row in members.items() if key in seen and row.version != seen[key]]


def describe_change(customer: Customer, seen: int, *, since: datetime | None = None) -> str:
    """Say in a sentence that a customer changed, by whom and how: what happened `since`, or the last act."""
    entries = AuditEntry.objects.filter(customer=customer, action__in=CHANGES).order_by("-sequence")
    later = entries.filter(created_at__gt=since)[:_LISTED] if since else entries[:1]
    acts = ", ".join(f"{entry.actor_name} {ACTIONS[entry.action]}" for entry in reversed(later))
    happened = f": {acts}" if acts else ""
    return f"{customer.display_name} has changed since version {seen} (now {customer.version}){happened}."
