"""Filters of lists whose refusals say what is wanted."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.forms import UUIDField
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField

from resolution.api.serializers import UUID_LENGTH, describe_given
from resolution.numbers import LARGEST_ID


class OneOf(filters.ChoiceFilter):
    """One of a few words; a refusal lists them."""

    def __init__(self, *, choices: Iterable[tuple[str, str]], **options: Any) -> None:
        known = list(choices)
        words = ", ".join(value for value, _ in known)
        errors = {"invalid_choice": f"“%(value)s” is not known here; give one of {words}."}
        super().__init__(choices=known, error_messages=errors, **options)


def _refusal(wanted: str, value: Any) -> ValidationError:
    return ValidationError(f"{wanted}; this is {describe_given(value)}.", code="invalid")


class _IdField(UUIDField):
    def to_python(self, value: Any) -> uuid.UUID | None:
        try:
            found: uuid.UUID | None = super().to_python(value)
        except ValidationError as error:
            raise _refusal(f"An id is wanted: a UUID as text, {UUID_LENGTH} characters", value) from error
        return found


class CustomerId(filters.UUIDFilter):
    """A customer's id."""

    field_class = _IdField


class RowNumber(filters.NumberFilter):
    """The number of a row."""

    def __init__(self, **options: Any) -> None:
        limits = {"min_value": 1, "max_value": LARGEST_ID, "max_digits": 19, "decimal_places": 0}
        wanted = f"A whole number from 1 to {LARGEST_ID:,} is wanted."
        errors = dict.fromkeys(
            ("invalid", "min_value", "max_value", "max_digits", "max_decimal_places", "max_whole_digits"),
            wanted,
        )
        super().__init__(error_messages=errors, **limits, **options)


class Part(filters.CharFilter):
    """A part of a text, long enough for an index to find it by."""

    def __init__(self, **options: Any) -> None:
        errors = {
            "min_length": "At least %(limit_value)d characters are wanted; this has %(show_value)d.",
            "max_length": "At most %(limit_value)d characters are wanted; this has %(show_value)d.",
        }
        super().__init__(lookup_expr="icontains", min_length=3, error_messages=errors, **options)


class _MomentField(IsoDateTimeField):
    """Gives moments in UTC: the database refuses offsets of sixteen hours and more, which ISO 8601 allows."""

    def to_python(self, value: Any) -> datetime | None:
        try:
            moment = super().to_python(value)
            return moment.astimezone(UTC) if moment else None
        except (ValidationError, OverflowError) as error:
            raise _refusal("A date and time is wanted, such as 2026-01-31T09:30:00Z", value) from error


class Moment(filters.IsoDateTimeFilter):
    """A moment in ISO 8601."""

    field_class = _MomentField
