"""Cursor pages: newest first by a unique key, so that rows arriving meanwhile neither repeat nor skip one."""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from resolution.api.errors import MalformedRequest
from resolution.numbers import read_whole

PAGE_SIZE = 50
PAGE_LIMIT = 200


class KeysetPagination(BasePagination):
    """Pages by `key` falling; `next` is the address of the following page or null."""

    key = "pk"

    def paginate_queryset(self, queryset: QuerySet[Model], request: Request, view: Any = None) -> list[Model]:
        limit = read_limit(request.query_params.get("limit"))
        cursor = request.query_params.get("cursor")
        if cursor is not None:
            queryset = queryset.filter(**{f"{self.key}__lt": self._read_cursor(cursor, queryset)})
        rows = list(queryset.order_by(f"-{self.key}")[: limit + 1])
        self._next = self._address_after(rows[limit - 1], request) if len(rows) > limit else None
        return rows[:limit]

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self._next, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["next", "results"],
            "properties": {
                "next": {"type": ["string", "null"], "format": "uri"},
                "results": {"type": "array", "items": schema["items"]},
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        number = {"type": "integer", "minimum": 1, "maximum": PAGE_LIMIT, "default": PAGE_SIZE}
        return [
            _parameter("limit", "Rows a page.", number),
            _parameter("cursor", "Where to go on: taken from `next` of the page before.", {"type": "string"}),
        ]

    def _address_after(self, row: Model, request: Request) -> str:
        position = str(getattr(row, self.key))
        cursor = base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")
        parameters = [(name, value) for name, value in request.query_params.items() if name != "cursor"]
        return request.build_absolute_uri(f"{request.path}?{urlencode([*parameters, ('cursor', cursor)])}")

    def _read_cursor(self, cursor: str, queryset: QuerySet[Model]) -> Any:
        meta = queryset.model._meta
        field = meta.pk if self.key == "pk" else meta.get_field(self.key)
        try:
            text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
            return field.to_python(text)  # type: ignore[union-attr]
        except (ValueError, binascii.Error, ValidationError) as error:
            message = "cursor is not one this list gave out; take it from “next” of the page before."
            raise MalformedRequest(message, cursor=cursor[:60]) from error


class SequencePagination(KeysetPagination):
    key = "sequence"


def read_limit(given: str | None) -> int:
    """Return the page size asked for; raises MalformedRequest unless it is 1 to 200."""
    if given is None:
        return PAGE_SIZE
    limit = read_whole(given, most=PAGE_LIMIT)
    if not limit:
        raise MalformedRequest(
            f"limit is “{given[:20]}”; it must be a number from 1 to {PAGE_LIMIT}.", limit=given[:60]
        )
    return limit


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
