"""Writing customers down as they stand where the trail does not tell them whole: replays begin there."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from customers.models import PROFILE_FIELDS, Customer, Mapping
from resolution.models import AuditEntry
from resolution.services import audit, locks
from resolution.services.audit import Trail
from resolution.types import Actor

CUSTOMERS_A_CHANGE = 1000


def note_untold(
    *,
    actor: Actor,
    everybody: bool = False,
    watch: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write down each customer whose creation the trail does not tell whole, or everybody; count them.

    A bounded number a transaction; may be stopped and begun again. `watch` is told (done, total).
    """
    waiting = Customer.objects.all() if everybody else _untold()
    total, done, last = waiting.count(), 0, None
    while chunk := _next(waiting, last):
        with audit.change(actor) as trail:
            _, customers = locks.lock_as_planned(partial(_Chunk.of, frozenset(chunk)))
            note_customers(trail, customers)
        done, last = done + len(chunk), chunk[-1]
        watch(done, total)
    return done


def note_customers(trail: Trail, customers: MappingOf[uuid.UUID, Customer]) -> None:
    """Write down locked customers as they stand, a row each."""
    links: defaultdict[uuid.UUID, list[dict[str, Any]]] = defaultdict(list)
    for link in Mapping.objects.filter(customer__in=customers.keys()).order_by("pk").iterator():
        links[link.customer_id].append(_facts(link))
    for key in sorted(customers):
        row = customers[key]
        fields = {name: str(value) for name in PROFILE_FIELDS if (value := getattr(row, name))}
        trail.record(
            "note",
            customer_id=key,
            status=row.status,
            merged_into=str(row.merged_into_id) if row.merged_into_id else None,
            after=fields | ({"attributes": row.attributes} if row.attributes else {}),
            links=links[key],
        )


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Customers to write down, and who absorbed them: what they are made of has to be told anew too."""

    ids: frozenset[uuid.UUID]
    survivors: frozenset[uuid.UUID]

    @classmethod
    def of(cls, ids: frozenset[uuid.UUID]) -> _Chunk:
        merged = Customer.objects.filter(pk__in=ids, merged_into__isnull=False)
        return cls(ids, frozenset(key for key in merged.values_list("merged_into", flat=True) if key))

    def touched(self) -> frozenset[uuid.UUID]:
        return self.ids | self.survivors

    def holds(self, locked: MappingOf[uuid.UUID, Customer]) -> bool:
        return _Chunk.of(self.ids) == self


def _facts(link: Mapping) -> dict[str, Any]:
    return {
        "channel": str(link.channel_id),
        "type": link.identifier_type,
        "normalised": link.normalised,
        "status": link.status,
        "confidence": str(link.confidence_score),
        "valid_from": link.valid_from.isoformat(),
        **({"valid_to": link.valid_to.isoformat()} if link.valid_to else {}),
        **audit.link_facts(link.pk, link.channel_identifier, link.normalised, verified=link.verified),
    }


def _untold() -> QuerySet[Customer]:
    told = AuditEntry.objects.filter(
        Q(action="note") | Q(action="create", metadata__has_key="after"), customer=OuterRef("pk")
    )
    return Customer.objects.filter(~Exists(told))


def _next(waiting: QuerySet[Customer], last: uuid.UUID | None) -> list[uuid.UUID]:
    later = waiting.filter(pk__gt=last) if last else waiting
    return list(later.order_by("pk").values_list("pk", flat=True)[:CUSTOMERS_A_CHANGE])
