"""From which weight on to link, without labels: where the model itself expects the best F1.

A match weight is log2 odds, so a pair of weight w is one person with probability 1 / (1 + 2^-w). Summed over
pairs these probabilities say how many of those linked are right, and how many are missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

# Where nothing was scored, even odds.
EVEN_ODDS = 0.0
_SATURATED = 60.0
_POINTS = 60
# Above it nothing is in doubt.
_TOP = 30.0


@dataclass(frozen=True, slots=True)
class Expected:
    """What to expect when every pair at or above `weight` is linked."""

    weight: float
    precision: float
    recall: float

    @property
    def f1(self) -> float:
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def probability_of(weights: npt.NDArray[np.floating]) -> Floats:
    """Turn match weights into probabilities."""
    bounded = np.clip(np.asarray(weights, dtype=np.float64), -_SATURATED, _SATURATED)
    found: Floats = 1 / (1 + 2.0**-bounded)
    return found


def expect(weights: npt.NDArray[np.floating]) -> tuple[Floats, Floats, Floats]:
    """Give the weights from high to low, and the precision and recall to expect of linking down to each."""
    ordered = np.sort(np.asarray(weights, dtype=np.float64))[::-1]
    right = np.cumsum(probability_of(ordered))
    linked = np.arange(1, len(ordered) + 1)
    return ordered, right / linked, right / right[-1] if len(right) else right


def choose_threshold(weights: npt.NDArray[np.floating]) -> Expected | None:
    """Choose the weight of the best expected F1; None without any pair.

    Between the last pair linked and the first one that is not, every weight links the same: even odds are
    taken where they lie there, so that a few sure pairs do not raise the bar for other records.
    """
    ordered, precision, recall = expect(weights)
    if not len(ordered):
        return None
    best = int(np.argmax(2 * precision * recall / (precision + recall)))
    last, following = float(ordered[best]), float(ordered[best + 1]) if best + 1 < len(ordered) else -np.inf
    weight = EVEN_ODDS if following < EVEN_ODDS < last else last
    return Expected(weight, float(precision[best]), float(recall[best]))


def expected_at(weights: npt.NDArray[np.floating], threshold: float) -> Expected | None:
    """What to expect of a threshold that somebody chose; None when no pair reaches it."""
    ordered, precision, recall = expect(weights)
    linked = int((ordered >= threshold).sum())
    return Expected(threshold, float(precision[linked - 1]), float(recall[linked - 1])) if linked else None


def expected_curve(weights: npt.NDArray[np.floating]) -> tuple[Expected, ...]:
    """What to expect at weights evenly spread over the scored ones, from low to high."""
    ordered, precision, recall = expect(weights)
    if not len(ordered):
        return ()
    steps = np.linspace(ordered[-1], max(min(ordered[0], _TOP), ordered[-1]), _POINTS)
    linked = np.searchsorted(-ordered, -steps, side="right")
    found = [
        Expected(float(step), float(precision[place - 1]), float(recall[place - 1]))
        for step, place in zip(steps, linked, strict=True)
        if place
    ]
    return tuple(found)
