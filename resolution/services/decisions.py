"""The words a steward may decide a conflict with."""

from __future__ import annotations

from resolution.models import Conflict

PAIR_WORDS = ("same", "different", "related", "unsure")
OWNER_WORDS = ("keep_owner", "move_identifier")
DECISIONS = (*PAIR_WORDS, *OWNER_WORDS)
ABOUT_AN_IDENTIFIER = frozenset({Conflict.Kind.VERIFIED_IDENTIFIER, Conflict.Kind.HIGH_CONFIDENCE_IDENTIFIER})


def decisions_for(conflict_kind: str, identifier_type: str = "") -> tuple[str, ...]:
    """Return the words a conflict of this kind can be decided with; a contradiction may be about a claim."""
    claimed = conflict_kind == Conflict.Kind.CONTRADICTION and bool(identifier_type)
    return DECISIONS if claimed or conflict_kind in ABOUT_AN_IDENTIFIER else PAIR_WORDS
