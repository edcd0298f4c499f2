"""External ids: exact within one system, silent across two."""

from __future__ import annotations

from resolution.matching.comparisons.outcome import Outcome, is_one_slip

LEVELS = ("exact", "close", "different")

SAME = Outcome("exact", "same id in one system")
SLIP = Outcome("close", "one character of the id differs")
DIFFERENT = Outcome("different", "two ids of one system")

SHORTEST_FOR_SLIPS = 6


def compare_external_ids(left: str, right: str) -> Outcome | None:
    """Compare two ids written "system:value"; None when they are of different systems."""
    if left == right:
        return SAME
    system, _, value = left.rpartition(":")
    other_system, _, other = right.rpartition(":")
    if system != other_system:
        return None
    long_enough = min(len(value), len(other)) >= SHORTEST_FOR_SLIPS
    return SLIP if long_enough and is_one_slip(value, other) else DIFFERENT


def system_of(external_id: str) -> str:
    """Name the system an id was written with."""
    return external_id.rpartition(":")[0]
