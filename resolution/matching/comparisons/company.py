"""Company names without their legal form."""

from __future__ import annotations

from rapidfuzz import fuzz

from resolution.matching.comparisons.outcome import Outcome

LEVELS = ("exact", "close", "different")

SAME = Outcome("exact", "same company")
ALIKE = Outcome("close", "company spelled differently")
DIFFERENT = Outcome("different", "different company")

NAMES_ALIKE = 88.0


def compare_companies(left: str, right: str) -> Outcome:
    """Compare two canonical company names."""
    if left == right:
        return SAME
    return ALIKE if fuzz.token_sort_ratio(left, right, score_cutoff=NAMES_ALIKE) else DIFFERENT
