"""The navigation: one table of what there is and who may open it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import template
from django.http import HttpRequest
from django.template import Context
from django.urls import reverse

register = template.Library()


@dataclass(frozen=True, slots=True)
class Place:
    label: str
    url_name: str
    permission: str


MAIN = (
    Place("Queue", "resolution:queue", "resolution.view_conflict"),
    Place("Approvals", "resolution:approvals", "resolution.view_mergeproposal"),
    Place("Customers", "admin:customers_customer_changelist", "customers.view_customer"),
    Place("Runs", "resolution:runs", "resolution.view_matchrun"),
    Place("Audit", "admin:resolution_auditentry_changelist", "resolution.view_auditentry"),
)
MORE = (
    Place("Identifiers", "admin:customers_mapping_changelist", "customers.view_mapping"),
    Place("Messages", "admin:customers_message_changelist", "customers.view_message"),
    Place("Tickets", "admin:customers_ticket_changelist", "customers.view_ticket"),
    Place("Source records", "admin:customers_sourcerecord_changelist", "customers.view_sourcerecord"),
    Place("Identifier rules", "resolution:rules", "resolution.view_identifierrule"),
    Place("Blocked values", "resolution:blocked-values", "resolution.view_blockedvalue"),
    Place("Models", "resolution:models", "resolution.view_storedmodel"),
    Place("Second person", "resolution:merge-policies", "resolution.view_mergepolicy"),
    Place("Merges", "admin:resolution_merge_changelist", "resolution.view_merge"),
    Place("Judgements", "admin:resolution_judgement_changelist", "resolution.view_judgement"),
    Place("Channels", "admin:customers_channel_changelist", "customers.view_channel"),
    Place("API keys", "admin:resolution_apikey_changelist", "resolution.view_apikey"),
    Place("People", "admin:auth_user_changelist", "auth.view_user"),
    Place("Roles", "admin:auth_group_changelist", "auth.view_group"),
)


@register.inclusion_tag("resolution/partials/navigation.html", takes_context=True)
def desk_navigation(context: Context) -> dict[str, Any]:
    """Only what this person may open."""
    request = context["request"]
    return {"main": _open_to(request, MAIN), "more": _open_to(request, MORE)}


def _open_to(request: HttpRequest, places: tuple[Place, ...]) -> list[dict[str, Any]]:
    shown = [(place, reverse(place.url_name)) for place in places if request.user.has_perm(place.permission)]
    return [{"label": place.label, "url": url, "here": request.path.startswith(url)} for place, url in shown]
