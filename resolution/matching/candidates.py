"""The candidate pairs of a table: its rows joined by every key that few enough have, each pair once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from resolution.matching.blocking import Rule
from resolution.matching.key_columns import KeyColumn, KeysOf
from resolution.matching.normalise.bulk import Mapper, in_process
from resolution.matching.table import ProfileTable, Rows

_RULE_BITS = 6
# So many numbers tell where about the middle of all is.
_SAMPLED = 1_000


@dataclass(frozen=True, eq=False)
class Joined:
    """What joining one key column gave: candidate pairs, and how its blocks were.

    `largest` is the number of rows of the largest block and `example` one of its rows. `refined_blocks` were
    larger than `most`; their rows, `refined_rows` in sum, are compared by finer keys alone.
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
    joined = tuple(mapper(lambda wanted: join_keys(keys.column(*wanted), len(table)), keys.combinations()))
    every = _in_order([(entry.pairs << _RULE_BITS) | number for number, entry in enumerate(joined)], mapper)
    pairs = every >> _RULE_BITS
    first = np.ones(len(pairs), dtype=np.bool_)
    first[1:] = pairs[1:] != pairs[:-1]
    gains = np.bincount(every[first] & ((1 << _RULE_BITS) - 1), minlength=len(joined))
    return Candidates(max(len(table), 1), pairs[first], joined, tuple(gains.tolist()))


def _in_order(parts: Sequence[Rows], mapper: Mapper) -> Rows:
    """All numbers sorted, those below and above their middle by themselves."""
    every = np.concatenate([np.zeros(0, dtype=np.int64), *parts])
    middle = np.median(every[:: max(len(every) // _SAMPLED, 1)]) if len(every) else 0
    low = every < middle
    return np.concatenate(list(mapper(np.sort, (every[low], every[~low]))))


def join_keys(column: KeyColumn, count: int) -> Joined:
    """Pair the rows of every block that is not too large; `count` is the number of rows of the table."""
    packed = column.keys * count + column.rows
    packed.sort()
    keys, rows = packed // count, packed % count
    change = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    starts = np.concatenate((np.zeros(min(len(keys), 1), dtype=np.int64), change))
    sizes = np.diff(np.append(starts, len(keys)))
    small = (sizes > 1) & (sizes <= column.most)
    large = sizes > column.most
    top = int(sizes.argmax()) if len(sizes) else 0
    return Joined(
        rule=column.rule,
        tokens=column.tokens,
        most=column.most,
        pairs=_pairs_within(rows, starts[small], sizes[small], count),
        blocks=int((sizes > 1).sum()),
        largest=int(sizes[top]) if len(sizes) else 0,
        example=int(rows[starts[top]]) if len(sizes) else -1,
        refined_blocks=int(large.sum()),
        refined_rows=int(sizes[large].sum()),
    )


def _pairs_within(rows: Rows, starts: Rows, sizes: Rows, count: int) -> Rows:
    """All pairs inside blocks that lie one after another in `rows`, blocks of one size at a time.

    Rows come in order within a block, so the first of a pair is the smaller one.
    """
    found = [np.zeros(0, dtype=np.int64)]
    for size in np.unique(sizes):
        block = rows[starts[sizes == size][:, None] + np.arange(size)]
        one, other = np.triu_indices(int(size), 1)
        pairs = (block[:, one] * count + block[:, other]).ravel()
        found.append(pairs[(block[:, one] != block[:, other]).ravel()])
    return np.concatenate(found)
