"""Numbers for combinations of numbers, a million rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Codes: TypeAlias = npt.NDArray[np.int32]

# Combinations up to so many are told by one number of eight bytes.
_MOST_NUMBERS = 1 << 62


def combine(codes: Sequence[Codes]) -> tuple[list[Codes], Codes]:
    """Number the distinct combinations of several columns of codes.

    Gives each column's code of every combination, and the combination of every row, in the order they come.
    """
    first, *others = codes
    sets, size = [[first]], _span(first)
    for column in others:
        size *= _span(column)
        if size > _MOST_NUMBERS:
            sets.append([])
            size = len(column) * _span(column)
        sets[-1].append(column)
    found: list[Codes] = []
    rows = np.zeros(len(first), dtype=np.int32)
    for columns in sets:
        keys, rows = _numbered(_in_one(rows, columns))
        parts = []
        for span in map(_span, reversed(columns)):
            parts.append((keys % span - 1).astype(np.int32))
            keys = keys // span
        found = [part[keys] for part in found] + parts[::-1]
    return found, rows


def _span(column: Codes) -> int:
    return int(column.max(initial=-1)) + 2


def _in_one(rows: Codes, columns: Sequence[Codes]) -> npt.NDArray[np.int64]:
    """A number for each row that tells what it was numbered before and its codes, -1 among them."""
    keys = rows.astype(np.int64)
    for column in columns:
        keys = keys * _span(column) + (column + 1)
    return keys


def _numbered(keys: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], Codes]:
    encoded = pa.array(keys).dictionary_encode()
    return encoded.dictionary.to_numpy(), encoded.indices.to_numpy()


def renumber(texts: pa.Array, codes: Codes) -> tuple[pa.Array, Codes]:
    """Give equal texts one number and empty ones -1; `codes` number the texts row by row, -1 for none."""
    filled = pc.if_else(pc.equal(texts, ""), pa.scalar(None, texts.type), texts).dictionary_encode()
    numbers = pc.fill_null(filled.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32)
    return filled.dictionary, take(numbers, codes)


def take(numbers: Codes, codes: Codes) -> Codes:
    """Look up numbers by codes; -1 where a code is -1."""
    return np.append(numbers, np.int32(-1))[codes]
