"""Any customer as of any moment, rebuilt from the trail alone."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.formats import date_format

from customers.models import Customer
from resolution.errors import CustomerErased, PastUnknown, UnknownCustomer
from resolution.models import AuditEntry
from resolution.selectors.past import TELLING, IdentifierThen, Past, Row
from resolution.services.moments import past_moment

_KIN = (Path(__file__).parent / "sql" / "kin_of_customer.sql").read_text(encoding="utf-8")
_COLUMNS = (
    "customer_id", "channel_id", "identifier_type", "identifier_value", "action", "confidence_score",
    "metadata", "created_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CustomerThen:
    """A customer as its tables said at `moment`, after every act until then.

    `fields` are the profile's, as text, empty if unset. `identifiers` are all its links, ended and folded
    ones included, each with the time it owns its value. Not told are what only counts or is heard: versions,
    when the customer was last heard of, and when a link was first and last seen.
    """

    customer_id: uuid.UUID
    moment: datetime
    status: str
    merged_into: uuid.UUID | None
    fields: Mapping[str, str]
    attributes: Mapping[str, Any]
    identifiers: tuple[IdentifierThen, ...]

    @property
    def canonical_id(self) -> uuid.UUID:
        """The customer this id stood for then."""
        return self.merged_into or self.customer_id


def customer_as_of(customer_id: uuid.UUID, moment: datetime) -> CustomerThen:
    """Return what a customer was at a moment, as two queries of the trail tell it.

    A third one asks the register only who may be told of. Raises InvalidInput for a moment without a zone or
    yet to come, UnknownCustomer, CustomerErased, and PastUnknown when the customer did not exist then or the
    trail does not hold enough of it, with the moment from which it does.
    """
    moment = past_moment("moment", moment)
    kin = _kin(customer_id, moment)
    _refuse_erased(customer_id, kin)
    rows = AuditEntry.objects.filter(customer__in=kin, action__in=TELLING, created_at__lte=moment)
    told = (Row(*row) for row in rows.order_by("sequence").values_list(*_COLUMNS))
    past = Past().replay(told)
    person = past.people.get(customer_id)
    if person is None or not person.known:
        raise _why_unknown(customer_id, moment)
    return CustomerThen(
        customer_id=customer_id,
        moment=moment,
        status=person.status,
        merged_into=person.merged_into,
        fields=person.fields,
        attributes=person.attributes,
        identifiers=tuple(past.links_of(customer_id)),
    )


def _kin(customer_id: uuid.UUID, moment: datetime) -> list[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(_KIN, {"customer": customer_id, "moment": moment})
        return [key for (key,) in cursor.fetchall()]


def _refuse_erased(customer_id: uuid.UUID, kin: Collection[uuid.UUID]) -> None:
    statuses = dict(Customer.objects.filter(pk__in=kin).values_list("pk", "status"))
    if customer_id not in statuses:
        raise UnknownCustomer(customer_id)
    if statuses[customer_id] == Customer.Status.ERASED:
        raise CustomerErased(customer_id)
    if Customer.Status.ERASED in statuses.values():
        raise PastUnknown(
            f"Customer {customer_id} was one with somebody who was erased since; nobody is told what it was.",
            customer=str(customer_id),
            known_from=None,
        )


def _why_unknown(customer_id: uuid.UUID, moment: datetime) -> PastUnknown:
    born = _first(customer_id, action="create")
    told = _first(customer_id, action="create", metadata__has_key="after")
    noted = _first(customer_id, action="note", created_at__gt=moment)
    asked = f"as of {_told(moment)}"
    facts = {"customer": str(customer_id), "known_from": None}
    if born and born > moment:
        facts["known_from"] = _said(told or noted)
        return PastUnknown(
            f"There is nothing of customer {customer_id} {asked}: it was created on {_told(born)}.", **facts
        )
    facts["known_from"] = _said(noted)
    remedy = (
        f"it is known from {_told(noted)}"
        if noted
        else "an earlier release wrote it; run manage.py note_customers, and it is known from then on"
    )
    return PastUnknown(
        f"The trail does not hold enough of customer {customer_id} {asked}: {remedy}.", **facts
    )


def _first(customer_id: uuid.UUID, **wanted: Any) -> datetime | None:
    rows = AuditEntry.objects.filter(customer=customer_id, **wanted).order_by("sequence")
    return rows.values_list("created_at", flat=True).first()


def _said(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _told(moment: datetime) -> str:
    """A moment inside a sentence, in whole seconds and none before it: "28 Nov 2026 19:20:44 UTC"."""
    whole = (moment + timedelta(seconds=1, microseconds=-1)).replace(microsecond=0)
    return date_format(timezone.localtime(whole), "j M Y H:i:s T")
