"""Steps on whole columns that the bulk functions share; a mask here is true or false, never null."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

Value = TypeVar("Value")
Result = TypeVar("Result")

# Longer values are left to the function for one value, which cuts them.
LONGEST_PLAIN = 100


class Mapper(Protocol):
    """Applies a function of a module to every value, in order; it may do so in other processes."""

    def __call__(
        self, function: Callable[[Value], Result], values: Sequence[Value], /
    ) -> Iterable[Result]: ...


def in_process(function: Callable[[Value], Result], values: Sequence[Value], /) -> Iterable[Result]:
    """Apply a function to every value here and now."""
    return map(function, values)


def as_strings(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Give a column as one array of strings."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    return values.cast(pa.string())


def matches(values: pa.Array, pattern: str) -> pa.Array:
    """Tell which values a pattern is found in; a null is not one of them."""
    return pc.fill_null(pc.match_substring_regex(values, pattern), False)


def among(values: pa.Array, words: Iterable[str]) -> pa.Array:
    """Tell which values are words of a set."""
    return pc.is_in(values, value_set=pa.array(sorted(words), pa.string()))


def any_of(*masks: pa.Array) -> pa.Array:
    """Tell where at least one mask is true."""
    result, *others = masks
    for mask in others:
        result = pc.or_(result, mask)
    return result


def is_short(values: pa.Array, longest: int = LONGEST_PLAIN) -> pa.Array:
    """Tell which values have no more than so many bytes, and thus characters."""
    return pc.fill_null(pc.less_equal(pc.binary_length(values), longest), False)


def only(values: pa.Array, mask: pa.Array) -> pa.Array:
    """Keep the values under a mask; the others become null."""
    return pc.if_else(mask, values, pa.scalar(None, pa.string()))


def blanked(values: pa.Array, mask: pa.Array) -> pa.Array:
    """Empty the values under a mask."""
    return pc.if_else(mask, "", values)


def changed(values: pa.Array, mask: pa.Array, change: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """Change the values under a mask alone."""
    if not pc.any(mask).as_py():
        return values
    return pc.replace_with_mask(values, mask, change(values.filter(mask)))


def replaced(values: pa.Array, pattern: str, replacement: str) -> pa.Array:
    """Replace what a pattern matches, in the values it is found in."""
    mask = matches(values, pattern)
    return changed(values, mask, lambda some: pc.replace_substring_regex(some, pattern, replacement))


def settled(values: pa.Array, quick: pa.Array, slow: Callable[[str], str], mapper: Mapper) -> pa.Array:
    """Fill what the quick way left null with the slow function's results."""
    return settled_columns((values,), (quick,), _Single(slow), mapper)[0]


def settled_columns(
    given: tuple[pa.Array, ...],
    quick: tuple[pa.Array, ...],
    slow: Callable[[tuple[str, ...]], tuple[str, ...]],
    mapper: Mapper,
) -> tuple[pa.Array, ...]:
    """Fill the rows that the quick way left null with the slow function's, several columns to several.

    A row without its first value is empty; of the quick columns the first tells what is left.
    """
    left = pc.and_(pc.is_null(quick[0]), pc.is_valid(given[0]))
    rows = list(zip(*(column.filter(left).to_pylist() for column in given), strict=True))
    found = list(mapper(slow, rows))
    columns = zip(*found, strict=True) if found else [() for _ in quick]
    return tuple(_filled(ready, left, column) for ready, column in zip(quick, columns, strict=True))


def _filled(ready: pa.Array, left: pa.Array, column: Iterable[str]) -> pa.Array:
    return pc.fill_null(pc.replace_with_mask(ready, left, pa.array(column, pa.string())), "")


class _Single:
    """A function of one text as one of a row, in a form that another process can be sent."""

    def __init__(self, function: Callable[[str], str]) -> None:
        self._function = function

    def __call__(self, row: tuple[str, ...]) -> tuple[str, ...]:
        return (self._function(row[0]),)
