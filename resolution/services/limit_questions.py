"""What a person is asked when a value or a customer goes past a limit."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import asdict

from procrastinate.contrib.django import app

from resolution.models import Conflict, ConflictMember
from resolution.selectors.past_limits import first_holders
from resolution.services import conflicts, locks
from resolution.services.audit import Trail
from resolution.services.conflicts import Question
from resolution.services.limit_plan import Crossing

Kind, Role = Conflict.Kind, ConflictMember.Role
MOST_MEMBERS = 10
REEVALUATION = "reevaluate_conflicts"  # the worker's task


def ask(trail: Trail, crossings: Sequence[Crossing]) -> tuple[int, ...]:
    """Ask of each crossing once; the worker looks at the merges of what is newly asked.

    The customers that cross are locked. Returns the conflicts, new ones and those that stood. What a person
    called right is not asked again.
    """
    if not crossings:
        return ()
    questions = conflicts.leave_out_accepted(_questions_of(crossings))
    if not questions:
        return ()
    opened = conflicts.open_conflicts(trail, questions)
    fresh = Conflict.objects.filter(pk__in=opened.new, kind=Kind.SHARED_VALUE)
    _reevaluate_later(trail, fresh.values_list("pk", flat=True))
    return (*opened.new, *opened.refreshed)


def question_of(crossing: Crossing, members: Collection[uuid.UUID]) -> Question:
    return Question(
        kind=crossing.kind,
        members=dict.fromkeys(members, Role.MEMBER.value),
        reason=crossing.sentence,
        channel_id=crossing.channel_id,
        identifier_type=crossing.type,
        identifier_value=crossing.value if crossing.kind == Kind.SHARED_VALUE else "",
    )


def name_holders(crossings: Sequence[Crossing]) -> list[list[uuid.UUID]]:
    """Return whom the question of each crossing of a value names: the newcomer, and the first who have it.

    They are locked, so that none of them is merged or erased before the question stands. Whoever another
    change is at work on is left out until the worker looks at the value.
    """
    holders = first_holders([entry.place for entry in crossings], MOST_MEMBERS)
    known = [[*holders.get(entry.place, ()), *_customer_alone(entry)] for entry in crossings]
    free = locks.lock_free_customers({key for keys in known for key in keys})
    return [_chosen(entry, keys, free) for entry, keys in zip(crossings, known, strict=True)]


def _questions_of(crossings: Sequence[Crossing]) -> list[Question]:
    """The questions of all crossings that there is somebody left to ask about."""
    shared = [entry for entry in crossings if entry.kind == Kind.SHARED_VALUE]
    alone = [entry for entry in crossings if entry.kind != Kind.SHARED_VALUE]
    named = [
        *(zip(shared, name_holders(shared), strict=True) if shared else ()),
        *((entry, _customer_alone(entry)) for entry in alone),
    ]
    return [question_of(entry, members) for entry, members in named if members]


def _customer_alone(crossing: Crossing) -> list[uuid.UUID]:
    return [crossing.customer_id] if crossing.customer_id else []


def _chosen(crossing: Crossing, known: Sequence[uuid.UUID], free: Collection[uuid.UUID]) -> list[uuid.UUID]:
    newcomer = [key for key in _customer_alone(crossing) if key in free]
    others = [key for key in dict.fromkeys(known) if key in free and key not in newcomer]
    return others[: MOST_MEMBERS - len(newcomer)] + newcomer


def _reevaluate_later(trail: Trail, conflict_ids: Collection[int]) -> None:
    """Have the worker look at the merges of the values that these conflicts name, once this change stands.

    The job is part of the change, and names no value: an erasure has to reach into no queue.
    """
    if conflict_ids:
        later = app.configure_task(REEVALUATION)
        later.defer(conflict_ids=[*sorted(conflict_ids)], actor=asdict(trail.actor))
