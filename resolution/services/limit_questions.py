"""What a person is asked when a value or a customer goes past a limit."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from customers.models import Mapping as Link
from resolution.models import Conflict, ConflictMember
from resolution.services import conflicts, reevaluate
from resolution.services.audit import Trail
from resolution.services.conflicts import Question
from resolution.services.limit_plan import Crossing

Kind, Role = Conflict.Kind, ConflictMember.Role
MOST_MEMBERS = 10


def ask(trail: Trail, crossings: Sequence[Crossing]) -> tuple[int, ...]:
    """Ask of each crossing once; the worker looks at the merges of what is newly asked.

    Returns the conflicts, new ones and those that stood. What a person called right is not asked again.
    """
    if not crossings:
        return ()
    questions = conflicts.leave_out_accepted([question_of(entry) for entry in crossings])
    if not questions:
        return ()
    opened = conflicts.open_conflicts(trail, questions)
    fresh = Conflict.objects.filter(pk__in=opened.new, kind=Kind.SHARED_VALUE)
    reevaluate.reevaluate_later(trail, fresh.values_list("pk", flat=True))
    return (*opened.new, *opened.refreshed)


def question_of(crossing: Crossing) -> Question:
    shared = crossing.kind == Kind.SHARED_VALUE
    return Question(
        kind=crossing.kind,
        members=_members(crossing) if shared else _customer_alone(crossing),
        reason=crossing.sentence,
        channel_id=crossing.channel_id,
        identifier_type=crossing.type,
        identifier_value=crossing.value if shared else "",
    )


def _customer_alone(crossing: Crossing) -> dict[uuid.UUID, str]:
    return {crossing.customer_id: Role.MEMBER.value} if crossing.customer_id else {}


def _members(crossing: Crossing) -> dict[uuid.UUID, str]:
    """The newcomer, and the first of those who have the value, its owner before all."""
    rows = Link.objects.current().filter(identifier_type=crossing.type, normalised=crossing.value)
    if crossing.channel_id:
        rows = rows.filter(channel=crossing.channel_id)
    first = rows.order_by("status", "first_seen_at", "pk").values_list("customer", flat=True)
    known = dict.fromkeys([*first[: 2 * MOST_MEMBERS], *_customer_alone(crossing)])
    chosen = list(known)[: MOST_MEMBERS - 1] + ([crossing.customer_id] if crossing.customer_id else [])
    return {key: Role.MEMBER.value for key in chosen if key}
