"""The one shape every file is read as: named columns, and rows of text that come one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from resolution.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line it begins on and a text a column, empty where the file has nothing."""

    line: int
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row that cannot be taken, or not all of it: the column at fault where it is one, and why."""

    line: int
    column: str
    reason: str
    raw: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A file opened for reading. Every call of `rows` starts at the top; about `expected` of them come.

    It can be handed to another process.
    """

    names: tuple[str, ...]
    rows: Callable[[], Iterator[Row | Refusal]]
    expected: int
    described: dict[str, Any] = field(default_factory=dict)


def check_names(cells: Sequence[str], path: Path) -> tuple[str, ...]:
    """Make column names of a header, blank ones numbered. Raises InvalidInput where two are equal."""
    names = [" ".join(cell.split()) or f"column_{place}" for place, cell in enumerate(cells, 1)]
    for place, name in enumerate(names):
        first = names.index(name)
        if first != place:
            raise InvalidInput(
                f"The header of {path} names “{name[:60]}” twice, in columns {first + 1} and {place + 1}:"
                " rename one.",
                path=str(path), column=name[:60],
            )  # fmt: skip
    return tuple(names)
