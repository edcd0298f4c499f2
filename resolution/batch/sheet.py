"""A whole file in memory as columns of text: each distinct text once, and a number a row.

Clean CSV and Parquet are read by Arrow; whatever it would read in another way than `reader` does (torn or
ragged rows, other encodings, bytes that are no text) goes through that, row by row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from resolution.batch.csv_table import LONGEST_FIELD
from resolution.batch.facts import FileFacts, examine
from resolution.batch.parquet_table import as_text, column_readers, is_text
from resolution.batch.reader import open_table
from resolution.batch.spread import in_threads
from resolution.batch.table import Refusal, Row, Table
from resolution.errors import InvalidInput
from resolution.matching.normalise.text import LONGEST_VALUE

# An array of texts holds two gibibytes.
_MOST_AT_ONCE = 1 << 30
_ROWS_A_BATCH = 20_000
_BLOCK = 1 << 23
# Longer texts are cut: no normaliser looks further.
_LONGEST_TEXT = 4 * LONGEST_VALUE + 4

Written = TypeVar("Written", pa.Array, pa.ChunkedArray)

# Kinds of columns that hold several values in one.
_NESTED = (pa.types.is_nested, pa.types.is_union)


@dataclass(frozen=True, eq=False)
class Texts:
    """One column of n rows as text: distinct `values`, and the number of each row's in `codes`, -1 for blank.

    Values that no row holds may be among them.
    """

    values: pa.Array
    codes: npt.NDArray[np.int32]

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """How many rows hold each value."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.values))

    @property
    def filled(self) -> int:
        """How many rows hold anything."""
        return int(self.counts.sum())

    @property
    def distinct(self) -> int:
        return int(np.count_nonzero(self.counts))

    def at(self, rows: npt.NDArray[np.int64]) -> list[str]:
        """The texts of some rows, "" for blank ones."""
        codes = pa.array(self.codes[rows], mask=self.codes[rows] < 0)
        found: list[str] = pc.fill_null(self.values.take(codes), "").to_pylist()
        return found


@dataclass(frozen=True, eq=False)
class Sheet:
    """One file: its columns as text, in its own order, and the rows that could not be read.

    `types` are those of the columns' values as read.
    """

    path: Path
    kind: str
    names: tuple[str, ...]
    types: tuple[pa.DataType, ...]
    texts: tuple[Texts, ...]
    refusals: tuple[Refusal, ...]

    def __len__(self) -> int:
        return len(self.texts[0].codes)


def read_sheet(path: Path, *, delimiter: str = "", encoding: str = "") -> Sheet:
    """Read a file whole. Raises NotFound or InvalidInput in one sentence where it cannot serve."""
    facts = examine(path, encoding=encoding)
    table = open_table(facts, delimiter=delimiter)
    quick = _parquet(facts) if facts.kind == "parquet" else _clean_csv(facts, table)
    columns, refusals = (quick, ()) if quick is not None else _row_by_row(table)
    if not len(columns[0].texts.codes):
        raise InvalidInput(
            f"{path} has {_words_for_none(refusals)}; a file with rows below its header is wanted.",
            path=str(path),
        )
    types, texts = tuple(column.type for column in columns), tuple(column.texts for column in columns)
    return Sheet(path, facts.kind, table.names, types, texts, refusals)


@dataclass(frozen=True, eq=False)
class _Column:
    """A column as text, and the type that its values were read as."""

    type: pa.DataType
    texts: Texts


def _as_column(column: pa.ChunkedArray) -> _Column:
    kind = column.type
    return _Column(kind.value_type if pa.types.is_dictionary(kind) else kind, as_texts(column))


def _words_for_none(refusals: tuple[Refusal, ...]) -> str:
    return f"no row that can be read ({refusals[0].reason})" if refusals else "no rows with anything in them"


def _parquet(facts: FileFacts) -> Sequence[_Column] | None:
    """The columns as Arrow reads them, each by itself; None where some text is not UTF-8."""
    columns = in_threads(lambda read: _of_text(read()), column_readers(facts))
    found = [column for column in columns if column]
    return found if len(found) == len(columns) else None


def _of_text(column: pa.ChunkedArray) -> _Column | None:
    return _as_column(column) if _is_text(column) else None


def _is_text(column: pa.ChunkedArray) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return not pa.types.is_binary(column.type) and not pa.types.is_large_binary(column.type)


def _clean_csv(facts: FileFacts, table: Table) -> Sequence[_Column] | None:
    """The columns as Arrow reads them, where that is beyond doubt; else None.

    Rows in doubt are ragged, run over several lines, or hold more than a value may.
    """
    headed = bool(table.described["header"])
    if facts.encoding not in {"utf-8", "utf-8-sig"}:
        return None
    try:
        if _is_told(facts.path):
            return None
        found = pa_csv.read_csv(
            facts.path,
            read_options=pa_csv.ReadOptions(column_names=list(table.names), block_size=_BLOCK),
            parse_options=pa_csv.ParseOptions(
                delimiter=table.described["delimiter"], newlines_in_values=False
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(table.names, pa.string()),
                strings_can_be_null=False, quoted_strings_can_be_null=False,
            ),
        )  # fmt: skip
    except (pa.ArrowException, OSError):
        return None
    found = found.slice(int(headed))
    if any(map(_is_doubtful, found.columns)):
        return None
    return in_threads(_as_column, _without_blank_rows(found).columns)


def _is_told(path: Path) -> bool:
    """Whether the first line names the delimiter."""
    with path.open("rb") as file:
        return b"sep=" in file.readline(32).lower()


def _is_doubtful(column: pa.ChunkedArray) -> bool:
    longest = pc.max(pc.binary_length(column)).as_py() or 0
    return longest >= LONGEST_FIELD or any(map(_has_line_ends, column.chunks))


def _has_line_ends(chunk: pa.Array) -> bool:
    data = chunk.buffers()[2]
    return data is not None and any(sign in memoryview(data).tobytes() for sign in (b"\n", b"\r"))


def _without_blank_rows(table: pa.Table) -> pa.Table:
    blank = None
    for column in table.columns:
        empty = pc.equal(pc.utf8_trim_whitespace(column), "")
        blank = empty if blank is None else pc.and_(blank, empty)
        if not pc.any(blank).as_py():
            return table
    return table.filter(pc.invert(blank))


def _row_by_row(table: Table) -> tuple[Sequence[_Column], tuple[Refusal, ...]]:
    refusals: list[Refusal] = []
    schema = pa.schema([(name, pa.string()) for name in table.names])
    batches = list(_batches(table, refusals, schema))
    found = pa.Table.from_batches(batches, schema)
    return in_threads(_as_column, found.columns), tuple(refusals)


def _batches(table: Table, refusals: list[Refusal], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    rows = table.rows()
    while chunk := list(islice(rows, _ROWS_A_BATCH)):
        refusals.extend(row for row in chunk if isinstance(row, Refusal))
        values = [row.values for row in chunk if isinstance(row, Row)]
        columns = zip(*values, strict=True) if values else [()] * len(schema)
        yield pa.RecordBatch.from_arrays([pa.array(column, pa.string()) for column in columns], schema=schema)


def as_texts(column: pa.ChunkedArray) -> Texts:
    """Write a column of any type as text, the spaces around it left out."""
    if _is_nested(column.type):
        column = _of_texts(column)
    encoded = _encoded(_cut(column))
    texts = _written(_cut(encoded.dictionary))
    return _numbered(texts, encoded.indices, distinct=_differ(texts, encoded.dictionary))


def _cut(texts: Written) -> Written:
    """Cut texts to what normalisers look at; leaves columns of anything else."""
    if not is_text(texts.type) or (pc.max(pc.binary_length(texts)).as_py() or 0) <= _LONGEST_TEXT:
        return texts
    return pc.utf8_slice_codeunits(texts, 0, _LONGEST_TEXT)


def _is_nested(kind: pa.DataType) -> bool:
    return any(is_such(kind) for is_such in _NESTED)


def _encoded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """One array whose dictionary has each value once."""
    if pa.types.is_dictionary(column.type):
        return _as_one(column)
    if column.nbytes < _MOST_AT_ONCE:
        column = pa.chunked_array([column.combine_chunks()], column.type)
    try:
        chunks = column.dictionary_encode()
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):  # a type Arrow cannot number: its text can
        chunks = _of_texts(column).dictionary_encode()
    return _as_one(chunks)


def _as_one(chunks: pa.ChunkedArray) -> pa.DictionaryArray:
    whole = chunks.unify_dictionaries().combine_chunks()
    return whole if isinstance(whole, pa.DictionaryArray) else pa.array([], chunks.type)


def _of_texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write every value of a column by itself."""
    chunks = [pa.array(map(_text_or_none, chunk.to_pylist()), pa.string()) for chunk in column.chunks]
    return pa.chunked_array(chunks, pa.string())


def _text_or_none(value: Any) -> str | None:
    return None if value is None else as_text(value)


def _written(values: pa.Array) -> pa.Array:
    """Distinct values as text, without the spaces around them."""
    kind = values.type
    if is_text(kind):
        return pc.utf8_trim_whitespace(values)
    if pa.types.is_integer(kind) or pa.types.is_date(kind):
        return values.cast(pa.string())
    if pa.types.is_timestamp(kind):
        return _written_times(values)
    return pc.utf8_trim_whitespace(pa.array(map(_text_or_none, values.to_pylist()), pa.string()))


def _differ(texts: pa.Array, values: pa.Array) -> bool:
    """Whether the texts of distinct values surely differ too."""
    kind = values.type
    if is_text(kind):
        return bool(texts.equals(values))
    return bool(pa.types.is_integer(kind) or pa.types.is_date32(kind) or pa.types.is_timestamp(kind))


def _written_times(values: pa.Array) -> pa.Array:
    """Times as text, a fraction of a second only where there is one."""
    whole = values.cast(pa.timestamp("s", values.type.tz), safe=False)
    if whole.cast(values.type, safe=False).equals(values):
        return whole.cast(pa.string())
    return pc.replace_substring_regex(values.cast(pa.string()), r"\.0+(Z?)$", r"\1")


def _numbered(texts: pa.Array, indices: pa.Array, *, distinct: bool) -> Texts:
    """Give equal texts one number and blank ones -1; `indices` number the texts row by row, null for none."""
    codes = pc.fill_null(indices, -1).to_numpy(zero_copy_only=False)
    if not distinct:
        encoded = texts.dictionary_encode()
        numbers = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
        texts, codes = encoded.dictionary, np.append(numbers, np.int32(-1))[codes]
    blank = pc.index(texts, pa.scalar("", texts.type)).as_py()
    return Texts(texts, np.where(codes == blank, np.int32(-1), codes) if blank >= 0 else codes)
