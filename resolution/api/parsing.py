"""JSON bodies: bounded in size and depth, and free of text that PostgreSQL cannot hold."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from rest_framework.parsers import JSONParser

from resolution.api.errors import MalformedRequest, TooLarge

BODY_LIMIT = 1024 * 1024  # bytes
DEPTH_LIMIT = 32
DIGITS_LIMIT = 300


class StrictJSONParser(JSONParser):
    """Refuses what would only fail further in, and says where in the body it stands."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = stream.read(BODY_LIMIT + 1)
        if len(body) > BODY_LIMIT:
            raise TooLarge(BODY_LIMIT)
        try:
            data = json.loads(
                body.decode(), parse_int=_whole, parse_constant=_no_json, object_pairs_hook=_named_once
            )
        except RecursionError as error:
            raise MalformedRequest("The JSON body is nested too deeply to be read.") from error
        except ValueError as error:
            raise MalformedRequest(f"The body is not JSON: {error}.") from error
        check_storable(data)
        return data


def _whole(digits: str) -> int:
    if len(digits) > DIGITS_LIMIT:
        raise MalformedRequest(
            f"The body holds a number of {len(digits):,} digits; {DIGITS_LIMIT} at most can be read."
        )
    return int(digits)


def _no_json(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON number")


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these names and values; of a name given twice either value could be the one meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MalformedRequest(f"The body names “{twice[:60]}” twice in one object; give it once.")
    return found


def check_storable(value: Any, place: str = "body", depth: int = 0) -> None:
    """Raise MalformedRequest naming the place of the first value that cannot be stored."""
    if depth > DEPTH_LIMIT:
        raise MalformedRequest(
            f"{place[:200]} is nested more than {DEPTH_LIMIT} levels deep; send it flatter."
        )
    match value:
        case str():
            _check_text(value, place)
        case float() if not math.isfinite(value):
            raise MalformedRequest(f"{place} is not a finite number.", place=place)
        case dict():
            for name, inner in value.items():
                _check_text(name, f"a name in {place}")
                check_storable(inner, f"{place}.{name[:40]}", depth + 1)
        case list():
            for index, inner in enumerate(value):
                check_storable(inner, f"{place}[{index}]", depth + 1)


def _check_text(text: str, place: str) -> None:
    if "\0" in text:
        raise MalformedRequest(f"{place} holds a NUL character; send text without it.", place=place)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise MalformedRequest(
            f"{place} holds half a character (a lone surrogate); send whole Unicode.", place=place
        )
