"""Columns that fill no field and still tell people apart: a sex, a birth place, an occupation."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from resolution.batch.columns import extra_by_name, field_by_name
from resolution.batch.numbering import combine
from resolution.batch.parquet_table import is_text
from resolution.batch.sheet import Texts

# A column says little of a person when it is blank so often, or nearly always the same.
_FEWEST_FILLED = 0.02
_MOST_COMMON = 0.99
# A column nobody knows by name is taken from so many values on, up to one value in two rows.
_FEWEST_VALUES = 12
_MOST_DISTINCT = 0.5
_LONGEST_MEAN = 30
_MOST_DIGITS = 4
# What one place or the like says of another: no new evidence from this share of rows on.
_DETERMINED = 0.95
_NOT_AN_ATTRIBUTE = re.compile(
    r"(?:^|[_\W])(?:ids?|nr|no|num|number|key|code|hash|count|amount|total|sum|score|price|value|balance|points"
    r"|date|time|at|on|by|flag|rank|index|level|version|cluster|group|file|system|origin)$"
    r"|^(?:is|has|num|n)[_ ]",
)


def extra_name(name: str) -> str:
    """Give an extra's name: the one it is known by, else the column's own."""
    return extra_by_name(name) or re.sub(r"\W+", "_", name.casefold()).strip("_")[:40] or "column"


def is_extra(name: str, kind: pa.DataType, texts: Texts, rows: int) -> bool:
    """Tell whether an unused column looks like an attribute of a person."""
    if texts.filled < _FEWEST_FILLED * rows or texts.distinct < 2:
        return False
    if texts.counts.max() > _MOST_COMMON * texts.filled:
        return False
    if extra_by_name(name):
        return texts.distinct < 0.95 * texts.filled or texts.filled < _FEWEST_VALUES
    return not field_by_name(name) and _is_attribute(name, kind, texts)


def _is_attribute(name: str, kind: pa.DataType, texts: Texts) -> bool:
    if _NOT_AN_ATTRIBUTE.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).casefold()):
        return False
    varied = _FEWEST_VALUES <= texts.distinct <= _MOST_DISTINCT * texts.filled
    return varied and (is_text(kind) or pa.types.is_integer(kind)) and _are_words(texts)


def _are_words(texts: Texts) -> bool:
    """Short words or short numbers, no sentences, amounts or moments."""
    lengths = pc.mean(pc.utf8_length(texts.values)).as_py()
    numbers = pc.mean(pc.match_substring_regex(texts.values, r"^[\d.,:/ -]+$").cast(pa.int8())).as_py()
    return bool(lengths <= (_MOST_DIGITS if numbers > 0.5 else _LONGEST_MEAN))


def is_determined(texts: Texts, by: Sequence[Texts]) -> bool:
    """Tell whether one of other columns says already what this one does: a city its state."""
    return any(_share_told(texts, other) >= _DETERMINED for other in by)


def _share_told(texts: Texts, other: Texts) -> float:
    """The share of rows whose value is the most common one beside the other column's value.

    Other values of fewer than three rows prove nothing.
    """
    both = np.flatnonzero((texts.codes >= 0) & (other.codes >= 0))
    if len(both) == 0:
        return 0.0
    (own, others), pairs = combine([texts.codes[both], other.codes[both]])
    counts = np.bincount(pairs, minlength=len(own))
    totals = np.bincount(others, weights=counts)
    most = np.zeros(len(totals))
    np.maximum.at(most, others, counts)
    proving = totals >= 3
    return float(most[proving].sum() / totals[proving].sum()) if proving.any() else 0.0
