"""The only place rows are locked; always in key order, so that two changes cannot wait for each other."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Iterable

from django.db import connection

from customers.models import Customer
from resolution.errors import UnknownCustomer


def lock_customers(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Customer]:
    """Lock customers in id order and return them by id; must run inside a transaction.

    Raises UnknownCustomer naming the first id that does not exist.
    """
    found = {row.pk: row for row in Customer.objects.select_for_update().filter(pk__in=ids).order_by("pk")}
    missing = sorted(set(ids) - set(found))
    if missing:
        raise UnknownCustomer(missing[0])
    return found


def lock_identifiers(identifiers: Iterable[tuple[str, str]]) -> None:
    """Hold (type, normalised) identifiers until commit, whether or not a row exists for them yet.

    Makes look-then-create of the same new person one act: whoever comes second finds the first one's customer.
    """
    keys = sorted({_lock_number(kind, value) for kind, value in identifiers})
    with connection.cursor() as cursor:
        for key in keys:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [key])


def _lock_number(kind: str, value: str) -> int:
    digest = hashlib.blake2b(f"{kind}\0{value}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
