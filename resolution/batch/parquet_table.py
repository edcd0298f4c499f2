"""Parquet: batches of columns to rows of text."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq

from resolution.batch.facts import FileFacts, unreadable
from resolution.batch.table import Refusal, Row, Table, check_names
from resolution.errors import InvalidInput

_ROWS_A_READ = 2000
# Else a row group, which may be the whole file, is read into memory at once.
_BYTES_A_READ = 1 << 16
# The texts of a dictionary have to fit into one array, of two gibibytes at most.
_MOST_NUMBERED = 1 << 30
_BYTES_OF_A_UUID = 16


def open_parquet(facts: FileFacts) -> Table:
    """Give the table of a Parquet file; rows are read only when asked for, a few thousand at a time."""
    with opened(facts) as file:
        names = check_names(file.schema_arrow.names, facts.path)
        expected = file.metadata.num_rows
    return Table(names, partial(_rows, facts), expected, {"kind": "parquet"})


def opened(facts: FileFacts, numbered: Sequence[str] = ()) -> pq.ParquetFile:
    """Open a Parquet file; the columns `numbered` come as dictionaries, each text once.

    Raises InvalidInput where it is broken or out of reach.
    """
    try:
        return pq.ParquetFile(
            facts.path, pre_buffer=False, buffer_size=_BYTES_A_READ, read_dictionary=list(numbered)
        )
    except pa.ArrowException as error:
        raise broken(facts, error) from error
    except OSError as error:
        raise unreadable(facts.path, error) from error


def column_readers(facts: FileFacts) -> list[Callable[[], pa.ChunkedArray]]:
    """Give what reads each column whole, in their order; those of text come as dictionaries, each text once.

    A reader raises InvalidInput where its column is broken.
    """
    with opened(facts) as file:
        sizes = _sizes(file.metadata)
        schema = file.schema_arrow
    return [partial(_column, facts, field, sizes[field.name] < _MOST_NUMBERED) for field in schema]


def _sizes(metadata: pq.FileMetaData) -> Counter[str]:
    """The bytes of every column, not compressed, by its path."""
    sizes: Counter[str] = Counter()
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for place in range(group.num_columns):
            column = group.column(place)
            sizes[column.path_in_schema] += column.total_uncompressed_size
    return sizes


def _column(facts: FileFacts, field: pa.Field, numbered: bool) -> pa.ChunkedArray:
    texts = [field.name] if numbered and is_text(field.type) else []
    with opened(facts, texts) as file:
        try:
            found = file.read([field.name], use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise broken(facts, error) from error
    return found.column(field.name)


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a column's values are text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def broken(facts: FileFacts, error: Exception) -> InvalidInput:
    """Say in a sentence that a Parquet file cannot be read on."""
    words = str(error).splitlines()[0][:200]
    return InvalidInput(
        f"{facts.path} is a broken Parquet file ({words}); write it again.", path=str(facts.path)
    )


def _rows(facts: FileFacts) -> Iterator[Row | Refusal]:
    number = 0
    with opened(facts) as file:
        for batch in _batches(facts, file):
            for values in zip(*(_texts(column) for column in batch.columns), strict=True):
                number += 1
                yield _checked(number, values)


def _batches(facts: FileFacts, file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    try:
        yield from file.iter_batches(batch_size=_ROWS_A_READ)
    except (pa.ArrowException, OSError) as error:
        raise broken(facts, error) from error


def _checked(number: int, values: tuple[str | None, ...]) -> Row | Refusal:
    if None in values:
        shown = tuple(value or "" for value in values)
        return Refusal(number, "", "bytes that are not UTF-8 text", shown)
    return Row(number, tuple(value or "" for value in values))


def _texts(column: pa.Array) -> list[str | None]:
    try:
        values = column.to_pylist()
    except UnicodeDecodeError:
        values = column.cast(pa.binary()).to_pylist()
    return [value if type(value) is str else as_text(value) for value in values]


def as_text(value: Any) -> str | None:
    """Write a cell as a person would; None when bytes are no text."""
    match value:
        case None:
            return ""
        case str():
            return value
        case float() if math.isnan(value):
            return ""
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case datetime() | date():
            return value.isoformat()
        case bytes():
            return _decoded(value)
        case list() | dict():
            return json.dumps(value, ensure_ascii=False, default=str)
        case _:
            return str(value)


def _decoded(value: bytes) -> str | None:
    """Read bytes as text, or as the UUID that sixteen bytes are which spell none."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return str(UUID(bytes=value)) if len(value) == _BYTES_OF_A_UUID else None
