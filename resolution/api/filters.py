"""Filters of lists whose refusals say what is wanted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django_filters import rest_framework as filters
from django_filters.fields import IsoDateTimeField


class OneOf(filters.ChoiceFilter):
    """One of a few words; a refusal lists them."""

    def __init__(self, *, choices: Iterable[tuple[str, str]], **options: Any) -> None:
        known = list(choices)
        words = ", ".join(value for value, _ in known)
        errors = {"invalid_choice": f"“%(value)s” is not known here; give one of {words}."}
        super().__init__(choices=known, error_messages=errors, **options)


class _MomentField(IsoDateTimeField):
    """Gives moments in UTC: the database refuses offsets of sixteen hours and more, which ISO 8601 allows."""

    def to_python(self, value: Any) -> datetime | None:
        moment = super().to_python(value)
        try:
            return moment.astimezone(UTC) if moment else None
        except OverflowError as error:
            raise ValidationError(self.error_messages["invalid"], code="invalid") from error


class Moment(filters.IsoDateTimeFilter):
    """A moment in ISO 8601."""

    field_class = _MomentField

    def __init__(self, **options: Any) -> None:
        wanted = "A date and time is wanted, such as 2026-01-31T09:30:00Z."
        super().__init__(error_messages={"invalid": wanted}, **options)
