"""Who may do what: everyone needs the permission of their role, and a key its scope as well.

A key acts as its user and can only narrow what that user may do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from resolution.errors import NotPermitted
from resolution.models import ApiKey


@dataclass(frozen=True, slots=True)
class Access:
    """What one method of an address asks for: a key's scope and a permission of the user behind it."""

    scope: str
    permission: str


RESOLVE = Access("resolve", "customers.change_customer")
SEARCH = Access("resolve", "customers.view_customer")
READ = Access("read", "customers.view_customer")
READ_MERGES = Access("read", "resolution.view_merge")
READ_AUDIT = Access("read", "resolution.view_auditentry")
READ_MODELS = Access("read", "resolution.view_storedmodel")
LINK = Access("link", "customers.change_customer")
SEE_CONFLICTS = Access("conflicts", "resolution.view_conflict")
READ_JUDGEMENTS = Access("read", "resolution.view_judgement")
JUDGE = Access("conflicts", "resolution.work_conflicts")
SEE_PROPOSALS = Access("merge", "resolution.view_mergeproposal")
PROPOSE = Access("merge", "resolution.propose_merge")
APPROVE = Access("approve", "resolution.approve_merge")
UNDO = Access("approve", "resolution.undo_merge")
COMPARE_MODELS = Access("approve", "resolution.start_run")
READ_POLICIES = Access("read", "resolution.view_mergepolicy")
CHANGE_POLICIES = Access("approve", "resolution.change_mergepolicy")
READ_RULES = Access("read", "resolution.view_identifierrule")
SET_RULES = Access("approve", "resolution.set_identifier_rules")
READ_BLOCKED = Access("read", "resolution.view_blockedvalue")
BLOCK_VALUES = Access("approve", "resolution.block_values")
ERASE = Access("erase", "customers.erase_customer")
PROMOTE_MODELS = Access("approve", "resolution.promote_model")


class HasAccess(BasePermission):
    """Asks the view's `access` table; a method without an entry there is left to 405."""

    def has_permission(self, request: Request, view: Any) -> bool:
        access = access_of(view.access, request.method or "")
        if access is not None:
            _check_scope(request.auth, access.scope)
            _check_permission(request, access.permission)
        return True


def access_of(table: Mapping[str, Access], method: str) -> Access | None:
    return table.get("GET" if method == "HEAD" else method)


def _check_scope(key: Any, scope: str) -> None:
    if isinstance(key, ApiKey) and scope not in key.scopes:
        given = ", ".join(key.scopes) or "none"
        raise NotPermitted(f"This needs a key with the scope {scope}; yours has: {given}.", scope=scope)


def _check_permission(request: Request, permission: str) -> None:
    if not request.user.has_perm(permission):
        name = request.user.get_username()
        raise NotPermitted(
            f"{name} may not do this; it needs the permission {permission}.", permission=permission
        )
