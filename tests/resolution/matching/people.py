"""The smallest profiles that a matching test needs."""

from __future__ import annotations

from resolution.matching.kernel import score_pair
from resolution.matching.model import load_model
from resolution.matching.normalise.profile import build_profile
from resolution.types import PairScore, Profile


def person(key: str = "a", **fields: str) -> Profile:
    """A customer of one British record."""
    return build_profile(key, [{"country": "GB", **fields}])


def score(left: Profile, right: Profile) -> PairScore:
    """Score two profiles with the shipped model."""
    return score_pair(load_model(), left, right)


def levels(score: PairScore) -> dict[str, str]:
    """Field → level, of the fields that speak."""
    return {row.field: row.level for row in score.fields if row.field not in ("prior", "household")}


def details(score: PairScore) -> dict[str, str]:
    return {row.field: row.detail for row in score.fields}
