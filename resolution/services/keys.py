"""Blocking keys of customers, rebuilt in the change that makes the old ones untrue."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence

from django.db import connection

from resolution.selectors.candidates import stored_keys
from resolution.selectors.profiles import load_profiles
from resolution.services.audit import Trail
from resolution.types import Profile

# What COPY's text format gives a meaning of its own.
_ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def rebuild_keys(trail: Trail | None, customer_ids: Collection[uuid.UUID]) -> int:
    """Replace the keys of customers by those of their present profiles; return how many were written.

    Customers that are no longer active lose theirs. Must run inside the change (`trail`) that touched the
    customers, with their rows locked. A constant number of statements, one of them COPY.
    """
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM blocking_keys WHERE customer_id = ANY(%s)", [list(customer_ids)])
    return insert_keys(load_profiles(customer_ids))


def insert_keys(profiles: dict[uuid.UUID, Profile]) -> int:
    """Write the keys of customers that have none yet; return how many."""
    return write_keys((customer_id, stored_keys(profile)) for customer_id, profile in profiles.items())


def write_keys(keys_of: Iterable[tuple[uuid.UUID, Sequence[str]]]) -> int:
    """Write (customer, its keys) as one block of COPY text; return how many keys."""
    lines = [
        f"{key.translate(_ESCAPED)}\t{customer}\n"
        for customer, keys in ((str(customer_id), keys) for customer_id, keys in keys_of)
        for key in keys
    ]
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY blocking_keys (key, customer_id) FROM STDIN") as copy,
    ):
        copy.write("".join(lines))
    return len(lines)
