"""Splitting a customer whom no merge made two: some of its identifiers leave, as a new customer."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from customers.models import Customer
from customers.models import Mapping as Link
from customers.services import merging, register
from resolution.errors import LinkerSplits, Refused, StaleVersion
from resolution.matching.normalise.text import clean_text
from resolution.models import AuditEntry, Judgement
from resolution.relations import MOVED
from resolution.selectors.accounts import names_of
from resolution.selectors.judgements import ALWAYS, told_apart_since
from resolution.selectors.merge_policy import merge_rules
from resolution.selectors.split_ground import read_split_ground
from resolution.services import audit, conflict_members, judge, keys, locks, proposals, reevaluate
from resolution.services.audit import Trail
from resolution.services.claims import move_identifier
from resolution.services.profiles import add_customer, change_fields, check_fields
from resolution.services.split_plan import SplitPlan, plan_split
from resolution.types import Actor

_RECORDS = next(relation.table for relation in MOVED if relation.name == "source_records")


@dataclass(frozen=True, slots=True)
class Split:
    """What was done, and the new customer."""

    plan: SplitPlan
    customer: Customer


def preview_split(
    *, customer_id: uuid.UUID, mapping_ids: Collection[uuid.UUID], fields: Mapping[str, str] | None = None
) -> SplitPlan:
    """Return what split_customer would do now. Raises UnknownCustomer, InvalidInput."""
    return plan_split(read_split_ground(customer_id), set(mapping_ids), _checked(fields))


@locks.again_after_deadlock
def split_customer(
    *,
    customer_id: uuid.UUID,
    mapping_ids: Collection[uuid.UUID],
    fields: Mapping[str, str] | None = None,
    reason: str = "",
    judge_different: bool = True,
    fingerprint: str = "",
    actor: Actor,
) -> Split:
    """Move these identifiers of a customer, with what came by them, to a new customer.

    The part that stays keeps the id. `fields` is what the new profile has besides what goes along. Unless
    told otherwise the two are judged different; from whom the customer was told apart, the new one is in any
    case. `fingerprint` is that of the plan that was looked at.
    Raises UnknownCustomer, InvalidInput, Refused with the plan's blockers, StaleVersion when something else
    would happen than was looked at, LinkerSplits where a rule wants another person than who linked them,
    BlockedIdentifier, LimitReached.
    """
    chosen, given = set(mapping_ids), _checked(fields)
    with audit.change(actor) as trail:
        locks.lock_identifiers(
            Link.objects.filter(pk__in=chosen, customer=customer_id).values_list(
                "identifier_type", "normalised"
            )
        )
        _, locked = locks.lock_as_planned(lambda: _Reach.of(customer_id))
        customer = locked[customer_id]
        plan = plan_split(read_split_ground(customer_id), chosen, given)
        _refuse(plan, fingerprint)
        _refuse_linker(plan, actor)
        new = _carry_out(trail, customer, plan, clean_text(reason)[:500], judge_different)
        return Split(plan, new)


@dataclass(frozen=True, slots=True)
class _Reach:
    """Whom a split touches: the customer, and others whom somebody told apart from it."""

    customer: uuid.UUID
    others: frozenset[uuid.UUID]

    @classmethod
    def of(cls, customer: uuid.UUID) -> _Reach:
        return cls(customer, frozenset(word.other for word in told_apart_since({customer: ALWAYS})))

    def touched(self) -> Collection[uuid.UUID]:
        return {self.customer, *self.others}

    def holds(self, locked: Mapping[uuid.UUID, Customer]) -> bool:
        return _Reach.of(self.customer) == self


def _checked(fields: Mapping[str, str] | None) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in check_fields(fields or {}).items()}


def _refuse(plan: SplitPlan, fingerprint: str) -> None:
    if plan.blockers:
        raise Refused(" ".join(plan.blockers), customer=str(plan.customer_id))
    if fingerprint and fingerprint != plan.fingerprint:
        raise StaleVersion(
            f"Something has changed since you looked at splitting {plan.name}, so other things would happen"
            " now. Look at it again.",
            customer=str(plan.customer_id),
            fingerprint=plan.fingerprint,
        )


def _refuse_linker(plan: SplitPlan, actor: Actor) -> None:
    """Refuse the account that linked what would leave, in person or by a key, while a rule says so."""
    if not merge_rules().unmerge:
        return
    linked = AuditEntry.objects.filter(
        customer=plan.customer_id,
        action__in=("link", "move"),
        metadata__mapping__in=[str(link.id) for link in plan.moving],
    )
    if names_of(actor).intersection(linked.values_list("actor_kind", "actor_name")):
        raise LinkerSplits(plan.customer_id)


def _carry_out(
    trail: Trail, customer: Customer, plan: SplitPlan, reason: str, judge_different: bool
) -> Customer:
    new = add_customer(trail, check_fields(plan.profile_of_new()), method="split")
    change_fields(trail, customer, check_fields(plan.changes_of_old()))
    _move_identifiers(trail, plan, new)
    merging.return_records(_RECORDS, {row.id: new.pk for row in plan.records})
    register.hear_again(customer.pk, new.pk)
    keys.rebuild_keys({customer.pk, new.pk})
    _record(trail, plan, new, reason)
    what = f"{plan.name} was split."
    _hand_over_questions(trail, plan, new, what)
    reevaluate.reevaluate_parted(trail, {customer.pk, new.pk}, what)
    judge.keep_apart(trail, [new.pk], plan.kept_apart)
    if judge_different:
        judge.write_judgement(
            trail,
            left_id=customer.pk,
            right_id=new.pk,
            verdict=Judgement.Verdict.DIFFERENT,
            reason=reason or "They were split.",
        )
    new.refresh_from_db()
    return new


def _move_identifiers(trail: Trail, plan: SplitPlan, new: Customer) -> None:
    links = Link.objects.select_related("channel").in_bulk([link.id for link in plan.moving])
    for link in plan.moving:
        row = links[link.id]
        moved = move_identifier(trail, row, new, verified=row.verified, reason="The customer was split.")
        register.hand_over_arrivals(plan.customer_id, moved)


def _record(trail: Trail, plan: SplitPlan, new: Customer, reason: str) -> None:
    trail.record(
        "split",
        customer_id=plan.customer_id,
        method="manual",
        into=str(new.pk),
        identifiers=[str(link.id) for link in plan.moving],
        messages=plan.messages,
        tickets=plan.tickets,
        records=[str(row.id) for row in plan.records],
        reason=reason,
    )
    trail.tell("customer.split", customer_id=plan.customer_id, into=str(new.pk))


def _hand_over_questions(trail: Trail, plan: SplitPlan, new: Customer, what: str) -> None:
    """Open conflicts about what left name the new customer; proposals that answered those are withdrawn."""
    handed = plan.handed
    heirs = {row.id: new.pk if row in handed else None for row in plan.questions}
    conflict_members.hand_over(trail, plan.customer_id, heirs, reason=what)
    answer = f"{what} The question is about another customer now."
    proposals.withdraw_moot(trail, [row.id for row in handed], answer=answer)
