"""A model learnt from the records themselves: no labels needed, labels welcome.

The shipped model is what is believed beforehand; data move it as far as there are enough of them.

frequencies      how common each name is (`beliefs`)
u                how often strangers agree: random pairs, those left out that look like one person
m and household  how often records of one person, and people of one home, agree: expectation maximisation
                 over candidate pairs. Every blocking rule has its own mix of the classes, and says nothing
                 about the fields that it makes agree. (`mixture`; Dempster, Laird & Rubin 1977; Winkler 2000)
priors           how many pairs of all there are of each class (`priors`)

Levels are compressed to `patterns` first: thousands of pairs agree and differ in the same way. Everything is
seeded; the same records give the same model. A result that contradicts what is believed on the whole is
rejected, and says so in its notes: a mixture can take one home for one person where little else is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np

from resolution.matching.beliefs import believe
from resolution.matching.candidates import Candidates, candidate_pairs
from resolution.matching.kernel import score_rows
from resolution.matching.mixture import Learning
from resolution.matching.model import MatchModel
from resolution.matching.normalise.bulk import Mapper, in_process
from resolution.matching.patterns import sample_of
from resolution.matching.priors import fit_priors
from resolution.matching.table import ProfileTable, table_of
from resolution.types import Profile

# Candidate pairs that are scored for the priors: more moves the third digit of nothing.
PAIRS_FOR_PRIORS = 60_000
# Labels that surprise a model more than this many bits each fit a coin better.
COIN = 1.0
# A training is believed when it expects this many times the pairs that shipped shares expect.
CREDIBLE = (0.7, 1.2)

# Row, row, and whether they are one person.
Label: TypeAlias = tuple[int, int, bool]


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
    labels: Sequence[Label] = (),
    mapper: Mapper = in_process,
    distinct: ProfileTable | None = None,
) -> Trained:
    """Learn a model from a table and its candidate pairs, starting from what `base` believes.

    `labels` are (row, row, is one person). `mapper` compares several samples of pairs, each by itself.
    `distinct` is the table without copies, by which values are common or rare. With too few pairs, or where
    learning contradicts belief, shipped shares are kept, with the table's own frequencies and priors. Labels
    that contradict all that is known are left aside.
    """
    rng = np.random.default_rng(seed)
    believed = believe(base, table, distinct)
    sample = sample_of(candidates.pairs, PAIRS_FOR_PRIORS, rng)
    scale = len(candidates.pairs) / max(len(sample), 1)
    believed = fit_priors(believed, table, sample, scale)
    learnt = Learning(believed, table, candidates, labels, rng, mapper)
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
        return chosen or _without_labels(
            train(table, candidates, base=base, seed=seed, mapper=mapper, distinct=distinct)
        )
    if refusal := _incredible(believed, model):
        return Trained(believed, "believed", facts | {"notes": [refusal]})
    return Trained(model, "trained", facts | {"notes": []})


def choose_by_labels(
    believed: MatchModel,
    model: MatchModel,
    table: ProfileTable,
    labels: Sequence[Label],
    facts: dict[str, Any],
) -> Trained | None:
    """Keep what was learnt unless labels speak for shipped shares; None when a coin fits them better.

    What cannot be believed by itself is rejected when shipped shares are less surprised by all labels. All
    else must lose on either answer: how many of each were picked says nothing about the records.
    """
    surprises = [surprise(entry, table, labels) for entry in (believed, model)]
    if min(surprises) > COIN:
        return None
    facts = facts | {"labels": len(labels), "surprise_bits": [round(entry, 4) for entry in surprises]}
    parts = [labels] if _incredible(believed, model) else _by_answer(labels)
    if all(surprise(believed, table, part) < surprise(model, table, part) for part in parts):
        note = "Learning was rejected: the labels fit the shipped shares better. Shipped shares are used."
        return Trained(believed, "believed", facts | {"notes": [note]})
    return Trained(model, "labels", facts | {"notes": []})


def _by_answer(labels: Sequence[Label]) -> list[list[Label]]:
    parts = ([label for label in labels if label[2] is answer] for answer in (True, False))
    return [part for part in parts if part]


def _without_labels(found: Trained) -> Trained:
    note = (
        "The labels were left aside: they contradict the records so much that a coin would fit them better."
        " Look whether yes and no were exchanged."
    )
    return replace(found, facts=found.facts | {"notes": [note, *found.facts["notes"]]})


def surprise(model: MatchModel, table: ProfileTable, labels: Sequence[Label]) -> float:
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
