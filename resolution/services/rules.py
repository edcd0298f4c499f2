"""Rules of identifier types: set by people, shown before they act.

A limit below what exists changes nothing that exists: it is shown, and set only by somebody who says that
they have seen it. What is past it is asked about then.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.utils import timezone
from procrastinate.contrib.django import app

from resolution.errors import InvalidInput, LimitBelowExisting, StaleVersion
from resolution.models import Conflict, IdentifierRule
from resolution.selectors.identifier_rules import LIMITS, Rule, get_rule, load_rules
from resolution.selectors.past_limits import Past, all_past, count_past, holders_of_values
from resolution.services import audit, locks, runs
from resolution.services.limit_plan import Crossing, crossing_of
from resolution.services.limit_questions import ask
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
        trail.tell("rule.changed", identifier_type=row.identifier_type, version=row.version)
        return row


def ask_past_limits(*, identifier_type: str, limit_names: Collection[str], actor: Actor) -> int:
    """Ask of all that is past these limits as they are by now, a bounded number a change; return how many.

    A run tells how far it is. Doing it again asks nothing twice.
    """
    rule = load_rules()[identifier_type]
    crossings = [
        found for kind, names in _ASKED_OF.items() for found in _crossings(rule, kind, names, limit_names)
    ]
    counts = {"past_limits": 0}
    run = runs.begin(ASKING, "", actor)
    walk = runs.Walk(run, lambda stage, done, total: None, {}, lambda: counts)
    with runs.closing(run), walk.stage("asking", len(crossings)) as note:
        for start in range(0, len(crossings), ASKED_A_CHANGE):
            batch = crossings[start : start + ASKED_A_CHANGE]
            with audit.change(actor) as trail:
                ask(trail, batch)
            counts["past_limits"] += len(batch)
            note(start + len(batch))
    runs.finish(run, counts, walk.timings)
    return len(crossings)


def ask_past_values(*, customer_id: uuid.UUID, identifier_type: str, actor: Actor) -> int:
    """Ask of a customer's values that more customers have than a limit lets, once no file is on its way.

    Returns how many those are.
    """
    with audit.change(actor) as trail:
        locks.keep_files_out()
        crossings = list(_crossings_of(customer_id, load_rules()[identifier_type]))
        ask(trail, crossings)
    return len(crossings)


def _crossings_of(customer_id: uuid.UUID, rule: Rule) -> Iterator[Crossing]:
    for value, channel, number in holders_of_values(rule, customer_id):
        crossing = crossing_of(Kind.SHARED_VALUE, rule, value, None, number, channel)
        if crossing:
            yield replace(crossing, stands=True)


def _crossings(rule: Rule, kind: str, names: Sequence[str], wanted: Collection[str]) -> Iterator[Crossing]:
    """What is past the lowest of a kind's limits that were set, each by the limit it is past."""
    standing = [limit for name in names if name in wanted and (limit := getattr(rule, name)) is not None]
    if not standing:
        return
    for subject, channel, number in all_past(rule, names[0], min(standing)):
        value, customer = (subject, None) if kind == Kind.SHARED_VALUE else ("", uuid.UUID(subject))
        crossing = crossing_of(kind, rule, value, customer, number, channel)
        if crossing:
            yield replace(crossing, stands=True)


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
