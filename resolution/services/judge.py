"""Verdicts on pairs: superseded by a later word, never edited."""

from __future__ import annotations

import uuid

from django.utils import timezone

from customers.models import Customer
from resolution.errors import CustomerErased, InvalidInput, Refused
from resolution.matching.normalise.text import clean_text
from resolution.models import Conflict, Judgement
from resolution.selectors.judgements import fingerprint_of
from resolution.selectors.profiles import load_profiles
from resolution.services import audit, conflicts, locks
from resolution.services.audit import Trail
from resolution.types import Actor

# What a verdict makes of the waiting question whether the two are one; "same" is answered by a merge alone.
_SETTLES = {
    Judgement.Verdict.DIFFERENT: Conflict.Outcome.DIFFERENT,
    Judgement.Verdict.RELATED: Conflict.Outcome.RELATED,
}


def judge_pair(
    *,
    left_id: uuid.UUID,
    right_id: uuid.UUID,
    verdict: str,
    reason: str,
    actor: Actor,
    conflict: Conflict | None = None,
) -> Judgement:
    """Write down what a person says of two customers; their earlier live word, if any, is superseded.

    Raises InvalidInput for an unknown verdict or a customer with itself, UnknownCustomer, CustomerErased, and
    Refused when a *different* is said of two that are merged into one.
    """
    with audit.change(actor) as trail:
        return write_judgement(
            trail, left_id=left_id, right_id=right_id, verdict=verdict, reason=reason, conflict=conflict
        )


def write_judgement(
    trail: Trail,
    *,
    left_id: uuid.UUID,
    right_id: uuid.UUID,
    verdict: str,
    reason: str,
    conflict: Conflict | None = None,
) -> Judgement:
    """Judge a pair as part of a larger change."""
    _check_words(left_id, right_id, verdict)
    pair = locks.lock_customers(sorted({left_id, right_id}))
    _check_pair(*pair.values(), verdict=verdict)
    judgement = _supersede(trail, *sorted(pair), verdict=verdict, reason=reason, conflict=conflict)
    _settle_question(trail, judgement, pair, but=conflict)
    trail.record(
        "judge",
        customer_id=judgement.left_id,
        method=verdict,
        judgement=judgement.pk,
        other=str(judgement.right_id),
        reason=judgement.reason,
    )
    trail.tell(
        "customer.judged", customer_id=judgement.left_id, other=str(judgement.right_id), verdict=verdict
    )
    return judgement


def _check_words(left_id: uuid.UUID, right_id: uuid.UUID, verdict: str) -> None:
    if verdict not in Judgement.Verdict.values:
        known = ", ".join(Judgement.Verdict.values)
        raise InvalidInput(f"“{verdict[:40]}” is no verdict; use one of: {known}.", verdict=verdict[:40])
    if left_id == right_id:
        raise InvalidInput(f"Customer {left_id} was given twice; a verdict needs two customers.")


def _check_pair(left: Customer, right: Customer, *, verdict: str) -> None:
    for customer in (left, right):
        if customer.status == Customer.Status.ERASED:
            raise CustomerErased(customer.pk)
    if verdict == Judgement.Verdict.DIFFERENT and left.canonical_id == right.canonical_id:
        raise Refused(
            f"{left.pk} and {right.pk} are merged into one. Undo their merge before judging them different.",
            left=str(left.pk),
            right=str(right.pk),
        )


def _supersede(
    trail: Trail, left: uuid.UUID, right: uuid.UUID, *, verdict: str, reason: str, conflict: Conflict | None
) -> Judgement:
    live = Judgement.objects.filter(left=left, right=right, superseded_at__isnull=True)
    earlier = list(live.values_list("pk", flat=True))
    live.update(superseded_at=timezone.now())
    judgement = Judgement.objects.create(
        left_id=left,
        right_id=right,
        verdict=verdict,
        reason=clean_text(reason)[:500],
        fingerprint=_fingerprint(left, right),
        judged_by_id=trail.actor.user_id,
        actor_name=trail.actor.name,
        conflict=conflict,
    )
    Judgement.objects.filter(pk__in=earlier).update(superseded_by=judgement)
    return judgement


def _fingerprint(left: uuid.UUID, right: uuid.UUID) -> str:
    """Name the values compared: those of the customers the pair stands for now."""
    stands_for = dict(Customer.objects.filter(pk__in=[left, right]).values_list("pk", "merged_into"))
    canonical = [stands_for[entry] or entry for entry in (left, right)]
    profiles = load_profiles(set(canonical))
    return fingerprint_of(*(profiles[entry] for entry in canonical))


def _settle_question(
    trail: Trail, judgement: Judgement, pair: dict[uuid.UUID, Customer], *, but: Conflict | None
) -> None:
    outcome = _SETTLES.get(Judgement.Verdict(judgement.verdict))
    if outcome:
        canonical = frozenset(customer.canonical_id for customer in pair.values())
        reason = f"{judgement.actor_name} judged the two {judgement.verdict}"
        conflicts.close_pair_questions(
            trail, canonical, outcome=outcome, reason=reason, but=but.pk if but else None
        )
