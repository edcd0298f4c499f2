"""Who an identifier belongs to, and what happens when somebody else claims it.

The rules of a claim on a value that another customer owns, first that fits:

    the owner's link is verified                nothing moves, a person decides (perhaps fraud, perhaps error)
    its confidence is `high_confidence` or more nothing moves, a person decides
    a person told the two apart                 nothing moves, a person decides
    it is weaker                                the value moves to the claimant at `high_confidence`

What a person decided of a claim is not asked again while nothing about the two has changed.

A link not seen within its type's window gives way to any claim. What is blocked is never linked, and the
limits of `services.limits` bound every link.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from customers.models import Channel, Customer, Mapping
from customers.selectors import find_last_owner, find_owners
from customers.services import register
from resolution.conf import policy
from resolution.errors import InvalidInput
from resolution.models import Conflict, ConflictMember
from resolution.selectors.identifier_rules import is_valid, load_rules
from resolution.selectors.merge_facts import load_differences
from resolution.services import audit, conflicts, limit_follow, limits
from resolution.services.audit import Trail
from resolution.services.cache import IdentifierKey
from resolution.services.conflicts import Question
from resolution.services.contradictions import describe_difference
from resolution.services.moments import told
from resolution.types import DifferenceFact, Identifier, LinkOutcome

OUT_OF_WINDOW = "not seen within its type's window"


@dataclass(frozen=True, slots=True)
class Claim:
    """One identifier of one channel, and how sure the claimant's link to it is.

    `valid_from` is the moment it passed to the claimant, now unless known.
    """

    channel: Channel
    identifier: Identifier
    confidence: Decimal = Decimal("1.00")
    verified: bool = False
    valid_from: datetime | None = None

    @property
    def key(self) -> IdentifierKey:
        return self.channel.pk, self.identifier.type, self.identifier.normalised


@dataclass(frozen=True, slots=True)
class ClaimPlan:
    """Whom a claim touches: the claimant, the present owner, and a former one whose time it may cut short."""

    claimant: uuid.UUID
    claim: Claim
    owner: uuid.UUID | None
    former: uuid.UUID | None

    @classmethod
    def of(cls, claimant: uuid.UUID, claim: Claim) -> ClaimPlan:
        former = find_last_owner(claim.key) if claim.valid_from else None
        return cls(claimant, claim, owner_of(claim.key), former.customer_id if former else None)

    def touched(self) -> Collection[uuid.UUID]:
        return {key for key in (self.claimant, self.owner, self.former) if key}

    def holds(self, locked: MappingOf[uuid.UUID, Customer]) -> bool:
        concerned = (locked[key] for key in (self.claimant, self.owner) if key)
        everyone_lives = all(row.status == Customer.Status.ACTIVE for row in concerned)
        return everyone_lives and self == ClaimPlan.of(self.claimant, self.claim)


def owner_of(key: IdentifierKey) -> uuid.UUID | None:
    owned = find_owners([key]).get(key)
    return owned.customer_id if owned else None


def claim_identifier(trail: Trail, claimant: Customer, claim: Claim) -> LinkOutcome:
    """Apply the rules of a claim; all three are locked, and keys are the caller's to rebuild."""
    owned = find_owners([claim.key]).get(claim.key)
    if owned is None:
        return _link(trail, claimant, claim)
    if owned.customer_id == claimant.pk:
        return _confirm(trail, owned, claim)
    if claim.valid_from is None and _shares_already(claimant, claim):
        return LinkOutcome("unchanged", str(claimant.pk), existing_customer_id=str(owned.customer_id))
    told_apart = load_differences({owned.customer_id, claimant.pk})
    if not told_apart and not is_valid(owned, load_rules()):
        move_identifier(
            trail,
            owned,
            claimant,
            confidence=claim.confidence,
            verified=claim.verified,
            reason=OUT_OF_WINDOW,
            at=claim.valid_from,
        )
        return LinkOutcome("updated", str(claimant.pk), existing_customer_id=str(owned.customer_id))
    if told_apart or owned.verified or owned.confidence_score >= policy().high_confidence:
        return _ask(trail, owned, claimant, claim, told_apart)
    move_identifier(trail, owned, claimant, confidence=policy().high_confidence, at=claim.valid_from)
    return LinkOutcome("updated", str(claimant.pk), existing_customer_id=str(owned.customer_id))


def changed_by(outcome: LinkOutcome) -> set[uuid.UUID]:
    """Return the customers whose identifiers a claim changed."""
    changed = {
        "linked": (outcome.customer_id,),
        "updated": (outcome.customer_id, outcome.existing_customer_id),
    }
    return {uuid.UUID(entry) for entry in changed.get(outcome.action, ())}


def move_identifier(
    trail: Trail,
    mapping: Mapping,
    to_customer: Customer,
    *,
    confidence: Decimal | None = None,
    verified: bool = False,
    reason: str = "",
    at: datetime | None = None,
) -> Mapping:
    """Make a customer the owner of what another owns; return the new link. The old one ends where it begins.

    Both customers are locked; blocking keys of both are the caller's to rebuild. `confidence` defaults to
    that of the old link, `at` to now. Raises BlockedIdentifier, LimitReached, and InvalidInput for a moment
    before the old link's time.
    """
    if at:
        _refuse_before(mapping, at)
    limits.check_link(
        trail,
        customer_id=to_customer.pk,
        channel=mapping.channel,
        identifier=Identifier(mapping.identifier_type, mapping.channel_identifier, mapping.normalised),
        verified=verified,
        leaving=mapping,
    )
    register.detach_identifier(mapping, at=at)
    moved = register.attach_identifier(
        customer_id=to_customer.pk,
        channel=mapping.channel,
        identifier_type=mapping.identifier_type,
        value=mapping.channel_identifier,
        normalised=mapping.normalised,
        confidence=mapping.confidence_score if confidence is None else confidence,
        verified=verified,
        valid_from=mapping.valid_to,
    )
    trail.reown(mapping.channel_id, mapping.identifier_type, mapping.normalised)
    until = {"valid_to": at.isoformat()} if at else {}
    _record(trail, "lose", mapping, old_value=str(mapping.customer_id), to=str(to_customer.pk), **until)
    _record(trail, "move", moved, old_value=str(mapping.customer_id), reason=reason, **_dated(at))
    trail.tell(
        "identifier.moved",
        customer_id=moved.customer_id,
        identifier_type=moved.identifier_type,
        from_customer=str(mapping.customer_id),
    )
    passed = {mapping.customer_id, to_customer.pk}
    limit_follow.follow(trail, passed, "An identifier passed to another customer.")
    return moved


def end_link(trail: Trail, mapping: Mapping, *, reason: str = "") -> None:
    """Take a link off as part of a larger change; its customer is locked."""
    was_owner = mapping.status == Mapping.Status.ACTIVE
    register.detach_identifier(mapping)
    if was_owner:
        trail.reown(mapping.channel_id, mapping.identifier_type, mapping.normalised)
    _record(trail, "unlink", mapping, old_value=str(mapping.customer_id), reason=reason)
    trail.tell(
        "identifier.unlinked", customer_id=mapping.customer_id, identifier_type=mapping.identifier_type
    )


def _link(trail: Trail, claimant: Customer, claim: Claim) -> LinkOutcome:
    checked = limits.check_link(
        trail,
        customer_id=claimant.pk,
        channel=claim.channel,
        identifier=claim.identifier,
        verified=claim.verified,
    )
    if claim.valid_from:
        _end_former(trail, claim.key, claim.valid_from)
    mapping = register.attach_identifier(
        customer_id=claimant.pk,
        channel=claim.channel,
        identifier_type=claim.identifier.type,
        value=claim.identifier.value,
        normalised=claim.identifier.normalised,
        confidence=claim.confidence,
        verified=claim.verified,
        valid_from=claim.valid_from,
    )
    _record(trail, "link", mapping, found_in=claim.identifier.found_in, **_dated(claim.valid_from))
    trail.tell("identifier.linked", customer_id=claimant.pk, identifier_type=mapping.identifier_type)
    if not checked.counted:
        limits.count_later(trail, mapping)
    return LinkOutcome("linked", str(claimant.pk), conflict_id=checked.asked)


def _confirm(trail: Trail, owned: Mapping, claim: Claim) -> LinkOutcome:
    before = _strength(owned)
    if claim.verified and not owned.verified:
        limits.check_verified(
            customer_id=owned.customer_id, channel=claim.channel, identifier=claim.identifier
        )
    if register.confirm_identifier(owned, confidence=claim.confidence, verified=claim.verified):
        _record(trail, "update", owned, old_value=before, strength=_strength(owned))
    if claim.valid_from and claim.valid_from != owned.valid_from:
        _begin_anew(trail, owned, claim.valid_from)
    return LinkOutcome("unchanged", str(owned.customer_id), existing_customer_id=str(owned.customer_id))


def _begin_anew(trail: Trail, owned: Mapping, moment: datetime) -> None:
    """Put right from when on an owner has its value."""
    _end_former(trail, (owned.channel_id, owned.identifier_type, owned.normalised), moment)
    before = owned.valid_from.isoformat()
    register.date_identifier(owned, valid_from=moment)
    _record(trail, "update", owned, old_value=before, **_dated(moment))


def _end_former(trail: Trail, key: IdentifierKey, moment: datetime) -> None:
    """Let a value's last owner have had it until this moment and no longer. Raises InvalidInput."""
    former = find_last_owner(key)
    if former is None or former.valid_to is None:
        return
    _refuse_before(former, moment)
    if former.valid_to > moment:
        before = former.valid_to.isoformat()
        register.date_identifier(former, valid_to=moment)
        _record(trail, "update", former, old_value=before, valid_to=moment.isoformat())


def _refuse_before(link: Mapping, moment: datetime) -> None:
    if moment < link.valid_from:
        raise InvalidInput(
            f"{link.channel_identifier} was customer {link.customer_id}'s from {told(link.valid_from)} on;"
            f" valid_from is {told(moment)}, before that. Give the moment it passed on.",
            field="valid_from",
            customer=str(link.customer_id),
            valid_from=link.valid_from.isoformat(),
        )


def _dated(moment: datetime | None) -> dict[str, str]:
    """What the trail keeps of a moment that was given."""
    return {"valid_from": moment.isoformat()} if moment else {}


def _shares_already(claimant: Customer, claim: Claim) -> bool:
    """A claim that says no more than what is known: this customer uses the value and another owns it."""
    channel_id, identifier_type, normalised = claim.key
    return Mapping.objects.filter(
        customer=claimant,
        channel=channel_id,
        identifier_type=identifier_type,
        normalised=normalised,
        status=Mapping.Status.SHARED,
        verified__gte=claim.verified,
    ).exists()


def _ask(
    trail: Trail, owned: Mapping, claimant: Customer, claim: Claim, told_apart: Sequence[DifferenceFact]
) -> LinkOutcome:
    kind, action = _kind_of_claim(owned)
    held = "is verified for" if owned.verified else f"belongs, with confidence {owned.confidence_score}, to"
    names = {str(owned.customer_id): "the owner", str(claimant.pk): "the claimant"}
    said = "".join(f" {describe_difference(fact, names)}." for fact in told_apart)
    sure = f", with confidence {claim.confidence}," if told_apart else ""
    verified = " as verified" if claim.verified else ""
    question = Question(
        kind=kind,
        members={owned.customer_id: ConflictMember.Role.OWNER, claimant.pk: ConflictMember.Role.CLAIMANT},
        reason=f"{claim.identifier.value} {held} one customer;"
        f" {claim.channel} claims it{verified}{sure} for another.{said}",
        channel_id=claim.channel.pk,
        identifier_type=claim.identifier.type,
        identifier_value=claim.identifier.normalised,
        verified=claim.verified,
    )
    outcome = LinkOutcome(action, str(claimant.pk), str(owned.customer_id))
    if answer := conflicts.find_claims_answer(question):
        return replace(outcome, conflict_id=answer.pk, decided=answer.outcome)
    return replace(outcome, conflict_id=conflicts.open_question(trail, question).pk)


def _kind_of_claim(owned: Mapping) -> tuple[str, str]:
    """The kind of question a claim becomes, and the action told; a link too weak for either contradicts."""
    if owned.verified:
        return Conflict.Kind.VERIFIED_IDENTIFIER, "conflict_verified"
    if owned.confidence_score >= policy().high_confidence:
        return Conflict.Kind.HIGH_CONFIDENCE_IDENTIFIER, "conflict_high_confidence"
    return Conflict.Kind.CONTRADICTION, "conflict_contradiction"


def _record(trail: Trail, action: str, mapping: Mapping, *, old_value: str = "", **metadata: Any) -> None:
    trail.record(
        action,
        customer_id=mapping.customer_id,
        channel_id=mapping.channel_id,
        identifier_type=mapping.identifier_type,
        identifier_value=mapping.normalised,
        old_value=old_value,
        confidence=mapping.confidence_score,
        **audit.link_facts(
            mapping.pk, mapping.channel_identifier, mapping.normalised, verified=mapping.verified
        ),
        **metadata,
    )


def _strength(mapping: Mapping) -> str:
    return f"{mapping.confidence_score}{' verified' if mapping.verified else ''}"
