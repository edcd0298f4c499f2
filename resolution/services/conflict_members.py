"""Live conflicts when their customers change: after a merge, an unmerge or an erasure.

A question goes on with other members, is answered by what happened, or asks by now what another asks.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from django.db import IntegrityError, connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from resolution.errors import TryAgain
from resolution.models import Conflict, ConflictMember
from resolution.selectors.identifier_rules import load_rules
from resolution.selectors.past_limits import ValueAt, count_holders
from resolution.selectors.told_elsewhere import Place, Told
from resolution.services import locks
from resolution.services.audit import Trail
from resolution.services.conflict_evidence import without
from resolution.services.conflicts import Question, put_members
from resolution.services.decisions import ASKS_OF_ONE
from resolution.services.live_questions import close_conflicts

State, Kind, Outcome, Role = Conflict.State, Conflict.Kind, Conflict.Outcome, ConflictMember.Role
_MOST_TRIES = 5
_ASKED_TWICE = "p6_a_question_is_asked_once"
_ROLE_RANK = {Role.OWNER: 0, Role.CLAIMANT: 1, Role.MEMBER: 2}
_ASKED_ALREADY = """
    SELECT kind, members_key FROM conflicts
    WHERE NOT state = 'done' AND members_key = ANY(%s) AND NOT id = ANY(%s)
"""
_RENAME = """
    UPDATE conflicts c SET members_key = now_named.key, version = c.version + 1, updated_at = %s
    FROM unnest(%s::bigint[], %s::text[]) AS now_named (id, key)
    WHERE c.id = now_named.id
"""
_DROP_MEMBERS = "DELETE FROM conflict_members WHERE conflict_id = ANY(%s) AND customer_id = ANY(%s)"


@dataclass(frozen=True, slots=True)
class Retargeted:
    """What a merge did to the questions it touched."""

    closed: int
    renamed: int


def retarget_conflicts(trail: Trail, survivors: Mapping[uuid.UUID, uuid.UUID]) -> Retargeted:
    """Make live conflicts name survivors instead of the absorbed (`survivors` maps absorbed → survivor).

    A conflict left with one member is answered by the merge, one about a value that only that one has by now
    as well; one that now asks what another asks is closed. A constant number of statements. Runs inside the
    merge's transaction, customers locked.
    """
    about = ConflictMember.objects.filter(customer__in=list(survivors)).values("conflict")
    touched = _lock_questions(Conflict.objects.filter(pk__in=about))
    asking = {id: _asked_of(entry, survivors) for id, entry in touched.items()}
    of_one = _of_one_customer(asking)
    going_on = {id: entry for id, entry in asking.items() if id not in of_one}
    kept, closed, doubled = _rename_apart(going_on, list(survivors))
    close_conflicts(trail, closed, outcome=Outcome.MERGED, reason="its customers were merged")
    close_conflicts(
        trail, of_one, outcome=Outcome.MERGED, reason="all who have its value are one customer now"
    )
    close_conflicts(trail, doubled, outcome=Outcome.CLOSED, reason="the same question stands asked elsewhere")
    return Retargeted(closed=len(closed) + len(of_one) + len(doubled), renamed=len(kept))


def hand_over(
    trail: Trail, customer: uuid.UUID, heirs: Mapping[int, uuid.UUID | None], *, reason: str
) -> list[int]:
    """Let live conflicts that name a customer name its heir instead; None leaves it in, as no longer as seen.

    `heirs` is by conflict. One that now asks what another asks is closed. Returns the ids of all touched.
    Runs inside the unmerge's transaction, customers locked.
    """
    touched = _lock_questions(Conflict.objects.filter(pk__in=heirs))
    named = {id: heir for id in touched if (heir := heirs[id]) is not None}
    asking = {id: _asked_of(touched[id], {customer: heir}) for id, heir in named.items()}
    _, closed, doubled = _rename_apart(asking, [customer])
    close_conflicts(trail, closed, outcome=Outcome.CLOSED, reason=reason)
    close_conflicts(trail, doubled, outcome=Outcome.CLOSED, reason="the same question stands asked elsewhere")
    Conflict.objects.filter(pk__in=touched.keys() - named.keys()).update(
        version=F("version") + 1, updated_at=timezone.now()
    )
    return list(touched)


def leave_out(trail: Trail, gone: Collection[uuid.UUID], freed: Collection[Place]) -> list[int]:
    """Let live conflicts ask without erased customers and return those that go on; the others are closed.

    One goes on while it scores a pair of those who are left, or others still share its value: one that is
    not `freed` with the customers.
    """
    about = ConflictMember.objects.filter(customer__in=gone).values("conflict")
    touched = _lock_questions(Conflict.objects.filter(pk__in=about))
    scored = {row.pk for row in Conflict.objects.filter(pk__in=touched) if without(row.evidence, gone)}
    left = {id: _asked_without(entry, gone) for id, entry in touched.items()}
    going_on = {
        id: entry
        for id, entry in left.items()
        if entry.members
        and (id in scored or entry.kind == Kind.SHARED_VALUE)
        and (entry.channel_id, entry.identifier_type, entry.identifier_value) not in freed
    }
    kept, _, _ = _rename_apart(going_on, list(gone))
    reason = "a customer it asks about was erased"
    close_conflicts(trail, touched.keys() - kept.keys(), outcome=Outcome.CLOSED, reason=reason)
    return list(kept)


def forget(conflict_ids: Collection[int], kept: Collection[int], gone: Collection[uuid.UUID]) -> None:
    """Take from conflicts what they tell of erased customers; `kept` go on asking about others."""
    for row in locks.lock_rows(Conflict.objects.filter(pk__in=conflict_ids)):
        row.evidence = without(row.evidence, gone) if row.pk in kept else []
        if row.pk not in kept or row.kind != Kind.SHARED_VALUE:
            row.reason = "One of the customers was erased."
        row.comment = ""
        if row.pk not in kept:
            row.identifier_value = row.members_key = ""
        row.save(update_fields=["evidence", "reason", "comment", "identifier_value", "members_key"])


def forget_evidence(conflict_ids: Collection[int], gone: Collection[uuid.UUID]) -> None:
    """Take the pairs of erased customers out of the evidence of questions about others."""
    for row in locks.lock_rows(Conflict.objects.filter(pk__in=conflict_ids)):
        row.evidence = without(row.evidence, gone)
        row.save(update_fields=["evidence"])


def forget_told(conflict_ids: Collection[int], told: Told, freed: Collection[Place]) -> None:
    """Take from conflicts about others what they tell of somebody erased; who decided what stays."""
    for row in locks.lock_rows(Conflict.objects.filter(pk__in=conflict_ids).prefetch_related("members")):
        about = [member.customer_id for member in row.members.all()]
        row.evidence = [pair for pair in row.evidence if not told.in_pair(pair)]
        if told.in_text(row.reason, about):
            row.reason = "What it said of somebody who was erased is gone."
        if told.in_text(row.comment, about):
            row.comment = ""
        place = (row.channel_id, row.identifier_type, row.identifier_value)
        if row.state == State.DONE and place in freed:
            row.identifier_value = row.members_key = ""
        row.save(update_fields=["evidence", "reason", "comment", "identifier_value", "members_key"])


def _lock_questions(conflicts: QuerySet[Conflict]) -> dict[int, Question]:
    """Lock the live ones of these conflicts, in id order, and return what they ask."""
    live = conflicts.exclude(state=State.DONE)
    rows = locks.lock_rows(live.only("kind", "channel_id", "identifier_type", "identifier_value"))
    members: dict[int, dict[uuid.UUID, str]] = {row.pk: {} for row in rows}
    for member in ConflictMember.objects.filter(conflict__in=rows).order_by("pk"):
        members[member.conflict_id][member.customer_id] = member.role
    return {
        row.pk: Question(
            row.kind, members[row.pk], "", (), row.channel_id, row.identifier_type, row.identifier_value
        )
        for row in rows
    }


def _rename_apart(
    asking: Mapping[int, Question], gone: list[uuid.UUID]
) -> tuple[dict[int, Question], list[int], list[int]]:
    """Sort conflicts out and rename those that go on; again when somebody asked the same at that moment."""
    for _ in range(_MOST_TRIES):
        kept, closed, doubled = _sort_out(asking)
        try:
            with transaction.atomic():
                _rename(kept, gone)
            return kept, closed, doubled
        except IntegrityError as error:
            if locks.violated_constraint(error) != _ASKED_TWICE:
                raise
    raise TryAgain("Others kept asking what this leaves to ask; nothing was done. Try again.")


def _sort_out(asking: Mapping[int, Question]) -> tuple[dict[int, Question], list[int], list[int]]:
    """Part conflicts into those that go on with other members, those answered, and those asked twice."""
    closed = [id for id, entry in asking.items() if _is_answered_by_merge(entry)]
    going_on = {id: entry for id, entry in asking.items() if not _is_answered_by_merge(entry)}
    kept: dict[int, Question] = {}
    doubled: list[int] = []
    taken = _asked_already([entry.key for entry in going_on.values()], list(asking))
    for id, entry in going_on.items():
        if (entry.kind, entry.key) in taken:
            doubled.append(id)
        else:
            kept[id] = entry
            taken.add((entry.kind, entry.key))
    return kept, closed, doubled


def _asked_of(question: Question, heirs: Mapping[uuid.UUID, uuid.UUID]) -> Question:
    """Return a question with its members replaced by whoever stands for them; the weightier role stays."""
    standing: dict[uuid.UUID, str] = {}
    for customer_id, role in sorted(question.members.items(), key=lambda entry: _ROLE_RANK[Role(entry[1])]):
        standing.setdefault(heirs.get(customer_id, customer_id), role)
    return replace(question, members=standing)


def _asked_without(question: Question, gone: Collection[uuid.UUID]) -> Question:
    return replace(question, members={key: role for key, role in question.members.items() if key not in gone})


def _is_answered_by_merge(question: Question) -> bool:
    return len(question.members) < 2 and question.kind not in ASKS_OF_ONE


def _of_one_customer(asking: Mapping[int, Question]) -> list[int]:
    """The questions about values that one customer alone has by now."""
    shared = {
        id: entry
        for id, entry in asking.items()
        if entry.kind == Kind.SHARED_VALUE and len(entry.members) < 2
    }
    if not shared:
        return []
    rules = load_rules()
    by_type: defaultdict[str, dict[int, ValueAt]] = defaultdict(dict)
    for id, entry in shared.items():
        by_type[entry.identifier_type][id] = (entry.identifier_value, entry.channel_id)
    return [
        id
        for type, values in by_type.items()
        for held in [count_holders(rules[type], set(values.values()))]
        for id, value in values.items()
        if held.get(value, 0) < 2
    ]


def _asked_already(keys: list[str], but: list[int]) -> set[tuple[str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_ASKED_ALREADY, [keys, but])
        return set(cursor.fetchall())


def _rename(questions: Mapping[int, Question], gone: list[uuid.UUID]) -> None:
    ids = list(questions)
    with connection.cursor() as cursor:
        cursor.execute(_RENAME, [timezone.now(), ids, [question.key for question in questions.values()]])
        cursor.execute(_DROP_MEMBERS, [ids, gone])
    put_members(questions)
