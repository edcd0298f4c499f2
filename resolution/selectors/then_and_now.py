"""A customer as it was beside what it is, as data for a page."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from customers.models import PROFILE_FIELDS, Channel, Customer
from customers.models import Mapping as Link
from resolution.selectors.customer_as_of import CustomerThen, customer_as_of
from resolution.selectors.customers import fetch_customers
from resolution.selectors.labels import field_label, type_label
from resolution.selectors.past import IdentifierThen


@dataclass(frozen=True, slots=True)
class Compared:
    """One value then and now, as text; empty where there is none."""

    label: str
    then: str
    now: str

    @property
    def differs(self) -> bool:
        return self.then != self.now


@dataclass(frozen=True, slots=True)
class LinkState:
    """How an identifier stood."""

    status: str
    status_label: str
    verified: bool
    confidence: Decimal


@dataclass(frozen=True, slots=True)
class ComparedLink:
    """One identifier then and now; None where this customer does not have it."""

    type_label: str
    value: str
    channel: str
    then: LinkState | None
    now: LinkState | None

    @property
    def differs(self) -> bool:
        return self.then != self.now


@dataclass(frozen=True, slots=True)
class ThenAndNow:
    """Both sides of a customer; `canonical_then` and `canonical_now` are whom its id stood and stands for."""

    moment: datetime
    canonical_then: str
    canonical_now: str
    fields: tuple[Compared, ...]
    identifiers: tuple[ComparedLink, ...]

    @property
    def differing(self) -> int:
        return sum(row.differs for row in self.fields) + sum(row.differs for row in self.identifiers)


def then_and_now(customer_id: uuid.UUID, moment: datetime) -> ThenAndNow:
    """Return both sides in a constant number of queries. Raises as `customer_as_of` does."""
    then = customer_as_of(customer_id, moment)
    customer = fetch_customers([customer_id])[customer_id]
    links = {link.pk: link for link in Link.objects.filter(customer=customer)}
    return ThenAndNow(
        moment=moment,
        canonical_then=str(then.canonical_id),
        canonical_now=str(customer.canonical_id),
        fields=tuple(_fields(then, customer)),
        identifiers=tuple(_identifiers({link.mapping_id: link for link in then.identifiers}, links)),
    )


def _fields(then: CustomerThen, customer: Customer) -> Iterator[Compared]:
    yield Compared("Status", Customer.Status(then.status).label, customer.get_status_display())
    for name in PROFILE_FIELDS:
        row = Compared(field_label(name), then.fields[name], str(getattr(customer, name) or ""))
        if row.then or row.now:
            yield row
    for name in sorted(then.attributes.keys() | customer.attributes.keys()):
        yield Compared(
            field_label(name), _shown(then.attributes.get(name)), _shown(customer.attributes.get(name))
        )


def _identifiers(
    then: Mapping[uuid.UUID, IdentifierThen], now: Mapping[uuid.UUID, Link]
) -> Iterable[ComparedLink]:
    before = {key: _state(link.status, link.verified, link.confidence) for key, link in then.items()}
    today = {key: _state(link.status, link.verified, link.confidence_score) for key, link in now.items()}
    places = {key: (link.type, link.value, link.channel_id) for key, link in then.items()} | {
        key: (link.identifier_type, link.channel_identifier, link.channel_id) for key, link in now.items()
    }
    channels = Channel.objects.in_bulk({channel for _, _, channel in places.values()})
    for key, (kind, value, channel) in sorted(places.items(), key=lambda entry: entry[1][:2]):
        name = channels[channel].name
        yield ComparedLink(type_label(kind), value, name, before.get(key), today.get(key))


def _state(status: str, verified: bool, confidence: Decimal) -> LinkState:
    return LinkState(status, Link.Status(status).label, verified, confidence)


def _shown(value: Any) -> str:
    return "" if value is None else str(value)
