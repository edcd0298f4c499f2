"""Profiles as columns: each distinct value once, and for every profile the numbers of its values.

The kernel, blocking and training work on these arrays, whoever made them: `table_of` from profiles, the file
tool straight from the columns of a file.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from resolution.types import Profile

Rows: TypeAlias = npt.NDArray[np.int64]  # numbers of profiles, or of pairs

Codes: TypeAlias = npt.NDArray[np.int32]  # numbers of values

EXTRA = "extra:"  # what the field of a column that only one caller knows begins with


class ArrowTexts(Sequence[str]):
    """Texts as Arrow holds them: a string is made of one when it is asked for."""

    def __init__(self, array: pa.Array) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, number: Any) -> Any:
        return self.array[int(number)].as_py()

    def __iter__(self) -> Iterator[str]:
        return iter(self.array.to_pylist())


def arrow_of(texts: Sequence[str]) -> pa.Array:
    """Give texts as an Arrow array."""
    return texts.array if isinstance(texts, ArrowTexts) else pa.array(texts, pa.string())


def texts_at(texts: Sequence[str], codes: Codes | Rows) -> list[str]:
    """Give the texts of some numbers, in their order."""
    if isinstance(texts, ArrowTexts):
        found: list[str] = texts.array.take(pa.array(codes)).to_numpy(zero_copy_only=False).tolist()
        return found
    return [texts[code] for code in codes.tolist()]


@dataclass(frozen=True, eq=False)
class Part:
    """One part of composite values: distinct texts, and each value's number among them, -1 where empty."""

    texts: Sequence[str]
    codes: npt.NDArray[np.int32]

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What has been worked out of the distinct texts, kept as long as the part."""
        return {}

    def fact(self, name: str, make: Callable[[Sequence[str]], Any]) -> Any:
        """Work something out of all distinct texts once."""
        if name not in self.facts:
            self.facts[name] = make(self.texts)
        return self.facts[name]

    def text_of(self, value: int) -> str:
        """The text of a value, by the value's number."""
        code = self.codes[value]
        return self.texts[code] if code >= 0 else ""


@dataclass(frozen=True, eq=False)
class Composites(Sequence[Any]):
    """Distinct names or addresses as numbers of their parts; a value is made when it is asked for."""

    make: Callable[..., Any]
    parts: Mapping[str, Part]

    def __len__(self) -> int:
        return len(next(iter(self.parts.values())).codes)

    def __getitem__(self, number: Any) -> Any:
        return self.make(**{name: part.text_of(number) for name, part in self.parts.items()})


@dataclass(frozen=True, eq=False)
class Column:
    """One field of n profiles: `values` distinct canonical values, `codes` their numbers, profile by profile.

    Profile i has the values numbered codes[starts[i]:starts[i + 1]]; most have one or none.
    """

    values: Sequence[Any]
    codes: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]

    def part(self, name: str) -> Part:
        """One part of every value, such as the family name."""
        if isinstance(self.values, Composites):
            return self.values.parts[name]
        found: Part = self.fact(f"part {name}", lambda values: part_of([getattr(v, name) for v in values]))
        return found

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """How many values each profile has."""
        return np.diff(self.starts)

    @cached_property
    def filled(self) -> npt.NDArray[np.bool_]:
        """Which profiles have a value."""
        found: npt.NDArray[np.bool_] = self.counts > 0
        return found

    @cached_property
    def single(self) -> bool:
        """Whether no profile has more than one value."""
        return bool(len(self.counts) == 0 or self.counts.max() <= 1)

    @cached_property
    def first(self) -> npt.NDArray[np.int32]:
        """The number of each profile's first value, -1 where it has none."""
        found = np.full(len(self.counts), -1, dtype=np.int32)
        filled = self.counts > 0
        found[filled] = self.codes[self.starts[:-1][filled]]
        return found

    @cached_property
    def arrow(self) -> pa.Array:
        """The values, texts all, as an array for bulk functions."""
        return arrow_of(self.values)

    @cached_property
    def owners(self) -> Rows:
        """The profile of each code."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What comparisons have worked out of the distinct values, kept as long as the column."""
        return {}

    def fact(self, name: str, make: Callable[[Sequence[Any]], Any]) -> Any:
        """Work something out of all distinct values once."""
        if name not in self.facts:
            self.facts[name] = make(self.values)
        return self.facts[name]

    def value_of(self, code: int) -> Any:
        return self.values[code]


@dataclass(frozen=True, eq=False)
class ProfileTable:
    """n profiles as columns, by the fields of comparisons; `keys` are the profiles' own."""

    keys: Sequence[str]
    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(self.keys)


# Field of the kernel → the profile's attribute that holds its values.
PROFILE_COLUMNS: Mapping[str, str] = {
    "name": "names",
    "birth_date": "birth_dates",
    "email": "emails",
    "phone": "phones",
    "external_id": "external_ids",
    "address": "addresses",
    "company": "companies",
    "handle": "handles",
}


def table_of(profiles: Sequence[Profile]) -> ProfileTable:
    """Turn profiles into a table, row i being profile i."""
    columns = {
        field: column_of([getattr(profile, attribute) for profile in profiles])
        for field, attribute in PROFILE_COLUMNS.items()
    }
    names = dict.fromkeys(name for profile in profiles for name, _ in profile.extras)
    extras = {
        f"{EXTRA}{name}": column_of(
            [tuple(value for other, value in profile.extras if other == name) for profile in profiles]
        )
        for name in names
    }
    return ProfileTable([profile.key for profile in profiles], columns | extras)


def part_of(texts: Sequence[str]) -> Part:
    """Number texts; an empty one has no number."""
    numbers: dict[str, int] = {}
    codes = [numbers.setdefault(text, len(numbers)) if text else -1 for text in texts]
    return Part(list(numbers), np.array(codes, dtype=np.int32))


def column_of(rows: Iterable[Sequence[Hashable]]) -> Column:
    """Make a column of each profile's values."""
    numbers: dict[Any, int] = {}
    codes: list[int] = []
    starts = [0]
    for values in rows:
        for value in values:
            codes.append(numbers.setdefault(value, len(numbers)))
        starts.append(len(codes))
    return Column(list(numbers), np.array(codes, dtype=np.int32), np.array(starts, dtype=np.int64))


def single_column(values: Sequence[Any], codes: npt.NDArray[np.int32]) -> Column:
    """Make a column of at most one value a profile; `codes` number it, -1 for none."""
    filled = codes >= 0
    starts = np.zeros(len(codes) + 1, dtype=np.int64)
    np.cumsum(filled, out=starts[1:])
    return Column(values, codes[filled], starts)


def each_once(numbers: Rows) -> Rows:
    """Give the distinct ones of many numbers, in order; sorting beats the hashing of `np.unique` tenfold."""
    ordered = np.sort(numbers)
    first = np.ones(len(ordered), dtype=np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    found: Rows = ordered[first]
    return found


def number_values(values: Iterable[str] | pa.Array) -> npt.NDArray[np.int32]:
    """Number equal texts alike, in the order they come."""
    texts = values if isinstance(values, pa.Array) else pa.array(list(values), pa.string())
    numbers: npt.NDArray[np.int32] = texts.dictionary_encode().indices.to_numpy()
    return numbers
