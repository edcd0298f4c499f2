"""Samples of pairs, and their levels compressed to patterns: thousands of pairs agree and differ alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from resolution.matching.comparisons.answers import SILENT
from resolution.matching.kernel import score_rows
from resolution.matching.model import FREQUENCY_FIELDS, MatchModel
from resolution.matching.scores import NAME, Floats
from resolution.matching.table import ProfileTable, Rows, each_once
from resolution.matching.tokens import TOKENS

# Random pairs that are looked at: more moves the third digit of nothing.
RANDOM_PAIRS = 100_000

# Tokens of a name that make only one of its two parts agree.
_PARTS_OF_TOKENS = {
    "initial": ("given_name",),
    "given": ("given_name",),
    "family": ("family_name",),
    "family_initial": ("family_name",),
}

Levels = npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Patterns:
    """Pairs of one rule, compressed: each distinct combination of levels and how often it occurs.

    The fields that the rule makes agree are silent.
    """

    rule: str
    levels: Levels  # patterns × fields
    counts: Floats


def sample_of(pairs: Rows, most: int, rng: np.random.Generator) -> Rows:
    """Return `most` of the pairs at most, in their order."""
    if len(pairs) <= most:
        return pairs
    return np.sort(pairs[rng.choice(len(pairs), most, replace=False)])


def random_pairs(count: int, rng: np.random.Generator) -> Rows:
    """Return about RANDOM_PAIRS of all pairs of `count` rows, each once; all where there are no more."""
    possible = count * (count - 1) // 2
    if possible <= RANDOM_PAIRS:
        left, right = np.triu_indices(count, 1)
        return (left * count + right).astype(np.int64)
    left, right = rng.integers(0, count, RANDOM_PAIRS), rng.integers(0, count, RANDOM_PAIRS)
    apart = left != right
    return each_once(np.minimum(left, right)[apart] * count + np.maximum(left, right)[apart])


def fields_of(tokens: Iterable[str]) -> frozenset[str]:
    """Name the comparisons that sharing these tokens decides beforehand."""
    found: set[str] = set()
    for token in tokens:
        name = TOKENS[token].field
        found |= set(_PARTS_OF_TOKENS.get(token, FREQUENCY_FIELDS)) if name == NAME else {name}
    return frozenset(found)


def distinct_rows(levels: Levels) -> tuple[Levels, Floats]:
    """The distinct rows, and how often each occurs."""
    packed = np.zeros(len(levels), dtype=np.int64)
    for place in range(levels.shape[1]):
        packed = packed * 12 + (levels[:, place] + 1)
        if place % 14 == 13:
            packed = np.unique(packed, return_inverse=True)[1].astype(np.int64)
    _, first, counts = np.unique(packed, return_index=True, return_counts=True)
    return levels[first], counts.astype(np.float64)


def levels_of(model: MatchModel, table: ProfileTable, pairs: Rows) -> Levels:
    """The level of every field of the model, of every pair: pairs × fields."""
    fields = tuple(model.comparisons)
    found = np.full((len(pairs), len(fields)), SILENT, dtype=np.int8)
    done = 0
    for scores in score_rows(model, table, pairs // len(table), pairs % len(table)):
        for place, name in enumerate(fields):
            if name in scores.levels:
                found[done : done + len(scores), place] = scores.levels[name]
        done += len(scores)
    return found


def compress(rule: str, levels: Levels, decided: Sequence[bool]) -> Patterns:
    """Make patterns of the levels of one rule's pairs; the fields that the rule decides become silent."""
    levels[:, decided] = SILENT
    return Patterns(rule, *distinct_rows(levels))
