"""External ids: exact within one system, silent across two."""

from __future__ import annotations

from collections.abc import Sequence

from resolution.matching.comparisons.outcome import Outcome, is_one_slip
from resolution.matching.normalise.external_id import bare_id
from resolution.types import Profile

LEVELS = ("exact", "close", "different")

SAME = Outcome("exact", "same id in one system")
SAME_BARE = Outcome("exact", "same id in one system, grouped otherwise")
SLIP = Outcome("close", "one character of the id differs")
DIFFERENT = Outcome("different", "two ids of one system")

SHORTEST_FOR_SLIPS = 6


def compare_external_ids(left: str, right: str) -> Outcome | None:
    """Compare two ids written "system:value"; None when they are of different systems."""
    if left == right:
        return SAME
    if system_of(left) != system_of(right):
        return None
    value, other = (bare_id(text).rpartition(":")[2] for text in (left, right))
    if value == other:
        return SAME_BARE
    long_enough = min(len(value), len(other)) >= SHORTEST_FOR_SLIPS
    return SLIP if long_enough and is_one_slip(value, other) else DIFFERENT


def system_of(external_id: str) -> str:
    """Name the system an id was written with."""
    return external_id.rpartition(":")[0]


def hard_conflict(left: Profile, right: Profile, exclusive_systems: Sequence[str]) -> str:
    """Name the first system in which both have ids and share none, though it gives a person one id only."""
    for system in exclusive_systems:
        lefts = {bare_id(value) for value in left.external_ids if system_of(value) == system}
        rights = {bare_id(value) for value in right.external_ids if system_of(value) == system}
        if lefts and rights and lefts.isdisjoint(rights):
            return f"two different ids of {system}, which gives a customer only one"
    return ""
