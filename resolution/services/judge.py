"""Verdicts on pairs: superseded by a later word, never edited."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping

from django.db.models import Q
from django.utils import timezone

from customers.models import Customer
from resolution.errors import CustomerErased, InvalidInput, Refused
from resolution.matching.normalise.text import clean_text
from resolution.models import Conflict, Judgement
from resolution.selectors.judgements import KeptApart, digests_of, fingerprint_of
from resolution.selectors.profiles import load_profiles
from resolution.services import audit, live_questions, locks
from resolution.services.audit import Trail
from resolution.services.merge import refuse_stale
from resolution.types import Actor

# What a verdict makes of the waiting question whether the two are one; "same" is answered by a merge alone.
_SETTLES = {
    Judgement.Verdict.DIFFERENT: Conflict.Outcome.DIFFERENT,
    Judgement.Verdict.RELATED: Conflict.Outcome.RELATED,
}


@locks.again_after_deadlock
def judge_pair(
    *,
    left_id: uuid.UUID,
    right_id: uuid.UUID,
    verdict: str,
    reason: str,
    actor: Actor,
    relation: str = "",
    conflict: Conflict | None = None,
    seen_versions: Mapping[uuid.UUID, int] | None = None,
) -> Judgement:
    """Write down what a person says of two customers; their earlier live word, if any, is superseded.

    That two are the *same* supersedes what was said otherwise of any who were merged into the one and the
    other. `relation` says how two
    *related* ones are: household, shared_contact, or nothing.
    `seen_versions` are the two's as the judging person saw them.
    Raises InvalidInput for an unknown verdict or relation or a customer with itself, UnknownCustomer,
    CustomerErased, StaleVersion, and Refused when one is merged, into the other or into a third.
    """
    _check_words(left_id, right_id, verdict, relation)
    with audit.change(actor) as trail:
        pair = locks.lock_customers(sorted({left_id, right_id}))
        _check_pair(*pair.values())
        _refuse_merged(pair.values())
        refuse_stale(pair, seen_versions or {})
        return write_judgement(
            trail,
            left_id=left_id,
            right_id=right_id,
            verdict=verdict,
            reason=reason,
            relation=relation,
            conflict=conflict,
        )


def write_judgement(
    trail: Trail,
    *,
    left_id: uuid.UUID,
    right_id: uuid.UUID,
    verdict: str,
    reason: str,
    relation: str = "",
    conflict: Conflict | None = None,
) -> Judgement:
    """Judge a pair as part of a larger change, which may name customers that others have absorbed since."""
    _check_words(left_id, right_id, verdict, relation)
    pair = locks.lock_customers(sorted({left_id, right_id}))
    _check_pair(*pair.values())
    judgement, superseded = _supersede(
        trail, pair, verdict=verdict, relation=relation, reason=reason, conflict=conflict
    )
    _settle_question(trail, judgement, pair, but=conflict)
    trail.record(
        "judge",
        customer_id=judgement.left_id,
        method=verdict,
        judgement=judgement.pk,
        other=str(judgement.right_id),
        relation=judgement.relation,
        reason=judgement.reason,
        superseded=superseded,
    )
    trail.tell(
        "customer.judged", customer_id=judgement.left_id, other=str(judgement.right_id), verdict=verdict
    )
    return judgement


def keep_apart(trail: Trail, parted: Iterable[uuid.UUID], words: Collection[KeptApart]) -> None:
    """Say of those who left a customer, too, whom it is not: they were part of it when that was said."""
    for key in parted:
        for word in words:
            left, right = sorted((key, word.other))
            said = Judgement.objects.filter(left=left, right=right, superseded_at__isnull=True)
            if said.filter(verdict=Judgement.Verdict.DIFFERENT).exists():
                continue
            because = f": {word.reason}" if word.reason else "."
            write_judgement(
                trail,
                left_id=left,
                right_id=right,
                verdict=Judgement.Verdict.DIFFERENT,
                reason=f"Said of the whole by {word.who} on {word.when:%d %B %Y}{because}",
            )


def _check_words(left_id: uuid.UUID, right_id: uuid.UUID, verdict: str, relation: str) -> None:
    if verdict not in Judgement.Verdict.values:
        known = ", ".join(Judgement.Verdict.values)
        raise InvalidInput(f"“{verdict[:40]}” is no verdict; use one of: {known}.", verdict=verdict[:40])
    check_relation(relation)
    if relation and verdict != Judgement.Verdict.RELATED:
        raise InvalidInput(
            f"“{relation}” says how two customers are related; “{verdict}” was said of them, not “related”.",
            relation=relation,
            verdict=verdict,
        )
    if left_id == right_id:
        raise InvalidInput(
            f"Customer {left_id} was given twice; a verdict needs two customers.", customer=str(left_id)
        )


def check_relation(relation: str) -> None:
    """Raise InvalidInput for a relation there is none of."""
    if relation not in Judgement.Relation.values:
        known = ", ".join(filter(None, Judgement.Relation.values))
        raise InvalidInput(
            f"“{relation[:40]}” is no relation; use one of: {known}, or none.", relation=relation[:40]
        )


def _check_pair(left: Customer, right: Customer) -> None:
    for customer in (left, right):
        if customer.status == Customer.Status.ERASED:
            raise CustomerErased(customer.pk)
    if left.canonical_id == right.canonical_id:
        raise Refused(
            f"{left.pk} and {right.pk} are merged into one. Undo their merge before judging them.",
            left=str(left.pk),
            right=str(right.pk),
        )


def _refuse_merged(pair: Iterable[Customer]) -> None:
    for customer in pair:
        if customer.status == Customer.Status.MERGED:
            raise Refused(
                f"Customer {customer.pk} was merged into {customer.canonical_id}; judge that one instead.",
                customer=str(customer.pk),
                merged_into=str(customer.canonical_id),
            )


def _supersede(
    trail: Trail,
    pair: Mapping[uuid.UUID, Customer],
    *,
    verdict: str,
    relation: str,
    reason: str,
    conflict: Conflict | None,
) -> tuple[Judgement, list[int]]:
    """Write the word on two customers and return it with the numbers of those it supersedes.

    What was compared is what they stand for now.
    """
    left, right = sorted(pair)
    live = Judgement.objects.filter(_overruled(pair, verdict), superseded_at__isnull=True)
    earlier = sorted(live.values_list("pk", flat=True))
    Judgement.objects.filter(pk__in=earlier).update(superseded_at=timezone.now())
    profiles = load_profiles({customer.canonical_id for customer in pair.values()})
    ours, theirs = (profiles[pair[key].canonical_id] for key in (left, right))
    judgement = Judgement.objects.create(
        left_id=left,
        right_id=right,
        verdict=verdict,
        relation=relation,
        reason=clean_text(reason)[:500],
        fingerprint=fingerprint_of(ours, theirs),
        compared={"left": digests_of(ours), "right": digests_of(theirs)},
        judged_by_id=trail.actor.user_id,
        actor_name=trail.actor.name,
        conflict=conflict,
    )
    Judgement.objects.filter(pk__in=earlier).update(superseded_by=judgement)
    return judgement, earlier


def _overruled(pair: Mapping[uuid.UUID, Customer], verdict: str) -> Q:
    """The pair's own words; and when the two are the same, those that say otherwise of their groups.

    A word on a customer that was absorbed is about that one alone. Any other word than "same" leaves what was
    said of the absorbed, which counts again once they part.
    """
    left, right = sorted(pair)
    own = Q(left=left, right=right)
    merged = any(customer.status == Customer.Status.MERGED for customer in pair.values())
    if merged or verdict != Judgement.Verdict.SAME:
        return own
    groups: dict[uuid.UUID, set[uuid.UUID]] = {key: {key} for key in pair}
    for customer in Customer.objects.filter(merged_into__in=pair).only("merged_into"):
        groups[customer.canonical_id].add(customer.pk)
    one, other = groups[left], groups[right]
    between = Q(left__in=one, right__in=other) | Q(left__in=other, right__in=one)
    return own | between & ~Q(verdict=verdict)


def _settle_question(
    trail: Trail, judgement: Judgement, pair: dict[uuid.UUID, Customer], *, but: Conflict | None
) -> None:
    canonical = frozenset(customer.canonical_id for customer in pair.values())
    decided = but.pk if but else None
    outcome = _SETTLES.get(Judgement.Verdict(judgement.verdict))
    if outcome:
        reason = f"{judgement.actor_name} judged the two {judgement.verdict}"
        live_questions.close_pair_questions(trail, canonical, outcome=outcome, reason=reason, but=decided)
    live_questions.outdate_forms(canonical, but=decided)
