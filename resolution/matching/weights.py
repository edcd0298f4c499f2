"""A model made ready to evaluate: log2 odds of each level as arrays, of each value by how common it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from resolution.matching.model import Level, MatchModel
from resolution.matching.scores import GIVEN, Floats

# The most telling for their price first, so that bounds bite early. Extra columns come last.
SINGLE_FIELDS = ("birth_date", "email", "phone", "external_id", "address", "company", "handle")


@lru_cache(8)
def weights_of(model: MatchModel) -> Weights:
    """Make a model ready to evaluate, once."""
    return Weights(model)


class Weights:
    """A model made ready to evaluate: the weights of each level as arrays."""

    def __init__(self, model: MatchModel) -> None:
        self.model = model
        self.same = {field: _bits(levels, "weight") for field, levels in model.comparisons.items()}
        self.household = {
            field: _bits(levels, "household_weight") for field, levels in model.comparisons.items()
        }
        self.extras = tuple(field for field in model.comparisons if field.startswith("extra:"))
        self.fields = (*SINGLE_FIELDS, *self.extras)
        self.known_names = model.frequencies[GIVEN].values.keys()
        self.best = {field: _best_case(model, field) for field in self.fields}

    def value_weights(self, field: str, level: int, values: Sequence[str]) -> tuple[Floats, Floats]:
        """What an exact agreement on each value adds: by how common it is, where the model knows."""
        table, exact = self.model.frequencies.get(field), self.model.comparisons[field][level]
        if table is None or level != 0:
            count = len(values)
            return np.full(count, exact.weight), np.full(count, exact.household_weight)
        share = np.array([table.share_of_either(value, field == GIVEN) for value in values], dtype=np.float64)
        return np.log2(exact.m / share), np.log2(np.maximum(exact.household, share) / share)


def _bits(levels: Sequence[Level], attribute: str) -> Floats:
    """The log2 odds of each level, then the zero of silence, which is looked up as the last."""
    return np.array([*(getattr(level, attribute) for level in levels), 0.0])


def _best_case(model: MatchModel, field: str) -> tuple[float, float]:
    """The most a field can add, and the most it can add against two people of one home; at least 0."""
    levels = model.comparisons.get(field, ())
    same = [level.weight for level in levels]
    against = [level.weight - level.household_weight for level in levels]
    if levels and (table := model.frequencies.get(field)):
        same.append(math.log2(levels[0].m / table.rarest))
        against.append(math.log2(levels[0].m / min(max(levels[0].household, table.rarest), 1.0)))
    return max(0.0, *same, 0.0), max(0.0, *against, 0.0)
