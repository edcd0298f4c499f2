"""The words a steward may decide a conflict with."""

from __future__ import annotations

from resolution.models import Conflict

PAIR_WORDS = ("same", "different", "related", "unsure")
OWNER_WORDS = ("keep_owner", "move_identifier")
DECISIONS = (*PAIR_WORDS, *OWNER_WORDS)
ABOUT_AN_IDENTIFIER = frozenset({Conflict.Kind.VERIFIED_IDENTIFIER, Conflict.Kind.HIGH_CONFIDENCE_IDENTIFIER})


def decisions_for(conflict_kind: str) -> tuple[str, ...]:
    """Return the words a conflict of this kind can be decided with."""
    return DECISIONS if conflict_kind in ABOUT_AN_IDENTIFIER else PAIR_WORDS
