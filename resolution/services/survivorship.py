"""Which value a field keeps when customers become one.

A field is decided by the first of these on which its candidates differ:

    picked    a person chose it, an empty value included
    verified  a verified identifier proves it
    trusted   it was seen on the more trusted channel
    recent    it was seen last
    longest   it says more; parts of one name are measured together, so that they stay together
    survivor  nothing else speaks: the survivor keeps its own,
    oldest    or the customer known longest (ids are in order of time) gives the value

An empty value never wins unless picked. An address is decided as a whole by the same rules: its parts come
from one customer, gaps included, where nobody picked another. Pure: plain values in, plain values out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
    "together": "goes with the address taken",
}
ADDRESS = ("address", "postcode", "city", "region", "country")
_TELLS_WHERE = ADDRESS[:3]
# Rules by which one of several differing values is taken, nobody having picked one.
DECIDING = frozenset({"verified", "trusted", "recent", "longest", "survivor", "oldest"})
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


def choose_address(
    parts: Mapping[str, Sequence[Candidate]], *, survivor: str, picks: Mapping[str, Pick]
) -> dict[str, FieldChoice]:
    """Return the choice of each part of an address: all of one customer but for what a person picked.

    Who picks a customer's street takes that customer's address. Of addresses that say the same, the one that
    says most is taken; a mere region or country is no address where somebody has one.
    """
    source, rule = _whole_address(parts, survivor, picks.get(ADDRESS[0]))
    return {
        name: _part(name, candidates, source, rule, survivor)
        if name not in picks
        else choose(name, candidates, survivor=survivor, pick=picks[name])
        for name, candidates in parts.items()
    }


def has_address(customer: str, offers: Mapping[str, Mapping[str, str]]) -> bool:
    """Whether a customer among `offers` has an address; a mere region or country where nobody has more."""
    own = offers.get(customer)
    if own is None:
        return False
    placed = any(offer[name] for offer in offers.values() for name in _TELLS_WHERE)
    return any(own[name] for name in (_TELLS_WHERE if placed else ADDRESS))


def _whole_address(
    parts: Mapping[str, Sequence[Candidate]], survivor: str, lead: Pick | None
) -> tuple[str, str]:
    """Whose address is taken and by which rule."""
    wholes = [_Whole.of(parts, customer) for customer in sorted(one.customer for one in parts[ADDRESS[0]])]
    filled = [whole for whole in wholes if whole.values]
    if picked := next((whole for whole in filled if whole.customer == lead), None):
        return picked.customer, "picked"
    placed = [whole for whole in filled if whole.values.keys() & set(_TELLS_WHERE)] or filled
    if not placed:
        return survivor, "empty"
    winner, rule = _strongest([whole.candidate for whole in placed], survivor)
    taken = next(whole for whole in placed if whole.customer == winner.customer)
    fuller = [whole.candidate for whole in placed if whole.says_more_than(taken)]
    if fuller:
        return max(fuller, key=lambda entry: (entry.fullness, _strength(entry))).customer, "longest"
    return winner.customer, "longest" if rule in ("only", "equal") and len(filled) > len(placed) else rule


@dataclass(frozen=True, slots=True)
class _Whole:
    """One customer's address: its parts that have a value, and the strongest of what speaks for them."""

    values: Mapping[str, str]
    candidate: Candidate

    @classmethod
    def of(cls, parts: Mapping[str, Sequence[Candidate]], customer: str) -> _Whole:
        own = {name: next(one for one in found if one.customer == customer) for name, found in parts.items()}
        values = {name: entry.value for name, entry in own.items() if entry.value}
        best = max((own[name] for name in values), key=_strength, default=Candidate(customer, ""))
        return cls(values, replace(best, value="\n".join(own[name].value for name in own)))

    @property
    def customer(self) -> str:
        return self.candidate.customer

    def says_more_than(self, other: _Whole) -> bool:
        """Whether this says all that the other does, and more."""
        return self.values.keys() > other.values.keys() and other.values.items() <= self.values.items()


def _part(name: str, candidates: Sequence[Candidate], source: str, rule: str, survivor: str) -> FieldChoice:
    """Return the part that goes with the address taken, by the address's rule where the part differs."""
    values = {entry.customer: entry.value for entry in candidates}
    known = {value for value in values.values() if value}
    if not known:
        return FieldChoice(name, "", survivor, "empty", values[survivor])
    if known == {values[source]}:
        rule = "only" if list(values.values()).count(values[source]) == 1 else "equal"
    elif rule == "picked" or not values[source]:
        rule = "together"
    return FieldChoice(name, values[source], source, rule, values[survivor])


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
