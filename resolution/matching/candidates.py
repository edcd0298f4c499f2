"""The candidate pairs of a table: its rows joined by every key that few enough have, each pair once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from resolution.matching.blocking import Rule
from resolution.matching.key_columns import KeyColumn, KeysOf
from resolution.matching.normalise.bulk import Mapper, in_process
from resolution.matching.table import ProfileTable, Rows

_RULE_BITS = 6
# Keys of up to so many times the rows are counted rather than sorted.
_NUMBERS_A_ROW = 4
# One in so many pairs tells where about the middle of all is.
_STEP_OF_SAMPLE = 100


@dataclass(frozen=True, eq=False)
class Joined:
    """What joining one key column gave: candidate pairs, and how its blocks were.

    `largest` is the number of rows of the largest block and `example` one of its rows. `refined_blocks` were
    larger than `most`; their rows, `refined_rows` in sum, are compared by finer keys alone, and only theirs
    are: who shares a finer key in a smaller block has met there.
    """

    rule: Rule
    tokens: tuple[str, ...]
    most: int
    pairs: Rows
    blocks: int
    largest: int
    example: int
    refined_blocks: int
    refined_rows: int


@dataclass(frozen=True, eq=False)
class Candidates:
    """The candidate pairs of a table, each once and in order, and what each combination of tokens gave.

    A pair of rows i < j is the number i * count + j. `gains` counts, beside `joined`, the pairs that nothing
    before had found.
    """

    count: int
    pairs: Rows
    joined: tuple[Joined, ...]
    gains: tuple[int, ...]

    def rows(self) -> tuple[Rows, Rows]:
        """The left and the right row of every pair."""
        return self.pairs // self.count, self.pairs % self.count

    def of(self, kept: npt.NDArray[np.bool_]) -> Candidates:
        """Only some of the pairs, in what each combination gave too."""
        pairs = self.pairs[kept]
        joined = (replace(entry, pairs=np.intersect1d(entry.pairs, pairs)) for entry in self.joined)
        return replace(self, pairs=pairs, joined=tuple(joined))


def candidate_pairs(table: ProfileTable, *, mapper: Mapper = in_process) -> Candidates:
    """Join the keys of a table: every pair that shares a key which few enough have, once.

    `mapper` runs the joins, of which each is by itself; one with threads uses every core.
    """
    keys = KeysOf(table, mapper)
    by_rule = mapper(lambda rule: tuple(_join_rule(keys, rule, len(table))), keys.rules())
    joined = tuple(entry for entries in by_rule for entry in entries)
    pairs, gains = _united([entry.pairs for entry in joined], mapper)
    return Candidates(max(len(table), 1), pairs, joined, tuple(gains.tolist()))


def _united(parts: Sequence[Rows], mapper: Mapper) -> tuple[Rows, Rows]:
    """All pairs in order, each once, and of each part how many no earlier one has.

    Those below and above about their middle are put in order by themselves.
    """
    sampled = np.concatenate([np.zeros(0, dtype=np.int64), *(part[::_STEP_OF_SAMPLE] for part in parts)])
    middle = np.median(sampled) if len(sampled) else 0
    halves = tuple(
        mapper(
            lambda low: _in_order([part[(part < middle) == low] for part in parts]),
            (True, False),
        )
    )
    pairs, gains = zip(*halves, strict=True)
    return np.concatenate(pairs), np.sum(gains, axis=0)


def _in_order(parts: Sequence[Rows]) -> tuple[Rows, Rows]:
    every = [(pairs << _RULE_BITS) | number for number, pairs in enumerate(parts)]
    packed = np.concatenate([np.zeros(0, dtype=np.int64), *every])
    packed.sort()
    pairs = packed >> _RULE_BITS
    first = np.ones(len(pairs), dtype=np.bool_)
    first[1:] = pairs[1:] != pairs[:-1]
    return pairs[first], np.bincount(packed[first] & ((1 << _RULE_BITS) - 1), minlength=len(parts))


def _join_rule(keys: KeysOf, rule: Rule, count: int) -> Iterator[Joined]:
    """Join the coarse keys of a rule, then what was too large by its finer ones."""
    column = keys.coarse(rule)
    blocks = _blocks_of(column, count)
    yield _joined(column, blocks, count)
    if rule.finer:
        for finer in keys.finer(replace(column, rows=blocks.large_rows, keys=blocks.large_keys)):
            yield _joined(finer, _blocks_of(finer, count), count)


@dataclass(frozen=True, eq=False)
class _Blocks:
    """The blocks of one key column: the sizes of all, and the rows of those that can be joined, one by one.

    Block i of those has `small_sizes[i]` rows in `small_rows`. What was too large is told by row and key.
    """

    sizes: Rows
    example: int
    small_sizes: Rows
    small_rows: Rows
    large_keys: Rows
    large_rows: Rows


def _blocks_of(column: KeyColumn, count: int) -> _Blocks:
    """Find the blocks of a key column; `count` is the number of rows of the table."""
    if column.size <= _NUMBERS_A_ROW * len(column.keys):
        return _counted(column, count)
    return _sorted(column, count)


def _counted(column: KeyColumn, count: int) -> _Blocks:
    """Where keys are few, they are counted, and only what will be joined is put in order."""
    sizes = np.bincount(column.keys, minlength=column.size)
    of_row = sizes[column.keys]
    small, large = (of_row > 1) & (of_row <= column.most), of_row > column.most
    _, rows = _by_key(column.keys[small], column.rows[small], count)
    example = int(column.rows[np.argmax(of_row)]) if len(of_row) else -1
    small_sizes = sizes[(sizes > 1) & (sizes <= column.most)]
    return _Blocks(sizes, example, small_sizes, rows, column.keys[large], column.rows[large])


def _sorted(column: KeyColumn, count: int) -> _Blocks:
    keys, rows = _by_key(column.keys, column.rows, count)
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])) if len(keys) else keys
    sizes = np.diff(np.append(starts, len(keys)))
    of_row = np.repeat(sizes, sizes)
    small, large = (of_row > 1) & (of_row <= column.most), of_row > column.most
    example = int(rows[np.argmax(of_row)]) if len(rows) else -1
    small_sizes = sizes[(sizes > 1) & (sizes <= column.most)]
    return _Blocks(sizes, example, small_sizes, rows[small], keys[large], rows[large])


def _by_key(keys: Rows, rows: Rows, count: int) -> tuple[Rows, Rows]:
    """Put rows in order of their keys, those of one key in their own."""
    packed = keys * count + rows
    packed.sort()
    return packed // count, packed % count


def _joined(column: KeyColumn, blocks: _Blocks, count: int) -> Joined:
    """Pair the rows of every block that is not too large."""
    return Joined(
        rule=column.rule,
        tokens=column.tokens,
        most=column.most,
        pairs=_pairs_within(blocks.small_rows, blocks.small_sizes, count),
        blocks=int(np.count_nonzero(blocks.sizes > 1)),
        largest=int(blocks.sizes.max(initial=0)),
        example=blocks.example,
        refined_blocks=int(np.count_nonzero(blocks.sizes > column.most)),
        refined_rows=len(blocks.large_rows),
    )


def _pairs_within(rows: Rows, sizes: Rows, count: int) -> Rows:
    """All pairs inside blocks that lie one after another in `rows`, blocks of one size at a time.

    Rows come in order within a block, so the first of a pair is the smaller one.
    """
    found = [np.zeros(0, dtype=np.int64)]
    starts = np.cumsum(sizes) - sizes
    for size in np.flatnonzero(np.bincount(sizes)):
        block = rows[starts[sizes == size][:, None] + np.arange(size)]
        one, other = np.triu_indices(int(size), 1)
        pairs = (block[:, one] * count + block[:, other]).ravel()
        found.append(pairs[(block[:, one] != block[:, other]).ravel()])
    return np.concatenate(found)
