"""Live questions about limits when the values change that they count: told as they are now, or closed."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from customers.models import Mapping as Link
from resolution.models import Conflict, ConflictMember
from resolution.selectors.identifier_rules import Rule, load_rules, scope_of
from resolution.selectors.past_limits import ValueAt, count_holders, count_values
from resolution.services import locks
from resolution.services.audit import Trail
from resolution.services.conflicts import (
    Question,
    leave_out_accepted,
    name_members,
    open_conflicts,
    put_members,
)
from resolution.services.limit_plan import Crossing, crossing_of
from resolution.services.limit_questions import MOST_MEMBERS, name_holders, question_of
from resolution.services.live_questions import close_conflicts

State, Kind = Conflict.State, Conflict.Kind
Value = tuple[str, str]

_REWORD = """
    UPDATE conflicts c SET reason = told.reason, version = c.version + 1, updated_at = %(now)s
    FROM unnest(%(ids)s::bigint[], %(reasons)s::text[]) AS told (id, reason) WHERE c.id = told.id
"""
_LEAVE_OUT = """
    DELETE FROM conflict_members m
    USING unnest(%(ids)s::bigint[], %(customers)s::uuid[]) AS gone (id, customer)
    WHERE m.conflict_id = gone.id AND m.customer_id = gone.customer
"""


def follow(trail: Trail, customers: Collection[uuid.UUID], why: str) -> None:
    """Count anew what is asked about limits of these customers and of the values they have or had.

    What is past no limit any more is asked no more; the rest tells today's number and names who has the
    value. `why` says what changed. The customers are locked.
    """
    had = Link.objects.filter(
        customer__in=customers,
        identifier_type=OuterRef("identifier_type"),
        normalised=OuterRef("identifier_value"),
    )
    named = Exists(ConflictMember.objects.filter(conflict=OuterRef("pk"), customer__in=customers))
    _follow(trail, Conflict.objects.filter(named | Q(Exists(had), kind=Kind.SHARED_VALUE)), why)


def asked_of_values(values: Collection[Value]) -> QuerySet[Conflict]:
    """The live questions about values (type, canonical), whoever has them."""
    about = Conflict.objects.exclude(state=State.DONE).filter(
        kind=Kind.SHARED_VALUE,
        identifier_type__in={type for type, _ in values},
        identifier_value__in={value for _, value in values},
    )
    return about if values else about.none()


def follow_values(trail: Trail, values: Collection[Value], why: str) -> None:
    """Count anew what is asked about values; the questions are locked."""
    _follow(trail, asked_of_values(values), why)


def ask_again(trail: Trail, customers: Collection[uuid.UUID]) -> None:
    """Ask again about values that a merge, taken back since, had made one customer's.

    It names those whom it named, as who has become of these customers, who are locked and stand for
    themselves.
    """
    rules = load_rules()
    asked = [entry for entry in _answered_by_merges(customers, rules) if entry.members]
    _count(asked, rules)
    crossings = [(entry, entry.crossing(rules[entry.row.identifier_type])) for entry in asked]
    questions = [question_of(crossing, entry.members) for entry, crossing in crossings if crossing]
    open_conflicts(trail, leave_out_accepted(questions))


def follow_rule(trail: Trail, identifier_type: str, why: str) -> None:
    """Count anew what is asked about the limits of a type, by its rule as it is now."""
    _follow(trail, Conflict.objects.filter(identifier_type=identifier_type), why)


@dataclass(slots=True)
class _Asked:
    """A live question about a limit: whom it names, and how many there are of what it counts."""

    row: Conflict
    members: list[uuid.UUID] = field(default_factory=list)
    number: int = 0

    @property
    def shared(self) -> bool:
        return self.row.kind == Kind.SHARED_VALUE

    @property
    def customer(self) -> uuid.UUID | None:
        """The one customer it is about."""
        return None if self.shared else next(iter(self.members), None)

    def crossing(self, rule: Rule) -> Crossing | None:
        """What is past a limit by now. A link that was refused stands while another would be as well."""
        row = self.row
        refused, stands = (
            crossing_of(row.kind, rule, row.identifier_value, self.customer, number, row.channel_id)
            for number in (self.number + 1, self.number)
        )
        if refused and refused.hard and refused.sentence == row.reason:
            return refused
        return replace(stands, stands=True) if stands else None


def _follow(trail: Trail, about: QuerySet[Conflict], why: str) -> None:
    rules = load_rules()
    asked = _lock_asked(about, rules)
    if not asked:
        return
    _count(asked, rules)
    crossings = {entry.row.pk: entry.crossing(rules[entry.row.identifier_type]) for entry in asked}
    close_conflicts(
        trail,
        [key for key, crossing in crossings.items() if crossing is None],
        outcome=Conflict.Outcome.CLOSED,
        reason=f"{why} It is past no limit any more",
    )
    standing = [(entry, found) for entry in asked if (found := crossings[entry.row.pk]) and found.stands]
    _tell_anew(trail, standing, why)


def _answered_by_merges(customers: Collection[uuid.UUID], rules: Mapping[str, Rule]) -> list[_Asked]:
    """What was asked last of each value these have and a merge answered, with those of them it named."""
    held = Link.objects.current().filter(customer__in=customers, identifier_type__in=list(rules))
    values = held.order_by().values_list("channel", "identifier_type", "normalised").distinct()
    names = {name_members((), scope_of(type, channel), type, value) for channel, type, value in values}
    last = Conflict.objects.filter(kind=Kind.SHARED_VALUE, members_key__in=names)
    rows = last.order_by("members_key", "-pk").distinct("members_key")
    asked = {row.pk: _Asked(row) for row in rows if row.outcome == Conflict.Outcome.MERGED}
    for member in (
        ConflictMember.objects.filter(conflict__in=list(asked)).select_related("customer").order_by("pk")
    ):
        if member.customer.canonical_id in customers:
            asked[member.conflict_id].members.append(member.customer.canonical_id)
    return list(asked.values())


def _lock_asked(about: QuerySet[Conflict], rules: Mapping[str, Rule]) -> list[_Asked]:
    """Lock the live questions about limits among these; one that awaits approval is answered."""
    live = about.filter(
        kind__in=[Kind.SHARED_VALUE, Kind.LIMIT_REACHED], identifier_type__in=list(rules)
    ).exclude(state=State.DONE)
    live = live.exclude(state=State.DECIDED)
    if not live.exists():  # as nearly always: nothing to lock, and nobody to wait for
        return []
    asked = {row.pk: _Asked(row) for row in locks.lock_rows(live)}
    for member in ConflictMember.objects.filter(conflict__in=list(asked)).order_by("pk"):
        asked[member.conflict_id].members.append(member.customer_id)
    return list(asked.values())


def _count(asked: Sequence[_Asked], rules: Mapping[str, Rule]) -> None:
    by_type: defaultdict[str, list[_Asked]] = defaultdict(list)
    for entry in asked:
        by_type[entry.row.identifier_type].append(entry)
    for type, entries in by_type.items():
        shared = {(entry.row.identifier_value, entry.row.channel_id) for entry in entries if entry.shared}
        held = count_holders(rules[type], shared)
        has = count_values(rules[type], {entry.customer for entry in entries if entry.customer})
        for entry in entries:
            value = (entry.row.identifier_value, entry.row.channel_id)
            entry.number = has.get(entry.customer, 0) if entry.customer else held.get(value, 0)


def _tell_anew(trail: Trail, standing: Sequence[tuple[_Asked, Crossing]], why: str) -> None:
    """Word questions as they stand now, and let those about a value name who has it."""
    named = _name_anew([(entry, crossing) for entry, crossing in standing if entry.shared])
    told = {
        entry.row.pk: (entry, question_of(crossing, named.get(entry.row.pk, entry.members)))
        for entry, crossing in standing
    }
    changed = {
        key: (entry, question)
        for key, (entry, question) in told.items()
        if question.reason != entry.row.reason or question.members.keys() != set(entry.members)
    }
    if not changed:
        return
    gone = [
        (key, customer)
        for key, (entry, question) in changed.items()
        for customer in entry.members
        if customer not in question.members
    ]
    with connection.cursor() as cursor:
        reasons = [question.reason for _, question in changed.values()]
        cursor.execute(_REWORD, {"now": timezone.now(), "ids": list(changed), "reasons": reasons})
        cursor.execute(_LEAVE_OUT, {"ids": [key for key, _ in gone], "customers": [who for _, who in gone]})
    put_members({key: question for key, (_, question) in changed.items()})
    for key, (_, question) in changed.items():
        _record(trail, key, question, why)


def _name_anew(standing: Sequence[tuple[_Asked, Crossing]]) -> dict[int, list[uuid.UUID]]:
    """Return whom questions about values name by now: who was named and has the value, then others.

    The named stay who they are while the question is locked; the others are locked for it.
    """
    has = _values_of_named([entry for entry, _ in standing])
    kept = {
        entry.row.pk: [key for key in entry.members if (key, *crossing.place) in has]
        for entry, crossing in standing
    }
    short = [
        (entry, crossing)
        for entry, crossing in standing
        if len(kept[entry.row.pk]) < min(entry.number, MOST_MEMBERS)
    ]
    holders = name_holders([crossing for _, crossing in short]) if short else []
    more = {entry.row.pk: found for (entry, _), found in zip(short, holders, strict=True)}
    return {
        key: list(dict.fromkeys([*found, *more.get(key, ())]))[:MOST_MEMBERS] for key, found in kept.items()
    }


def _values_of_named(asked: Sequence[_Asked]) -> set[tuple[uuid.UUID, str, ValueAt]]:
    """Which of the values asked about the customers named have today, on each channel and on any."""
    rows = Link.objects.current().filter(
        customer__in={key for entry in asked for key in entry.members},
        identifier_type__in={entry.row.identifier_type for entry in asked},
        normalised__in={entry.row.identifier_value for entry in asked},
    )
    found = rows.values_list("customer", "identifier_type", "normalised", "channel")
    return {(key, type, (value, at)) for key, type, value, channel in found for at in (channel, None)}


def _record(trail: Trail, conflict_id: int, question: Question, why: str) -> None:
    trail.record(
        "conflict",
        customer_id=next(iter(question.members), None),
        channel_id=question.channel_id,
        identifier_type=question.identifier_type,
        identifier_value=question.identifier_value,
        method=question.kind,
        conflict=conflict_id,
        members=[str(entry) for entry in question.members],
        reason=question.reason,
        why=why,
    )
