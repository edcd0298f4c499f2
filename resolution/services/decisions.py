"""The words a steward may decide a conflict with."""

from __future__ import annotations

from resolution.models import Conflict

PAIR_WORDS = ("same", "different", "related", "unsure")
OWNER_WORDS = ("keep_owner", "move_identifier")
ACCEPT = "accept"
DECISIONS = (*PAIR_WORDS, *OWNER_WORDS, ACCEPT)
ABOUT_AN_IDENTIFIER = frozenset({Conflict.Kind.VERIFIED_IDENTIFIER, Conflict.Kind.HIGH_CONFIDENCE_IDENTIFIER})


ABOUT_ONE = frozenset({Conflict.Kind.LIMIT_REACHED, Conflict.Kind.OVER_MERGE})
# Kinds that may ask about one customer alone: a merge answers nothing there.
ASKS_OF_ONE = ABOUT_ONE | {Conflict.Kind.SHARED_VALUE}


def decisions_for(conflict_kind: str, identifier_type: str = "") -> tuple[str, ...]:
    """Return the words a conflict of this kind can be decided with; a contradiction may be about a claim."""
    claimed = conflict_kind == Conflict.Kind.CONTRADICTION and bool(identifier_type)
    if claimed or conflict_kind in ABOUT_AN_IDENTIFIER:
        return (*PAIR_WORDS, *OWNER_WORDS)
    if conflict_kind in ABOUT_ONE:
        return (ACCEPT,)
    return (*PAIR_WORDS, ACCEPT) if conflict_kind == Conflict.Kind.SHARED_VALUE else PAIR_WORDS
