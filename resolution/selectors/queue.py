"""The queue as data: what waits for a decision, most urgent first, and how much of it there is."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import reduce
from operator import and_

from django.db.models import Count, Prefetch, Q, QuerySet
from django.utils import timezone

from resolution.errors import InvalidInput, NotFound
from resolution.matching.decide import band_of
from resolution.matching.kernel import score_pair
from resolution.models import Conflict, ConflictMember, MergeProposal
from resolution.numbers import LARGEST_INTEGER, read_whole
from resolution.selectors.match_model import live_model, live_policy
from resolution.selectors.profiles import load_profiles
from resolution.types import OUT_OF_QUEUE, Band

BAND_LABELS = {
    Band.AUTO: "Automatic",
    Band.SAMPLE: "Automatic, sampled",
    Band.REVIEW: "To review",
    Band.NONE: "Below review",
    "": "Not scored",
}
# States a steward may claim from; a claim that lapsed may be taken over.
CLAIMABLE = frozenset(
    {Conflict.State.OPEN, Conflict.State.CLAIMED, Conflict.State.PARKED, Conflict.State.RETURNED}
)
POSSIBLE: Mapping[str, Sequence[str]] = {
    "kind": Conflict.Kind.values,
    "band": [band.value for band in Band],
    "state": Conflict.State.values,
}
AGES = (1, 3, 7)  # days
UNDECIDED = reduce(and_, (~Q(state=state) for state in OUT_OF_QUEUE))  # one by one, as the index has it
_MINE_TO_DO = Q(state__in=[Conflict.State.CLAIMED, Conflict.State.RETURNED, Conflict.State.PARKED])


@dataclass(frozen=True, slots=True)
class QueueFilters:
    """What part of the queue is wanted; an empty field does not narrow it.

    `assignee` is "me", "nobody" or a user id as text. `age` is "overdue", "today" (due within a day), one of
    AGES (asked longer ago than so many days), or empty. `state` empty means everything a steward may still
    decide.
    """

    kind: str = ""
    band: str = ""
    state: str = ""
    assignee: str = ""
    age: str = ""


@dataclass(frozen=True, slots=True)
class MemberName:
    """One customer a conflict asks about."""

    customer_id: str
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One conflict as the queue shows it. `holder` is who works on it now, empty when nobody does."""

    id: int
    kind: str
    kind_label: str
    state: str
    state_label: str
    outcome: str
    outcome_label: str
    band: str
    weight: float | None
    reason: str
    comment: str
    priority: int
    members: tuple[MemberName, ...]
    identifier_type: str
    identifier_value: str
    channel: str
    assignee: str
    holder: str
    leased_until: datetime | None
    parked_until: datetime | None
    due_at: datetime
    created_at: datetime
    version: int
    mine: bool
    claimable: bool
    overdue: bool


@dataclass(frozen=True, slots=True)
class QueuePage:
    """Rows in order, and the cursor of the next page (empty on the last)."""

    rows: tuple[QueueRow, ...]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of one value; `label` is what a screen says for it."""

    value: str
    label: str
    number: int


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """How much waits (everything not done), by kind, band and state."""

    total: int
    overdue: int
    kinds: tuple[Tally, ...]
    bands: tuple[Tally, ...]
    states: tuple[Tally, ...]


@dataclass(frozen=True, slots=True)
class MyWork:
    """What one steward has before them, in the order to take it up."""

    claimed: tuple[QueueRow, ...]
    returned: tuple[QueueRow, ...]
    parked_due: tuple[QueueRow, ...]
    proposals_waiting: int
    decided_today: int


def queue_page(
    filters: QueueFilters, *, user_id: int | None = None, after: str = "", size: int = 50
) -> QueuePage:
    """Return one page of the queue; `user_id` is who looks. Raises InvalidInput on an unreadable cursor.

    Two customers nobody has scored, such as an identifier's owner and claimant, are scored as their
    workbench does.
    """
    waiting = _ordered(Conflict.objects.filter(matching(filters, user_id)))
    if after:
        waiting = waiting.filter(_beyond(after))
    found = list(_with_names(waiting)[: size + 1])
    more = len(found) > size
    rows = [_row(conflict, user_id, timezone.now()) for conflict in found[:size]]
    return QueuePage(tuple(_with_certainty(rows)), _cursor(found[size - 1]) if more else "")


def conflict_row(conflict_id: int, *, user_id: int | None = None) -> QueueRow:
    """Return one conflict as the queue shows it. Raises NotFound."""
    found = conflict_rows([conflict_id], user_id=user_id)
    if not found:
        raise NotFound(f"There is no conflict {conflict_id}. Check the number.", conflict=conflict_id)
    return found[0]


def conflict_rows(conflict_ids: Sequence[int], *, user_id: int | None = None) -> tuple[QueueRow, ...]:
    """Return these conflicts as the queue shows them, in the order given; unknown ids are left out."""
    now = timezone.now()
    found = {row.pk: row for row in _with_names(Conflict.objects.filter(pk__in=conflict_ids))}
    return tuple(_row(found[key], user_id, now) for key in conflict_ids if key in found)


def queue_counts() -> QueueCounts:
    """Count what is still to be decided. Two queries."""
    waiting = Conflict.objects.filter(matching(QueueFilters()))
    grouped = list(waiting.order_by().values_list("kind", "band", "state").annotate(number=Count("pk")))
    return QueueCounts(
        total=sum(number for *_, number in grouped),
        overdue=waiting.filter(due_at__lte=timezone.now()).count(),
        kinds=_counts(((kind, number) for kind, _, _, number in grouped), dict(Conflict.Kind.choices)),
        bands=_counts(((band, number) for _, band, _, number in grouped), BAND_LABELS),
        states=_counts(((state, number) for *_, state, number in grouped), dict(Conflict.State.choices)),
    )


def holders() -> tuple[tuple[int, str], ...]:
    """Return who has something in the queue with them: number and name, by name. One query."""
    theirs = Conflict.objects.filter(UNDECIDED, assignee__isnull=False).order_by("assignee__username")
    return tuple(theirs.values_list("assignee", "assignee__username").distinct())


def my_work(user_id: int) -> MyWork:
    """Return what this person has claimed, was given back, and parked until now."""
    now = timezone.now()
    mine = _ordered(Conflict.objects.filter(assignee=user_id))
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    found = [_row(conflict, user_id, now) for conflict in _with_names(mine.filter(_MINE_TO_DO, _due(now)))]
    return MyWork(
        claimed=tuple(row for row in found if row.state == Conflict.State.CLAIMED),
        returned=tuple(row for row in found if row.state == Conflict.State.RETURNED),
        parked_due=tuple(row for row in found if row.state == Conflict.State.PARKED),
        proposals_waiting=MergeProposal.objects.filter(proposer=user_id, state="pending").count(),
        decided_today=Conflict.objects.filter(decided_by=user_id, decided_at__gte=midnight).count(),
    )


def matching(filters: QueueFilters, user_id: int | None = None) -> Q:
    """Return the condition for a part of the queue. Raises InvalidInput naming a filter that says nothing."""
    chosen = {name: _known(name, getattr(filters, name)) for name in POSSIBLE if getattr(filters, name)}
    waiting = Q() if filters.state else UNDECIDED
    return waiting & Q(**chosen) & _assigned(filters.assignee, user_id) & _aged(filters.age)


def _known(name: str, value: str) -> str:
    if value not in POSSIBLE[name]:
        raise InvalidInput(f"“{value[:40]}” is no {name}; use {', '.join(POSSIBLE[name])}.")
    return value


def _assigned(assignee: str, user_id: int | None) -> Q:
    match assignee:
        case "":
            return Q()
        case "nobody":
            return Q(assignee__isnull=True)
        case "me":
            return Q(assignee=user_id, assignee__isnull=False)
        case other:
            if (number := read_whole(other, most=LARGEST_INTEGER)) is not None:
                return Q(assignee=number)
            raise InvalidInput(f"“{other[:40]}” is no assignee; use me, nobody or the number of a user.")


def _aged(age: str) -> Q:
    match age:
        case "":
            return Q()
        case "overdue":
            return Q(due_at__lte=timezone.now())
        case "today":
            return Q(due_at__lte=timezone.now() + timedelta(days=1))
        case days if days in map(str, AGES):
            return Q(created_at__lte=timezone.now() - timedelta(days=int(days)))
        case other:
            known = ", ".join(map(str, AGES))
            raise InvalidInput(f"“{other[:40]}” is no age; use overdue, today or a number of days: {known}.")


def _ordered(conflicts: QuerySet[Conflict]) -> QuerySet[Conflict]:
    return conflicts.order_by("-priority", "due_at", "pk")


def _with_names(conflicts: QuerySet[Conflict]) -> QuerySet[Conflict]:
    return conflicts.select_related("assignee", "channel").prefetch_related(
        Prefetch("members", ConflictMember.objects.select_related("customer").order_by("pk"))
    )


def _cursor(last: Conflict) -> str:
    return f"{last.priority}_{last.due_at.isoformat()}_{last.pk}"


def _beyond(cursor: str) -> Q:
    """Return the condition for what comes after the row a cursor names."""
    try:
        priority, due, key = cursor.split("_")
        at, due_at, last = int(priority), datetime.fromisoformat(due), int(key)
    except ValueError:
        raise InvalidInput(f"“{cursor[:60]}” is no cursor of this list; begin at its first page.") from None
    same_time = Q(priority=at, due_at=due_at, pk__gt=last)
    return Q(priority__lt=at) | Q(priority=at, due_at__gt=due_at) | same_time


def _row(conflict: Conflict, user_id: int | None, now: datetime) -> QueueRow:
    held = _is_held(conflict, now)
    assignee = conflict.assignee.get_username() if conflict.assignee else ""
    return QueueRow(
        id=conflict.pk,
        kind=conflict.kind,
        kind_label=conflict.get_kind_display(),
        state=conflict.state,
        state_label=conflict.get_state_display(),
        outcome=conflict.outcome,
        outcome_label=conflict.get_outcome_display() if conflict.outcome else "",
        band=conflict.band,
        weight=conflict.weight,
        reason=conflict.reason,
        comment=conflict.comment,
        priority=conflict.priority,
        members=tuple(_member(member) for member in conflict.members.all()),
        identifier_type=conflict.identifier_type,
        identifier_value=conflict.identifier_value,
        channel=conflict.channel.name if conflict.channel else "",
        assignee=assignee,
        holder=assignee if held else "",
        leased_until=conflict.leased_until,
        parked_until=conflict.parked_until,
        due_at=conflict.due_at,
        created_at=conflict.created_at,
        version=conflict.version,
        mine=held and conflict.assignee_id == user_id,
        claimable=not held and conflict.state in CLAIMABLE,
        overdue=conflict.state != Conflict.State.DONE and conflict.due_at <= now,
    )


def _with_certainty(rows: Sequence[QueueRow]) -> Iterator[QueueRow]:
    unscored = {row.id: _member_ids(row) for row in rows if not row.band and len(row.members) == 2}
    profiles = load_profiles({key for pair in unscored.values() for key in pair}) if unscored else {}
    model = live_model() if profiles else None
    for row in rows:
        pair = [profiles[key] for key in unscored.get(row.id, ()) if key in profiles]
        if len(pair) == 2 and model:
            score = score_pair(model, *pair)
            yield replace(row, band=band_of(live_policy(), score).value, weight=score.weight)
        else:
            yield row


def _member_ids(row: QueueRow) -> list[uuid.UUID]:
    return sorted(uuid.UUID(member.customer_id) for member in row.members)


def _is_held(conflict: Conflict, now: datetime) -> bool:
    lease = conflict.leased_until
    return conflict.state == Conflict.State.CLAIMED and lease is not None and lease > now


def _member(member: ConflictMember) -> MemberName:
    return MemberName(str(member.customer_id), member.customer.display_name, member.role)


def _due(now: datetime) -> Q:
    """What is parked comes back when its time has come."""
    return ~Q(state=Conflict.State.PARKED) | Q(parked_until__lte=now)


def _counts(pairs: Iterable[tuple[str, int]], labels: Mapping[str, str]) -> tuple[Tally, ...]:
    totals: defaultdict[str, int] = defaultdict(int)
    for value, number in pairs:
        totals[value] += number
    ordered = sorted(totals.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Tally(value, labels.get(value, value), number) for value, number in ordered)
