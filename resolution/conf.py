"""Policy and thresholds, read once from settings.IDENTITY_DESK and checked by `checks.py`.

Weights are log2 odds: +6 means 64 to 1 that two customers are the same person.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from decimal import Decimal
from functools import lru_cache

from django.conf import settings

from resolution.matching import decide

_BANDS = decide.Policy()  # what the shipped model was weighed for


@dataclass(frozen=True, slots=True)
class Policy:
    """What Identity Desk may settle alone, and how long things may wait."""

    auto_weight: float = _BANDS.auto
    sample_weight: float = _BANDS.sample
    review_weight: float = _BANDS.review
    margin: float = _BANDS.margin
    high_confidence: Decimal = Decimal("0.80")
    lookup_confidence: Decimal = Decimal("0.80")
    cache_seconds: int = 3600
    fence_seconds: int = 60
    lease_minutes: int = 15
    claim_size: int = 20
    review_days: int = 3
    park_days_limit: int = 90
    idempotency_hours: int = 24


@lru_cache(maxsize=1)
def policy() -> Policy:
    """Return the policy in force.

    Raises TypeError naming the entry when settings.IDENTITY_DESK holds a name that is not a policy.
    """
    given = getattr(settings, "IDENTITY_DESK", {})
    known = {entry.name for entry in fields(Policy)}
    unknown = sorted(set(given) - known)
    if unknown:
        raise TypeError(f"IDENTITY_DESK knows no {', '.join(unknown)}; it knows {', '.join(sorted(known))}.")
    return Policy(**given)
