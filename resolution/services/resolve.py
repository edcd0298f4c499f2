"""Who is this? From identifiers and fields to a customer: looked up, compared and decided.

A message is never refused for being ambiguous: a provisional customer stands in until a person decides.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from customers.models import PROFILE_FIELDS, Channel, Message
from customers.models import Mapping as Link
from customers.selectors import find_owners
from resolution.conf import policy
from resolution.errors import BlockedIdentifier, DuplicateCustomerError, InvalidInput, UnusableIdentifier
from resolution.matching.normalise.profile import build_profile
from resolution.selectors.candidates import score_candidates
from resolution.selectors.channels import get_channel
from resolution.selectors.identifier_rules import load_blocklist, load_rules
from resolution.selectors.past_owners import find_past_owners
from resolution.services import audit, cache, intake, locks
from resolution.services.act_on_answer import act_on_answer, raise_if_ambiguous
from resolution.services.answer import find_answer, known_by, nobody
from resolution.services.as_of import answer_as_of
from resolution.services.audit import Trail
from resolution.services.cache import IdentifierKey
from resolution.services.intake import Intake
from resolution.services.link import read_identifier
from resolution.services.messages import answer_given, begin_message, find_message, keep_message
from resolution.services.moments import past_moment
from resolution.types import Actor, Band, Identifier, PairScore, Profile, Resolution

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
    raise_if_ambiguous(answer, raise_on_ambiguity)
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
        lambda answer, locked: act_on_answer(trail, answer, locked, message, raise_on_ambiguity),
    )
