"""Erasing a person for good (GDPR, article 17): lock, check, plan, empty, record.

The ids stay and answer “erased” (P2), and so do the edges between them: who absorbed whom, who was judged
what, which entry of the trail was whose. Every value goes. What was taken in once is not taken in again: a
message that is sent anew and a record that is imported anew are refused with that reason, while the person's
identifiers are free, so that who comes by themselves begins as somebody new.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection

from django.db.models import Q

from customers.models import Customer, Message
from customers.services import erasing
from resolution.errors import InvalidInput, StaleVersion
from resolution.matching.normalise.text import clean_text
from resolution.models import Conflict, Judgement, Merge, MergeMember
from resolution.selectors.erasure import ErasurePlan, find_person, plan_erasure, plan_for, values_of
from resolution.services import (
    audit,
    conflict_members,
    idempotency,
    keys,
    limit_follow,
    locks,
    messages,
    note,
    proposals,
)
from resolution.services.audit import Trail
from resolution.types import Actor

__all__ = ["ErasurePlan", "erase_customer", "plan_erasure"]

LONGEST_REASON = 500
_SHORTEST_TELLING = 4  # a shorter value stands in many a sentence by chance


@locks.again_after_deadlock
def erase_customer(
    *, customer_id: uuid.UUID, actor: Actor, reason: str, fingerprint: str = ""
) -> ErasurePlan:
    """Erase the person an id stands for, with all that was merged into them, and return what was done.

    `fingerprint` is that of the plan that was looked at. Raises UnknownCustomer, CustomerErased, InvalidInput
    for a reason that is missing or names the person, StaleVersion when other ids belong to the person by now,
    TrailBroken, TryAgain.
    """
    reason = _checked(reason)
    with audit.change(actor) as trail:
        locks.hold_erasures()
        person, locked = locks.lock_as_planned(lambda: find_person(customer_id))
        plan = plan_for(customer_id, person)
        _refuse_stale(plan, fingerprint)
        _refuse_telling(reason, plan.people)
        _lock_what_others_have(plan)
        _forget_questions(trail, plan)
        _forget_ledger(plan)
        _forget_records(trail, plan)
        _forget_traces(plan)
        note.note_customers(trail, {key: locked[key] for key in person.met})
        _record(trail, plan, reason)
        return plan


def _checked(reason: str) -> str:
    text = clean_text(reason).strip()
    if not text:
        raise InvalidInput("No reason was given; say why, such as the number of the request.", field="reason")
    if len(text) > LONGEST_REASON:
        raise InvalidInput(
            f"The reason has {len(text)} characters; at most {LONGEST_REASON} fit.", field="reason"
        )
    return text


def _refuse_stale(plan: ErasurePlan, fingerprint: str) -> None:
    if fingerprint and fingerprint != plan.fingerprint:
        raise StaleVersion(
            f"Other ids stand for this person than when you looked, {len(plan.people)} by now. Look again.",
            customer=str(plan.canonical),
            fingerprint=plan.fingerprint,
        )


def _refuse_telling(reason: str, people: Collection[uuid.UUID]) -> None:
    """Refuse a reason that would keep in the trail what is to go."""
    for value in values_of(people):
        telling = len(value) >= _SHORTEST_TELLING and rf"(?<!\w){re.escape(value.casefold())}(?!\w)"
        if telling and re.search(telling, reason.casefold()):
            raise InvalidInput(
                "The reason names the person, and would stay; say why without any of their data, such as the"
                " number of the request.",
                field="reason",
            )


def _lock_what_others_have(plan: ErasurePlan) -> None:
    """Lock what names the person beside customers that are not locked, in the order in which merges do."""
    locks.lock_rows(Message.objects.filter(pk__in={*plan.mentions, *plan.traces.mentions}))
    named = Q(pk__in={*plan.conflicts, *plan.evidence, *plan.traces.conflicts})
    counted = Q(pk__in=limit_follow.asked_of_values(plan.values).values("pk"))
    locks.lock_rows(Conflict.objects.filter(named | counted))


def _forget_questions(trail: Trail, plan: ErasurePlan) -> None:
    kept = conflict_members.leave_out(trail, plan.people, plan.places)
    conflict_members.forget(plan.conflicts, kept, plan.people)
    conflict_members.forget_evidence(plan.evidence, plan.people)
    proposals.forget(plan.proposals)
    proposals.withdraw_overtaken(trail, plan.people, answer="One of its customers was erased.")
    Judgement.objects.filter(pk__in=plan.judgements).update(reason="", fingerprint="", compared={})


def _forget_ledger(plan: ErasurePlan) -> None:
    """Leave who absorbed whom; of merges that others go on from, only what came from this person goes."""
    Merge.objects.filter(pk__in=plan.merges).update(plan={}, pre_image={})
    MergeMember.objects.filter(pk__in=plan.memberships).update(pre_image={})
    sources = set(map(str, plan.people))
    for merge in locks.lock_rows(Merge.objects.filter(pk__in=plan.plans)):
        kept = {} if merge.undone_at else merge.plan
        merge.plan = {name: entry for name, entry in kept.items() if entry["source"] not in sources}
        merge.save(update_fields=["plan"])


def _forget_records(trail: Trail, plan: ErasurePlan) -> None:
    erasing.remove_identifiers(plan.links)
    limit_follow.follow_values(trail, plan.values, "Somebody who had it was erased.")
    for key in plan.owned:
        trail.reown(*key)
    erasing.empty_messages(plan.messages)
    erasing.empty_tickets(plan.tickets)
    erasing.empty_source_records(plan.source_records)
    erasing.erase_customers(plan.people)
    keys.rebuild_keys(plan.people)
    messages.forget_candidates(plan.mentions, plan.people)
    idempotency.forget_answers(plan.answers, plan.canonical)


def _forget_traces(plan: ErasurePlan) -> None:
    """Take from rows about others what they tell of the person, whom they do not name."""
    traces = plan.traces
    conflict_members.forget_told(traces.conflicts, plan.told, plan.places)
    proposals.forget(traces.proposals)
    Judgement.objects.filter(pk__in=traces.judgements).update(fingerprint="", compared={})
    told = [
        row.pk
        for row in Judgement.objects.filter(pk__in=traces.judgements)
        if plan.told.in_text(row.reason, (row.left_id, row.right_id))
    ]
    Judgement.objects.filter(pk__in=told).update(reason="")
    messages.forget_told(traces.mentions, plan.told)
    idempotency.forget_answers(traces.answers, plan.canonical)


def _record(trail: Trail, plan: ErasurePlan, reason: str) -> None:
    """One entry for every id; the last, of the one who lived on, seals what is left of earlier ones."""
    for key in plan.absorbed:
        trail.record(audit.ERASE, customer_id=key, old_value=Customer.Status.MERGED, into=str(plan.canonical))
    trail.erase(
        plan.canonical,
        plan.entries,
        reason=reason,
        absorbed=list(map(str, plan.absorbed)),
        counts=dict(plan.goes()),
    )
    trail.tell("customer.erased", customer_id=plan.canonical, absorbed=list(map(str, plan.absorbed)))
