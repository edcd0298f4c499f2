"""Social handles: exact, and silent across two networks."""

from __future__ import annotations

from resolution.matching.comparisons.outcome import Outcome

LEVELS = ("exact", "different")

SAME = Outcome("exact", "same handle")
DIFFERENT = Outcome("different", "different handle")


def compare_handles(left: str, right: str) -> Outcome | None:
    """Compare two handles; None when they name different networks."""
    if left == right:
        return SAME
    network, _, _ = left.rpartition(":")
    other_network, _, _ = right.rpartition(":")
    return DIFFERENT if network == other_network else None
