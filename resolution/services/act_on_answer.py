"""What comes of an answer: identifiers linked, a customer created or filled in, a person asked."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal

from customers.models import Customer, Message
from customers.selectors import find_owners
from resolution.errors import DuplicateCustomerError, LimitReached
from resolution.matching.blocked import FIELD_OF
from resolution.matching.kernel import score_pairs
from resolution.models import Conflict, ConflictMember
from resolution.selectors.match_model import live_model, live_policy
from resolution.selectors.merge_facts import load_differences
from resolution.selectors.profiles import load_profiles
from resolution.services import conflicts, keys, limits
from resolution.services.answer import Answer
from resolution.services.audit import Trail
from resolution.services.claims import Claim, changed_by, claim_identifier
from resolution.services.conflicts import Question
from resolution.services.contradictions import describe_difference, explain_contradiction, names_of
from resolution.services.profiles import Stored, add_customer, change_fields
from resolution.types import DifferenceFact, PairScore, Profile, Resolution

SURE = Decimal("1.00")
SEEN_TOGETHER = Decimal("0.90")  # came in one message with an identifier that is known
MENTIONED = Decimal("0.50")  # only found in free text: answers no look-up, gives way to any claim
SUREST_SCORE = Decimal("0.99")  # however alike two profiles are, nobody said that they are one


def act_on_answer(
    trail: Trail,
    answer: Answer,
    locked: Mapping[uuid.UUID, Customer],
    message: Message | None,
    raise_on_ambiguity: bool,
) -> Resolution:
    """Apply and record an answer; the customers it touches are locked, `message` is what it came with.

    Raises DuplicateCustomerError where a person would be asked and that is not wanted.
    """
    raise_if_ambiguous(answer, raise_on_ambiguity)
    customer = locked[answer.target] if answer.target else _create(trail, answer)
    decisive = _decisive(answer)
    notes = _apply(trail, answer, customer)
    resolution = _ask_if_unsure(trail, answer, customer, message)
    resolution = replace(resolution, reasons=(*resolution.reasons, *notes))
    _record(trail, answer, resolution, message, decisive)
    return resolution


def raise_if_ambiguous(answer: Answer, wanted: bool) -> None:
    if wanted and answer.status == "review":
        raise DuplicateCustomerError([*map(str, answer.known), *(score.right for score in answer.candidates)])


def _create(trail: Trail, answer: Answer) -> Customer:
    return add_customer(
        trail, answer.intake.fields, method="provisional" if answer.status == "review" else "online"
    )


def _apply(trail: Trail, answer: Answer, customer: Customer) -> list[str]:
    """Give the customer what is new: identifiers, and values for fields that are empty.

    Returns what was refused by a limit, a sentence each: the rest goes through, and a person is asked.
    """
    changed = set() if answer.target else {customer.pk}
    notes = []
    for claim in _claims(answer):
        try:
            changed |= changed_by(claim_identifier(trail, customer, claim))
        except LimitReached as error:
            limits.note_refusal(trail, error, customer.pk, claim.channel)
            notes.append(f"{claim.identifier.type} “{claim.identifier.value[:60]}” was not linked: {error}")
    if answer.status in ("matched", "linked") and change_fields(trail, customer, _news(answer, customer)):
        changed.add(customer.pk)
    if changed:
        keys.rebuild_keys(changed)
    return notes


def _news(answer: Answer, customer: Customer) -> dict[str, Stored]:
    return {
        name: value for name, value in answer.intake.fields.items() if value and not getattr(customer, name)
    }


def _claims(answer: Answer) -> Iterator[Claim]:
    """The identifiers to claim. While a person is still to decide, nothing is taken from anybody."""
    newcomer = answer.intake
    for entry in newcomer.explicit:
        owned = answer.owners.get(newcomer.key_of(entry))
        if answer.status != "review" or owned is None or owned.customer_id == answer.target:
            yield Claim(newcomer.channel, entry, _claim_confidence(answer))
    if not newcomer.explicit and not answer.target:
        owners = find_owners([newcomer.key_of(entry) for entry in newcomer.mentioned])
        unowned = (entry for entry in newcomer.mentioned if newcomer.key_of(entry) not in owners)
        yield from (Claim(newcomer.channel, entry, MENTIONED) for entry in unowned)


def _claim_confidence(answer: Answer) -> Decimal:
    """How sure a link is: by the score that made it, or by the company its identifier came in."""
    if answer.status == "linked":
        return min(_rounded(answer.confidence), SUREST_SCORE)
    return SEEN_TOGETHER if answer.known else SURE


def _ask_if_unsure(trail: Trail, answer: Answer, customer: Customer, message: Message | None) -> Resolution:
    """Ask a person where policy may not settle it, unless one has answered this on the same data before."""
    resolution = answer.as_resolution(customer.pk)
    if answer.status != "review":
        return resolution
    question = _question(answer, customer, message)
    asked = conflicts.open_conflicts(trail, [question])
    for conflict_id in asked.new + asked.refreshed:
        return replace(resolution, conflict_id=conflict_id)
    words = ", ".join(conflicts.words_said(question))
    reasons = (*resolution.reasons, f"A person has judged this before: {words}.")
    return replace(resolution, status="matched", reasons=reasons)


def _question(answer: Answer, customer: Customer, message: Message | None) -> Question:
    others = answer.known or tuple(uuid.UUID(score.right) for score in answer.candidates)
    members = dict.fromkeys((customer.pk, *others), ConflictMember.Role.MEMBER.value)
    scores = [replace(score, left=str(customer.pk)) for score in answer.candidates]
    told_apart = load_differences(others) if len(others) > 1 else []
    return Question(
        kind=_kind_of_question(others, told_apart),
        members=members,
        reason=_reason_of(answer, told_apart, scores, members),
        scores=scores,
        channel_id=answer.intake.channel.pk,
        message_id=message.pk if message else None,
    )


def _reason_of(
    answer: Answer,
    told_apart: Sequence[DifferenceFact],
    scores: Sequence[PairScore],
    members: Collection[uuid.UUID],
) -> str:
    if not told_apart:
        return answer.reason
    if answer.known:
        return f"{describe_difference(told_apart[0], names_of(map(str, members)))}. {answer.reason}"
    return explain_contradiction(told_apart[0], scores, members)


def _kind_of_question(others: Sequence[uuid.UUID], told_apart: Sequence[DifferenceFact]) -> str:
    if len(others) == 1:
        return Conflict.Kind.LIKELY_DUPLICATE
    return Conflict.Kind.CONTRADICTION if told_apart else Conflict.Kind.SEVERAL_CANDIDATES


def _record(
    trail: Trail, answer: Answer, resolution: Resolution, message: Message | None, decisive: list[str]
) -> None:
    trail.record(
        "resolve",
        customer_id=uuid.UUID(resolution.customer_id),
        channel_id=answer.intake.channel.pk,
        method=resolution.status,
        confidence=_rounded(resolution.confidence),
        weight=resolution.weight,
        message=str(message.pk) if message else None,
        conflict=resolution.conflict_id,
        known=[str(link.pk) for link in answer.owners.values() if link.customer_id == answer.target],
        decisive=decisive,
        reasons=list(resolution.reasons),
    )


def _decisive(answer: Answer) -> list[str]:
    """Return the types of identifiers without which a link by score would not be made.

    Read before the customer is given what is new. No query unless some type bears so much.
    """
    best, level = answer.decision.best, live_policy().sample
    if answer.status != "linked" or best is None:
        return []
    weighty = [part.field for part in best.fields if best.weight - part.weight < level]
    types = [name for name in weighty if name in FIELD_OF]
    if not types:
        return []
    known = load_profiles({uuid.UUID(best.right)}).values()
    without = [_without(answer.intake.profile, name) for name in types]
    pairs = [(profile, other) for profile in without for other in known]
    scores = score_pairs(live_model(), pairs)
    return [name for name, score in zip(types, scores, strict=True) if score.weight < level]


def _without(profile: Profile, identifier_type: str) -> Profile:
    return replace(profile, **{FIELD_OF[identifier_type]: ()})  # type: ignore[arg-type]


def _rounded(confidence: float) -> Decimal:
    return Decimal(confidence).quantize(Decimal("0.01"), rounding=ROUND_DOWN)
