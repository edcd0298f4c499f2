"""What the admin's lists need to stay quick at a million rows."""

from __future__ import annotations

import uuid
from functools import cached_property
from typing import Any, cast

from django.contrib import admin
from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.db import connection, models
from django.http import HttpRequest, HttpResponse, QueryDict

COUNTED_EXACTLY = 10_000


class RowCount(int):
    """A number of rows that reads as far as it is known: "about 46,100", "more than 10,000"."""

    words: str

    def __new__(cls, number: int, words: str = "{:,}") -> RowCount:
        made = super().__new__(cls, number)
        made.words = words.format(number)
        return made

    def __str__(self) -> str:
        return self.words


class EstimatingPaginator(Paginator):
    """Count exactly up to `COUNTED_EXACTLY` rows; beyond that a whole table by PostgreSQL's estimate.

    A filtered list is counted to the same bound and ends there: nobody turns to page 101, they search.
    """

    @cached_property
    def count(self) -> RowCount:
        rows = cast("models.QuerySet[models.Model]", self.object_list)
        exact = rows.order_by()[: COUNTED_EXACTLY + 1].count()
        if exact <= COUNTED_EXACTLY:
            return RowCount(exact)
        if rows.query.where:
            return RowCount(exact, f"more than {COUNTED_EXACTLY:,}")
        estimate = max(exact, _estimated_rows(rows.model))
        return RowCount(estimate, f"about {round(estimate, 3 - len(str(estimate))):,}")


class ListAdmin(admin.ModelAdmin[Any]):
    """A list that refuses text no column can hold, instead of failing at it."""

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        refuse_nul(request.GET)
        return super().changelist_view(request, extra_context)


class BigListAdmin(ListAdmin):
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


def refuse_nul(given: QueryDict) -> None:
    """Raise BadRequest naming the first parameter with a NUL character, which PostgreSQL cannot hold."""
    for name, values in given.lists():
        if any("\0" in text for text in (name, *values)):
            shown = name.replace("\0", "")[:60]
            raise BadRequest(f"“{shown}” holds a NUL character; send text without it.")


def as_number(text: str) -> int | None:
    """Return the row number a search term spells, or None when it spells none a row could have."""
    digits = text.strip()
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else 0
    return number if 0 < number <= models.BigIntegerField.MAX_BIGINT else None


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
