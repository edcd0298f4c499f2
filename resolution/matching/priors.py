"""How many pairs of all there are of one person, and of one home."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from resolution.matching.kernel import score_rows
from resolution.matching.model import MatchModel
from resolution.matching.scores import Floats
from resolution.matching.table import ProfileTable, Rows


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
