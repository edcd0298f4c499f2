"""Blocking keys of customers, rebuilt in the change that makes the old ones untrue."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable

from django.db import connection, transaction

from customers.models import Customer
from customers.services.copying import copy_rows
from resolution.matching.key_numbers import number_keys
from resolution.models import BlockingKey
from resolution.selectors.profiles import load_profiles
from resolution.services import locks
from resolution.types import Profile

CUSTOMERS_A_CHANGE = 2_000


def rebuild_keys(customer_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Profile]:
    """Make the keys of customers those of their present profiles, and return these.

    Customers that are no longer active have none and lose their keys. Must run inside the change that
    touched the customers, with their rows locked. What is blocked stays as it is until commit. Writes only
    what differs, in a constant number of statements.
    """
    locks.keep_blocklist()
    profiles = load_profiles(customer_ids)
    wanted = {owner: number_keys(profile) for owner, profile in profiles.items()}
    _delete_all(set(customer_ids) - wanted.keys())
    held = _held_keys(wanted)
    _delete_keys((key, owner) for owner, keys in held.items() for key in keys - wanted[owner].keys())
    write_keys((owner, keys.keys() - held[owner]) for owner, keys in wanted.items())
    return profiles


def rebuild_all_keys(*, watch: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Make every customer's keys those of today's rules, a bounded number a transaction; count the customers.

    What is wanted after an upgrade that blocks by other rules. `watch` is told (done, total).
    """
    total, done, last = Customer.objects.count(), 0, None
    while chunk := _next_customers(last):
        with transaction.atomic():
            locks.lock_customers(chunk)
            rebuild_keys(chunk)
        done, last = done + len(chunk), chunk[-1]
        watch(done, total)
    return done


def rebuild_missing_keys() -> int:
    """Write all keys where customers are and no key is, as after a migration that emptied the table."""
    if BlockingKey.objects.exists() or not Customer.objects.active().exists():
        return 0
    return rebuild_all_keys()


def _next_customers(last: uuid.UUID | None) -> list[uuid.UUID]:
    rows = Customer.objects.order_by("pk").values_list("pk", flat=True)
    return list((rows.filter(pk__gt=last) if last else rows)[:CUSTOMERS_A_CHANGE])


def _delete_all(owners: Collection[uuid.UUID]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM blocking_keys WHERE customer_id = ANY(%s)", [list(owners)])


def _held_keys(owners: Collection[uuid.UUID]) -> defaultdict[uuid.UUID, set[int]]:
    held: defaultdict[uuid.UUID, set[int]] = defaultdict(set)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT customer_id, key FROM blocking_keys WHERE customer_id = ANY(%s)", [list(owners)]
        )
        for owner, key in cursor.fetchall():
            held[owner].add(key)
    return held


def _delete_keys(rows: Iterable[tuple[int, uuid.UUID]]) -> None:
    """Delete single (key, owner) rows."""
    keys, owners = [list(column) for column in zip(*rows, strict=True)] or ([], [])
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM blocking_keys USING unnest(%s::bigint[], %s::uuid[]) AS gone (key, owner)"
            " WHERE blocking_keys.key = gone.key AND customer_id = gone.owner",
            [keys, owners],
        )


def write_keys(keys_of: Iterable[tuple[uuid.UUID, Collection[int]]]) -> int:
    """Write (customer, its keys) and return how many keys."""
    named = ((customer_id.hex, keys) for customer_id, keys in keys_of)
    rows = ((key, owner) for owner, keys in named for key in keys)
    return copy_rows("blocking_keys", ("key", "customer_id"), rows)
