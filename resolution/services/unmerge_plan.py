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
from collections.abc import Iterator, Mapping
from dataclasses import replace

from resolution.services.merge_plan import LAST_INTERACTION, OWNING
from resolution.services.unmerge_draft import Draft, draft_undo
from resolution.services.unmerge_fields import Profiles, follow_fields, latest_of
from resolution.services.unmerge_links import ENDED, LinkFact, LinkKey
from resolution.services.unmerge_types import (
    MAPPINGS,
    MESSAGES,
    RELATIONS,
    Answers,
    Ground,
    Question,
    QuestionReturn,
    Side,
    Undo,
    UnmergePlan,
)


def plan_undo(ground: Ground, answers: Answers) -> Undo:
    """Plan the leaving of members; `answers` say where rows go that came since.

    Raises InvalidInput for an answer about a row that did not arrive, or one that names neither side.
    """
    if ground.blockers:
        return Undo(ground, _names_only(ground))
    undo = _plan(ground, answers)
    unanswered = _plan(ground, {}) if answers else undo
    return replace(undo, plan=replace(undo.plan, fingerprint=_fingerprint(unanswered)))


def _plan(ground: Ground, answers: Answers) -> Undo:
    draft = draft_undo(ground, answers)
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
        kept_apart=ground.words,
    )
    return Undo(
        ground,
        plan,
        draft.standings,
        draft.owners,
        {key: member for key, member in draft.part_of.items() if key != member},
        profiles,
    )


def _names_only(ground: Ground) -> UnmergePlan:
    root, *leaving = (Side(str(row.id), row.name, ()) for row in ground.sides.values())
    return UnmergePlan(ground.merge, root, tuple(leaving), blockers=ground.blockers)


def _members_left(draft: Draft) -> bool:
    page = draft.after.page(draft.ground.merge)
    return page is not None and bool(page.members)


def _profiles(draft: Draft) -> Profiles:
    """Make the working copy that follow_fields writes on; members that get messages were heard of later."""
    rows = {key: dict(person.profile) for key, person in draft.ground.people.items()}
    profiles = Profiles(draft.after, rows, draft.heard, set(), {}, set())
    for row in draft.arrivals:
        if row.relation == MESSAGES and row.goes_to and uuid.UUID(row.goes_to) in draft.part_of:
            member = uuid.UUID(row.goes_to)
            rows[member][LAST_INTERACTION] = latest_of([rows[member][LAST_INTERACTION], row.at])
            profiles.customers.add(member)
    return profiles


def _questions(draft: Draft) -> Iterator[QuestionReturn]:
    """Say of each open conflict that names the root whom it is about from now on."""
    owners = {
        row.link.key: draft.part_of.get(row.customer)
        for row in draft.standings.values()
        if row.status == OWNING
    }
    for question in draft.ground.questions:
        owner = _named_by(draft, question, owners)
        name = draft.ground.people[owner].name if owner else ""
        yield QuestionReturn(question.id, question.reason, str(owner or ""), name)


def _named_by(
    draft: Draft, question: Question, owners: Mapping[LinkKey, uuid.UUID | None]
) -> uuid.UUID | None:
    """Return the member a conflict goes with, None when it stays."""
    if question.key is not None and question.role == "owner":
        return owners.get(question.key)
    if question.message is not None:
        return draft.owners.get(MESSAGES, {}).get(question.message)
    parts = {draft.part_of.get(key) for key in draft.ground.people if str(key) in question.about}
    return parts.pop() if len(parts) == 1 else None


def _side(draft: Draft, key: uuid.UUID) -> Side:
    """Count what a customer gets; who stays gets back only what folded."""
    ground = draft.ground
    links = [row for row in draft.standings.values() if row.changed and row.customer == key]
    rows = [(RELATIONS[MAPPINGS].label, len(links))]
    for name, owners in draft.owners.items():
        rows.append((RELATIONS[name].label, sum(owner == key for owner in owners.values())))
    return Side(str(key), ground.people[key].name, tuple(row for row in rows if row[1]))


def _left(draft: Draft) -> Iterator[str]:
    for name, number in draft.ground.moved_on.items():
        links = name == MAPPINGS
        where = "to another customer since and stays there" if links else "since and stays where it is"
        yield from _note(number, RELATIONS[name].noun, f"moved on {where}")
    ended = sum(_was_taken_off(draft, row.link) for row in draft.standings.values())
    yield from _note(ended, RELATIONS[MAPPINGS].noun, "taken off since and comes back as ended")


def _was_taken_off(draft: Draft, link: LinkFact) -> bool:
    """Whether a link that goes back was ended after the merge had moved it."""
    moved = any(move.merge == draft.ground.merge and move.status != ENDED for move in link.moves)
    return link.status == ENDED and moved and draft.homes[link.id] in draft.part_of


def _note(number: int, noun: str, what: str) -> Iterator[str]:
    if number:
        yield f"{number} {noun}{'s were' if number > 1 else ' was'} {what}."


def _fingerprint(undo: Undo) -> str:
    """Name all that an undo does, so that nothing else than what was looked at is done."""
    ground, plan = undo.ground, undo.plan
    covered = [
        ground.merge,
        [plan.survivor.customer_id, *(side.customer_id for side in plan.returning)],
        [(row.row_id, row.goes_to) for row in plan.arrivals],
        {name: {str(row): str(owner) for row, owner in rows.items()} for name, rows in undo.owners.items()},
        {str(key): [str(row.customer), row.status] for key, row in undo.standings.items() if row.changed},
        {str(key): str(member) for key, member in undo.redirects.items()},
        [(row.field, row.now, row.before, row.fate) for row in plan.fields if row.field != LAST_INTERACTION],
        [(entry.conflict_id, entry.goes_to) for entry in plan.questions],
        [word.judgement for word in plan.kept_apart],
        plan.left,
    ]
    return hashlib.sha256(json.dumps(covered, sort_keys=True).encode()).hexdigest()[:16]
