"""Which value a field keeps when customers become one.

A field is decided by the first of these on which its candidates differ:

    picked    a person chose it, an empty value included
    verified  a verified identifier proves it
    trusted   it was seen on the more trusted channel
    recent    it was seen last
    longest   it says more; parts of one name or address are measured together, so that they stay together
    survivor  nothing else speaks: the survivor keeps its own,
    oldest    or the customer known longest (ids are in order of time) gives the value

An empty value never wins unless picked. Pure: plain values in, plain values out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

from resolution.types import FieldChoice

RULES = {
    "picked": "picked by a person",
    "verified": "verified",
    "trusted": "most trusted channel",
    "recent": "most recent",
    "longest": "most complete",
    "survivor": "the survivor's own",
    "oldest": "the longest known customer's",
    "only": "the only value",
    "equal": "the same everywhere",
    "empty": "nobody has a value",
    "joined": "joined from all",
    "latest": "the latest of all",
}
TYPED = "typed"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# A customer id as text, whose value is taken, or {"typed": text}.
Pick: TypeAlias = "str | Mapping[str, str]"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One customer's value of one field, and what speaks for it.

    `trust` is the channel's, 0 to 100. `fullness` is the number of characters of the value together with the
    parts it belongs to.
    """

    customer: str
    value: str
    verified: bool = False
    trust: int = 0
    seen_at: datetime = EPOCH
    fullness: int = 0


def choose(
    field: str, candidates: Sequence[Candidate], *, survivor: str, pick: Pick | None = None
) -> FieldChoice:
    """Return one field's winning value with its source and rule, out of one candidate a member."""
    before = next(entry.value for entry in candidates if entry.customer == survivor)
    if pick is not None:
        return _picked(field, candidates, pick, before)
    filled = [entry for entry in candidates if entry.value]
    if not filled:
        return FieldChoice(field, "", survivor, "empty", before)
    winner, rule = _strongest(filled, survivor)
    return FieldChoice(field, winner.value, winner.customer, rule, before)


def _picked(field: str, candidates: Sequence[Candidate], pick: Pick, before: str) -> FieldChoice:
    if isinstance(pick, str):
        value = next(entry.value for entry in candidates if entry.customer == pick)
        return FieldChoice(field, value, pick, "picked", before)
    return FieldChoice(field, pick[TYPED], TYPED, "picked", before)


def _strongest(filled: Sequence[Candidate], survivor: str) -> tuple[Candidate, str]:
    oldest_first = sorted(filled, key=lambda entry: entry.customer)
    winner = max(oldest_first, key=lambda entry: (*_strength(entry), entry.customer == survivor))
    if len(filled) == 1:
        return winner, "only"
    rivals = [entry for entry in filled if entry.value != winner.value]
    if not rivals:
        own = next((entry for entry in filled if entry.customer == survivor), winner)
        return own, "equal"
    tie = "survivor" if winner.customer == survivor else "oldest"
    return winner, _deciding_rule(winner, max(rivals, key=_strength)) or tie


def _strength(entry: Candidate) -> tuple[bool, int, datetime, int]:
    return (entry.verified, entry.trust, entry.seen_at, entry.fullness)


def _deciding_rule(winner: Candidate, rival: Candidate) -> str:
    """Name the first rule on which the winner is stronger; empty when none tells them apart."""
    rules = ("verified", "trusted", "recent", "longest")
    pairs = zip(rules, _strength(winner), _strength(rival), strict=True)
    return next((rule for rule, mine, theirs in pairs if mine != theirs), "")
