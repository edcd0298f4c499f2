"""Where rows go when members leave a merge: back, with the identifier they came with, or as answered."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from resolution.errors import InvalidInput
from resolution.services.merge_tree import Tree
from resolution.services.unmerge_fields import Heard
from resolution.services.unmerge_links import LinkFact, Standing, go_through
from resolution.services.unmerge_types import (
    MAPPINGS,
    MESSAGES,
    RELATIONS,
    Answers,
    Arrival,
    ArrivedRow,
    Ground,
)


@dataclass(slots=True)
class Draft:
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


def draft_undo(ground: Ground, answers: Answers) -> Draft:
    """Find where every row goes; raises InvalidInput for an answer that fits no row or no side."""
    part_of = {key: member for member in ground.leaving for key in ground.tree.below(member)}
    draft = Draft(ground, answers, ground.tree.without(ground.merge, ground.leaving), part_of)
    _plan_links(draft)
    _plan_rows(draft)
    _check_answers(draft)
    return draft


def _plan_links(draft: Draft) -> None:
    """Find where links stand whose value somebody who leaves has; all others stay as they are."""
    ground = draft.ground
    for link in ground.links:
        draft.homes[link.id] = link.home
        if link.id in ground.new_links:
            _place_new_link(draft, link)
    concerned = {link.key for link in ground.links if draft.homes[link.id] in draft.part_of}
    links = [link for link in ground.links if link.key in concerned]
    draft.standings = go_through(draft.after.pages, links, draft.homes)


def _place_new_link(draft: Draft, link: LinkFact) -> None:
    """Identifiers linked since the merge: nothing tells whose they are."""
    answer = _answer(draft, link.id)
    told = _Told(answer, "as answered" if answer else "linked since the merge", asked=answer is None)
    draft.arrivals.append(_arrival(draft, MAPPINGS, link.id, link.title, link.created_at, told))
    if answer is not None and answer in draft.part_of:
        draft.homes[link.id] = answer


def _plan_rows(draft: Draft) -> None:
    ground = draft.ground
    draft.owners = {relation: dict(rows) for relation, rows in ground.rows.items()}
    links = {link.id: link for link in ground.links}
    for row in ground.arrived:
        told = _owner_of(draft, row, links)
        draft.arrivals.append(_arrival(draft, row.relation, row.id, row.title, row.at, told))
        leaves = told.owner in draft.part_of
        if told.owner is not None and leaves:
            draft.owners.setdefault(row.relation, {})[row.id] = told.owner
        if row.relation == MESSAGES:
            draft.heard.append(Heard(row.stored_at, row.at, leaves))


def _owner_of(draft: Draft, row: ArrivedRow, links: Mapping[uuid.UUID, LinkFact]) -> _Told:
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


def _is_open(draft: Draft, link: LinkFact) -> bool:
    return link.id in draft.ground.new_links and str(link.id) not in draft.answers


def _arrival(
    draft: Draft, relation: str, row_id: uuid.UUID, title: str, at: datetime, told: _Told
) -> Arrival:
    noun, owner = RELATIONS[relation].noun, str(told.owner or "")
    name = draft.ground.people[told.owner].name if told.owner else ""
    return Arrival(relation, noun, str(row_id), title[:120], at, owner, told.why, told.asked, name)


def _answer(draft: Draft, row_id: uuid.UUID) -> uuid.UUID | None:
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


def _check_answers(draft: Draft) -> None:
    arrived = {row.row_id for row in draft.arrivals}
    strangers = sorted(set(draft.answers) - arrived)
    if strangers:
        raise InvalidInput(
            f"Row {strangers[0][:40]} did not arrive since merge {draft.ground.merge}; only rows that did"
            " can be assigned.",
            row=strangers[0][:40],
        )
