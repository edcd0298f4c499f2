"""Read-only lists of what was decided and done: merges, judgements, runs, imports."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.listing import ReadOnlyAdmin, as_number, as_uuid
from resolution.models import ImportRun, Judgement, MatchRun, Merge, MergeMember
from resolution.selectors.labels import told_counts


class NumberedAdmin(ReadOnlyAdmin):
    """Rows found by their number, which the admin itself would compare as text, or by a customer's id.

    `of_customer` tells which rows concern a customer.
    """

    of_customer: Callable[[uuid.UUID], models.Q]
    search_fields = ("id__exact",)
    ordering = ("-id",)

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        if not search_term.strip():
            return queryset, False
        if customer_id := as_uuid(search_term):
            return queryset.filter(self.of_customer(customer_id)), False
        number = as_number(search_term)
        return queryset.filter(pk=number) if number else queryset.none(), False


@admin.register(Merge)
class MergeAdmin(NumberedAdmin):
    list_display = ("id", "survivor", "method", "weight", "actor_name", "created_at", "undone_at", "undo")
    list_filter = ("method", "created_at", ("undone_at", admin.EmptyFieldListFilter))
    list_select_related = ("survivor",)
    search_help_text = "A merge's number, or the id of the survivor or of a customer it absorbed."

    @staticmethod
    def of_customer(customer_id: uuid.UUID) -> models.Q:
        kept = Merge.objects.filter(survivor=customer_id).values("pk")
        absorbed = MergeMember.objects.filter(customer=customer_id).values("merge")
        return models.Q(pk__in=kept.union(absorbed))

    @admin.display(description="Undo")
    def undo(self, merge: Merge) -> SafeString | str:
        if merge.undone_at:
            return f"undone by {merge.undone_by}"
        return format_html('<a href="{}">Undo…</a>', reverse("resolution:undo", args=[merge.pk]))


@admin.register(Judgement)
class JudgementAdmin(NumberedAdmin):
    list_display = (
        "left",
        "right",
        "verdict",
        "relation",
        "actor_name",
        "reason",
        "created_at",
        "superseded_at",
    )
    list_filter = ("verdict", "relation", "created_at", ("superseded_at", admin.EmptyFieldListFilter))
    list_select_related = ("left", "right")
    search_help_text = "A judgement's number, or the id of a customer who was judged."

    @staticmethod
    def of_customer(customer_id: uuid.UUID) -> models.Q:
        return models.Q(left=customer_id) | models.Q(right=customer_id)


@admin.register(MatchRun)
class MatchRunAdmin(ReadOnlyAdmin):
    list_display = (
        "id", "kind", "state", "stage", "done", "total", "actor_name", "started_at", "finished_at",
    )  # fmt: skip
    list_filter = ("state",)
    ordering = ("-id",)
    exclude = ("counts",)
    readonly_fields = ("found",)

    @admin.display(description="What it found")
    def found(self, run: MatchRun) -> str:
        return _told(run.counts)


@admin.register(ImportRun)
class ImportRunAdmin(ReadOnlyAdmin):
    list_display = ("file_name", "channel", "state", "rows_done", "rows_total", "actor_name", "started_at")
    list_filter = ("state", "channel")
    list_select_related = ("channel",)
    ordering = ("-id",)
    exclude = ("counts",)
    readonly_fields = ("became",)

    @admin.display(description="What became of its rows")
    def became(self, run: ImportRun) -> str:
        return _told(run.counts)


def _told(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in told_counts(counts)) or "nothing"
