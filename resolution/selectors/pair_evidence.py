"""Why two customers are, or are not, one person: the steps to the weight of a pair."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from customers.models import Customer
from resolution.matching.decide import band_of
from resolution.matching.kernel import score_pairs
from resolution.selectors.labels import field_label
from resolution.selectors.match_model import live_model, live_policy
from resolution.selectors.profiles import load_profiles
from resolution.types import FieldEvidence, PairScore

PRIOR = "prior"  # what is known before anything is compared


@dataclass(frozen=True, slots=True)
class Step:
    """One bar of a pair's waterfall: from `start` to `end`, in log2 odds."""

    evidence: FieldEvidence
    label: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class PairEvidence:
    """Why two customers are, or are not, one person."""

    left: str
    left_name: str
    right: str
    right_name: str
    weight: float
    probability: float
    band: str
    steps: tuple[Step, ...]
    hard_conflict: str

    @property
    def speaks_for(self) -> bool:
        """Whether anything that was compared speaks for one person."""
        return any(step.evidence.weight > 0 for step in self.steps if step.evidence.field != PRIOR)


def evidence_on_pairs(customers: Mapping[uuid.UUID, Customer]) -> tuple[PairEvidence, ...]:
    """Score every pair as a run would, strongest first; merged and erased customers have no profile."""
    profiles = load_profiles(list(customers))
    names = {str(key): customer.display_name for key, customer in customers.items()}
    model = live_model()
    pairs = ((profiles[left], profiles[right]) for left, right in combinations(sorted(profiles), 2))
    scores = score_pairs(model, pairs)
    return tuple(
        _pair(score, names) for score in sorted(scores, key=lambda score: score.weight, reverse=True)
    )


def _pair(score: PairScore, names: Mapping[str, str]) -> PairEvidence:
    return PairEvidence(
        left=score.left,
        left_name=names[score.left],
        right=score.right,
        right_name=names[score.right],
        weight=score.weight,
        probability=score.probability,
        band=band_of(live_policy(), score).value,
        steps=tuple(_steps(score)),
        hard_conflict=score.hard_conflict,
    )


def _steps(score: PairScore) -> Iterator[Step]:
    """Walk from nothing to the weight, one bar a field that says something."""
    end = 0.0
    for evidence in score.fields:
        start, end = end, end + evidence.weight
        yield Step(evidence, field_label(evidence.field), start, end)
