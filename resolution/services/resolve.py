"""Who is this? From identifiers and fields to a customer: look up, compare, decide, then link | create | ask.

A message is never refused for being ambiguous: a provisional customer stands in until a person decides.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from django.db import transaction
from django.utils import timezone

from customers.models import PROFILE_FIELDS, Channel, Customer, Message
from customers.models import Mapping as Link
from customers.selectors import find_owners
from resolution.conf import policy
from resolution.errors import (
    BlockedIdentifier,
    DuplicateCustomerError,
    InvalidInput,
    LimitReached,
    UnusableIdentifier,
)
from resolution.matching.normalise.profile import build_profile
from resolution.models import Conflict, ConflictMember
from resolution.selectors.candidates import score_candidates
from resolution.selectors.channels import get_channel
from resolution.selectors.identifier_rules import load_blocklist, load_rules
from resolution.selectors.merge_facts import load_differences
from resolution.selectors.past_owners import find_past_owners
from resolution.services import audit, cache, conflicts, intake, keys, limits, locks
from resolution.services.answer import Answer, find_answer, known_by, nobody
from resolution.services.as_of import answer_as_of
from resolution.services.audit import Trail
from resolution.services.cache import IdentifierKey
from resolution.services.conflicts import Question
from resolution.services.contradictions import describe_difference, explain_contradiction, names_of
from resolution.services.intake import Intake
from resolution.services.link import Claim, changed_by, claim_identifier, read_identifier
from resolution.services.messages import answer_given, begin_message, find_message, keep_message
from resolution.services.moments import past_moment
from resolution.services.profiles import Stored, add_customer, change_fields
from resolution.types import Actor, Band, DifferenceFact, Identifier, PairScore, Profile, Resolution

SURE = Decimal("1.00")
SEEN_TOGETHER = Decimal("0.90")  # came in one message with an identifier that is known
MENTIONED = Decimal("0.50")  # only found in free text: answers no look-up, gives way to any claim
SUREST_SCORE = Decimal("0.99")  # however alike two profiles are, nobody said that they are one

SEARCH_FIELDS = (*PROFILE_FIELDS, "external_id", "external_system", "handle")


@dataclass(frozen=True, slots=True)
class Known:
    """The owner of an identifier, how sure the link is, and whether the cache knew."""

    customer_id: uuid.UUID
    confidence: Decimal
    cached: bool


def resolve_customer_identity(
    *,
    channel: Channel | str,
    identifier_type: str,
    value: str,
    min_confidence: Decimal | None = None,
    as_of: datetime | None = None,
) -> uuid.UUID | None:
    """Return the canonical id of the customer who owns an identifier, from the cache where it knows.

    None when nobody owns it, it cannot be used, or the link is less sure than `min_confidence` (0 to 1, by
    default `lookup_confidence`). With `as_of`, who owned it at that past moment, as the customer it is now;
    `resolve_identifiers` then also tells who it was. Raises UnknownChannel, InvalidInput for an unknown type
    or a moment that cannot be asked of, and with `as_of` CustomerErased.
    """
    channel = get_channel(channel)
    identifier = read_identifier(channel, identifier_type, value)
    if as_of:
        return _owner_at(channel, identifier, past_moment("as_of", as_of), min_confidence)
    known = _look_up(_key(channel, identifier), min_confidence) if identifier.usable else None
    return known.customer_id if known else None


def find_potential_duplicates(
    *,
    data: Mapping[str, str],
    channel: Channel | str | None = None,
    threshold: float | None = None,
    limit: int = 20,
) -> list[PairScore]:
    """Return the customers most like a record, best first; the score's `right` is the customer.

    `data` maps SEARCH_FIELDS to text. `threshold` is a match weight in log2 odds, by default where the review
    band begins. A constant number of queries. Raises UnknownChannel, InvalidInput.
    """
    profile = _profile_of(data, get_channel(channel) if channel else None)
    floor = policy().review_weight if threshold is None else threshold
    return score_candidates(profile, floor=floor)[:limit]


@locks.again_after_deadlock
def create_or_resolve_customer(
    *,
    channel: Channel | str,
    message: Mapping[str, object],
    actor: Actor,
    dry_run: bool = False,
    raise_on_ambiguity: bool = False,
) -> Resolution:
    """Say whose message this is, keep it, and link, create or ask. The same twice has one answer.

    Reads sender_id, customer_email, customer_phone, external_customer_id, profile fields, subject, content;
    `message_id` is the channel's own id. With `raise_on_ambiguity` nothing is written and
    DuplicateCustomerError raised where a person would have been asked. Raises UnknownChannel, InvalidInput,
    and CustomerErased for a message that came before and whose customer was erased since.
    """
    channel = get_channel(channel)
    newcomer = intake.read_message(channel, message)
    row = begin_message(channel, message)
    if dry_run:
        return _foresee(_by_the_rules(newcomer), raise_on_ambiguity)
    with audit.change(actor) as trail:
        locks.lock_identifiers(
            [("message", f"{channel.pk} {row.external_id or row.pk}"), *_lock_names(newcomer)]
        )
        if earlier := find_message(row):
            return answer_given(earlier)
        newcomer = _by_the_rules(newcomer)
        resolution = _settle(trail, newcomer, row, raise_on_ambiguity)
        keep_message(row, message, newcomer, resolution)
        return replace(resolution, message_id=str(row.pk))


@locks.again_after_deadlock
def resolve_identifiers(
    *,
    channel: Channel | str,
    identifiers: Collection[tuple[str, str]],
    actor: Actor,
    fields: Mapping[str, object] | None = None,
    dry_run: bool = False,
    raise_on_ambiguity: bool = False,
    as_of: datetime | None = None,
) -> Resolution:
    """Say who has these (type, value) identifiers and profile fields, and link, create or ask.

    One known identifier without fields is answered from the cache and writes nothing. With `as_of` the answer
    is by who had the identifiers at that past moment, and nothing is written. Raises UnknownChannel,
    InvalidInput, UnusableIdentifier when nothing that was given can tell who it is, BlockedIdentifier when it
    is because of a block, and with `as_of` CustomerErased.
    """
    channel = get_channel(channel)
    given = [read_identifier(channel, kind, value) for kind, value in identifiers]
    newcomer = intake.read_request(channel, given, fields or {})
    _refuse_nothing(newcomer, given)
    if as_of:
        return _answer_as_of(newcomer, fields, as_of, raise_on_ambiguity)
    known = None if fields else _known_at_once(newcomer)
    if known:
        return known
    if dry_run:
        return _foresee(_usable(newcomer), raise_on_ambiguity)
    with audit.change(actor) as trail:
        locks.lock_identifiers(_lock_names(newcomer))
        return _settle(trail, _usable(newcomer), None, raise_on_ambiguity)


def _look_up(key: IdentifierKey, min_confidence: Decimal | None) -> Known | None:
    wanted = policy().lookup_confidence if min_confidence is None else min_confidence
    remembered = cache.look_up(key)
    if isinstance(remembered, cache.Hit) and remembered.confidence >= wanted:
        return Known(remembered.customer_id, remembered.confidence, cached=True)
    found = find_owners([key]).get(key)
    rule = load_rules().get(key[1]) if found else None
    begins = rule.begins(timezone.now()) if rule else None
    if found is None or (begins and found.last_seen_at < begins):
        return None
    if isinstance(remembered, cache.Miss) and not _ends_soon(found, begins):
        owner, lease, confidence = found.customer_id, remembered.lease, found.confidence_score
        transaction.on_commit(lambda: cache.fill(key, owner, lease, confidence))
    surely = found.confidence_score >= wanted
    return Known(found.customer_id, found.confidence_score, cached=False) if surely else None


def _owner_at(
    channel: Channel, identifier: Identifier, moment: datetime, min_confidence: Decimal | None
) -> uuid.UUID | None:
    if not identifier.usable or load_blocklist().find(identifier.type, identifier.normalised):
        return None
    wanted = policy().lookup_confidence if min_confidence is None else min_confidence
    key = _key(channel, identifier)
    owner = find_past_owners({key: identifier}, moment).get(key)
    return uuid.UUID(owner.canonical_id) if owner and owner.confidence >= wanted else None


def _answer_as_of(
    newcomer: Intake, fields: Mapping[str, object] | None, as_of: datetime, raise_on_ambiguity: bool
) -> Resolution:
    if fields:
        raise InvalidInput(
            "as_of asks who had identifiers at a moment; of fields that is not known, so leave them out.",
            field="fields",
        )
    resolution = answer_as_of(_usable(newcomer), past_moment("as_of", as_of))
    if raise_on_ambiguity and resolution.status == "review":
        raise DuplicateCustomerError(list(dict.fromkeys(row.canonical_id for row in resolution.owners)))
    return resolution


def _ends_soon(link: Link, begins: datetime | None) -> bool:
    """Whether a link leaves its type's window while the cache would still tell of it."""
    return begins is not None and link.last_seen_at < begins + timedelta(seconds=policy().cache_seconds)


def _by_the_rules(newcomer: Intake) -> Intake:
    """What of a newcomer may be used today; identifiers are locked, so that it stays so."""
    return intake.obey_rules(newcomer, load_blocklist(), load_rules())


def _usable(newcomer: Intake) -> Intake:
    """What may be used of a request; refused when all that tells who it is is blocked."""
    left = _by_the_rules(newcomer)
    if not left.tells_who:
        first = newcomer.explicit[0]
        found = left.blocklist.find(first.type, first.normalised)
        raise BlockedIdentifier(first.type, first.value, found.why if found else "it is blocked")
    return left


def _known_at_once(newcomer: Intake) -> Resolution | None:
    if len(newcomer.explicit) != 1:
        return None
    only = newcomer.explicit[0]
    known = _look_up(newcomer.key_of(only), None)
    if known is None:
        return None
    reasons = (known_by(only), *newcomer.notes)
    return Resolution(
        "matched", str(known.customer_id), float(known.confidence), Band.AUTO, reasons, cached=known.cached
    )


def _key(channel: Channel, identifier: Identifier) -> IdentifierKey:
    return channel.pk, identifier.type, identifier.normalised


def _profile_of(data: Mapping[str, str], channel: Channel | None) -> Profile:
    unknown = sorted(set(data) - set(SEARCH_FIELDS))
    if unknown:
        raise InvalidInput(
            f"A record has no field “{unknown[0][:40]}”; it has {', '.join(SEARCH_FIELDS)}.",
            field=unknown[0][:40],
        )
    wrong = [name for name, value in data.items() if not isinstance(value, str)]
    if wrong:
        raise InvalidInput(f"{wrong[0]} is {type(data[wrong[0]]).__name__}; text is wanted.", field=wrong[0])
    record = {
        name: value for name, value in data.items() if name != "region"
    }  # a state, not a country, to matching
    system = {"external_system": channel.code} if channel else {}
    region = channel.default_region if channel else ""
    return load_blocklist().strip(build_profile(intake.NEWCOMER, [system | record], region=region))


def _refuse_nothing(newcomer: Intake, given: list[Identifier]) -> None:
    if newcomer.tells_who:
        return
    if given:
        raise UnusableIdentifier(given[0].type, given[0].value, given[0].unusable)
    raise InvalidInput("Nothing was given that tells who it is; give an identifier, a name or a company.")


def _lock_names(newcomer: Intake) -> list[tuple[str, str]]:
    """What two requests of one new person have in common: identifiers, or without any the whole profile."""
    named = [(entry.type, entry.normalised) for entry in (*newcomer.explicit, *newcomer.mentioned)]
    return named or [("profile", hashlib.sha256(repr(newcomer.profile).encode()).hexdigest())]


def _foresee(newcomer: Intake, raise_on_ambiguity: bool) -> Resolution:
    """Answer without writing anything."""
    if not newcomer.tells_who:
        return nobody(newcomer)
    answer = find_answer(newcomer)
    _raise_if_ambiguous(answer, raise_on_ambiguity)
    resolution = answer.as_resolution(answer.target)
    return replace(resolution, status="unknown", confidence=0.0) if answer.status == "created" else resolution


def _settle(trail: Trail, newcomer: Intake, message: Message | None, raise_on_ambiguity: bool) -> Resolution:
    """Lock, decide, apply and record; identifiers are locked already."""
    if not newcomer.tells_who:
        trail.record(
            "refuse", channel_id=newcomer.channel.pk, method="nothing_usable", notes=list(newcomer.notes)
        )
        return nobody(newcomer)
    return locks.act_as_planned(
        trail,
        lambda: find_answer(newcomer),
        lambda answer, locked: _carry_out(trail, answer, locked, message, raise_on_ambiguity),
    )


def _carry_out(
    trail: Trail,
    answer: Answer,
    locked: Mapping[uuid.UUID, Customer],
    message: Message | None,
    raise_on_ambiguity: bool,
) -> Resolution:
    _raise_if_ambiguous(answer, raise_on_ambiguity)
    customer = locked[answer.target] if answer.target else _create(trail, answer)
    notes = _apply(trail, answer, customer)
    resolution = _ask_if_unsure(trail, answer, customer, message)
    resolution = replace(resolution, reasons=(*resolution.reasons, *notes))
    _record(trail, answer, resolution, message)
    return resolution


def _raise_if_ambiguous(answer: Answer, wanted: bool) -> None:
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


def _record(trail: Trail, answer: Answer, resolution: Resolution, message: Message | None) -> None:
    trail.record(
        "resolve",
        customer_id=uuid.UUID(resolution.customer_id),
        channel_id=answer.intake.channel.pk,
        method=resolution.status,
        confidence=_rounded(resolution.confidence),
        weight=resolution.weight,
        message=str(message.pk) if message else None,
        conflict=resolution.conflict_id,
        reasons=list(resolution.reasons),
    )


def _rounded(confidence: float) -> Decimal:
    return Decimal(confidence).quantize(Decimal("0.01"), rounding=ROUND_DOWN)
