"""What an address may hold where a number or a version stands; known once this is imported."""

from __future__ import annotations

import uuid

from django.urls import register_converter


class IdConverter:
    """A UUID; its letters may be of either case (RFC 9562)."""

    regex = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"

    def to_python(self, value: str) -> uuid.UUID:
        return uuid.UUID(value)

    def to_url(self, value: uuid.UUID) -> str:
        return str(value)


class NumberConverter:
    """A number that a bigint column can hold."""

    regex = "[1-9][0-9]{0,17}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


class VersionConverter:
    """The version of a match model."""

    regex = "[A-Za-z0-9][A-Za-z0-9._-]{0,39}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


register_converter(IdConverter, "id")
register_converter(NumberConverter, "number")
register_converter(VersionConverter, "version")
