"""What an undo is planned from, and what its plan says: the ground, the answers, the sides."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from resolution.relations import MOVED
from resolution.selectors.judgements import KeptApart
from resolution.services.merge_tree import Tree
from resolution.services.unmerge_fields import FieldReturn, Profiles
from resolution.services.unmerge_links import LinkFact, LinkKey, Standing

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
    goes_to_name: str = ""


@dataclass(frozen=True, slots=True)
class QuestionReturn:
    """One open conflict that names the customer; `goes_to` is whom it names afterwards instead, or empty."""

    conflict_id: int
    reason: str
    goes_to: str
    goes_to_name: str = ""


@dataclass(frozen=True, slots=True)
class UnmergePlan:
    """Everything an undo will do. `asks` must be answered (row id → customer id) before it is carried out.

    `survivor` is who the rest stays with: the merge's survivor, or whoever absorbed that one since. The merge
    `ends` when nobody is left in it. `left` are sentences about rows the merge moved that do not come back as
    they were. `kept_apart` are words on the whole that go with everyone who leaves. `blockers` forbid it.
    `fingerprint` names what was looked at, answers left out.
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
    kept_apart: tuple[KeptApart, ...] = ()
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
    elsewhere by now. `links` are those of the whole tree. `words` told the whole apart from others while
    those who leave were part of it.
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
    words: tuple[KeptApart, ...] = ()

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
