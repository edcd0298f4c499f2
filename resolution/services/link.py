"""Identifiers linked to customers and taken off them, one by one; `claims` has the rules."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal

from customers.models import Channel, Customer, Mapping
from resolution.errors import InvalidInput, NotFound, UnusableIdentifier
from resolution.matching.identifiers import UnknownIdentifierType, normalise_identifier
from resolution.matching.normalise.text import clean_text
from resolution.selectors.channels import get_channel
from resolution.selectors.customers import get_canonical
from resolution.services import audit, keys, limit_follow, locks, reevaluate
from resolution.services.audit import Trail
from resolution.services.claims import Claim, ClaimPlan, changed_by, claim_identifier, end_link
from resolution.services.moments import past_moment
from resolution.types import Actor, Identifier, LinkOutcome


@locks.again_after_deadlock
def link_customer_identifier(
    *,
    customer_id: uuid.UUID,
    channel: Channel | str,
    identifier_type: str,
    value: str,
    actor: Actor,
    confidence: Decimal = Decimal("1.00"),
    verified: bool = False,
    valid_from: datetime | None = None,
) -> LinkOutcome:
    """Link an identifier to a customer by the rules of a claim; a merged id means its survivor.

    `valid_from` is the moment it passed to the customer, where that is known and not now: until then it stays
    its last owner's. A claim that becomes a question keeps no moment. Raises UnknownChannel, UnknownCustomer,
    CustomerErased, UnusableIdentifier, InvalidInput (as for a moment before the last owner's time began), and
    BlockedIdentifier and LimitReached, by which nothing is linked.
    """
    channel = get_channel(channel)
    identifier = _usable(read_identifier(channel, identifier_type, value))
    since = past_moment("valid_from", valid_from) if valid_from else None
    claim = Claim(channel, identifier, _checked(confidence), verified, since)
    with audit.change(actor) as trail:
        locks.lock_identifiers([(claim.identifier.type, claim.identifier.normalised)])
        return locks.act_as_planned(
            trail,
            lambda: _plan_claim(customer_id, claim),
            lambda plan, locked: _carry_out(trail, locked[plan.claimant], claim),
        )


def resolve_conflict(
    *,
    channel: Channel | str,
    identifier_type: str,
    identifier_value: str,
    new_customer_id: uuid.UUID,
    actor: Actor,
) -> LinkOutcome:
    """Claim an identifier for a customer once more, by the rules of a claim.

    It settles no conflict: what the rules leave to a person stays asked, and is decided with
    `decide.decide_conflict`. Raises as `link_customer_identifier` does.
    """
    return link_customer_identifier(
        customer_id=new_customer_id,
        channel=channel,
        identifier_type=identifier_type,
        value=identifier_value,
        actor=actor,
    )


@locks.again_after_deadlock
def unlink_customer_identifier(
    *, customer_id: uuid.UUID, mapping_id: uuid.UUID, actor: Actor, reason: str = ""
) -> Mapping:
    """Take an identifier off a customer: the link ends now and stays readable.

    Raises UnknownCustomer, CustomerErased, and NotFound when the customer has no such link today.
    """
    with audit.change(actor) as trail:
        customer = get_canonical(customer_id)
        locks.lock_customers([customer.pk])
        mapping = Mapping.objects.current().filter(pk=mapping_id, customer=customer).first()
        if mapping is None:
            raise NotFound(
                f"Customer {customer.pk} has no identifier {mapping_id} today. Load the customer again.",
                customer=str(customer.pk),
                mapping=str(mapping_id),
            )
        end_link(trail, mapping, reason=clean_text(reason)[:500])
        keys.rebuild_keys([customer.pk])
        what = f"{mapping.channel_identifier} was taken off."
        reevaluate.reevaluate_parted(trail, {customer.pk}, what)
        limit_follow.follow(trail, [customer.pk], what)
        return mapping


def read_identifier(channel: Channel, identifier_type: str, value: str) -> Identifier:
    """Return an identifier in canonical form, usable or not. Raises InvalidInput for an unknown type."""
    try:
        return normalise_identifier(identifier_type, value, region=channel.default_region)
    except UnknownIdentifierType as error:
        raise InvalidInput(str(error), type=str(identifier_type)[:40]) from error


def _plan_claim(customer_id: uuid.UUID, claim: Claim) -> ClaimPlan:
    return ClaimPlan.of(get_canonical(customer_id).pk, claim)


def _carry_out(trail: Trail, claimant: Customer, claim: Claim) -> LinkOutcome:
    outcome = claim_identifier(trail, claimant, claim)
    keys.rebuild_keys(changed_by(outcome))
    return outcome


def _usable(identifier: Identifier) -> Identifier:
    if not identifier.usable:
        raise UnusableIdentifier(identifier.type, identifier.value, identifier.unusable)
    return identifier


def _checked(confidence: Decimal) -> Decimal:
    if not confidence.is_finite() or not 0 <= confidence <= 1:
        raise InvalidInput(f"Confidence {confidence} was given; a number from 0 to 1 is wanted.")
    return confidence.quantize(Decimal("0.01"))
