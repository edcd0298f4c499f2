"""The audit: who did what to whose identity, searchable, with the state of its chain."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.formats import date_format
from django.views.decorators.http import require_POST

from customers.listing import ReadOnlyAdmin, as_uuid
from resolution.admin.frame import actor_of, screen
from resolution.jobs import start_check_trail
from resolution.models import AuditEntry, MatchRun
from resolution.services import audit as audit_service
from resolution.services.check_trail import KIND

READERS_ONLY = "Only leads, auditors and administrators read the audit; ask one of the last for a role."


class ActionFilter(admin.SimpleListFilter):
    """The registered actions, without asking the whole table which ones occur."""

    title = "action"
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        return list(audit_service.ACTIONS.items())

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        return queryset.filter(action=self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Newest first. An id finds the customer's rows; anything else a request id or an actor's name."""

    change_list_template = "admin/resolution/auditentry/change_list.html"
    list_display = ("sequence", "when", "what", "customer", "channel", "identifier", "who")
    list_filter = (ActionFilter, "actor_kind", "created_at")
    list_select_related = ("customer", "channel")
    search_fields = ("request_id__exact", "actor_name__exact")
    search_help_text = "A customer's id, a request id, or an actor's name in full."
    ordering = ("-sequence",)

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        about = models.Q(request_id=term) | models.Q(actor_name=term)
        customer_id = as_uuid(term)
        return queryset.filter(about | models.Q(customer=customer_id) if customer_id else about), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        head = AuditEntry.objects.order_by("-sequence").values("sequence", "hash", "created_at").first()
        check = MatchRun.objects.filter(kind=KIND).order_by("-pk").first()
        context = {**(extra_context or {}), "head": head, "check": check, "title": "Audit"}
        return super().changelist_view(request, context)

    @admin.display(description="When", ordering="created_at")
    def when(self, entry: AuditEntry) -> str:
        return date_format(entry.created_at, "j M Y H:i:s")

    @admin.display(description="What")
    def what(self, entry: AuditEntry) -> str:
        return audit_service.ACTIONS.get(entry.action, entry.action)

    @admin.display(description="Identifier")
    def identifier(self, entry: AuditEntry) -> str:
        return f"{entry.identifier_type} {entry.identifier_value}".strip()

    @admin.display(description="Who", ordering="actor_name")
    def who(self, entry: AuditEntry) -> str:
        return f"{entry.actor_name} ({entry.get_actor_kind_display()})"


@require_POST
@screen("resolution.view_auditentry", READERS_ONLY)
def check_trail(request: HttpRequest) -> HttpResponse:
    """Ask the worker to walk the whole chain and say whether it holds."""
    start_check_trail(actor_of(request))
    messages.success(request, "The check of the chain is on its way; this page shows what comes of it.")
    return redirect("admin:resolution_auditentry_changelist")
