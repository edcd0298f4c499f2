"""What the admin's lists need to stay quick at a million rows."""

from __future__ import annotations

import uuid
from functools import cached_property
from typing import Any, cast

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import connection, models
from django.http import HttpRequest, HttpResponse

COUNTED_EXACTLY = 10_000


class EstimatingPaginator(Paginator):
    """Count exactly up to `COUNTED_EXACTLY` rows; beyond that a whole table by PostgreSQL's estimate.

    A filtered list is counted to the same bound and ends there: nobody turns to page 101, they search.
    """

    @cached_property
    def count(self) -> int:
        rows = cast("models.QuerySet[models.Model]", self.object_list)
        exact = rows.order_by()[: COUNTED_EXACTLY + 1].count()
        if exact <= COUNTED_EXACTLY or rows.query.where:
            return exact
        return max(exact, _estimated_rows(rows.model))


class BigListAdmin(admin.ModelAdmin[Any]):
    """A list that never counts the whole table nor looks up a related row for each line."""

    paginator = EstimatingPaginator
    show_full_result_count = False
    list_per_page = 50
    list_max_show_all = 200
    show_facets = admin.ShowFacets.NEVER

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Head the list with what it lists; the admin would write "Select … to view"."""
        title = str(self.opts.verbose_name_plural)
        return super().changelist_view(
            request, {"title": title[:1].upper() + title[1:], **(extra_context or {})}
        )


class ReadOnlyAdmin(BigListAdmin):
    """Rows that services write and the admin only shows."""

    actions = None

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


def as_uuid(text: str) -> uuid.UUID | None:
    """Return the id a search term spells, or None when it spells none."""
    try:
        return uuid.UUID(text.strip())
    except ValueError:
        return None


def _estimated_rows(model: type[models.Model]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [model._meta.db_table]
        )
        return int(cursor.fetchone()[0])
