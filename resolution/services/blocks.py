"""Values that are nobody's: blocked with everything that leaned on them, and let free again.

`preview_block` and `block_value` measure the same reach; the second one does what the first one showed.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection
from django.utils import timezone

from customers.models import Customer
from customers.services import register
from resolution.errors import InvalidInput, Refused
from resolution.matching.blocked import ANY, Blocked, fault_of_pattern
from resolution.matching.identifiers import UnknownIdentifierType, identifier_type, normalise_identifier
from resolution.matching.normalise.text import clean_text
from resolution.models import AuditEntry, BlockedValue, Conflict
from resolution.selectors.identifier_rules import as_blocked, get_blocked
from resolution.selectors.reach import Held, Reach, measure_reach, questions_between
from resolution.selectors.written import find_written
from resolution.services import audit, keys, limit_follow, live_questions, locks, reevaluate
from resolution.services.audit import Trail
from resolution.types import Actor

BLOCK = "resolution.block_values"
METHOD = "blocked"
LONGEST_PATTERN = 100
LONGEST_REASON = 500
State = BlockedValue.State

# Folded links are ended too: an undone merge would unfold them.
_END_LINKS = """
    UPDATE customer_identity_mapping AS link
    SET status = 'ended', valid_to = greatest(%(now)s, link.valid_from), updated_at = %(now)s,
        valid_from = CASE before.status WHEN 'active' THEN link.valid_from
            ELSE greatest(%(now)s, link.valid_from) END
    FROM customer_identity_mapping AS before
    WHERE before.id = link.id AND link.status IN ('active', 'shared', 'collapsed')
      AND link.customer_id IN (
          SELECT id FROM customers WHERE id = ANY(%(customers)s) OR merged_into_id = ANY(%(customers)s)
      )
      AND (link.identifier_type, link.normalised) IN (
          SELECT * FROM unnest(%(types)s::text[], %(values)s::text[])
      )
    RETURNING
        link.id, link.customer_id, link.channel_id, link.identifier_type, link.normalised, before.status,
        link.confidence_score, link.verified
"""


@dataclass(frozen=True, slots=True)
class Blocking:
    """A block that came into force, and what it did."""

    row: BlockedValue
    reach: Reach
    conflicts: tuple[int, ...]


def preview_block(*, value: str, type: str = "", region: str = "") -> Reach:
    """Return what blocking a value or pattern would do now; reads only. Raises as `block_value`."""
    block = read_block(value=value, type=type, region=region)
    _refuse_twice(block)
    return measure_reach(block)


@locks.again_after_deadlock
def block_value(*, value: str, type: str = "", region: str = "", reason: str = "", actor: Actor) -> Blocking:
    """Block a value, or a pattern with * for any characters, of a type or of any, and all that leans on it.

    Its links end, keys and questions are made anew without it, and a customer that it alone held together
    becomes an `over_merge` conflict. `region` reads a national telephone number. Raises InvalidInput, Refused
    when it is blocked already, TryAgain.
    """
    block = replace(read_block(value=value, type=type, region=region), reason=_checked_reason(reason))
    with audit.change(actor) as trail:
        locks.hold_blocklist()
        _refuse_twice(block)
        plan, _ = locks.lock_as_planned(lambda: reevaluate.plan_holders(block))
        live_questions.lock_waiting(questions_between(plan.customers))
        reach = measure_reach(block)
        row = _store(block, reach, actor)
        _end_links(trail, row, plan.customers, reach.held)
        register.count_changes(plan.customers)
        keys.rebuild_keys(plan.customers)
        opened = _reevaluate(trail, row, reach)
        limit_follow.follow(trail, plan.customers, "A value was blocked.")
        _record(trail, row, reach, opened)
        return Blocking(row, reach, opened)


@locks.again_after_deadlock
def retire_block(*, block_id: int, reason: str = "", actor: Actor) -> BlockedValue:
    """Let a blocked value be evidence again; links that ended stay ended until the value is seen once more.

    Raises NotFound, Refused when it was lifted before.
    """
    reason = _checked_reason(reason)
    with audit.change(actor) as trail:
        locks.hold_blocklist()
        row = get_blocked(block_id)
        if row.state != State.LIVE:
            raise Refused(
                f"Block {row.pk} was lifted by {row.retired_by} already; it stands in the list as it was.",
                blocked_value=row.pk,
            )
        row.state, row.retired_by, row.retired_at = State.RETIRED, actor.name, timezone.now()
        row.save(update_fields=["state", "retired_by", "retired_at"])
        concerned, _ = locks.lock_as_planned(lambda: _Concerned.of(row))
        customers = concerned.customers
        register.count_changes(customers)
        keys.rebuild_keys(customers)
        lifted = Blocked(row.identifier_type, row.value, row.pattern)
        reevaluate.reevaluate_lifted(trail, lifted, customers)
        trail.record("unblock", **_named(row), block=row.pk, customers=len(customers), reason=reason)
        for customer in sorted(customers):
            trail.record("unblock", customer_id=customer, **_named(row), block=row.pk)
        return row


def read_block(*, value: str, type: str = "", region: str = "") -> Blocked:
    """Make a value or pattern canonical as it would be blocked. Raises InvalidInput with what is wrong."""
    kind = _type_of(type)
    text = clean_text(value).strip()
    if not text:
        raise InvalidInput("The value is blank; give the value to block, or a pattern with *.", field="value")
    if ANY in text:
        return Blocked(kind, _checked_pattern(kind, text), pattern=True)
    if not kind:
        return Blocked("", text.casefold())
    found = normalise_identifier(kind, text, region=region)
    if not found.usable:
        raise InvalidInput(
            f"“{text[:60]}” identifies nobody as {kind} anyway: {found.unusable}. It needs no block.",
            field="value",
            value=text[:255],
        )
    return Blocked(kind, found.normalised)


def _type_of(type: str) -> str:
    if type in ("", reevaluate.ANY_TYPE):
        return ""
    try:
        return identifier_type(type).code
    except UnknownIdentifierType as error:
        raise InvalidInput(str(error), field="type", type=type[:40]) from error


def _checked_pattern(kind: str, text: str) -> str:
    pattern = text if kind == "external_id" else text.casefold()
    fault = fault_of_pattern(pattern)
    if not fault and len(pattern) > LONGEST_PATTERN:
        fault = f"it has {len(pattern)} characters, and at most {LONGEST_PATTERN} may be used"
    if fault:
        raise InvalidInput(
            f"The pattern “{text[:60]}” cannot be used: {fault}.", field="value", value=text[:255]
        )
    return pattern


def _checked_reason(reason: str) -> str:
    text = clean_text(reason)
    if len(text) > LONGEST_REASON:
        raise InvalidInput(
            f"The reason has {len(text)} characters; at most {LONGEST_REASON} fit.", field="reason"
        )
    return text


def _refuse_twice(block: Blocked) -> None:
    standing = BlockedValue.objects.filter(
        identifier_type=block.type, value=block.value, pattern=block.pattern, state=State.LIVE
    ).first()
    if standing is not None:
        raise Refused(
            f"{standing.value} is blocked already, by {standing.made_by} on {standing.created_at:%d %B %Y}.",
            blocked_value=standing.pk,
        )


def _store(block: Blocked, reach: Reach, actor: Actor) -> BlockedValue:
    return BlockedValue.objects.create(
        identifier_type=block.type,
        value=block.value,
        pattern=block.pattern,
        reason=block.reason,
        reach=reach.numbers(),
        made_by=actor.name,
    )


def _end_links(trail: Trail, row: BlockedValue, customers: Collection[uuid.UUID], held: Held) -> None:
    values = sorted({(type, value) for _, type, value in held.links})
    with connection.cursor() as cursor:
        cursor.execute(
            _END_LINKS,
            {
                "now": timezone.now(),
                "customers": list(customers),
                "types": [type for type, _ in values],
                "values": [value for _, value in values],
            },
        )
        ended = cursor.fetchall()
    for mapping, customer, channel, type, value, before, confidence, verified in ended:
        if before == "active":
            trail.reown(channel, type, value)
        trail.record(
            "unlink",
            customer_id=customer,
            channel_id=channel,
            identifier_type=type,
            identifier_value=value,
            old_value=str(customer),
            method=METHOD,
            confidence=confidence,
            mapping=str(mapping),
            verified=verified,
            block=row.pk,
        )
        if before != "collapsed":
            trail.tell("identifier.unlinked", customer_id=customer, identifier_type=type)


def _reevaluate(trail: Trail, row: BlockedValue, reach: Reach) -> tuple[int, ...]:
    live_questions.close_conflicts(
        trail,
        reach.gone,
        outcome=Conflict.Outcome.CLOSED,
        reason=f"without the blocked value {row.value} its customers no longer look alike",
    )
    live_questions.close_conflicts(
        trail, reach.moot, outcome=Conflict.Outcome.CLOSED, reason=f"{row.value} is blocked"
    )
    live_questions.weigh_again(dict(reach.rescored))
    why = f"The value {row.value}, blocked now, alone held this customer together."
    opened = reevaluate.ask_over_merged(trail, reach.block, reach.leaning, why)
    return (*opened.new, *opened.refreshed)


def _record(trail: Trail, row: BlockedValue, reach: Reach, opened: tuple[int, ...]) -> None:
    """Write one row for the block with its reach, and one for each customer it touched."""
    trail.record(
        "block",
        **_named(row),
        block=row.pk,
        pattern=row.pattern,
        reason=row.reason,
        reach=row.reach,
        merges=list(reach.merges),
        conflicts=list(opened),
    )
    for customer in sorted(reach.held.customers):
        trail.record("block", customer_id=customer, **_named(row), block=row.pk)
    trail.tell("value.blocked", block=row.pk, identifier_type=row.identifier_type, reach=row.reach)


def _named(row: BlockedValue) -> dict[str, Any]:
    return {"identifier_type": row.identifier_type, "identifier_value": row.value, "method": METHOD}


@dataclass(frozen=True, slots=True)
class _Concerned:
    """Whom it concerns that a value is evidence again, read without locks once it is.

    Those the block touched, and those who have the value in a column since: keys know nothing of these.
    """

    row: BlockedValue
    customers: frozenset[uuid.UUID]

    @classmethod
    def of(cls, row: BlockedValue) -> _Concerned:
        return cls(row, find_written(as_blocked(row)) | _known_once(row))

    def touched(self) -> frozenset[uuid.UUID]:
        return self.customers

    def holds(self, locked: Mapping[uuid.UUID, Customer]) -> bool:
        return _Concerned.of(self.row) == self


def _known_once(row: BlockedValue) -> set[uuid.UUID]:
    """The customers that the block touched, as whom they stand for today."""
    touched = AuditEntry.objects.filter(action="block", metadata__block=row.pk, customer__isnull=False)
    standing = Customer.objects.filter(pk__in=touched.values("customer")).exclude(
        status=Customer.Status.ERASED
    )
    return {merged or key for key, merged in standing.values_list("pk", "merged_into")}
