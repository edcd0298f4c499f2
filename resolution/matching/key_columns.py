"""The keys of every rule over a table, as numbers: row by row, one combination of tokens at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from resolution.matching.blocking import MAX_CHANCE_BLOCK, RULES, Combination, Rule, chance_limit
from resolution.matching.normalise.bulk import Mapper
from resolution.matching.table import Column, ProfileTable, Rows
from resolution.matching.tokens import (
    MOST_VALUES,
    TOKENS,
    Numbered,
    Token,
    heard_by_several,
    looked_up,
    whole,
)

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class KeyColumn:
    """The keys of one combination of a rule's tokens over a table: row `rows[i]` has the key `keys[i]`.

    Keys are numbers below `size`, and at most `most` rows may share one. Keys of two combinations have
    nothing to do with each other.
    """

    rule: Rule
    tokens: tuple[str, ...]
    most: int
    rows: Rows
    keys: Rows
    size: int


class KeysOf:
    """The keys of every rule over a table, one combination of tokens at a time."""

    def __init__(self, table: ProfileTable, mapper: Mapper) -> None:
        present = {
            name: token
            for name, token in TOKENS.items()
            if token.field in table.columns and len(table.columns[token.field].codes)
        }
        list(mapper(lambda hear: hear(), tuple(heard_by_several(table))))
        found = mapper(lambda name: _token_column(present[name], table, _useful(name, table)), tuple(present))
        self.tokens = dict(zip(present, found, strict=True))
        self.by_chance = chance_limit(len(table))

    def rules(self) -> list[Rule]:
        """The rules that make a key of the table's columns, in their order."""
        return [rule for rule in RULES.values() if self.tokens.keys() >= set(rule.tokens)]

    def coarse(self, rule: Rule) -> KeyColumn:
        """The keys of a rule's own tokens."""
        combination, *_ = rule.combinations()
        return self._column(rule, combination, [self.tokens[name] for name in rule.tokens])

    def finer(self, column: KeyColumn) -> Iterator[KeyColumn]:
        """The keys that refine some of a rule's coarse ones."""
        _, *combinations = column.rule.combinations()
        coarse = _Tokens(column.rows, column.keys, column.size, single=False)
        for combination in combinations:
            if other := self.tokens.get(combination.tokens[-1]):
                yield self._column(column.rule, combination, [coarse, other])

    def _column(self, rule: Rule, combination: Combination, tokens: Sequence[_Tokens]) -> KeyColumn:
        most = self.by_chance if combination.most == MAX_CHANCE_BLOCK else combination.most
        combined = _combined(tokens)
        return KeyColumn(rule, combination.tokens, most, combined.rows, combined.numbers, combined.size)


@dataclass(frozen=True, eq=False)
class _Tokens:
    """The row and the number of each token, in order of rows; `single` when no row has several.

    Those that others are combined with may come in any order.
    """

    rows: Rows
    numbers: Rows
    size: int
    single: bool


def _useful(name: str, table: ProfileTable) -> Mask:
    """Which rows could have a key of a rule with this token: those with all that its coarse key needs."""
    found = np.zeros(len(table), dtype=np.bool_)
    for rule in RULES.values():
        fields = {TOKENS[token].field for token in rule.tokens}
        if name in (*rule.tokens, *rule.finer) and table.columns.keys() >= fields:
            found |= np.logical_and.reduce([table.columns[field].filled for field in fields])
    return found


def _token_column(token: Token, table: ProfileTable, useful: Mask) -> _Tokens:
    """Give every useful row the tokens of its values."""
    column = table.columns[token.field]
    numbered = token.numbers(column) if token.numbers else [_numbered(token, column)]
    places = np.flatnonzero(useful[column.owners])
    codes, owners = column.codes[places], column.owners[places]
    rows = np.repeat(owners, len(numbered))
    found = np.stack([entry.codes[codes] for entry in numbered], axis=1).ravel()
    filled = found >= 0
    tokens = rows[filled], found[filled], numbered[0].size
    if column.single and len(numbered) == 1:
        return _Tokens(*tokens, single=True)
    return _first_ones(*tokens)


def _numbered(token: Token, column: Column) -> Numbered:
    """Number a simple token: of each distinct value, or of each distinct text of the part that counts."""
    if token.part:
        part = column.part(token.part)
        own = _number_texts(token, part.texts)
        return Numbered(looked_up(own.codes, part), own.size)
    return _number_texts(token, column.values)


def _number_texts(token: Token, texts: Sequence[str]) -> Numbered:
    if token.of is whole:
        return Numbered(np.arange(len(texts), dtype=np.int64), len(texts))
    numbers: dict[str, int] = {}
    tokens = map(token.of, texts)
    codes = [numbers.setdefault(found[0], len(numbers)) if found else -1 for found in tokens]
    return Numbered(np.array(codes, dtype=np.int64), len(numbers))


def _within(times: Rows) -> Rows:
    """0, 1, … for each run of the given lengths."""
    return np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)


def _first_ones(rows: Rows, found: Rows, size: int) -> _Tokens:
    """Keep each token of a row once, and the first MOST_VALUES of them."""
    _, first = np.unique(rows * max(size, 1) + found, return_index=True)
    kept = np.sort(first)
    rows, found = rows[kept], found[kept]
    early = np.arange(len(rows)) - np.searchsorted(rows, rows) < MOST_VALUES
    return _Tokens(rows[early], found[early], size, False)


_MOST_NUMBERS = 1 << 40


def _combined(columns: Sequence[_Tokens]) -> _Tokens:
    """Join token columns row by row: one key for every combination of a row's tokens."""
    found = columns[0]
    for other in columns[1:]:
        if other.single:
            found = _combined_with_single(found, other)
            continue
        starts = np.searchsorted(other.rows, found.rows)
        times = np.searchsorted(other.rows, found.rows, side="right") - starts
        places = np.repeat(starts, times) + _within(times)
        numbers = np.repeat(found.numbers, times) * other.size + other.numbers[places]
        found = _renumbered(np.repeat(found.rows, times), numbers, found.size * other.size)
    return found


def _combined_with_single(found: _Tokens, other: _Tokens) -> _Tokens:
    """Join a token column of which every row has one at most: an array by row tells which."""
    own = np.full(max(found.rows.max(initial=-1), other.rows.max(initial=-1)) + 1, -1, dtype=np.int64)
    own[other.rows] = other.numbers
    second = own[found.rows]
    both = second >= 0
    numbers = found.numbers[both] * other.size + second[both]
    joined = _renumbered(found.rows[both], numbers, found.size * other.size)
    return replace(joined, single=found.single)


def _renumbered(rows: Rows, numbers: Rows, size: int) -> _Tokens:
    """Keep numbers small enough that a row's number still fits beside them."""
    if size < _MOST_NUMBERS:
        return _Tokens(rows, numbers, size, False)
    distinct, inverse = np.unique(numbers, return_inverse=True)
    return _Tokens(rows, inverse.astype(np.int64), len(distinct), False)
