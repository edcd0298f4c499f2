"""Rows into a table by COPY, as text made here: several times quicker than value by value."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import connection

_ROWS_A_BLOCK = 1000
_NULL = r"\N"
# What COPY's text format gives a meaning of its own.
_ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_has_special = re.compile(r"[\\\t\n\r]").search


def copy_rows(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """Write rows of Python values, columns in the order given, and return how many; dicts become JSON.

    `table` and `columns` are names from code, never from a user.
    """
    count = 0
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy,
    ):
        for block in _blocks(rows):
            copy.write("".join(block))
            count += len(block)
    return count


def _blocks(rows: Iterable[Sequence[Any]]) -> Iterator[list[str]]:
    waiting = iter(rows)
    while block := list(islice(waiting, _ROWS_A_BLOCK)):
        yield ["\t".join([_field(value) for value in row]) + "\n" for row in block]


def _field(value: Any) -> str:
    return _FORMS.get(type(value), _any)(value)


def _text(value: str) -> str:
    return value.translate(_ESCAPED) if _has_special(value) else value


def _any(value: Any) -> str:
    return _text(str(value))


def _null(value: None) -> str:
    return _NULL


_FORMS: dict[type, Callable[[Any], str]] = {
    type(None): _null,
    str: _text,
    int: str,
    uuid.UUID: lambda value: f"{value.int:032x}",
    bytes: lambda value: rf"\\x{value.hex()}",
    datetime: datetime.isoformat,
    dict: lambda value: _text(json.dumps(value)),
}
