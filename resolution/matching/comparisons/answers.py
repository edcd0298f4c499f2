"""The answers of many comparisons as numbers, and what every way of finding them needs.

An answer is the number of a level among its field's, SILENT where nothing is said, UNDECIDED while only the
scalar function can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz import process
from rapidfuzz.distance import OSA

from resolution.matching.comparisons import FIELD_LEVELS, extra
from resolution.matching.comparisons.outcome import Outcome
from resolution.matching.table import Column, texts_at

SILENT, UNDECIDED = -1, -2
# Similarities of many at once may come out a last digit lower.
ROUNDING = 1e-6

Answers: TypeAlias = npt.NDArray[np.int8]
Codes: TypeAlias = npt.NDArray[np.int32]
Mask: TypeAlias = npt.NDArray[np.bool_]
Compare: TypeAlias = Callable[[Any, Any], Outcome | None]
Screen: TypeAlias = Callable[[Column, Codes, Codes], Answers]

LEVEL_NUMBERS: Mapping[str, Mapping[str, int]] = {
    field: {level: number for number, level in enumerate(levels)}
    for field, levels in {**FIELD_LEVELS, "extra": extra.LEVELS}.items()
}


def number_of(field: str, level: str) -> int:
    """Return a level's place among its field's."""
    return LEVEL_NUMBERS[field][level]


def nothing_known(count: int) -> Answers:
    """Leave `count` pairs to the scalar function."""
    return np.full(count, UNDECIDED, dtype=np.int8)


def distinct_pairs(left: Codes, right: Codes) -> tuple[Codes, Codes, npt.NDArray[np.intp]]:
    """The distinct pairs, smaller number first, and the place of each pair among them."""
    low, high = np.minimum(left, right).astype(np.int64), np.maximum(left, right).astype(np.int64)
    packed = (low << 32) | high
    order = np.argsort(packed)
    ordered = packed[order]
    first = np.ones(len(ordered), dtype=np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    inverse = np.empty(len(ordered), dtype=np.intp)
    inverse[order] = np.cumsum(first) - 1
    distinct = ordered[first]
    return (distinct >> 32).astype(np.int32), (distinct & 0xFFFFFFFF).astype(np.int32), inverse


def mask_of(flags: pa.Array) -> Mask:
    """Turn Arrow's flags into NumPy's."""
    found: Mask = flags.to_numpy(zero_copy_only=False)
    return found


def lengths_of(values: pa.Array) -> npt.NDArray[np.int32]:
    """Count the characters of texts."""
    found: npt.NDArray[np.int32] = pc.utf8_length(values).to_numpy()
    return found


def within(
    texts: Sequence[str],
    left: Codes,
    right: Codes,
    places: npt.NDArray[np.intp],
    scorer: Any,
    cutoff: Any,
) -> Mask:
    """Which of the pairs at `places` come within the cutoff: a distance at most, a similarity at least."""
    if not len(places):
        return np.zeros(0, dtype=np.bool_)
    distance = scorer is OSA.distance
    scores = process.cpdist(
        texts_at(texts, left[places]),
        texts_at(texts, right[places]),
        scorer=scorer,
        score_cutoff=cutoff,
        dtype=np.uint16 if distance else np.float32,
    )
    found: Mask = scores <= cutoff if distance else scores > 0
    return found
