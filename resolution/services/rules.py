"""Rules of identifier types: set by people, shown before they act.

A limit below what exists changes nothing that exists: it is shown, and set only by somebody who says that
they have seen it. What is past it is asked about then.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from django.utils import timezone
from procrastinate.contrib.django import app

from customers.models import Customer
from customers.models import Mapping as Link
from resolution.errors import InvalidInput, LimitBelowExisting, StaleVersion
from resolution.models import Conflict, IdentifierRule
from resolution.selectors.identifier_rules import LIMITS, Rule, get_rule, load_rules, scope_of
from resolution.selectors.past_limits import (
    Past,
    Subject,
    ValueAt,
    all_past,
    count_holders,
    count_past,
    count_values,
    first_holders,
)
from resolution.services import audit, limit_follow, locks, runs
from resolution.services.audit import Trail
from resolution.services.limit_plan import crossing_of
from resolution.services.limit_questions import MOST_MEMBERS, ask
from resolution.services.questions import Standing, find_standing
from resolution.types import Actor

SET = "resolution.set_identifier_rules"
SETTABLE = (*LIMITS, "exclusive", "rank")
LARGEST = 1_000_000
LONGEST_WINDOW = 36_500
LARGEST_RANK = 99
ASKING = "ask_past_limits"  # the worker's task, and its runs
ASKED_A_CHANGE = 200
Kind = Conflict.Kind
_ASKED_OF = {
    Kind.SHARED_VALUE: ("customers_soft", "customers_hard"),
    Kind.LIMIT_REACHED: ("values_soft", "values_hard"),
}
_ASKED = frozenset().union(*_ASKED_OF.values())


@dataclass(frozen=True, slots=True)
class RulePreview:
    """A rule as it stands and as it would be, and what of the register its limits are below."""

    rule: IdentifierRule
    changes: Mapping[str, Any]
    past: tuple[Past, ...]

    @property
    def to_ask(self) -> list[str]:
        """The limits of which setting the rule asks a person."""
        return [past.limit_name for past in self.past if past.limit_name in _ASKED]


def preview_rule(*, identifier_type: str, changes: Mapping[str, object]) -> RulePreview:
    """Return what a rule would be below in the register; reads only. Raises NotFound, InvalidInput."""
    row = get_rule(identifier_type)
    return _preview(row, check_changes(row, changes))


@locks.again_after_deadlock
def set_rule(
    *,
    identifier_type: str,
    version: int,
    changes: Mapping[str, object],
    actor: Actor,
    accept_existing: bool = False,
    reason: str = "",
) -> IdentifierRule:
    """Set limits, window, exclusivity or rank of a type as its `version` was seen; an empty limit is none.

    What is past a new limit stays, and the worker asks about it. Raises NotFound, InvalidInput, StaleVersion,
    and LimitBelowExisting unless `accept_existing` says that what is past it was seen.
    """
    with audit.change(actor) as trail:
        row = locks.lock_row(IdentifierRule, get_rule(identifier_type).pk)
        _refuse_stale(row, version)
        preview = _preview(row, check_changes(row, changes))
        if preview.past and not accept_existing:
            raise _below_existing(preview)
        if not preview.changes:
            return row
        before = {name: getattr(row, name) for name in preview.changes}
        for name, value in preview.changes.items():
            setattr(row, name, value)
        row.version += 1
        row.changed_by, row.changed_at = actor.name, timezone.now()
        row.save()
        if preview.to_ask:
            _ask_later(row.identifier_type, preview.to_ask, actor)
        trail.record(
            "rule",
            identifier_type=row.identifier_type,
            method="set",
            before=before,
            after=dict(preview.changes),
            past={past.limit_name: past.number for past in preview.past},
            reason=reason[:500],
        )
        if "valid_days" in preview.changes:
            trail.rewindow(row.identifier_type)
        if not preview.changes.keys().isdisjoint(LIMITS):
            limit_follow.follow_rule(trail, row.identifier_type, "Its limits were set anew.")
        trail.tell("rule.changed", identifier_type=row.identifier_type, version=row.version)
        return row


def ask_past_limits(*, identifier_type: str, limit_names: Collection[str], actor: Actor) -> int:
    """Ask of all that is past these limits as they are by now, a bounded number a change; return how many.

    A run tells how far it is. Doing it again asks nothing twice.
    """
    rule = load_rules()[identifier_type]
    subjects = [
        (kind, found.subject, found.channel_id)
        for kind, names in _ASKED_OF.items()
        for found in _past(rule, names, limit_names)
    ]
    counts = {"past_limits": 0}
    run = runs.begin(ASKING, "", actor)
    walk = runs.Walk(run, lambda stage, done, total: None, {}, lambda: counts)
    with runs.closing(run), walk.stage("asking", len(subjects)) as note:
        for start in range(0, len(subjects), ASKED_A_CHANGE):
            batch = subjects[start : start + ASKED_A_CHANGE]
            counts["past_limits"] += locks.retried(partial(_ask_batch, identifier_type, batch, actor))
            note(start + len(batch))
    runs.finish(run, counts, walk.timings)
    return counts["past_limits"]


@locks.again_after_deadlock
def ask_past_value(*, mapping_id: uuid.UUID, actor: Actor) -> int:
    """Ask of the value of a link, whoever has it by now, once no file is on its way; return how many asked.

    A value that was erased meanwhile is nothing to ask of. Raises TryAgain.
    """
    link = Link.objects.filter(pk=mapping_id).first()
    if link is None:
        return 0
    value = (link.normalised, scope_of(link.identifier_type, link.channel_id))
    with audit.change(actor) as trail:
        locks.keep_files_out()
        return _ask_counted(trail, link.identifier_type, {value}, frozenset())


def _ask_batch(identifier_type: str, batch: Sequence[tuple[str, str, uuid.UUID | None]], actor: Actor) -> int:
    values = {(subject, channel) for kind, subject, channel in batch if kind == Kind.SHARED_VALUE}
    customers = frozenset(uuid.UUID(subject) for kind, subject, _ in batch if kind == Kind.LIMIT_REACHED)
    with audit.change(actor) as trail:
        return _ask_counted(trail, identifier_type, values, customers)


@dataclass(frozen=True, slots=True)
class _Concerned:
    """Whom questions are about, read without locks: the first who have a value, whom customers stand for."""

    holders: frozenset[uuid.UUID]
    standing: Standing

    @classmethod
    def of(
        cls, identifier_type: str, values: Collection[ValueAt], customers: Collection[uuid.UUID]
    ) -> _Concerned:
        first = first_holders([(identifier_type, value) for value in values], MOST_MEMBERS).values()
        return cls(frozenset(key for found in first for key in found), find_standing(customers))

    def touched(self) -> set[uuid.UUID]:
        return {*self.holders, *self.standing.touched()}

    def holds(self, locked: Mapping[uuid.UUID, Customer]) -> bool:
        return self.standing.holds(locked) and all(
            locked[key].status == Customer.Status.ACTIVE for key in self.holders
        )


def _ask_counted(
    trail: Trail, identifier_type: str, values: Collection[ValueAt], customers: Collection[uuid.UUID]
) -> int:
    """Ask of those values and customers that are past a limit, counted with both locked; return how many."""
    locks.lock_identifiers((identifier_type, value) for value, _ in values)
    concerned, _ = locks.lock_as_planned(lambda: _Concerned.of(identifier_type, values, customers))
    rule, standing = load_rules()[identifier_type], set(concerned.standing.of.values())
    found = [
        *(
            crossing_of(Kind.SHARED_VALUE, rule, value, None, number, channel)
            for (value, channel), number in count_holders(rule, values).items()
        ),
        *(
            crossing_of(Kind.LIMIT_REACHED, rule, "", customer, number)
            for customer, number in count_values(rule, standing).items()
        ),
    ]
    crossings = [replace(entry, stands=True) for entry in found if entry]
    ask(trail, crossings)
    return len(crossings)


def _past(rule: Rule, names: Sequence[str], wanted: Collection[str]) -> list[Subject]:
    """What is past the lowest of a kind's limits that were set."""
    standing = [limit for name in names if name in wanted and (limit := getattr(rule, name)) is not None]
    return all_past(rule, names[0], min(standing)) if standing else []


def _ask_later(identifier_type: str, limit_names: list[str], actor: Actor) -> None:
    """Have the worker ask once the rule stands; the job is part of the change."""
    later = app.configure_task(ASKING, lock=ASKING)
    later.defer(identifier_type=identifier_type, limit_names=[*limit_names], actor=asdict(actor))


def check_changes(row: IdentifierRule, changes: Mapping[str, object]) -> dict[str, Any]:
    """Return what differs from a rule, checked. Raises InvalidInput naming the field."""
    checked = {name: _check_field(name, value) for name, value in changes.items()}
    after: dict[str, Any] = {name: checked.get(name, getattr(row, name)) for name in SETTABLE}
    for what in ("values", "customers"):
        soft, hard = after[f"{what}_soft"], after[f"{what}_hard"]
        if soft is not None and hard is not None and soft > hard:
            raise InvalidInput(
                f"{what}_soft is {soft} and {what}_hard {hard}; to ask before it refuses, the first must not"
                " be the greater one.",
                field=f"{what}_soft",
            )
    return {name: value for name, value in checked.items() if value != getattr(row, name)}


def _check_field(name: str, value: object) -> object:
    if name not in SETTABLE:
        raise InvalidInput(
            f"A rule has no field “{name[:40]}”; it has {', '.join(SETTABLE)}.", field=name[:40]
        )
    if name == "exclusive":
        if not isinstance(value, bool):
            raise InvalidInput(f"exclusive is {str(value)[:40]}; true or false is wanted.", field=name)
        return value
    if value is None and name != "rank":
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _largest(name):
        raise InvalidInput(
            f"{name} is {str(value)[:40]}; a whole number from 1 to {_largest(name):,} is wanted"
            f"{'' if name == 'rank' else ', or nothing for no limit'}.",
            field=name,
        )
    return value


def _largest(name: str) -> int:
    return {"rank": LARGEST_RANK, "valid_days": LONGEST_WINDOW}.get(name, LARGEST)


def _refuse_stale(row: IdentifierRule, version: int) -> None:
    if row.version != version:
        raise StaleVersion(
            f"The rule of {row.identifier_type} is at version {row.version}, and you saw {version}."
            " Load it again.",
            type=row.identifier_type, version=row.version, seen=version,
        )  # fmt: skip


def _preview(row: IdentifierRule, changes: Mapping[str, Any]) -> RulePreview:
    """Count what is past each limit that is new or lower than it was."""
    rule = load_rules()[row.identifier_type]
    changed = replace(rule, **changes)
    found = [
        count_past(rule if name == "valid_days" else changed, name, value)
        for name, value in changes.items()
        if name in LIMITS and value is not None and _is_lower(row, name, value)
    ]
    if changes.get("exclusive"):
        found.append(count_past(changed, "exclusive", 1))
    return RulePreview(row, changes, tuple(past for past in found if past.number))


def _is_lower(row: IdentifierRule, name: str, value: int) -> bool:
    before = getattr(row, name)
    return before is None or value < before


def _below_existing(preview: RulePreview) -> LimitBelowExisting:
    told = "; ".join(past.sentence for past in preview.past)
    return LimitBelowExisting(
        f"This is below what exists: {told}. Nothing was set; look at them, then confirm that you have.",
        type=preview.rule.identifier_type,
        past={
            past.limit_name: {
                "limit": past.limit,
                "number": past.number,
                "first": [{"subject": found.subject, "number": found.number} for found in past.shown],
            }
            for past in preview.past
        },
    )
