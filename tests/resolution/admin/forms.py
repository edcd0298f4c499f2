"""What a browser would send from the workbench."""

from __future__ import annotations

from typing import Any

from customers.models import Customer
from resolution.models import Conflict


def workbench_form(conflict: Conflict, action: str, **fields: Any) -> dict[str, Any]:
    """The form of a conflict as the page fills it in, with the button `action` pressed."""
    conflict.refresh_from_db()
    members = [row.customer for row in conflict.members.select_related("customer").order_by("pk")]
    return {"action": action, "version": conflict.version, **members_form(members), **fields}


def members_form(members: list[Customer]) -> dict[str, Any]:
    versions = {f"version-{row.pk}": row.version for row in members}
    return {"member": [str(row.pk) for row in members], "survivor": str(members[0].pk), **versions}
