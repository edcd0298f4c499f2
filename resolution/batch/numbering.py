"""Numbers for combinations of numbers, a million rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Codes: TypeAlias = npt.NDArray[np.int32]


def combine(codes: Sequence[Codes]) -> tuple[list[Codes], Codes]:
    """Number the distinct combinations of several columns of codes.

    Gives each column's code of every combination, and the combination of every row, in the order they come.
    """
    parts, rows = _numbered(codes[0].astype(np.int64))
    found = [parts.astype(np.int32)]
    for column in codes[1:]:
        span = int(column.max(initial=-1)) + 2
        keys, rows = _numbered(rows.astype(np.int64) * span + (column + 1))
        found = [part[keys // span] for part in found]
        found.append((keys % span - 1).astype(np.int32))
    return found, rows


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
