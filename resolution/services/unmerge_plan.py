"""What taking members out of a merge will do, decided before anything is touched.

`plan_undo` is pure: the ground as it stands and a person's answers in, the plan out; the preview is the plan.
`selectors.unmerge_ground` reads the ground. A member leaves with everything it had absorbed before, from
wherever its survivor is by now. Its rows go back to it; what arrived since goes to the side that owns the
identifier it came with; where none tells, a person is asked.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeAlias

from resolution.errors import InvalidInput
from resolution.relations import MOVED
from resolution.services.merge_plan import LAST_INTERACTION, OWNING
from resolution.services.merge_tree import Tree
from resolution.services.unmerge_fields import FieldReturn, Heard, Profiles, follow_fields, latest_of
from resolution.services.unmerge_links import ENDED, LinkFact, LinkKey, Standing, go_through

MAPPINGS, MESSAGES = "mappings", "messages"
RELATIONS = {relation.name: relation for relation in MOVED}

# Row id → customer id, both as text: a person's answers.
Answers: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Side:
    """One customer after the undo; `rows` is relation label → how many go back to it."""

    customer_id: str
    name: str
    rows: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Arrival:
    """One row that came after the merge.

    `goes_to` is a customer id, empty when nothing tells yet; `why` is the phrase for it. A row that is
    `asked` about has to be assigned by a person: `row_id` is its key in `assign` of undo_merge.
    """

    relation: str
    label: str
    row_id: str
    title: str
    at: datetime
    goes_to: str
    why: str
    asked: bool


@dataclass(frozen=True, slots=True)
class QuestionReturn:
    """One open conflict that names the customer; `goes_to` is whom it names afterwards instead, or empty."""

    conflict_id: int
    reason: str
    goes_to: str


@dataclass(frozen=True, slots=True)
class UnmergePlan:
    """Everything an undo will do. `asks` must be answered (row id → customer id) before it is carried out.

    `survivor` is who the rest stays with: the merge's survivor, or whoever absorbed that one since. The merge
    `ends` when nobody is left in it. `left` are sentences about rows the merge moved that do not come back as
    they were. `blockers` forbid it. `fingerprint` names what was looked at, answers left out.
    """

    merge_id: int
    survivor: Side
    returning: tuple[Side, ...]
    ends: bool = True
    fields: tuple[FieldReturn, ...] = ()
    arrivals: tuple[Arrival, ...] = ()
    asks: tuple[Arrival, ...] = ()
    questions: tuple[QuestionReturn, ...] = ()
    left: tuple[str, ...] = ()
    blockers: tuple[str, ...] = ()
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """A customer of the tree: `profile` is its row as merging.snapshot writes it."""

    id: uuid.UUID
    name: str
    profile: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ArrivedRow:
    """A row that came after the merge: whose it was at first, and the identifier links it came with."""

    relation: str
    id: uuid.UUID
    title: str
    at: datetime
    stored_at: datetime
    links: tuple[uuid.UUID, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """An open conflict that names the root; `about` are the customers its evidence compared."""

    id: int
    reason: str
    key: LinkKey | None
    message: uuid.UUID | None
    role: str
    about: frozenset[str]


@dataclass(frozen=True, slots=True)
class Ground:
    """All that bears on taking `leaving` out of a merge; where there are `blockers`, names alone.

    `rows` is relation → row id → the member it goes back to; `moved_on` is relation → how many of them are
    elsewhere by now. `links` are those of the whole tree.
    """

    merge: int
    survivor: uuid.UUID
    leaving: tuple[uuid.UUID, ...]
    tree: Tree
    people: Mapping[uuid.UUID, Person]
    blockers: tuple[str, ...] = ()
    links: Sequence[LinkFact] = ()
    new_links: frozenset[uuid.UUID] = frozenset()
    rows: Mapping[str, Mapping[uuid.UUID, uuid.UUID]] = field(default_factory=dict)
    moved_on: Mapping[str, int] = field(default_factory=dict)
    arrived: Sequence[ArrivedRow] = ()
    questions: Sequence[Question] = ()

    @property
    def sides(self) -> dict[uuid.UUID, Person]:
        return {key: self.people[key] for key in (self.tree.root, *self.leaving)}


@dataclass(frozen=True, slots=True)
class Undo:
    """The plan with everything needed to carry it out.

    `owners` is relation → row id → the customer it goes to, identifiers left out (they are in `standings`).
    `redirects` are absorbed customers that follow a member. `profiles` holds the fields as they will be, of
    rows and in the ledger.
    """

    ground: Ground
    plan: UnmergePlan
    standings: Mapping[uuid.UUID, Standing] = field(default_factory=dict)
    owners: Mapping[str, Mapping[uuid.UUID, uuid.UUID]] = field(default_factory=dict)
    redirects: Mapping[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    profiles: Profiles | None = None


@dataclass(slots=True)
class _Draft:
    """What comes together while planning; `part_of` is customer → the member it leaves with."""

    ground: Ground
    answers: Answers
    after: Tree
    part_of: Mapping[uuid.UUID, uuid.UUID]
    standings: dict[uuid.UUID, Standing] = field(default_factory=dict)
    owners: dict[str, dict[uuid.UUID, uuid.UUID]] = field(default_factory=dict)
    homes: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Told:
    """Whose a row is that came since, as far as anything tells."""

    owner: uuid.UUID | None
    why: str
    asked: bool = False


def plan_undo(ground: Ground, answers: Answers) -> Undo:
    """Plan the leaving of members; `answers` say where rows go that came since.

    Raises InvalidInput for an answer about a row that did not arrive, or one that names neither side.
    """
    if ground.blockers:
        return Undo(ground, _names_only(ground))
    draft = _begin(ground, answers)
    _plan_links(draft)
    _plan_rows(draft)
    _check_answers(draft)
    profiles = _profiles(draft)
    fields = follow_fields(ground.tree, profiles, ground.merge)
    plan = UnmergePlan(
        merge_id=ground.merge,
        survivor=_side(draft, ground.tree.root),
        returning=tuple(_side(draft, key) for key in ground.leaving),
        ends=not _members_left(draft),
        fields=tuple(fields),
        arrivals=tuple(draft.arrivals),
        asks=tuple(row for row in draft.arrivals if row.asked),
        questions=tuple(_questions(draft)),
        left=tuple(_left(draft)),
    )
    return Undo(
        ground,
        replace(plan, fingerprint=_fingerprint(ground, plan)),
        draft.standings,
        draft.owners,
        {key: member for key, member in draft.part_of.items() if key != member},
        profiles,
    )


def _names_only(ground: Ground) -> UnmergePlan:
    root, *leaving = (Side(str(row.id), row.name, ()) for row in ground.sides.values())
    return UnmergePlan(ground.merge, root, tuple(leaving), blockers=ground.blockers)


def _begin(ground: Ground, answers: Answers) -> _Draft:
    part_of = {key: member for member in ground.leaving for key in ground.tree.below(member)}
    return _Draft(ground, answers, ground.tree.without(ground.merge, ground.leaving), part_of)


def _members_left(draft: _Draft) -> bool:
    page = draft.after.page(draft.ground.merge)
    return page is not None and bool(page.members)


# --- identifiers ---


def _plan_links(draft: _Draft) -> None:
    """Find where links stand whose value somebody who leaves has; all others stay as they are."""
    ground = draft.ground
    for link in ground.links:
        draft.homes[link.id] = link.home
        if link.id in ground.new_links:
            _place_new_link(draft, link)
    concerned = {link.key for link in ground.links if draft.homes[link.id] in draft.part_of}
    links = [link for link in ground.links if link.key in concerned]
    draft.standings = go_through(draft.after.pages, links, draft.homes)


def _place_new_link(draft: _Draft, link: LinkFact) -> None:
    """Identifiers linked since the merge: nothing tells whose they are."""
    answer = _answer(draft, link.id)
    told = _Told(answer, "as answered" if answer else "linked since the merge", asked=answer is None)
    draft.arrivals.append(_arrival(MAPPINGS, link.id, link.title, link.created_at, told))
    if answer is not None and answer in draft.part_of:
        draft.homes[link.id] = answer


# --- messages, tickets, source records ---


def _plan_rows(draft: _Draft) -> None:
    ground = draft.ground
    draft.owners = {relation: dict(rows) for relation, rows in ground.rows.items()}
    links = {link.id: link for link in ground.links}
    for row in ground.arrived:
        told = _owner_of(draft, row, links)
        draft.arrivals.append(_arrival(row.relation, row.id, row.title, row.at, told))
        leaves = told.owner in draft.part_of
        if told.owner is not None and leaves:
            draft.owners.setdefault(row.relation, {})[row.id] = told.owner
        if row.relation == MESSAGES:
            draft.heard.append(Heard(row.stored_at, row.at, leaves))


def _owner_of(draft: _Draft, row: ArrivedRow, links: Mapping[uuid.UUID, LinkFact]) -> _Told:
    """Return whose a row is that came since, and why."""
    answer = _answer(draft, row.id)
    if answer:
        return _Told(answer, "as answered")
    behind = [links[key] for key in row.links if key in links]
    owners = {draft.part_of.get(draft.homes[link.id], draft.ground.tree.root) for link in behind}
    if len(owners) != 1:
        return _Told(None, "came without an identifier that tells", asked=True)
    if any(_is_open(draft, link) for link in behind):
        return _Told(None, f"goes with {behind[0].title}, wherever that goes")
    return _Told(owners.pop(), f"came with {behind[0].title}")


def _is_open(draft: _Draft, link: LinkFact) -> bool:
    return link.id in draft.ground.new_links and str(link.id) not in draft.answers


def _arrival(relation: str, row_id: uuid.UUID, title: str, at: datetime, told: _Told) -> Arrival:
    noun = RELATIONS[relation].noun
    owner = str(told.owner or "")
    return Arrival(relation, noun, str(row_id), title[:120], at, owner, told.why, told.asked)


# --- answers ---


def _answer(draft: _Draft, row_id: uuid.UUID) -> uuid.UUID | None:
    """Return where a person said a row goes. Raises InvalidInput when that is neither side."""
    given = draft.answers.get(str(row_id))
    if given is None:
        return None
    known = {str(key): key for key in draft.ground.sides}
    if given not in known:
        raise InvalidInput(
            f"Row {row_id} cannot go to {given[:40]}; it goes to one of {', '.join(sorted(known))}.",
            row=str(row_id),
        )
    return known[given]


def _check_answers(draft: _Draft) -> None:
    arrived = {row.row_id for row in draft.arrivals}
    strangers = sorted(set(draft.answers) - arrived)
    if strangers:
        raise InvalidInput(
            f"Row {strangers[0][:40]} did not arrive since merge {draft.ground.merge}; only rows that did"
            " can be assigned.",
            row=strangers[0][:40],
        )


# --- profiles ---


def _profiles(draft: _Draft) -> Profiles:
    """Make the working copy that follow_fields writes on; members that get messages were heard of later."""
    rows = {key: dict(person.profile) for key, person in draft.ground.people.items()}
    profiles = Profiles(draft.after, rows, draft.heard, set(), {}, set())
    for row in draft.arrivals:
        if row.relation == MESSAGES and row.goes_to and uuid.UUID(row.goes_to) in draft.part_of:
            member = uuid.UUID(row.goes_to)
            rows[member][LAST_INTERACTION] = latest_of([rows[member][LAST_INTERACTION], row.at])
            profiles.customers.add(member)
    return profiles


# --- questions ---


def _questions(draft: _Draft) -> Iterator[QuestionReturn]:
    """Say of each open conflict that names the root whom it is about from now on."""
    owners = {
        row.link.key: draft.part_of.get(row.customer)
        for row in draft.standings.values()
        if row.status == OWNING
    }
    for question in draft.ground.questions:
        owner = _named_by(draft, question, owners)
        yield QuestionReturn(question.id, question.reason, str(owner or ""))


def _named_by(
    draft: _Draft, question: Question, owners: Mapping[LinkKey, uuid.UUID | None]
) -> uuid.UUID | None:
    """Return the member a conflict goes with, None when it stays."""
    if question.key is not None and question.role == "owner":
        return owners.get(question.key)
    if question.message is not None:
        return draft.owners.get(MESSAGES, {}).get(question.message)
    parts = {draft.part_of.get(key) for key in draft.ground.people if str(key) in question.about}
    return parts.pop() if len(parts) == 1 else None


# --- the whole ---


def _side(draft: _Draft, key: uuid.UUID) -> Side:
    """Count what a customer gets; who stays gets back only what folded."""
    ground = draft.ground
    links = [row for row in draft.standings.values() if row.changed and row.customer == key]
    rows = [(RELATIONS[MAPPINGS].label, len(links))]
    for name, owners in draft.owners.items():
        rows.append((RELATIONS[name].label, sum(owner == key for owner in owners.values())))
    return Side(str(key), ground.people[key].name, tuple(row for row in rows if row[1]))


def _left(draft: _Draft) -> Iterator[str]:
    for name, number in draft.ground.moved_on.items():
        links = name == MAPPINGS
        where = "to another customer since and stays there" if links else "since and stays where it is"
        yield from _note(number, RELATIONS[name].noun, f"moved on {where}")
    ended = sum(_was_taken_off(draft, row.link) for row in draft.standings.values())
    yield from _note(ended, RELATIONS[MAPPINGS].noun, "taken off since and comes back as ended")


def _was_taken_off(draft: _Draft, link: LinkFact) -> bool:
    """Whether a link that goes back was ended after the merge had moved it."""
    moved = any(move.merge == draft.ground.merge and move.status != ENDED for move in link.moves)
    return link.status == ENDED and moved and draft.homes[link.id] in draft.part_of


def _note(number: int, noun: str, what: str) -> Iterator[str]:
    if number:
        yield f"{number} {noun}{'s were' if number > 1 else ' was'} {what}."


def _fingerprint(ground: Ground, plan: UnmergePlan) -> str:
    covered = [
        ground.merge,
        [plan.survivor.customer_id, *(side.customer_id for side in plan.returning)],
        sorted(row.row_id for row in plan.arrivals),
        {name: len(rows) for name, rows in ground.rows.items()},
        [(row.field, row.now, row.fate) for row in plan.fields if row.field != LAST_INTERACTION],
        [entry.conflict_id for entry in plan.questions],
        plan.left,
    ]
    return hashlib.sha256(json.dumps(covered, sort_keys=True).encode()).hexdigest()[:16]
