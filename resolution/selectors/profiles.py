"""What matching knows of customers, gathered from the register."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from django.db import connection

from resolution.matching.blocked import FIELD_OF
from resolution.matching.identifiers import IDENTIFIER_TYPES
from resolution.matching.normalise.external_id import external_id_in
from resolution.matching.normalise.profile import build_profile
from resolution.selectors.identifier_rules import load_blocklist
from resolution.types import Profile

# The columns of a customer that are records to matching. Its `region` is a state or province, which matching
# would read as a country.
RECORD_COLUMNS = (
    "name", "given_name", "family_name", "email", "phone", "company",
    "birth_date", "address", "postcode", "city", "country",
)  # fmt: skip

_MEMBERS = """
    SELECT coalesce(merged_into_id, id), name, given_name, family_name, email, phone, company,
        birth_date, address, postcode, city, country
    FROM customers
    WHERE (id = ANY(%(ids)s) AND status = 'active') OR merged_into_id = ANY(%(ids)s)
    ORDER BY merged_into_id NULLS FIRST, id
"""
_IDENTIFIERS = """
    SELECT m.customer_id, m.identifier_type, m.normalised, c.code, c.default_region
    FROM customer_identity_mapping m
    JOIN channels c ON c.id = m.channel_id
    WHERE m.customer_id = ANY(%(ids)s) AND m.identifier_type = ANY(%(types)s)
      AND m.status IN ('active', 'shared')
    ORDER BY m.first_seen_at, m.id
"""

Record = dict[str, str]


def load_profiles(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Profile]:
    """Return the profile of each active customer of `ids`: its row, those absorbed into it, its identifiers.

    Three queries, however many ids. Merged, erased and unknown ids are left out, and so is what is blocked.
    """
    blocked = load_blocklist()
    records: dict[uuid.UUID, list[Record]] = defaultdict(list)
    for customer_id, *values in _fetch(_MEMBERS, ids=list(ids)):
        records[customer_id].append(record_of(dict(zip(RECORD_COLUMNS, values, strict=True))))
    identifiers: dict[uuid.UUID, list[tuple[str, str, str]]] = defaultdict(list)
    regions: dict[uuid.UUID, str] = {}
    for customer_id, kind, value, code, region in _fetch(
        _IDENTIFIERS, ids=list(records), types=list(IDENTIFIER_TYPES)
    ):
        identifiers[customer_id].append((kind, value, code))
        regions.setdefault(customer_id, region)
    return {
        customer_id: blocked.strip(
            profile_of(customer_id, rows, identifiers[customer_id], regions.get(customer_id, ""))
        )
        for customer_id, rows in records.items()
    }


def newcomer_profile(
    customer_id: uuid.UUID,
    columns: dict[str, Any],
    identifiers: Sequence[tuple[str, str]],
    channel: tuple[str, str],
) -> Profile:
    """Return what load_profiles will give for a customer made of one record, without the database.

    `identifiers` are (type, normalised), `channel` is (code, default region).
    """
    code, region = channel
    known = {name: columns.get(name) for name in RECORD_COLUMNS}
    named = [(kind, value, code) for kind, value in identifiers]
    return profile_of(customer_id, [record_of(known)], named, region if identifiers else "")


def profile_of(
    customer_id: uuid.UUID, rows: Sequence[Record], identifiers: Iterable[tuple[str, str, str]], region: str
) -> Profile:
    """Join records with identifiers (type, normalised, channel code), which are canonical already."""
    profile = build_profile(str(customer_id), rows, region=region)
    held: dict[str, Any] = {}
    for kind, value, code in identifiers:
        held.setdefault(FIELD_OF[kind], []).extend(identifier_record(kind, value, code).values())
    for name, values in held.items():
        held[name] = tuple(dict.fromkeys((*getattr(profile, name), *values)))
    return replace(profile, **held)


def record_of(columns: dict[str, Any]) -> Record:
    """Return profile columns as the text record matching reads; empty ones are left out."""
    return {name: _text(value) for name, value in columns.items() if value}


def identifier_record(identifier_type: str, normalised: str, channel_code: str) -> Record:
    """Return one identifier as a record; an external id belongs to its channel unless it names a system."""
    if identifier_type == "external_id":
        normalised = external_id_in(channel_code, normalised).value
    return {identifier_type: normalised}


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _fetch(query: str, **values: Any) -> Iterable[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()
