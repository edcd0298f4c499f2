"""Identifier by identifier: which of several customers hold it, and how."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from customers.models import Mapping as Link
from resolution.selectors.labels import type_label
from resolution.services.merge_plan import CURRENT


@dataclass(frozen=True, slots=True)
class HeldIdentifier:
    """How one customer holds an identifier; `status` is empty when it does not."""

    customer_id: str
    mapping_id: str
    status: str
    verified: bool
    confidence: str


@dataclass(frozen=True, slots=True)
class IdentifierRow:
    """One identifier across all customers, a holder a column."""

    type: str
    type_label: str
    value: str
    channel: str
    holders: tuple[HeldIdentifier, ...]
    shared: bool


def _links(ids: Iterable[uuid.UUID]) -> list[Link]:
    rows = Link.objects.filter(customer__in=ids).select_related("channel")
    return list(rows.order_by("identifier_type", "normalised", "pk"))


def identifier_rows(ids: Iterable[uuid.UUID]) -> Iterator[IdentifierRow]:
    """Give every identifier that one of these customers has; one query."""
    rows: defaultdict[tuple[str, str, uuid.UUID], dict[uuid.UUID, Link]] = defaultdict(dict)
    for link in _links(ids):
        if link.status in CURRENT:
            rows[link.identifier_type, link.normalised, link.channel_id][link.customer_id] = link
    for held in rows.values():
        first = next(iter(held.values()))
        yield IdentifierRow(
            type=first.identifier_type,
            type_label=type_label(first.identifier_type),
            value=first.channel_identifier,
            channel=first.channel.name,
            holders=tuple(_holder(key, held.get(key)) for key in ids),
            shared=len(held) > 1,
        )


def _holder(customer_id: uuid.UUID, link: Link | None) -> HeldIdentifier:
    if link is None:
        return HeldIdentifier(str(customer_id), "", "", verified=False, confidence="")
    confidence = f"{link.confidence_score:.2f}"
    return HeldIdentifier(str(customer_id), str(link.pk), link.status, link.verified, confidence)
