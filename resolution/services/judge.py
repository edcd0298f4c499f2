"""Verdicts on pairs: superseded by a later word, never edited."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping

from customers.models import Customer
from resolution.errors import CustomerErased, InvalidInput, Refused
from resolution.matching.normalise.text import clean_text
from resolution.models import Conflict, Judgement
from resolution.selectors.judgements import KeptApart, fingerprint_of, load_compared
from resolution.services import audit, live_questions, locks, superseding
from resolution.services.audit import Trail
from resolution.services.merge import refuse_stale
from resolution.services.superseding import Sides, live_words, sides_of
from resolution.types import Actor

# What a verdict makes of the waiting question whether the two are one; "same" is answered by a merge alone.
_SETTLES = {
    Judgement.Verdict.DIFFERENT: Conflict.Outcome.DIFFERENT,
    Judgement.Verdict.RELATED: Conflict.Outcome.RELATED,
}
_BATCH = 2_000


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
    (judgement,) = write_judgements(
        trail, {(left_id, right_id): reason}, verdict=verdict, relation=relation, conflict=conflict
    )
    return judgement


def write_judgements(
    trail: Trail,
    reasons: Mapping[tuple[uuid.UUID, uuid.UUID], str],
    *,
    verdict: str,
    relation: str = "",
    conflict: Conflict | None = None,
) -> list[Judgement]:
    """Say one word of many pairs, each with its reason; statements grow with thousands of pairs only.

    Each pair is named once. It is judged, superseded, audited and told as `write_judgement` does of one.
    """
    if not reasons:
        return []
    for left, right in reasons:
        _check_words(left, right, verdict, relation)
    said = {sides_of(pair): reason for pair, reason in reasons.items()}
    customers = locks.lock_customers({key for pair in said for key in pair})
    for left, right in said:
        _check_pair(customers[left], customers[right])
    superseded = superseding.end_earlier_words(said, customers, verdict)
    judgements = _store(trail, said, customers, verdict=verdict, relation=relation, conflict=conflict)
    superseding.name_successors(judgements, superseded)
    _settle_questions(trail, judgements, customers, verdict, but=conflict)
    for judgement, reason in zip(judgements, said.values(), strict=True):
        _record(trail, judgement, reason, superseded[judgement.left_id, judgement.right_id])
    return judgements


def keep_apart(trail: Trail, parted: Iterable[uuid.UUID], words: Collection[KeptApart]) -> None:
    """Say of those who left a customer, too, whom it is not: they were part of it when that was said."""
    reasons = {sides_of((key, word.other)): _said_of_the_whole(word) for key in parted for word in words}
    live = live_words({key for pair in reasons for key in pair})
    known = set(live.filter(verdict=Judgement.Verdict.DIFFERENT).values_list("left", "right"))
    unsaid = {pair: reason for pair, reason in reasons.items() if pair not in known}
    write_judgements(trail, unsaid, verdict=Judgement.Verdict.DIFFERENT)


def _said_of_the_whole(word: KeptApart) -> str:
    because = f": {word.reason}" if word.reason else "."
    return f"Said of the whole by {word.who} on {word.when:%d %B %Y}{because}"


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


def _store(
    trail: Trail,
    reasons: Mapping[Sides, str],
    customers: Mapping[uuid.UUID, Customer],
    *,
    verdict: str,
    relation: str,
    conflict: Conflict | None,
) -> list[Judgement]:
    """Write the words; what was compared is what the customers stand for now."""
    compared = load_compared({customer.canonical_id for customer in customers.values()})
    rows = []
    for (left, right), reason in reasons.items():
        ours, theirs = (compared[customers[key].canonical_id] for key in (left, right))
        rows.append(
            Judgement(
                left_id=left,
                right_id=right,
                verdict=verdict,
                relation=relation,
                reason=clean_text(reason)[:500],
                fingerprint=fingerprint_of(ours, theirs),
                compared={"left": ours.digests, "right": theirs.digests},
                judged_by_id=trail.actor.user_id,
                actor_name=trail.actor.name,
                conflict=conflict,
            )
        )
    return Judgement.objects.bulk_create(rows, batch_size=_BATCH)


def _settle_questions(
    trail: Trail,
    judgements: Collection[Judgement],
    customers: Mapping[uuid.UUID, Customer],
    verdict: str,
    *,
    but: Conflict | None,
) -> None:
    pairs = {
        frozenset(customers[key].canonical_id for key in (judgement.left_id, judgement.right_id))
        for judgement in judgements
    }
    decided = but.pk if but else None
    outcome = _SETTLES.get(Judgement.Verdict(verdict))
    if outcome:
        reason = f"{trail.actor.name} judged the two {verdict}"
        live_questions.close_pair_questions(trail, pairs, outcome=outcome, reason=reason, but=decided)
    live_questions.outdate_forms(pairs, but=decided)


def _record(trail: Trail, judgement: Judgement, reason: str, superseded: list[int]) -> None:
    other = str(judgement.right_id)
    trail.record(
        "judge",
        customer_id=judgement.left_id,
        method=judgement.verdict,
        judgement=judgement.pk,
        other=other,
        relation=judgement.relation,
        reason=reason,
        superseded=superseded,
    )
    trail.tell("customer.judged", customer_id=judgement.left_id, other=other, verdict=judgement.verdict)
