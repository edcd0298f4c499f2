"""Expectation maximisation: how often records of one person, people of one home and strangers agree.

Candidate pairs are a mixture of the three classes, every blocking rule's its own; random pairs tell of
strangers. Beliefs count as pairs of a known class; labelled pairs correct what their looks led to expect.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from resolution.matching.beliefs import SHARED_FIELDS, beside
from resolution.matching.candidates import Candidates
from resolution.matching.comparisons.answers import SILENT
from resolution.matching.model import Level, MatchModel
from resolution.matching.normalise.bulk import Mapper
from resolution.matching.patterns import (
    Levels,
    compress,
    distinct_rows,
    fields_of,
    levels_of,
    random_pairs,
    sample_of,
)
from resolution.matching.scores import Floats
from resolution.matching.table import EXTRA, ProfileTable, Rows, each_once

# Pairs of one rule that are looked at: more moves the third digit of nothing.
PAIRS_A_RULE = 8_000
FEWEST_PAIRS = 30
ROUNDS = 60
PASSES = 3
ENOUGH = 2e-4

# How many pairs of one person, of one home and of strangers the shipped shares count for.
BELIEF_SAME = 60.0
BELIEF_HOUSEHOLD = 150.0
BELIEF_RANDOM = 100_000.0
# An answer that surprises moves as much as this many pairs.
LABEL_STRENGTH = 4.0

SAME, HOUSEHOLD, RANDOM = 0, 1, 2
CLASSES = 3

_NEVER = 1e-300
# What each answer, yes and no, leaves of the classes.
_ANSWERS = np.array([[1.0, _NEVER, _NEVER], [_NEVER, 1.0, 1.0]])

Shares = dict[str, Floats]  # field → levels × classes, each class adding up to 1


class Learning:
    """One training: what was seen, and the shares so far."""

    def __init__(
        self,
        believed: MatchModel,
        table: ProfileTable,
        candidates: Candidates,
        labels: Sequence[tuple[int, int, bool]],
        rng: np.random.Generator,
        mapper: Mapper,
    ) -> None:
        self.believed = believed
        self.fields = tuple(believed.comparisons)
        self.beliefs = _shares_of(believed)
        self.shares = _shares_of(believed)
        self.rounds = 0
        coarse = [entry for entry in candidates.joined if entry.tokens == entry.rule.tokens]
        samples = [sample_of(entry.pairs, PAIRS_A_RULE, rng) for entry in coarse]
        every = each_once(np.concatenate([np.zeros(0, dtype=np.int64), *samples]))
        seen, strange = mapper(partial(levels_of, believed, table), (every, random_pairs(len(table), rng)))
        patterns = (
            compress(entry.rule.name, seen[np.searchsorted(every, pairs)], self._decided(entry.tokens))
            for entry, pairs in zip(coarse, samples, strict=True)
        )
        self.patterns = [entry for entry in patterns if entry.counts.sum() >= FEWEST_PAIRS]
        self.mixes = np.tile([0.5, 0.25, 0.25], (len(self.patterns), 1))
        self.strangers = distinct_rows(strange)
        self.labelled = self._labelled(table, labels)

    def _decided(self, tokens: Iterable[str]) -> list[bool]:
        """Which fields sharing these tokens decides beforehand."""
        silent = fields_of(tokens)
        return [name in silent for name in self.fields]

    def _labelled(
        self, table: ProfileTable, labels: Sequence[tuple[int, int, bool]]
    ) -> list[tuple[Levels, Floats]]:
        """Patterns of the labelled pairs of one person, and of the others."""
        found = []
        for wanted in (True, False):
            pairs = np.array(
                [min(a, b) * len(table) + max(a, b) for a, b, same in labels if same is wanted],
                dtype=np.int64,
            )
            found.append(distinct_rows(levels_of(self.believed, table, pairs)))
        return found

    def learn(self) -> None:
        """Learn about strangers and about one person in turns."""
        for _ in range(PASSES):
            self._learn_strangers()
            self._maximise()

    def _learn_strangers(self) -> None:
        """Learn u from random pairs, each counted by how surely it is two strangers."""
        levels, counts = self.strangers
        prior = np.array([2.0**self.believed.prior, 2.0**self.believed.household_prior, 1.0])
        strange = _posterior(self._likely(levels), prior / prior.sum())[:, RANDOM] * counts
        for place, name in enumerate(self.fields):
            said = levels[:, place] != SILENT
            believed = self._belief_random(name, strange[said].sum()) * self.beliefs[name][:, RANDOM]
            seen: Floats = believed + np.bincount(
                levels[said, place], strange[said], minlength=len(self.shares[name])
            )
            self.shares[name][:, RANDOM] = seen / seen.sum()

    def _belief_random(self, name: str, seen: float) -> float:
        """Of a column nobody knows, next to nothing is believed."""
        return max(seen / 1000, 1.0) if name.startswith(EXTRA) else BELIEF_RANDOM

    def _maximise(self) -> None:
        """Alternate between what each pair is and what each class looks like, until nothing moves."""
        levels = np.concatenate([entry.levels for entry in self.patterns])
        counts = np.concatenate([entry.counts for entry in self.patterns])
        rules = np.repeat(np.arange(len(self.patterns)), [len(entry.counts) for entry in self.patterns])
        for _ in range(ROUNDS):
            self.rounds += 1
            sums = {name: self._belief_counts(name) for name in self.fields}
            self._expect(levels, counts, rules, sums)
            self._correct_by_labels(sums)
            if self._take_over(sums) < ENOUGH:
                return

    def _belief_counts(self, name: str) -> Floats:
        counts: Floats = self.beliefs[name] * np.array([BELIEF_SAME, BELIEF_HOUSEHOLD, 1.0])
        return counts

    def _expect(self, levels: Levels, counts: Floats, rules: Rows, sums: Shares) -> None:
        """Count every pattern for the classes it may be of, each rule by its own mix of them."""
        weights = _posterior(self._likely(levels), self.mixes[rules]) * counts[:, None]
        mixed = np.stack([np.bincount(rules, weights[:, kind]) for kind in range(CLASSES)], axis=1) + 1.0
        self.mixes = mixed / mixed.sum(axis=1, keepdims=True)
        for place, name in enumerate(self.fields):
            _add_counts(sums[name], levels[:, place], weights)

    def _correct_by_labels(self, sums: Shares) -> None:
        """Move labelled pairs from the classes they look like to those they are of.

        Labelled pairs are not like others of their class: they were picked by their looks. But how far
        answers lie from what looks led to expect does not hang on which pairs were picked. Nor may it hang on
        how many of each answer were picked, so yes and no move as much; one alone moves nothing.
        """
        moves = [
            self._surprise(answer, *known) for answer, known in zip(_ANSWERS, self.labelled, strict=True)
        ]
        sizes = [float(np.abs(move).sum()) for move in moves]
        if not all(sizes):
            return
        for (levels, _), move, size in zip(self.labelled, moves, sizes, strict=True):
            weights = move * (LABEL_STRENGTH * min(sizes) / size)
            for place, name in enumerate(self.fields):
                _add_counts(sums[name], levels[:, place], weights)

    def _surprise(self, answer: Floats, levels: Levels, counts: Floats) -> Floats:
        """How much surer of each class an answer makes of every pattern: patterns × classes."""
        likely = self._likely(levels)
        prior = np.exp2([self.believed.prior, self.believed.household_prior, 0.0])
        return (_posterior(likely, prior * answer) - _posterior(likely, prior)) * counts[:, None]

    def _take_over(self, sums: Shares) -> float:
        """Make sums the new shares, beliefs at least; return the most that any share moved."""
        moved = 0.0
        for name in self.fields:
            counts = np.maximum(sums[name], self._belief_counts(name))
            fresh = counts / counts.sum(axis=0)
            fresh[:, RANDOM] = self.shares[name][:, RANDOM]
            moved = max(moved, float(np.abs(fresh - self.shares[name]).max()))
            self.shares[name] = fresh
        return moved

    def _likely(self, levels: Levels) -> Floats:
        """Log of the share of each pattern in each class; a silent field says nothing."""
        total = np.zeros((len(levels), CLASSES))
        for place, name in enumerate(self.fields):
            logs: Floats = np.vstack([np.log(self.shares[name]), np.zeros(CLASSES)])
            total += logs[levels[:, place]]
        return total

    def model(self) -> MatchModel:
        """The model of the shares as they are now."""
        comparisons = {
            name: tuple(
                Level(
                    level.name, m=_share(row[SAME]), u=_share(row[RANDOM]), household=_share(row[HOUSEHOLD])
                )
                for level, row in zip(self.believed.comparisons[name], self.shares[name], strict=True)
            )
            for name in self.fields
        }
        shared = {
            name: beside(self.believed.frequencies[name].values, comparisons[name][0].u)
            for name in SHARED_FIELDS
            if name in self.believed.frequencies
        }
        frequencies = {**self.believed.frequencies, **shared}
        return replace(self.believed, comparisons=comparisons, frequencies=frequencies)


def _share(value: float) -> float:
    return float(min(max(value, 1e-9), 1.0))


def _shares_of(model: MatchModel) -> Shares:
    tables = {
        name: np.array([[level.m, level.household, level.u] for level in levels])
        for name, levels in model.comparisons.items()
    }
    return {name: table / table.sum(axis=0) for name, table in tables.items()}


def _posterior(likely: Floats, mix: Floats) -> Floats:
    joint = likely + np.log(mix)
    joint -= joint.max(axis=1, keepdims=True)
    odds = np.exp(joint)
    found: Floats = odds / odds.sum(axis=1, keepdims=True)
    return found


def _add_counts(sums: Floats, levels: Levels, weights: Floats) -> None:
    said = levels != SILENT
    for kind in range(CLASSES):
        sums[:, kind] += np.bincount(levels[said], weights[said, kind], minlength=len(sums))
