"""The model and the policy that decisions are made with."""

from __future__ import annotations

from functools import lru_cache

from resolution.conf import policy
from resolution.matching.decide import Policy
from resolution.matching.model import MatchModel, load_model


@lru_cache(maxsize=1)
def live_model() -> MatchModel:
    """Return the model in force, loaded once a process."""
    return load_model(None)


def live_policy() -> Policy:
    """Return the bands and the margin in force, in log2 odds."""
    rules = policy()
    return Policy(
        auto=rules.auto_weight, sample=rules.sample_weight, review=rules.review_weight, margin=rules.margin
    )
