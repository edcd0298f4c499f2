"""What the rules of identifiers say of a number of values or of customers; pure, no look at the register."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from resolution.errors import LimitReached
from resolution.matching.identifiers import IDENTIFIER_TYPES
from resolution.models import Conflict
from resolution.selectors.identifier_rules import OF_ONE_CHANNEL, Rule, windows
from resolution.selectors.past_limits import ValueAt
from resolution.services.merge_plan import CustomerFacts, IdentifierFact

Kind = Conflict.Kind


@dataclass(frozen=True, slots=True)
class Crossing:
    """What goes past a limit: `count` is what there is, or with a link that a `hard` one refuses would be.

    With `stands` nothing is about to be linked: the limit came later.
    """

    kind: str
    type: str
    value: str
    customer_id: uuid.UUID | None
    count: int
    limit: int
    hard: bool
    channel_id: uuid.UUID | None = None
    stands: bool = False

    @property
    def place(self) -> tuple[str, ValueAt]:
        """The value, its type and the channel it is counted within."""
        return self.type, (self.value, self.channel_id)

    @property
    def sentence(self) -> str:
        label = IDENTIFIER_TYPES[self.type].label.lower()
        bound = f"{self.limit} is the most allowed" if self.hard else f"up to {self.limit} is usual"
        have = ("have already" if self.stands else "would have") if self.hard else "have"
        if self.kind == Kind.SHARED_VALUE:
            return f"{self.count} customers {have} the {label} {self.value}; {bound}."
        has = have if have == "would have" else have.replace("have", "has")
        return f"This customer {has} {self.count} identifiers of the type {label}; {bound}."

    def refusal(self) -> LimitReached:
        return LimitReached(
            self.sentence,
            kind=self.kind, type=self.type, value=self.value, limit=self.limit, count=self.count,
            customer=str(self.customer_id) if self.customer_id else None,
        )  # fmt: skip


def crossing_of(
    kind: str,
    rule: Rule,
    value: str,
    customer_id: uuid.UUID | None,
    count: int,
    channel_id: uuid.UUID | None = None,
) -> Crossing | None:
    soft, hard = (
        (rule.customers_soft, rule.customers_hard)
        if kind == Kind.SHARED_VALUE
        else (rule.values_soft, rule.values_hard)
    )
    if hard is not None and count > hard:
        return Crossing(kind, rule.type, value, customer_id, count, hard, hard=True, channel_id=channel_id)
    if soft is not None and count > soft:
        return Crossing(kind, rule.type, value, customer_id, count, soft, hard=False, channel_id=channel_id)
    return None


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the rules say of a merge: sentences that forbid it, and sentences a person should read first."""

    refusals: tuple[str, ...]
    warnings: tuple[str, ...]


def bounds_of_union(
    members: Sequence[CustomerFacts], rules: Mapping[str, Rule], *, by_machine: bool = False
) -> Bounds:
    """Say what the rules do of a merge; two verified values of an exclusive type only a person joins."""
    crossings, second = judge_union(members, rules), second_verified(members, rules)
    refusals = [entry.sentence for entry in crossings if entry.hard]
    warnings = [entry.sentence for entry in crossings if not entry.hard]
    if by_machine:
        return Bounds((*refusals, *second), tuple(warnings))
    return Bounds(tuple(refusals), (*warnings, *second))


def judge_union(members: Sequence[CustomerFacts], rules: Mapping[str, Rule]) -> list[Crossing]:
    """Return the limits on values a customer that a merge of the members goes past and none of them did."""
    found = []
    held = [_valid_values(member, rules) for member in members]
    for type in sorted({type for values in held for type in values}):
        rule = rules.get(type)
        union = frozenset[str]().union(*(values.get(type, frozenset()) for values in held))
        most = max(len(values.get(type, ())) for values in held)
        if rule and len(union) > most:
            crossing = crossing_of(Kind.LIMIT_REACHED, rule, "", None, len(union))
            found += [crossing] if crossing else []
    return found


def second_verified(members: Sequence[CustomerFacts], rules: Mapping[str, Rule]) -> list[str]:
    """Say which exclusive types would have two verified values after a merge of the members."""
    verified: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for member in members:
        for row in _valid(member, rules):
            if rules[row.type].exclusive and row.verified:
                scope = row.channel_id if row.type in OF_ONE_CHANNEL else ""
                verified[row.type, scope].add(row.normalised)
    return [
        f"A customer has one verified {IDENTIFIER_TYPES[type].label.lower()}, and these have"
        f" {' and '.join(sorted(values)[:3])}."
        for (type, _), values in sorted(verified.items())
        if len(values) > 1
    ]


def _valid_values(member: CustomerFacts, rules: Mapping[str, Rule]) -> dict[str, frozenset[str]]:
    values: defaultdict[str, set[str]] = defaultdict(set)
    for row in _valid(member, rules):
        values[row.type].add(row.normalised)
    return {type: frozenset(found) for type, found in values.items()}


def _valid(member: CustomerFacts, rules: Mapping[str, Rule]) -> list[IdentifierFact]:
    """The current identifiers of types with a rule, seen within their window."""
    since = windows(rules)
    return [
        row
        for row in member.identifiers
        if row.current
        and row.type in rules
        and not (row.type in since and row.last_seen_at < since[row.type])
    ]
