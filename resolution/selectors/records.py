"""Customers as they first came, each by itself, whatever was merged since.

A merge folds rows and identifiers into the survivor, and the survivor's fields may come from anywhere. The
ledger knows what each side was before; that is what a model learns from and is tried on.
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from customers.models import Customer
from resolution.matching.identifiers import IDENTIFIER_TYPES
from resolution.models import Merge, MergeMember
from resolution.selectors.identifier_rules import load_blocklist
from resolution.selectors.profiles import RECORD_COLUMNS, profile_of, record_of
from resolution.types import Profile

RECORDS_A_CHUNK = 5_000
MERGED_A_CHUNK = 1_000

# The oldest image there is: before its first merge, as survivor or as absorbed; else the row itself.
_ROWS = """
    SELECT customer.id, to_jsonb(customer),
        (SELECT merge.pre_image FROM merges AS merge
         WHERE merge.survivor_id = customer.id AND merge.undone_at IS NULL ORDER BY merge.id LIMIT 1),
        (SELECT member.pre_image FROM merge_members AS member
         WHERE member.customer_id = customer.id AND member.live)
    FROM customers AS customer
    WHERE customer.id = ANY(%(ids)s) AND customer.status <> 'erased'
    ORDER BY customer.id
"""
# What a customer brought into a merge and had of its own, and what it has and nobody brought.
_IDENTIFIERS = """
    SELECT move.owner_before_id, link.identifier_type, link.normalised, channel.code, channel.default_region
    FROM merge_moves AS move
    JOIN merges AS merge ON merge.id = move.merge_id AND merge.undone_at IS NULL
    JOIN customer_identity_mapping AS link ON link.id = move.row_id
    JOIN channels AS channel ON channel.id = link.channel_id
    WHERE move.relation = 'mappings' AND move.live AND move.owner_before_id = ANY(%(ids)s)
      AND move.before ->> 'status' IN ('active', 'shared') AND link.identifier_type = ANY(%(types)s)
      AND NOT EXISTS (
          SELECT FROM merges AS earlier
          JOIN merge_moves AS brought ON brought.merge_id = earlier.id
              AND brought.relation = 'mappings' AND brought.live
          WHERE earlier.survivor_id = move.owner_before_id AND earlier.undone_at IS NULL
            AND brought.row_id = move.row_id AND brought.owner_before_id <> move.owner_before_id
      )
    UNION
    SELECT link.customer_id, link.identifier_type, link.normalised, channel.code, channel.default_region
    FROM customer_identity_mapping AS link
    JOIN channels AS channel ON channel.id = link.channel_id
    WHERE link.customer_id = ANY(%(ids)s) AND link.status IN ('active', 'shared')
      AND link.identifier_type = ANY(%(types)s)
      AND NOT EXISTS (
          SELECT FROM merges AS earlier
          JOIN merge_moves AS brought ON brought.merge_id = earlier.id
              AND brought.relation = 'mappings' AND brought.live
          WHERE earlier.survivor_id = link.customer_id AND earlier.undone_at IS NULL
            AND brought.row_id = link.id AND brought.owner_before_id <> link.customer_id
      )
    ORDER BY 1, 2, 3, 4
"""


def load_records(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Profile]:
    """Return the profile each customer had before its first merge that still stands; three queries.

    Erased and unknown ids are left out, and so is what is blocked today.
    """
    blocked = load_blocklist()
    images = _images(ids)
    identifiers: dict[uuid.UUID, list[tuple[str, str, str]]] = defaultdict(list)
    regions: dict[uuid.UUID, str] = {}
    for customer_id, kind, value, code, region in _fetch(
        _IDENTIFIERS, ids=list(images), types=list(IDENTIFIER_TYPES)
    ):
        identifiers[customer_id].append((kind, value, code))
        regions.setdefault(customer_id, region)
    return {
        customer_id: blocked.strip(
            profile_of(
                customer_id, [record_of(image)], identifiers[customer_id], regions.get(customer_id, "")
            )
        )
        for customer_id, image in images.items()
    }


def name_records(ids: Collection[uuid.UUID]) -> dict[str, str]:
    """Return what each customer was called before its first merge that still stands, by id as text."""
    shown = ("name", "given_name", "family_name", "company", "email", "phone")
    return {
        str(key): Customer(pk=key, **{name: image[name] or "" for name in shown}).display_name
        for key, image in _images(ids).items()
    }


def walk_records() -> Iterator[dict[uuid.UUID, Profile]]:
    """Give every customer of the register as it first came, a bounded number at a time, by id."""
    ids = Customer.objects.exclude(status=Customer.Status.ERASED).order_by("pk").values_list("pk", flat=True)
    some = list(ids[:RECORDS_A_CHUNK])
    while some:
        yield load_records(some)
        some = list(ids.filter(pk__gt=some[-1])[:RECORDS_A_CHUNK])


def count_merged() -> int:
    """How many customers stand for others that were merged into them."""
    return _merged().values("merged_into").distinct().count()


def walk_merged_by_machine() -> Iterator[dict[uuid.UUID, list[uuid.UUID]]]:
    """Give survivor → it and those merged into it, a bounded number at a time, where no person took part."""
    survivors = _merged().order_by("merged_into").values_list("merged_into", flat=True).distinct()
    some = list(survivors[:MERGED_A_CHUNK])
    while some:
        by_people = MergeMember.objects.filter(
            live=True, merge__method=Merge.Method.MANUAL, customer__merged_into__in=some
        )
        decided = set(by_people.values_list("customer__merged_into", flat=True))
        members: dict[uuid.UUID, list[uuid.UUID]] = {}
        rows = _merged().filter(merged_into__in=some).exclude(merged_into__in=decided).order_by("pk")
        for absorbed in rows.only("merged_into"):
            survivor = absorbed.canonical_id
            members.setdefault(survivor, [survivor]).append(absorbed.pk)
        yield members
        some = list(survivors.filter(merged_into__gt=some[-1])[:MERGED_A_CHUNK])


def _merged() -> QuerySet[Customer]:
    return Customer.objects.filter(status=Customer.Status.MERGED)


def _images(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, dict[str, Any]]:
    found = {}
    for customer_id, row, first, absorbed in _fetch(_ROWS, ids=list(ids)):
        image = json.loads(first or absorbed or row)
        found[customer_id] = {name: image.get(name) for name in RECORD_COLUMNS}
    return found


def _fetch(query: str, **values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()
