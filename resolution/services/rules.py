"""Rules of identifier types: set by people, shown before they act.

A limit below what exists changes nothing that exists: it is shown, and set only by somebody who says that
they have seen it. What is past it is asked about then.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.utils import timezone

from resolution.errors import InvalidInput, LimitBelowExisting, StaleVersion
from resolution.models import Conflict, IdentifierRule
from resolution.selectors.identifier_rules import LIMITS, OF_ONE_CHANNEL, get_rule
from resolution.services import audit, limits, locks
from resolution.services.limit_plan import Crossing
from resolution.types import Actor

SET = "resolution.set_identifier_rules"
SETTABLE = (*LIMITS, "exclusive", "rank")
LARGEST = 1_000_000
LONGEST_WINDOW = 36_500
LARGEST_RANK = 99
MOST_SHOWN = 20
Kind = Conflict.Kind

_SHARED = """
    SELECT normalised, {channel} AS channel_id, count(DISTINCT customer_id) AS number
    FROM customer_identity_mapping
    WHERE identifier_type = %(type)s AND status IN ('active', 'shared')
    GROUP BY 1, 2 HAVING count(DISTINCT customer_id) > %(limit)s
    ORDER BY number DESC, 1, 2
"""
_MANY = """
    SELECT link.customer_id, NULL::uuid, count(DISTINCT link.normalised) AS number
    FROM customer_identity_mapping AS link
    WHERE identifier_type = %(type)s AND status IN ('active', 'shared')
    GROUP BY 1 HAVING count(DISTINCT normalised) > %(limit)s
    ORDER BY number DESC, 1
"""
_VERIFIED = """
    SELECT link.customer_id, {channel} AS channel_id, count(DISTINCT link.normalised) AS number
    FROM customer_identity_mapping AS link
    WHERE identifier_type = %(type)s AND status IN ('active', 'shared') AND verified
    GROUP BY 1, 2 HAVING count(DISTINCT normalised) > %(limit)s
    ORDER BY number DESC, 1, 2
"""


@dataclass(frozen=True, slots=True)
class Past:
    """What is past a limit: a value or a customer's id, the channel it is counted in, and how many it has."""

    limit_name: str
    limit: int
    found: tuple[tuple[str, uuid.UUID | None, int], ...]

    @property
    def about_values(self) -> bool:
        return self.limit_name.startswith("customers")

    @property
    def shown(self) -> tuple[tuple[str, uuid.UUID | None, int], ...]:
        return self.found[:MOST_SHOWN]

    @property
    def sentence(self) -> str:
        number = len(self.found)
        subject = "value" if self.about_values else "customer"
        what = (
            "customers"
            if self.about_values
            else "verified values"
            if self.limit_name == "exclusive"
            else "values"
        )
        noun, have = (subject, "has") if number == 1 else (f"{subject}s", "have")
        return f"{number:,} {noun} {have} more than {self.limit:,} {what}, the most {self.found[0][2]:,}"


@dataclass(frozen=True, slots=True)
class RulePreview:
    """A rule as it stands and as it would be, and what of the register its limits are below."""

    rule: IdentifierRule
    changes: Mapping[str, Any]
    past: tuple[Past, ...]

    @property
    def to_ask(self) -> list[Crossing]:
        """What setting the rule asks of a person: whatever is past a changed limit, once."""
        asked: dict[tuple[str, str, uuid.UUID | None], Crossing] = {}
        for past in self.past:
            if past.limit_name == "exclusive":
                continue
            for subject, scope, count in past.found:
                crossing = self._crossing(past, subject, scope, count)
                asked[crossing.kind, subject, scope] = crossing
        return list(asked.values())

    def _crossing(self, past: Past, subject: str, scope: uuid.UUID | None, count: int) -> Crossing:
        code = self.rule.identifier_type
        if past.about_values:
            return Crossing(Kind.SHARED_VALUE, code, subject, None, count, past.limit, False, scope)
        return Crossing(Kind.LIMIT_REACHED, code, "", uuid.UUID(subject), count, past.limit, False)


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

    What is past a new limit stays, and is asked about. Raises NotFound, InvalidInput, StaleVersion, and
    LimitBelowExisting unless `accept_existing` says that what is past it was seen.
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
        asked = limits.ask(trail, preview.to_ask)
        trail.record(
            "rule",
            identifier_type=row.identifier_type,
            method="set",
            before=before,
            after=dict(preview.changes),
            past={past.limit_name: len(past.found) for past in preview.past},
            conflicts=len(asked),
            reason=reason[:500],
        )
        trail.tell("rule.changed", identifier_type=row.identifier_type, version=row.version)
        return row


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
    found = [
        _past(row.identifier_type, name, value)
        for name, value in changes.items()
        if name in LIMITS and name != "valid_days" and value is not None and _is_lower(row, name, value)
    ]
    if changes.get("exclusive"):
        found.append(_past(row.identifier_type, "exclusive", 1))
    return RulePreview(row, changes, tuple(past for past in found if past.found))


def _is_lower(row: IdentifierRule, name: str, value: int) -> bool:
    before = getattr(row, name)
    return before is None or value < before


def _past(code: str, name: str, limit: int) -> Past:
    scope = "channel_id" if code in OF_ONE_CHANNEL else "NULL::uuid"
    query = _VERIFIED if name == "exclusive" else _SHARED if name.startswith("customers") else _MANY
    with connection.cursor() as cursor:
        cursor.execute(query.format(channel=scope), {"type": code, "limit": limit})
        rows = cursor.fetchall()
    return Past(name, limit, tuple((str(subject), channel, number) for subject, channel, number in rows))


def _below_existing(preview: RulePreview) -> LimitBelowExisting:
    told = "; ".join(past.sentence for past in preview.past)
    return LimitBelowExisting(
        f"This is below what exists: {told}. Nothing was set; look at them, then confirm that you have.",
        type=preview.rule.identifier_type,
        past={
            past.limit_name: {
                "limit": past.limit,
                "number": len(past.found),
                "first": [{"subject": subject, "number": number} for subject, _, number in past.shown],
            }
            for past in preview.past
        },
    )
