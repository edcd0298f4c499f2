"""What request bodies share: fields that take one type only, and bodies that know every name in them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, NoReturn

from django.utils.dateparse import parse_datetime
from rest_framework import serializers

from resolution.errors import InvalidInput
from resolution.matching.identifiers import IDENTIFIER_TYPES, TYPE_ALIASES
from resolution.services.moments import past_moment
from resolution.types import Band

VALUE_LENGTH = 255
COMMENT_LENGTH = 500
NON_FIELD = "non_field_errors"
LARGEST_ID = 2**63 - 1


class Text(serializers.CharField):
    """Text; a number or a truth value is refused rather than rewritten (a phone would lose its zero)."""

    default_error_messages: ClassVar = {
        "max_length": "At most {max_length} characters are wanted; this has %(show_value)d."
    }

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError(f"Text is wanted; this is {_name_of(data)}. Put it in quotes.")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            raise serializers.ValidationError(f"true or false is wanted; this is {_name_of(data)}.")
        return data


class Whole(serializers.IntegerField):
    """A whole number that a bigint column can hold."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_value": 1, "max_value": LARGEST_ID, **options})

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            raise serializers.ValidationError(f"A whole number is wanted; this is {_name_of(data)}.")
        return super().to_internal_value(data)


class Number(serializers.FloatField):
    def to_internal_value(self, data: Any) -> float:
        if not isinstance(data, (int, float)) or isinstance(data, bool):
            raise serializers.ValidationError(f"A number is wanted; this is {_name_of(data)}.")
        return super().to_internal_value(data)


class Id(serializers.UUIDField):
    """A customer's, channel's or identifier's id: a UUID as text."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or len(data) != 36:
            raise serializers.ValidationError("An id is wanted: a UUID as text, 36 characters.")
        return super().to_internal_value(data)


class OneOf(serializers.ChoiceField):
    """One of a few words; a refusal lists them."""

    def fail(self, key: str, **facts: Any) -> NoReturn:
        if key != "invalid_choice":
            super().fail(key, **facts)
        words = ", ".join(str(choice) for choice in self.choices)
        given = f"“{facts['input'][:60]}”" if isinstance(facts["input"], str) else _name_of(facts["input"])
        raise serializers.ValidationError(f"One of {words} is wanted; this is {given}.")


class Moment(serializers.DateTimeField):
    """A past moment with its time zone, in ISO 8601; given in UTC."""

    def to_internal_value(self, value: Any) -> datetime:
        moment = self._read(value) if isinstance(value, str) else None
        if moment is None:
            given = f"“{value[:40]}”" if isinstance(value, str) else _name_of(value)
            raise serializers.ValidationError(
                f"A moment with its time zone is wanted, such as 2026-01-31T09:30:00Z; this is {given}."
            )
        try:
            return past_moment(self.field_name or "moment", moment)
        except InvalidInput as error:
            raise serializers.ValidationError(str(error)) from error

    def _read(self, text: str) -> datetime | None:
        try:
            return parse_datetime(text)
        except ValueError:
            return None


class Words(serializers.DictField):
    """A free JSON object."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise serializers.ValidationError(f"A JSON object is wanted; this is {_name_of(data)}.")
        return data


class Body(serializers.Serializer[Any]):
    """A request body or query; a name it does not know is refused, since a misspelt option would do harm."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            wanted = ", ".join(f'"{name}": …' for name, field in self.fields.items() if field.required)
            raise serializers.ValidationError(
                {NON_FIELD: [f"An object is wanted, {{{wanted or '…'}}}; this is {_name_of(data)}."]}
            )
        if unknown := sorted(set(data) - set(self.fields)):
            known = ", ".join(self.fields)
            raise serializers.ValidationError(
                {name[:60]: [f"There is no such field here. Known: {known}."] for name in unknown[:10]}
            )
        return super().to_internal_value(data)


class Comment(Text):
    """A person's word on a decision."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": COMMENT_LENGTH, "required": False, "allow_blank": True, **options})


class IdentifierType(OneOf):
    """A type of identifier, or another word for it such as whatsapp."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=sorted({*IDENTIFIER_TYPES, *TYPE_ALIASES}), **options)


class IdentifierBody(Body):
    type = IdentifierType()
    value = Text(max_length=VALUE_LENGTH)


class FieldEvidenceAnswer(serializers.Serializer[Any]):
    """One field's part in a match weight."""

    field = serializers.CharField()
    level = serializers.CharField(help_text="Which of the comparison's levels was reached.")
    detail = serializers.CharField(help_text="The level in words.")
    weight = serializers.FloatField(help_text="Log2 odds this field adds.")
    left = serializers.CharField()
    right = serializers.CharField()


class PairScoreAnswer(serializers.Serializer[Any]):
    """How alike two customers are, and why."""

    customer_id = serializers.CharField(source="right", help_text="The customer compared with.")
    weight = serializers.FloatField(help_text="Log2 odds that both are one person.")
    probability = serializers.FloatField()
    hard_conflict = serializers.CharField(help_text="Why they cannot be one, whatever the weight; or empty.")
    evidence = FieldEvidenceAnswer(source="fields", many=True)


BANDS = [band.value for band in Band]


def read(body: type[Body], data: Any) -> dict[str, Any]:
    """Return the checked content of a request; raises ValidationError naming each field at fault."""
    serializer = body(data=data)
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


def _name_of(data: Any) -> str:
    match data:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case list():
            return "a list"
        case dict():
            return "an object"
    return "text"
