"""The keys of every rule over a table, as numbers: row by row, one combination of tokens at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

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


@dataclass(frozen=True, eq=False)
class KeyColumn:
    """The keys of one combination of a rule's tokens over a table: row `rows[i]` has the key `keys[i]`.

    At most `most` rows may share one. Keys of two combinations have nothing to do with each other.
    """

    rule: Rule
    tokens: tuple[str, ...]
    most: int
    rows: Rows
    keys: Rows


class KeysOf:
    """The keys of every rule over a table, one combination of tokens at a time."""

    def __init__(self, table: ProfileTable, mapper: Mapper) -> None:
        present = {
            name: token
            for name, token in TOKENS.items()
            if token.field in table.columns and len(table.columns[token.field].codes)
        }
        list(mapper(lambda hear: hear(), tuple(heard_by_several(table))))
        found = mapper(
            lambda token: _token_column(token, table.columns[token.field]), tuple(present.values())
        )
        self.tokens = dict(zip(present, found, strict=True))
        self.by_chance = chance_limit(len(table))

    def combinations(self) -> list[tuple[Rule, Combination]]:
        """What can be made of the table's columns, in the order of the rules."""
        return [
            (rule, combination)
            for rule in RULES.values()
            for combination in rule.combinations()
            if self.tokens.keys() >= set(combination.tokens)
        ]

    def column(self, rule: Rule, combination: Combination) -> KeyColumn:
        """The keys of one combination."""
        most = self.by_chance if combination.most == MAX_CHANCE_BLOCK else combination.most
        combined = _combined([self.tokens[name] for name in combination.tokens])
        return KeyColumn(rule, combination.tokens, most, combined.rows, combined.numbers)


@dataclass(frozen=True, eq=False)
class _Tokens:
    """The row and the number of each token, in order of rows; `single` when no row has several."""

    rows: Rows
    numbers: Rows
    size: int
    single: bool


def _token_column(token: Token, column: Column) -> _Tokens:
    """Give every row the tokens of its values."""
    numbered = token.numbers(column) if token.numbers else [_numbered(token, column)]
    rows = np.repeat(column.owners, len(numbered))
    found = np.stack([entry.codes[column.codes] for entry in numbered], axis=1).ravel()
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
    own = np.full(max(_last(found), _last(other)) + 1, -1, dtype=np.int64)
    own[other.rows] = other.numbers
    second = own[found.rows]
    both = second >= 0
    numbers = found.numbers[both] * other.size + second[both]
    joined = _renumbered(found.rows[both], numbers, found.size * other.size)
    return replace(joined, single=found.single)


def _last(tokens: _Tokens) -> int:
    return int(tokens.rows[-1]) if len(tokens.rows) else -1


def _renumbered(rows: Rows, numbers: Rows, size: int) -> _Tokens:
    """Keep numbers small enough that a row's number still fits beside them."""
    if size < _MOST_NUMBERS:
        return _Tokens(rows, numbers, size, False)
    distinct, inverse = np.unique(numbers, return_inverse=True)
    return _Tokens(rows, inverse.astype(np.int64), len(distinct), False)
