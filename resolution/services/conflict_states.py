"""The states of a conflict and the moves between them."""

from __future__ import annotations

from resolution.errors import IllegalTransition
from resolution.models import Conflict

State = Conflict.State
# From each state, the states a conflict may go to. A lapsed claim may be taken over: claimed → claimed.
TRANSITIONS: dict[str, frozenset[str]] = {
    State.OPEN: frozenset({State.CLAIMED, State.DONE}),
    State.CLAIMED: frozenset({State.OPEN, State.CLAIMED, State.PARKED, State.DECIDED, State.DONE}),
    State.PARKED: frozenset({State.OPEN, State.CLAIMED, State.DONE}),
    State.DECIDED: frozenset({State.RETURNED, State.DONE}),
    State.RETURNED: frozenset({State.OPEN, State.CLAIMED, State.DONE}),
    State.DONE: frozenset(),
}


def check_transition(conflict: Conflict, wanted: str) -> None:
    """Raise IllegalTransition unless the conflict may go to the wanted state."""
    if wanted not in TRANSITIONS[conflict.state]:
        raise IllegalTransition(f"Conflict {conflict.pk}", conflict.state, wanted)


def states_before(wanted: str) -> list[str]:
    """Return the states a guarded update to `wanted` may start from."""
    return [state for state, following in TRANSITIONS.items() if wanted in following]
