"""Which live customer an id stands for."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from django.db.models import Subquery
from django.db.models.functions import Coalesce

from customers.models import Customer
from resolution.errors import CustomerErased, UnknownCustomer


def get_canonical(customer_id: uuid.UUID) -> Customer:
    """Return the live customer an id stands for, itself unless merged (P2). One query.

    Raises UnknownCustomer, CustomerErased.
    """
    stands_for = Customer.objects.filter(pk=customer_id).values(canonical=Coalesce("merged_into", "pk"))
    customer = Customer.objects.filter(pk=Subquery(stands_for)).first()
    if customer is None:
        raise UnknownCustomer(customer_id)
    if customer.status == Customer.Status.ERASED:
        raise CustomerErased(customer_id)
    return customer


def fetch_customers(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Customer]:
    """Return customers by id, merged ones as they are. Raises UnknownCustomer for the first missing."""
    found = Customer.objects.in_bulk(set(ids))
    missing = sorted(set(ids) - set(found))
    if missing:
        raise UnknownCustomer(missing[0])
    return found
