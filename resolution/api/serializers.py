"""What request bodies share: fields that take one type only, and bodies that know every name in them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, ClassVar, NoReturn, TypeVar

from django.utils.dateparse import parse_date, parse_datetime
from rest_framework import serializers

from resolution.matching.identifiers import IDENTIFIER_TYPES, TYPE_ALIASES
from resolution.numbers import LARGEST_ID
from resolution.services.moments import past_moment
from resolution.services.survivorship import RULES
from resolution.types import Band

VALUE_LENGTH = 255
COMMENT_LENGTH = 500
NON_FIELD = "non_field_errors"
UUID_LENGTH = 36

Parsed = TypeVar("Parsed")


class Text(serializers.CharField):
    """Text; a number or a truth value is refused rather than rewritten (a phone would lose its zero)."""

    default_error_messages: ClassVar = {
        "max_length": "At most {max_length} characters are wanted; this has %(show_value)d.",
        "blank": "Text is wanted; this is blank.",
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
        _check_within(self, data, "A whole number")
        return data


class WholeInQuery(Whole):
    """A whole number as it stands in an address."""

    def to_internal_value(self, data: Any) -> int:
        if not (data.isascii() and data.isdecimal() and len(data) <= len(str(LARGEST_ID))):
            raise serializers.ValidationError(f"A whole number is wanted; this is {describe_given(data)}.")
        return super().to_internal_value(int(data))


class Number(serializers.FloatField):
    def to_internal_value(self, data: Any) -> float:
        if not isinstance(data, (int, float)) or isinstance(data, bool):
            raise serializers.ValidationError(f"A number is wanted; this is {_name_of(data)}.")
        _check_within(self, data, "A number")
        return float(data)


class Id(serializers.UUIDField):
    """A customer's, channel's or identifier's id: a UUID as text."""

    def to_internal_value(self, data: Any) -> Any:
        found = _read(_uuid, data)
        if found is None:
            raise serializers.ValidationError(
                f"An id is wanted: a UUID as text, {UUID_LENGTH} characters; this is {describe_given(data)}."
            )
        return found


class OneOf(serializers.ChoiceField):
    """One of a few words; a refusal lists them."""

    def fail(self, key: str, **facts: Any) -> NoReturn:
        if key != "invalid_choice":
            super().fail(key, **facts)
        words = ", ".join(str(choice) for choice in self.choices)
        raise serializers.ValidationError(
            f"One of {words} is wanted; this is {describe_given(facts['input'])}."
        )


class Day(serializers.DateField):
    """A date in ISO 8601."""

    def to_internal_value(self, value: Any) -> date:
        day = _read(parse_date, value)
        if day is None:
            raise serializers.ValidationError(
                f"A date is wanted, such as 1980-02-01; this is {describe_given(value)}."
            )
        return day


class AnyMoment(serializers.DateTimeField):
    """A moment in ISO 8601; one without a time zone is in UTC."""

    default_error_messages: ClassVar = {"overflow": "No date can hold this moment in UTC."}

    def to_internal_value(self, value: Any) -> datetime:
        moment = _read(parse_datetime, value)
        if moment is None:
            raise serializers.ValidationError(
                "A moment with its time zone is wanted, such as 2026-01-31T09:30:00Z;"
                f" this is {describe_given(value)}."
            )
        return self.enforce_timezone(moment)


class PastMoment(AnyMoment):
    """A past moment with its time zone, in ISO 8601; given in UTC. Raises InvalidInput for another."""

    def enforce_timezone(self, value: datetime) -> datetime:
        moment = super().enforce_timezone(value) if value.tzinfo else value
        return past_moment(self.field_name or "moment", moment)


class Words(serializers.DictField):
    """A JSON object of any names; free values unless `child` says of what kind."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise serializers.ValidationError(f"A JSON object is wanted; this is {_name_of(data)}.")
        return super().to_internal_value(data)


class Several(serializers.ListField):
    """A list of values."""

    def to_internal_value(self, data: Any) -> list[Any]:
        _check_list(self, data)
        return super().to_internal_value(data)


class Bodies(serializers.ListSerializer[Any]):
    """A list of objects."""

    def to_internal_value(self, data: Any) -> list[Any]:
        _check_list(self, data)
        return super().to_internal_value(data)


class Body(serializers.Serializer[Any]):
    """A request body or query; a name it does not know is refused, since a misspelt option would do harm."""

    class Meta:
        list_serializer_class = Bodies

    def check_object(self, data: Any) -> None:
        """Refuse what is no object with the names one would need."""
        if not isinstance(data, dict):
            wanted = ", ".join(f'"{name}": …' for name, field in self.fields.items() if field.required)
            raise serializers.ValidationError(
                {NON_FIELD: [f"An object is wanted, {{{wanted or '…'}}}; this is {_name_of(data)}."]}
            )

    def to_internal_value(self, data: Any) -> Any:
        self.check_object(data)
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
FIELD_RULES = list(RULES.items())


def read(body: type[Body], data: Any) -> dict[str, Any]:
    """Return the checked content of a request; raises ValidationError naming each field at fault."""
    serializer = body(data=data)
    serializer.check_object(data)
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


def _check_within(field: Any, given: float, what: str) -> None:
    low, high = field.min_value, field.max_value
    if not low <= given <= high:
        raise serializers.ValidationError(
            f"{what} from {low:,} to {high:,} is wanted; this is {str(given)[:40]}."
        )


def _check_list(field: Any, data: Any) -> None:
    if not isinstance(data, list):
        raise serializers.ValidationError(f"A list is wanted; this is {_name_of(data)}.")
    least, most = field.min_length or 0, field.max_length
    if not least <= len(data) <= most:
        raise serializers.ValidationError(f"{least} to {most} entries are wanted; this list has {len(data)}.")


def _read(parse: Callable[[str], Parsed | None], value: Any) -> Parsed | None:
    """What a parser makes of text; None of anything else, and where it is none."""
    try:
        return parse(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _uuid(text: str) -> uuid.UUID | None:
    return uuid.UUID(text) if len(text) == UUID_LENGTH else None


def describe_given(data: Any) -> str:
    return f"“{data[:60]}”" if isinstance(data, str) else _name_of(data)


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
