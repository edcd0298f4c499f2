"""A model learnt from the records themselves: no labels needed, labels welcome.

The shipped model is what is believed beforehand; data move it as far as there are enough of them.

u           how often strangers agree: random pairs, those left out that look like one person
m, household how often records of one person, and people of one home, agree: expectation maximisation over
            candidate pairs. Every blocking rule has its own mix of the three classes, and says nothing about
            the fields that it makes agree. (Dempster, Laird & Rubin 1977; Winkler 2000.)
frequencies how common each name is
priors      how many pairs of all there are of each class

Levels are compressed to patterns first: thousands of pairs agree and differ in the same way. Everything is
seeded; the same records give the same model.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from resolution.matching.blocking import TOKENS, Rule, join_keys, key_columns
from resolution.matching.comparisons.many import SILENT, name_parts
from resolution.matching.kernel import NAME, Floats, Scores, score_rows
from resolution.matching.model import FREQUENCY_FIELDS, Frequencies, Level, MatchModel
from resolution.matching.table import Column, ProfileTable, Rows, table_of
from resolution.types import Profile

# Pairs of one rule that are looked at, and random pairs: more changes the third digit of nothing.
PAIRS_A_RULE = 60_000
RANDOM_PAIRS = 300_000
FEWEST_PAIRS = 30
ROUNDS = 60
ENOUGH = 1e-4

# How many pairs of one person, or of one home, the shipped shares count for.
BELIEF_SAME = 60.0
BELIEF_HOUSEHOLD = 150.0
BELIEF_RANDOM = 100_000.0
# Records that the shipped shares of names count for.
BELIEF_NAMES = 2_000.0
# Fewer records of a name than this tell nothing of how common it is.
FEWEST_OF_A_NAME = 5
MOST_NAMES = 20_000

SAME, HOUSEHOLD, RANDOM = 0, 1, 2
CLASSES = 3

# Tokens of a name that make only one of its two parts agree.
_PARTS_OF_TOKENS = {
    "initial": ("given_name",),
    "given": ("given_name",),
    "family": ("family_name",),
    "family_initial": ("family_name",),
}


@dataclass(frozen=True, slots=True)
class Trained:
    """A model, and what is known of how it was made: JSON-ready."""

    model: MatchModel
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
    return train(table, base=base, seed=seed, labels=known)


@dataclass(frozen=True, eq=False)
class _Patterns:
    """Pairs of one rule, compressed: each distinct combination of levels with how often it occurs."""

    rule: str
    levels: npt.NDArray[np.int8]  # patterns × fields
    counts: Floats
    silent_fields: frozenset[str]


@dataclass(slots=True)
class _Shares:
    """The shares being learnt: per field an array of levels × classes."""

    of: dict[str, Floats]


def train(
    table: ProfileTable,
    *,
    base: MatchModel,
    seed: int = 1,
    labels: Sequence[tuple[int, int, bool]] = (),
) -> Trained:
    """Learn a model from a table of profiles, starting from what `base` believes.

    `labels` are (row, row, is one person). With too few records or pairs the base is returned, its priors and
    frequencies made those of the table.
    """
    rng = np.random.default_rng(seed)
    started = replace(base, frequencies=learn_frequencies(table, base))
    pairs = _pairs_by_rule(table, rng)
    random = _random_pairs(len(table), rng)
    every = np.unique(np.concatenate([rows for _, rows in pairs] or [np.zeros(0, dtype=np.int64)]))
    started = _with_priors(started, len(table), expected=max(len(every) / 2, 1.0))
    fields = tuple(started.comparisons)
    shares = _shares_of(started)
    seen = _all_levels(started, table, every, fields)
    strangers = _all_levels(started, table, random, fields)
    patterns = [_compress(rule, tokens, every, rows, seen, fields) for (rule, tokens), rows in pairs]
    patterns = [entry for entry in patterns if entry.counts.sum() >= FEWEST_PAIRS]
    beliefs = _shares_of(started)
    rounds = 0
    for _ in range(3):
        shares.of = _learn_random(shares.of, beliefs.of, strangers, fields, started, len(table))
        rounds += _maximise(patterns, shares, beliefs, fields)
    model = _model_of(started, shares, fields)
    model = fit_priors(model, table, every)
    return Trained(model, {"rounds": rounds, "rules": [entry.rule for entry in patterns]})


def learn_frequencies(table: ProfileTable, base: MatchModel) -> dict[str, Frequencies]:
    """Blend the shipped shares of names with the table's own."""
    found = dict(base.frequencies)
    if not len(table.columns[NAME].codes):
        return found
    column = table.columns[NAME]
    for name, (part, code) in zip(FREQUENCY_FIELDS, name_parts(column), strict=True):
        numbers = code[column.codes]
        counts = np.bincount(numbers[numbers >= 0], minlength=len(part.texts))
        found[name] = _blend(base.frequencies[name], part.texts, counts)
    return found


def _blend(shipped: Frequencies, texts: Sequence[str], counts: Rows) -> Frequencies:
    total = counts.sum() + BELIEF_NAMES
    order = np.argsort(-counts, kind="stable")[:MOST_NAMES]
    common = {texts[place]: int(counts[place]) for place in order if counts[place] >= FEWEST_OF_A_NAME}
    values = {
        text: min((common.get(text, 0) + BELIEF_NAMES * shipped.share_of(text)) / total, 1.0)
        for text in dict.fromkeys((*shipped.values, *common))
    }
    return Frequencies(values, shipped.default, shipped.floor)


def _pairs_by_rule(
    table: ProfileTable, rng: np.random.Generator
) -> list[tuple[tuple[Rule, tuple[str, ...]], Rows]]:
    """Candidate pairs of each rule's coarse key, at most PAIRS_A_RULE of each."""
    found = []
    for keys in key_columns(table):
        if keys.tokens != keys.rule.tokens:
            continue
        pairs = np.unique(join_keys(keys, len(table)).pairs)
        if len(pairs) > PAIRS_A_RULE:
            pairs = np.sort(rng.choice(pairs, PAIRS_A_RULE, replace=False))
        found.append(((keys.rule, keys.tokens), pairs))
    return found


def _random_pairs(count: int, rng: np.random.Generator) -> Rows:
    possible = count * (count - 1) // 2
    if possible <= RANDOM_PAIRS:
        left, right = np.triu_indices(count, 1)
        return (left * count + right).astype(np.int64)
    left, right = rng.integers(0, count, RANDOM_PAIRS), rng.integers(0, count, RANDOM_PAIRS)
    apart = left != right
    pairs: Rows = np.unique(np.minimum(left, right)[apart] * count + np.maximum(left, right)[apart])
    return pairs


def _all_levels(
    model: MatchModel, table: ProfileTable, pairs: Rows, fields: Sequence[str]
) -> npt.NDArray[np.int8]:
    """The level of every field of every pair: pairs × fields."""
    found = np.full((len(pairs), len(fields)), SILENT, dtype=np.int8)
    done = 0
    for scores in score_rows(model, table, pairs // len(table), pairs % len(table)):
        for place, name in enumerate(fields):
            if name in scores.levels:
                found[done : done + len(scores), place] = scores.levels[name]
        done += len(scores)
    return found


def _compress(
    rule: Rule,
    tokens: tuple[str, ...],
    every: Rows,
    pairs: Rows,
    seen: npt.NDArray[np.int8],
    fields: Sequence[str],
) -> _Patterns:
    rows = seen[np.searchsorted(every, pairs)]
    levels, counts = np.unique(rows, axis=0, return_counts=True)
    return _Patterns(rule.name, levels, counts.astype(np.float64), _fields_of(tokens) & frozenset(fields))


def _fields_of(tokens: Iterable[str]) -> frozenset[str]:
    """The comparisons that sharing these tokens decides beforehand."""
    found: set[str] = set()
    for token in tokens:
        name = TOKENS[token].field
        parts = _PARTS_OF_TOKENS.get(token, ("given_name", "family_name"))
        found |= set(parts) if name == NAME else {name}
    return frozenset(found)


def _shares_of(model: MatchModel) -> _Shares:
    return _Shares(
        {
            name: np.array([[level.m, level.household, level.u] for level in levels])
            / np.array([[level.m, level.household, level.u] for level in levels]).sum(axis=0)
            for name, levels in model.comparisons.items()
        }
    )


def _log_likelihood(
    levels: npt.NDArray[np.int8], shares: Mapping[str, Floats], fields: Sequence[str], but: frozenset[str]
) -> Floats:
    """Log of the share of each pattern in each class; a silent field says nothing."""
    total = np.zeros((len(levels), CLASSES))
    for place, name in enumerate(fields):
        if name not in but:
            table = np.vstack([np.log(shares[name]), np.zeros(CLASSES)])
            total += table[levels[:, place]]
    return total


def _maximise(
    patterns: Sequence[_Patterns], shares: _Shares, beliefs: _Shares, fields: Sequence[str]
) -> int:
    """Alternate between what class each pair is of and what each class looks like, until nothing moves."""
    mixes = [np.array([0.5, 0.25, 0.25]) for _ in patterns]
    for turn in range(1, ROUNDS + 1):
        sums = {
            name: _belief_counts(beliefs.of[name]) for name in fields
        }
        moved = 0.0
        for number, entry in enumerate(patterns):
            likely = _log_likelihood(entry.levels, shares.of, fields, entry.silent_fields)
            weights = _posterior(likely, mixes[number]) * entry.counts[:, None]
            mixes[number] = (weights.sum(axis=0) + 1.0) / (weights.sum() + CLASSES)
            for place, name in enumerate(fields):
                if name not in entry.silent_fields:
                    _add_counts(sums[name], entry.levels[:, place], weights)
        for name in fields:
            fresh = sums[name] / sums[name].sum(axis=0)
            fresh[:, RANDOM] = shares.of[name][:, RANDOM]
            moved = max(moved, float(np.abs(fresh - shares.of[name]).max()))
            shares.of[name] = fresh
        if moved < ENOUGH:
            return turn
    return ROUNDS


def _belief_counts(belief: Floats) -> Floats:
    return belief * np.array([BELIEF_SAME, BELIEF_HOUSEHOLD, 1.0])


def _posterior(likely: Floats, mix: Floats) -> Floats:
    joint = likely + np.log(mix)
    joint -= joint.max(axis=1, keepdims=True)
    odds = np.exp(joint)
    found: Floats = odds / odds.sum(axis=1, keepdims=True)
    return found


def _add_counts(sums: Floats, levels: npt.NDArray[np.int8], weights: Floats) -> None:
    said = levels != SILENT
    for kind in range(CLASSES):
        sums[:, kind] += np.bincount(levels[said], weights[said, kind], minlength=len(sums))


def _learn_random(
    shares: dict[str, Floats],
    beliefs: Mapping[str, Floats],
    strangers: npt.NDArray[np.int8],
    fields: Sequence[str],
    model: MatchModel,
    count: int,
) -> dict[str, Floats]:
    """Learn u from random pairs, each counted by how surely it is two strangers."""
    prior = np.array([2.0**model.prior, 2.0**model.household_prior, 1.0])
    likely = _log_likelihood(strangers, shares, fields, frozenset())
    strange = _posterior(likely, prior / prior.sum())[:, RANDOM]
    found = {}
    for place, name in enumerate(fields):
        levels = strangers[:, place]
        said = levels != SILENT
        counts = np.bincount(levels[said], strange[said], minlength=len(shares[name]))
        counts = counts + BELIEF_RANDOM * beliefs[name][:, RANDOM]
        found[name] = shares[name].copy()
        found[name][:, RANDOM] = counts / counts.sum()
    return found


def _model_of(model: MatchModel, shares: _Shares, fields: Sequence[str]) -> MatchModel:
    comparisons = {
        name: tuple(
            Level(level.name, *(float(min(max(share, 1e-9), 1.0)) for share in (row[SAME], row[RANDOM], row[HOUSEHOLD])))
            for level, row in zip(model.comparisons[name], shares.of[name], strict=True)
        )
        for name in fields
    }
    return replace(model, comparisons=comparisons)


def _with_priors(model: MatchModel, count: int, *, expected: float) -> MatchModel:
    possible = max(count * (count - 1) / 2, 1.0)
    prior = min(math.log2(expected / possible), -1.0)
    return replace(model, prior=prior, household_prior=prior)


def fit_priors(model: MatchModel, table: ProfileTable, pairs: Rows) -> MatchModel:
    """Set the priors so that they expect as many pairs of each class as the candidates hold."""
    possible = max(len(table) * (len(table) - 1) / 2, 1.0)
    for _ in range(8):
        same, household = expected_pairs(model, table, pairs)
        prior = math.log2(min(max(same, 0.5) / possible, 0.4))
        household_prior = math.log2(min(max(household, 0.5) / possible, 0.4))
        moved = abs(prior - model.prior) + abs(household_prior - model.household_prior)
        model = replace(model, prior=prior, household_prior=household_prior)
        if moved < 0.02:
            break
    return model


def expected_pairs(model: MatchModel, table: ProfileTable, pairs: Rows) -> tuple[float, float]:
    """How many of these pairs are one person, and how many one home, by the model."""
    same = household = 0.0
    for scores in score_rows(model, table, pairs // len(table), pairs % len(table), floor=-20.0):
        one = _probability(scores.weight)
        same += float(one.sum())
        household += float(((1 - one) * (1 - 2.0**scores.correction)).sum())
    return same, household


def _probability(weight: Floats) -> Floats:
    found: Floats = 1 / (1 + 2.0 ** -np.clip(weight, -60, 60))
    return found
