"""What a merge will do, decided before anything is touched.

`plan_merge` is pure, but for today's date, beyond which no typed birth date may lie: facts of the members,
a survivor and picks in, a MergePlan out. Preview, proposal and merge all come through here, so they cannot
differ. `selectors.merge_facts` loads the facts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from typing import Any, TypeAlias

from resolution.birth_dates import fault_of
from resolution.services.survivorship import ADDRESS, EPOCH, TYPED, Candidate, Pick, choose, choose_address
from resolution.types import DifferenceFact, FieldChoice, MergePlan, RowMove

# Field → whose value is taken, or what was typed.
Picks: TypeAlias = Mapping[str, Pick]

ATTRIBUTES, LAST_INTERACTION = "attributes", "last_interaction_at"
# Measured together by the rule "longest".
PARTS = (("given_name", "family_name"), ADDRESS)
OWNING, SHARING, COLLAPSED = "active", "shared", "collapsed"
CURRENT = (OWNING, SHARING)
MOST_MEMBERS = 100  # that a person proposes to merge at once


@dataclass(frozen=True, slots=True)
class ValueFact:
    """What speaks for a customer's value of one field."""

    value: str
    verified: bool = False
    trust: int = 0
    seen_at: datetime = EPOCH


@dataclass(frozen=True, slots=True)
class IdentifierFact:
    """One mapping row. `status` is the row's; only active and shared ones can meet an equal one."""

    row_id: str
    channel_id: str
    type: str
    normalised: str
    status: str
    verified: bool
    confidence: float
    last_seen_at: datetime = EPOCH

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.channel_id, self.type, self.normalised)

    @property
    def current(self) -> bool:
        return self.status in CURRENT


@dataclass(frozen=True, slots=True)
class CustomerFacts:
    """One customer as a merge sees it.

    `values` has an entry for each profile field. `rows` lists, by relation, the rows that would move besides
    the identifiers; it is empty when the facts were loaded without them. `interactions` counts messages and
    tickets.
    """

    id: str
    name: str
    status: str
    merged_into: str
    version: int
    created_at: datetime
    interactions: int
    values: Mapping[str, ValueFact]
    identifiers: tuple[IdentifierFact, ...] = ()
    rows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    last_interaction_at: datetime | None = None

    @property
    def filled(self) -> int:
        return sum(bool(fact.value) for fact in self.values.values())


def plan_merge(
    *,
    members: Sequence[CustomerFacts],
    survivor_id: str | None = None,
    picks: Picks | None = None,
    limits: Mapping[str, int],
    different: Sequence[DifferenceFact] = (),
    refusals: Sequence[str] = (),
    warnings: Sequence[str] = (),
) -> MergePlan:
    """Decide everything a merge of the members would do.

    `limits` maps each profile field to its greatest length. `refusals` are sentences of others that forbid
    it; `warnings` are carried through for people to read. A survivor that is not given is chosen by rule.
    Reasons against the merge are the plan's blockers.
    """
    ordered = sorted(members, key=lambda member: member.id)
    picks = picks or {}
    names = {member.id: member.name for member in ordered}
    against = tuple(fact for fact in different if fact.left in names and fact.right in names)
    blockers = [
        *_member_blockers(ordered),
        *_survivor_blockers(ordered, survivor_id),
        *(f"{fact.said(names)}; withdraw that judgement first, by judging the two anew." for fact in against),
        *_pick_blockers(ordered, picks, limits),
        *refusals,
    ]
    survivor = survivor_id or (choose_survivor(ordered) if ordered else "")
    skeleton = MergePlan(
        survivor=survivor,
        absorbed=tuple(member.id for member in ordered if member.id != survivor),
        fields=(), moves=(), collapses=(),
        versions=tuple((member.id, member.version) for member in ordered),
        blockers=tuple(blockers),
        warnings=tuple(warnings),
        against=against,
    )  # fmt: skip
    return skeleton if blockers else _filled_in(skeleton, ordered, picks)


def choose_survivor(members: Sequence[CustomerFacts]) -> str:
    """Return whose id lives on: most messages and tickets, then most fields filled, then known longest."""
    return min(members, key=lambda row: (-row.interactions, -row.filled, row.created_at, row.id)).id


def plan_hash(plan: MergePlan) -> str:
    """Return the SHA-256 (hex) of what a merge would make of its members, and of their versions.

    Rows that merely move are left out: a message that arrives meanwhile changes nothing a person decided.
    """
    result = {choice.field: choice.value for choice in plan.fields if choice.field not in _JOINED}
    covered = [plan.survivor, plan.absorbed, plan.versions, result]
    return hashlib.sha256(json.dumps(covered, sort_keys=True).encode()).hexdigest()


def _filled_in(skeleton: MergePlan, members: Sequence[CustomerFacts], picks: Picks) -> MergePlan:
    collapses = tuple(_collapses(members, skeleton.survivor))
    folded = {row.row_id for row in collapses}
    return MergePlan(
        survivor=skeleton.survivor,
        absorbed=skeleton.absorbed,
        fields=tuple(_choices(members, skeleton.survivor, picks)),
        moves=tuple(_moves(members, skeleton.survivor, folded)),
        collapses=collapses,
        versions=skeleton.versions,
        warnings=skeleton.warnings,
    )


def _choices(members: Sequence[CustomerFacts], survivor: str, picks: Picks) -> Iterator[FieldChoice]:
    candidates = {name: [_candidate(member, name) for member in members] for name in members[0].values}
    address = choose_address({name: candidates[name] for name in ADDRESS}, survivor=survivor, picks=picks)
    for name, entries in candidates.items():
        yield address.get(name) or choose(name, entries, survivor=survivor, pick=picks.get(name))
    own = next(member for member in members if member.id == survivor)
    yield from _joined(own, [member for member in members if member.id != survivor])


def _candidate(member: CustomerFacts, name: str) -> Candidate:
    fact = member.values[name]
    if not fact.value:
        return Candidate(member.id, "")
    together = next((parts for parts in PARTS if name in parts), (name,))
    fullness = sum(len(member.values[part].value) for part in together)
    return Candidate(member.id, fact.value, fact.verified, fact.trust, fact.seen_at, fullness)


def _joined(own: CustomerFacts, others: Sequence[CustomerFacts]) -> Iterator[FieldChoice]:
    """What is not chosen but put together, and only where that changes the survivor."""
    attributes = dict(own.attributes)
    for other in others:
        attributes = {**other.attributes, **attributes}
    if attributes != own.attributes:
        yield FieldChoice(ATTRIBUTES, _json(attributes), own.id, "joined", _json(own.attributes))
    latest = max(others, key=lambda other: other.last_interaction_at or EPOCH)
    if (latest.last_interaction_at or EPOCH) > (own.last_interaction_at or EPOCH):
        now, before = _moment(latest.last_interaction_at), _moment(own.last_interaction_at)
        yield FieldChoice(LAST_INTERACTION, now, latest.id, "latest", before)


def _collapses(members: Sequence[CustomerFacts], survivor: str) -> Iterator[RowMove]:
    """Identifiers that meet an equal one: the owner stays, else verified, surer, the survivor's, oldest."""
    held = [(row, member.id) for member in members for row in member.identifiers if row.current]
    held.sort(key=lambda pair: pair[0].key)
    for _, group in groupby(held, key=lambda pair: pair[0].key):
        _, *folded = sorted(group, key=lambda pair: _standing(pair[0], pair[1], survivor))
        for row, owner in folded:
            yield RowMove("mappings", row.row_id, owner, (("status", row.status),))


def _standing(row: IdentifierFact, owner: str, survivor: str) -> tuple[bool, bool, float, bool, str]:
    return (row.status != OWNING, not row.verified, -row.confidence, owner != survivor, row.row_id)


def _moves(members: Sequence[CustomerFacts], survivor: str, folded: set[str]) -> Iterator[RowMove]:
    for member in members:
        if member.id == survivor:
            continue
        for row in member.identifiers:
            if row.row_id not in folded:
                yield RowMove("mappings", row.row_id, member.id, (("status", row.status),))
        for relation, row_ids in member.rows.items():
            yield from (RowMove(relation, row_id, member.id) for row_id in row_ids)


def _member_blockers(members: Sequence[CustomerFacts]) -> Iterator[str]:
    if len({member.id for member in members}) < 2:
        yield "It needs at least two different customers."
    for member in members:
        if member.status == "merged":
            yield f"{member.name} ({member.id}) was already merged into {member.merged_into}; merge that one."
        if member.status == "erased":
            yield f"Customer {member.id} was erased; only the id remains."


def _survivor_blockers(members: Sequence[CustomerFacts], survivor_id: str | None) -> Iterator[str]:
    if survivor_id and survivor_id not in {member.id for member in members}:
        yield f"The survivor {survivor_id} is not one of the customers to merge; choose one of them."


def _pick_blockers(
    members: Sequence[CustomerFacts], picks: Picks, limits: Mapping[str, int]
) -> Iterator[str]:
    ids = {member.id for member in members}
    for name, pick in picks.items():
        if name not in limits:
            yield f"There is no field “{name[:40]}”; the fields are {', '.join(limits)}."
        elif isinstance(pick, str):
            if pick not in ids:
                yield f"The {_label(name)} cannot be taken from {pick[:40]}, who is not to be merged."
        else:
            yield from _typed_blockers(name, pick, limits[name])


def _typed_blockers(name: str, pick: Mapping[str, str], limit: int) -> Iterator[str]:
    text = pick.get(TYPED)
    if not isinstance(text, str) or len(pick) != 1:
        yield f"The pick for the {_label(name)} must be a customer's id or a typed text."
    elif len(text) > limit:
        yield f"The typed {_label(name)} has {len(text)} characters; at most {limit} fit."
    elif "\0" in text:
        yield f"The typed {_label(name)} holds a NUL character, which cannot be stored."
    elif name == "birth_date" and text:
        yield from _birth_date_blockers(text)


def _birth_date_blockers(text: str) -> Iterator[str]:
    if not _is_date(text):
        yield f"The typed birth date “{text}” is not a date; write it as 1980-12-31."
    elif fault := fault_of(date.fromisoformat(text)):
        yield f"The typed birth date {fault}"


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == len("1980-12-31")


def _label(name: str) -> str:
    return name.replace("_", " ")


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _moment(value: datetime | None) -> str:
    return value.isoformat() if value else ""


_JOINED = (ATTRIBUTES, LAST_INTERACTION)
