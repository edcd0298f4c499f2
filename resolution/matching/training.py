"""A model learnt from the records themselves: no labels needed, labels welcome.

The shipped model is what is believed beforehand; data move it as far as there are enough of them.

frequencies      how common each name is
u                how often strangers agree: random pairs, those left out that look like one person
m and household  how often records of one person, and people of one home, agree: expectation maximisation
                 over candidate pairs. Every blocking rule has its own mix of the classes, and says nothing
                 about the fields that it makes agree. (Dempster, Laird & Rubin 1977; Winkler 2000.)
priors           how many pairs of all there are of each class

Levels are compressed to patterns first: thousands of pairs agree and differ in the same way. Everything is
seeded; the same records give the same model. A result that contradicts what is believed on the whole is
rejected, and says so in its notes: a mixture can take one home for one person where little else is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from resolution.matching.blocking import TOKENS, Candidates, Joined, candidate_pairs
from resolution.matching.comparisons import extra
from resolution.matching.comparisons.many import SILENT
from resolution.matching.kernel import NAME, Floats, score_rows
from resolution.matching.model import FREQUENCY_FIELDS, Frequencies, Level, MatchModel
from resolution.matching.normalise.bulk import Mapper, in_process
from resolution.matching.table import EXTRA, Column, ProfileTable, Rows, table_of
from resolution.types import Profile

# Pairs of one rule, pairs of all, and random pairs that are looked at: more moves the third digit of nothing.
PAIRS_A_RULE = 8_000
PAIRS_FOR_PRIORS = 60_000
RANDOM_PAIRS = 100_000
FEWEST_PAIRS = 30
ROUNDS = 60
PASSES = 3
ENOUGH = 2e-4

# How many pairs of one person, of one home and of strangers the shipped shares count for.
BELIEF_SAME = 60.0
BELIEF_HOUSEHOLD = 150.0
BELIEF_RANDOM = 100_000.0
# Records that the shipped shares of names count for.
BELIEF_NAMES = 2_000.0
# Fewer records of a value than this tell nothing of how common it is.
FEWEST_OF_A_VALUE = 5
MOST_VALUES_KEPT = 20_000
# What more records than this have is a firm's or nobody's, and says less of one person than other values do.
MOST_OF_A_PERSON = 12
SHARED_FIELDS = ("email", "phone", "company")
# A labelled pair counts for as many that only look like it.
LABEL_STRENGTH = 4.0
# Labels that surprise a model more than this many bits each fit a coin better.
COIN = 1.0
# A training is believed when it expects this many times the pairs that shipped shares expect.
CREDIBLE = (0.7, 1.2)

SAME, HOUSEHOLD, RANDOM = 0, 1, 2
CLASSES = 3

# What is believed of a column nobody knows: records of one person mostly agree, others as often as by chance.
EXTRA_BELIEF = {"exact": (0.85, 0.2, 0.5), "close": (0.04, 0.02, 0.02), "different": (0.11, 0.78, 0.48)}

# Tokens of a name that make only one of its two parts agree.
_PARTS_OF_TOKENS = {
    "initial": ("given_name",),
    "given": ("given_name",),
    "family": ("family_name",),
    "family_initial": ("family_name",),
}

Levels = npt.NDArray[np.int8]
Shares = dict[str, Floats]  # field → levels × classes, each class adding up to 1


@dataclass(frozen=True, slots=True)
class Trained:
    """A model, and what is known of how it was made: JSON-ready. `method` is believed, trained or labels."""

    model: MatchModel
    method: str = "believed"
    facts: dict[str, Any] = field(default_factory=dict)


def train_on_profiles(
    profiles: Iterable[Profile],
    *,
    base: MatchModel,
    seed: int = 1,
    labels: Iterable[tuple[str, str, bool]] = (),
) -> Trained:
    """Learn a model from profiles; see `train`. Labels are (key, key, is one person)."""
    kept = list(profiles)
    table = table_of(kept)
    place = {profile.key: row for row, profile in enumerate(kept)}
    known = [(place[a], place[b], same) for a, b, same in labels if a in place and b in place]
    return train(table, candidate_pairs(table), base=base, seed=seed, labels=known)


def train(
    table: ProfileTable,
    candidates: Candidates,
    *,
    base: MatchModel,
    seed: int = 1,
    labels: Sequence[tuple[int, int, bool]] = (),
    mapper: Mapper = in_process,
) -> Trained:
    """Learn a model from a table and its candidate pairs, starting from what `base` believes.

    `labels` are (row, row, is one person). `mapper` compares several samples of pairs, each by itself. With
    too few pairs, or where learning contradicts belief, shipped shares are kept, with the table's own
    frequencies and priors. Labels that contradict all that is known are left aside.
    """
    rng = np.random.default_rng(seed)
    believed = _believe(base, table)
    sample = _sample(candidates.pairs, PAIRS_FOR_PRIORS, rng)
    scale = len(candidates.pairs) / max(len(sample), 1)
    believed = fit_priors(believed, table, sample, scale)
    learnt = _Learning(believed, table, candidates, labels, rng, mapper)
    if not learnt.patterns:
        note = (
            f"There are too few candidate pairs ({len(candidates.pairs):,}), or they are too much alike, to"
            " learn from; shipped shares are used."
        )
        return Trained(believed, "believed", {"notes": [note], "rules": [], "rounds": 0})
    learnt.learn()
    model = fit_priors(learnt.model(), table, sample, scale)
    facts = {"rules": [entry.rule for entry in learnt.patterns], "rounds": learnt.rounds}
    if labels:
        chosen = choose_by_labels(believed, model, table, labels, facts)
        return chosen or _without_labels(train(table, candidates, base=base, seed=seed, mapper=mapper))
    if refusal := _incredible(believed, model):
        return Trained(believed, "believed", facts | {"notes": [refusal]})
    return Trained(model, "trained", facts | {"notes": []})


def choose_by_labels(
    believed: MatchModel,
    model: MatchModel,
    table: ProfileTable,
    labels: Sequence[tuple[int, int, bool]],
    facts: dict[str, Any],
) -> Trained | None:
    """Keep what was learnt unless shipped shares are less surprised by the labels; None when a coin is."""
    surprises = [surprise(entry, table, labels) for entry in (believed, model)]
    if min(surprises) > COIN:
        return None
    facts = facts | {"labels": len(labels), "surprise_bits": [round(entry, 4) for entry in surprises]}
    if surprises[0] < surprises[1]:
        note = "Learning was rejected: the labels fit the shipped shares better. Shipped shares are used."
        return Trained(believed, "believed", facts | {"notes": [note]})
    return Trained(model, "labels", facts | {"notes": []})


def _without_labels(found: Trained) -> Trained:
    note = (
        "The labels were left aside: they contradict the records so much that a coin would fit them better."
        " Look whether yes and no were exchanged."
    )
    return replace(found, facts=found.facts | {"notes": [note, *found.facts["notes"]]})


def surprise(model: MatchModel, table: ProfileTable, labels: Sequence[tuple[int, int, bool]]) -> float:
    """Return the mean log loss of labelled pairs in bits: how much each label surprises the model."""
    left, right = (np.array([label[place] for label in labels], dtype=np.int64) for place in (0, 1))
    weights = np.concatenate([part.weight for part in score_rows(model, table, left, right)])
    signs = np.where([label[2] for label in labels], -1.0, 1.0)
    return float(np.logaddexp2(0.0, signs * weights).mean())


def _incredible(believed: MatchModel, model: MatchModel) -> str:
    """Say why a trained model is not believed; empty when it is."""
    ratio = 2.0 ** (model.prior - believed.prior)
    low, high = CREDIBLE
    if low <= ratio <= high:
        return ""
    return (
        f"Learning was rejected: it came to {ratio:.1f} times the pairs of one person that shipped shares"
        " expect, which is what taking one home for one person looks like. Shipped shares are used."
    )


def _believe(base: MatchModel, table: ProfileTable) -> MatchModel:
    """What is thought before any pair was looked at: shipped shares, the table's frequencies and columns."""
    comparisons = dict(base.comparisons)
    for name in table.columns:
        if name.startswith(EXTRA) and name not in comparisons:
            comparisons[name] = tuple(
                Level(level, m=same, u=random, household=home)
                for level, (same, home, random) in ((level, EXTRA_BELIEF[level]) for level in extra.LEVELS)
            )
    known = replace(base, comparisons=comparisons, frequencies=learn_frequencies(table, base))
    possible = max(len(table) * (len(table) - 1) / 2, 1.0)
    prior = min(math.log2(max(len(table) / 2, 1.0) / possible), -1.0)
    return replace(known, prior=prior, household_prior=prior)


def learn_frequencies(table: ProfileTable, base: MatchModel) -> dict[str, Frequencies]:
    """Blend the shipped shares of names with the table's own, count extra columns and what many share."""
    found = dict(base.frequencies)
    column = table.columns[NAME]
    for name, part in zip(FREQUENCY_FIELDS, map(column.part, ("given", "family")), strict=True):
        numbers = part.codes[column.codes]
        counts = np.bincount(numbers[numbers >= 0], minlength=len(part.texts))
        found[name] = _blend(base.frequencies[name], part.texts, counts)
    for name, column in table.columns.items():
        if name.startswith(EXTRA) and len(column.codes):
            found[name] = _count(column)
    for name in SHARED_FIELDS:
        if shared := _count_shared(table.columns[name]):
            found[name] = _beside(shared, base.comparisons[name][0].u)
    return found


def _common(texts: Sequence[str], counts: Rows) -> dict[str, int]:
    order = np.argsort(-counts, kind="stable")[:MOST_VALUES_KEPT]
    return {texts[place]: int(counts[place]) for place in order if counts[place] >= FEWEST_OF_A_VALUE}


def _blend(shipped: Frequencies, texts: Sequence[str], counts: Rows) -> Frequencies:
    total = counts.sum() + BELIEF_NAMES
    common = _common(texts, counts)
    values = {
        text: min((common.get(text, 0) + BELIEF_NAMES * shipped.share_of(text)) / total, 1.0)
        for text in dict.fromkeys((*shipped.values, *common))
    }
    return Frequencies(values, shipped.default, shipped.floor)


def _count(column: Column) -> Frequencies:
    counts = np.bincount(column.codes, minlength=len(column.values))
    total = float(counts.sum())
    rarest = min(FEWEST_OF_A_VALUE / total, 1.0)
    values = {text: count / total for text, count in _common(column.values, counts).items()}
    return Frequencies(values, rarest, rarest)


def _count_shared(column: Column) -> dict[str, float]:
    """The shares of those values that more records have than one person does."""
    counts = np.bincount(column.codes, minlength=len(column.values))
    total = float(counts.sum())
    places = np.flatnonzero(counts > MOST_OF_A_PERSON)
    return {column.values[place]: float(counts[place] / total) for place in places.tolist()}


def _beside(shared: Mapping[str, float], exact: float) -> Frequencies:
    """Shares of some values, of which the others have that of any two strangers who agree."""
    return Frequencies({text: max(share, exact) for text, share in shared.items()}, exact, exact)


def _sample(pairs: Rows, most: int, rng: np.random.Generator) -> Rows:
    if len(pairs) <= most:
        return pairs
    return np.sort(pairs[rng.choice(len(pairs), most, replace=False)])


def _random_pairs(count: int, rng: np.random.Generator) -> Rows:
    possible = count * (count - 1) // 2
    if possible <= RANDOM_PAIRS:
        left, right = np.triu_indices(count, 1)
        return (left * count + right).astype(np.int64)
    left, right = rng.integers(0, count, RANDOM_PAIRS), rng.integers(0, count, RANDOM_PAIRS)
    apart = left != right
    pairs: Rows = np.unique(np.minimum(left, right)[apart] * count + np.maximum(left, right)[apart])
    return pairs


@dataclass(frozen=True, eq=False)
class _Patterns:
    """Pairs of one rule, compressed: each distinct combination of levels and how often it occurs.

    The fields that the rule makes agree are silent.
    """

    rule: str
    levels: Levels  # patterns × fields
    counts: Floats


class _Learning:
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
        samples = [_sample(entry.pairs, PAIRS_A_RULE, rng) for entry in coarse]
        every = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *samples]))
        seen, strange = mapper(partial(self._levels, table), (every, _random_pairs(len(table), rng)))
        patterns = (
            self._compress(entry, seen[np.searchsorted(every, pairs)])
            for entry, pairs in zip(coarse, samples, strict=True)
        )
        self.patterns = [entry for entry in patterns if entry.counts.sum() >= FEWEST_PAIRS]
        self.mixes = np.tile([0.5, 0.25, 0.25], (len(self.patterns), 1))
        self.strangers = _distinct_rows(strange)
        self.labelled = self._labelled(table, labels)

    def _levels(self, table: ProfileTable, pairs: Rows) -> Levels:
        """The level of every field of every pair: pairs × fields."""
        found = np.full((len(pairs), len(self.fields)), SILENT, dtype=np.int8)
        done = 0
        for scores in score_rows(self.believed, table, pairs // len(table), pairs % len(table)):
            for place, name in enumerate(self.fields):
                if name in scores.levels:
                    found[done : done + len(scores), place] = scores.levels[name]
            done += len(scores)
        return found

    def _compress(self, entry: Joined, levels: Levels) -> _Patterns:
        silent = fields_of(entry.tokens)
        levels[:, [name in silent for name in self.fields]] = SILENT
        return _Patterns(entry.rule.name, *_distinct_rows(levels))

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
            found.append(_distinct_rows(self._levels(table, pairs)))
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
            for kind, known in zip((SAME, HOUSEHOLD), self.labelled, strict=True):
                self._count_labels(sums, kind, *known)
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

    def _count_labels(self, sums: Shares, kind: int, levels: Levels, counts: Floats) -> None:
        """Count labelled pairs of one person as such; others as of one home, by how much they look it."""
        weights = np.zeros((len(levels), CLASSES))
        if kind == SAME:
            weights[:, SAME] = counts
        else:
            prior = np.array([1e-300, 2.0**self.believed.household_prior, 1.0])
            weights = _posterior(self._likely(levels), prior) * counts[:, None]
        weights *= LABEL_STRENGTH
        for place, name in enumerate(self.fields):
            _add_counts(sums[name], levels[:, place], weights)

    def _take_over(self, sums: Shares) -> float:
        """Make sums the new shares; return the most that any share moved."""
        moved = 0.0
        for name in self.fields:
            fresh = sums[name] / sums[name].sum(axis=0)
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
            name: _beside(self.believed.frequencies[name].values, comparisons[name][0].u)
            for name in SHARED_FIELDS
            if name in self.believed.frequencies
        }
        frequencies = {**self.believed.frequencies, **shared}
        return replace(self.believed, comparisons=comparisons, frequencies=frequencies)


def _share(value: float) -> float:
    return float(min(max(value, 1e-9), 1.0))


def fields_of(tokens: Iterable[str]) -> frozenset[str]:
    """Name the comparisons that sharing these tokens decides beforehand."""
    found: set[str] = set()
    for token in tokens:
        name = TOKENS[token].field
        found |= set(_PARTS_OF_TOKENS.get(token, FREQUENCY_FIELDS)) if name == NAME else {name}
    return frozenset(found)


def _shares_of(model: MatchModel) -> Shares:
    tables = {
        name: np.array([[level.m, level.household, level.u] for level in levels])
        for name, levels in model.comparisons.items()
    }
    return {name: table / table.sum(axis=0) for name, table in tables.items()}


def _distinct_rows(levels: Levels) -> tuple[Levels, Floats]:
    """The distinct rows, and how often each occurs."""
    packed = np.zeros(len(levels), dtype=np.int64)
    for place in range(levels.shape[1]):
        packed = packed * 12 + (levels[:, place] + 1)
        if place % 14 == 13:
            packed = np.unique(packed, return_inverse=True)[1].astype(np.int64)
    _, first, counts = np.unique(packed, return_index=True, return_counts=True)
    return levels[first], counts.astype(np.float64)


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


def fit_priors(model: MatchModel, table: ProfileTable, pairs: Rows, scale: float = 1.0) -> MatchModel:
    """Set the priors so that they expect as many pairs of each class as the candidates hold.

    `pairs` are a sample of which each stands for `scale` candidate pairs.
    """
    possible = max(len(table) * (len(table) - 1) / 2, 1.0)
    at_random, at_home = _odds_without_priors(model, table, pairs)
    prior, household_prior = model.prior, model.household_prior
    for _ in range(30):
        home = 2.0 ** np.clip(at_home + household_prior, -60, 60)
        one = 2.0 ** np.clip(at_random + prior, -60, 60)
        whole = one + home + 1.0
        before = prior, household_prior
        prior = _prior_of(float((one / whole).sum()) * scale, possible)
        household_prior = _prior_of(float((home / whole).sum()) * scale, possible)
        if abs(before[0] - prior) + abs(before[1] - household_prior) < 0.01:
            break
    return replace(model, prior=prior, household_prior=household_prior)


def _prior_of(expected: float, possible: float) -> float:
    return math.log2(min(max(expected, 0.5) / possible, 0.4))


def _odds_without_priors(model: MatchModel, table: ProfileTable, pairs: Rows) -> tuple[Floats, Floats]:
    parts = list(score_rows(model, table, pairs // max(len(table), 1), pairs % max(len(table), 1)))
    at_random = np.concatenate([np.zeros(0), *(part.at_random for part in parts)])
    at_home = np.concatenate([np.zeros(0), *(part.at_home for part in parts)])
    return at_random - model.prior, at_home - model.household_prior
