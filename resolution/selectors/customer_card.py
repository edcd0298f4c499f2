"""The customer page as data: golden values with their source, identifiers, what it was built from."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from customers.models import PROFILE_FIELDS, Customer
from customers.models import Mapping as Link
from customers.selectors import Key, find_owners
from resolution.models import Conflict, Judgement
from resolution.selectors.customers import fetch_customers
from resolution.selectors.history import AbsorbedRow
from resolution.selectors.labels import field_label, type_label
from resolution.selectors.merge_facts import load_facts, where_seen
from resolution.selectors.provenance import Provenance, attribute_name, provenance_of
from resolution.selectors.queue import QueueRow, conflict_rows

_LINK_ORDER = ("status", "identifier_type", "normalised", "pk")
_MOST_CONFLICTS = 50
UNTOLD = Provenance()


@dataclass(frozen=True, slots=True)
class GoldenField:
    """One field's value, or a further attribute's as "attributes.key".

    `source` names where it was seen, `verified` whether an identifier proves it; `provenance` tells which
    merges brought it.
    """

    field: str
    label: str
    value: str
    source: str
    verified: bool
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class CardIdentifier:
    """One identifier the customer has, folded ones included (see `status`)."""

    mapping_id: str
    type: str
    type_label: str
    value: str
    normalised: str
    channel: str
    status: str
    status_label: str
    verified: bool
    confidence: str
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class PastIdentifier:
    """One identifier the customer had, from when until when; who has it now, nobody where the id is empty.

    `owned` is False when the customer only used it while somebody else owned it.
    """

    mapping_id: str
    type_label: str
    value: str
    channel: str
    owned: bool
    since: datetime
    until: datetime
    owner_id: str
    owner_name: str


@dataclass(frozen=True, slots=True)
class CardVerdict:
    """What a person said of this customer and another."""

    judgement_id: int
    other_id: str
    other_name: str
    verdict: str
    verdict_label: str
    reason: str
    who: str
    when: datetime


@dataclass(frozen=True, slots=True)
class CustomerCard:
    """One customer, whole. `canonical_id` differs from `id` when it was merged; the page then sends there."""

    id: str
    canonical_id: str
    name: str
    status: str
    version: int
    created_at: datetime
    last_interaction_at: datetime | None
    fields: tuple[GoldenField, ...]
    identifiers: tuple[CardIdentifier, ...]
    past_identifiers: tuple[PastIdentifier, ...]
    messages: int
    tickets: int
    source_records: int
    absorbed: tuple[AbsorbedRow, ...]
    conflicts: tuple[QueueRow, ...]
    verdicts: tuple[CardVerdict, ...]

    @property
    def owned(self) -> int:
        """How many identifiers it owns; those of a merged one are its survivor's."""
        return sum(entry.status == Link.Status.ACTIVE for entry in self.identifiers)


def customer_card(customer_id: uuid.UUID, *, user_id: int | None = None) -> CustomerCard:
    """Return one customer's page. A constant number of queries. Raises UnknownCustomer."""
    customer = fetch_customers([customer_id])[customer_id]
    links = list(Link.objects.filter(customer=customer).select_related("channel").order_by(*_LINK_ORDER))
    ended = [link for link in links if link.status == Link.Status.ENDED]
    return CustomerCard(
        id=str(customer.pk),
        canonical_id=str(customer.canonical_id),
        name=customer.display_name,
        status=customer.status,
        version=customer.version,
        created_at=customer.created_at,
        last_interaction_at=customer.last_interaction_at,
        fields=tuple(golden_fields(customer)),
        identifiers=tuple(_identifier(link) for link in links if link.status != Link.Status.ENDED),
        past_identifiers=tuple(_past_identifiers(ended)),
        messages=customer.messages.count(),
        tickets=customer.tickets.count(),
        source_records=customer.source_records.count(),
        absorbed=tuple(
            AbsorbedRow(str(row.pk), row.display_name) for row in customer.absorbed.order_by("pk")
        ),
        conflicts=_live_conflicts(customer, user_id),
        verdicts=tuple(_verdicts(customer)),
    )


def golden_fields(customer: Customer) -> Iterator[GoldenField]:
    """Give every profile field and further attribute with where its value comes from."""
    facts = load_facts([customer], rows=False)[str(customer.pk)]
    seen_on = where_seen([customer])
    told = provenance_of(customer)
    for name in PROFILE_FIELDS:
        fact = facts.values[name]
        provenance = told.get(name, UNTOLD)
        yield GoldenField(
            name, field_label(name), fact.value, seen_on[facts.id, name], fact.verified, provenance
        )
    for key, value in customer.attributes.items():
        name = attribute_name(key)
        yield GoldenField(name, field_label(key), str(value), "", False, told.get(name, UNTOLD))


def _identifier(link: Link) -> CardIdentifier:
    return CardIdentifier(
        mapping_id=str(link.pk),
        type=link.identifier_type,
        type_label=type_label(link.identifier_type),
        value=link.channel_identifier,
        normalised=link.normalised,
        channel=link.channel.name,
        status=link.status,
        status_label=link.get_status_display(),
        verified=link.verified,
        confidence=f"{link.confidence_score:.2f}",
        first_seen_at=link.first_seen_at,
        last_seen_at=link.last_seen_at,
    )


def _past_identifiers(ended: Collection[Link]) -> Iterator[PastIdentifier]:
    """What ended, the latest first."""
    owners = find_owners([_key(link) for link in ended])
    today = Customer.objects.in_bulk({owner.customer_id for owner in owners.values()})
    for link in sorted(ended, key=_end, reverse=True):
        owner = owners.get(_key(link))
        owned = _end(link) > link.valid_from
        yield PastIdentifier(
            mapping_id=str(link.pk),
            type_label=type_label(link.identifier_type),
            value=link.channel_identifier,
            channel=link.channel.name,
            owned=owned,
            since=link.valid_from if owned else link.first_seen_at,
            until=_end(link),
            owner_id=str(owner.customer_id) if owner else "",
            owner_name=today[owner.customer_id].display_name if owner else "",
        )


def _key(link: Link) -> Key:
    return link.channel_id, link.identifier_type, link.normalised


def _end(link: Link) -> datetime:
    return link.valid_to or link.updated_at


def _live_conflicts(customer: Customer, user_id: int | None) -> tuple[QueueRow, ...]:
    live = Conflict.objects.filter(members__customer=customer).exclude(state=Conflict.State.DONE)
    ids = live.order_by("-priority", "due_at", "pk").values_list("pk", flat=True)
    return conflict_rows(list(ids[:_MOST_CONFLICTS]), user_id=user_id)


def _verdicts(customer: Customer) -> Iterator[CardVerdict]:
    """What people said of this customer, or of one absorbed into it, and another; newest first."""
    group = list(Customer.objects.members_of(customer.pk).values_list("pk", flat=True))
    spoken = Judgement.objects.filter(Q(left__in=group) | Q(right__in=group), superseded_at__isnull=True)
    for row in spoken.select_related("left__merged_into", "right__merged_into").order_by("-pk"):
        other = row.right if row.left_id in group else row.left
        stands_for = other.merged_into or other
        yield CardVerdict(
            judgement_id=row.pk,
            other_id=str(stands_for.pk),
            other_name=stands_for.display_name,
            verdict=row.verdict,
            verdict_label=row.get_verdict_display(),
            reason=row.reason,
            who=row.actor_name,
            when=row.created_at,
        )
