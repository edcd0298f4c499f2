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
from resolution.selectors.identifier_rules import BLOCKLIST_STAMP, blocklist_at
from resolution.types import Profile

# The columns of a customer that are records to matching. Its `region` is a state or province, which matching
# would read as a country.
RECORD_COLUMNS = (
    "name", "given_name", "family_name", "email", "phone", "company",
    "birth_date", "address", "postcode", "city", "country",
)  # fmt: skip

_PROFILES = """
    SELECT wanted.id, member.name, member.given_name, member.family_name, member.email, member.phone,
        member.company, member.birth_date, member.address, member.postcode, member.city, member.country,
        ARRAY(
            SELECT ARRAY[link.identifier_type, link.normalised, channel.code, channel.default_region]
            FROM customer_identity_mapping AS link
            JOIN channels AS channel ON channel.id = link.channel_id
            WHERE link.customer_id = wanted.id AND link.identifier_type = ANY(%(types)s)
              AND link.status IN ('active', 'shared')
            ORDER BY link.first_seen_at, link.id
        ),
        (SELECT stamp FROM blocklist)
    FROM wanted
    JOIN customers AS member
        ON (member.id = wanted.id AND member.status = 'active') OR member.merged_into_id = wanted.id
    ORDER BY member.merged_into_id NULLS FIRST, member.id
"""
# Customers by id, as `wanted` in the queries of profiles.
_BY_ID = "SELECT DISTINCT unnest(%(ids)s::uuid[]) AS id"

Record = dict[str, str]


def load_profiles(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Profile]:
    """Return the profile of each active customer of `ids`: its row, those absorbed into it, its identifiers.

    One query, however many ids. Merged, erased and unknown ids are left out, and so is what is blocked.
    """
    return load_profiles_of(_BY_ID, ids=list(ids))


def load_profiles_of(wanted: str, **values: Any) -> dict[uuid.UUID, Profile]:
    """Return the profiles of the customers whose `id` a query gives, each once, as load_profiles does."""
    query = f"WITH wanted AS ({wanted}), blocklist (stamp) AS ({BLOCKLIST_STAMP}) {_PROFILES}"
    rows = _fetch(query, types=list(IDENTIFIER_TYPES), **values)
    records: dict[uuid.UUID, list[Record]] = defaultdict(list)
    for customer_id, *columns, _, _ in rows:
        records[customer_id].append(record_of(dict(zip(RECORD_COLUMNS, columns, strict=True))))
    links = {row[0]: row[-2] for row in rows}
    blocked = blocklist_at(rows[0][-1] if rows else None)
    return {
        customer_id: blocked.strip(_profile(customer_id, own, links[customer_id]))
        for customer_id, own in records.items()
    }


def _profile(customer_id: uuid.UUID, rows: Sequence[Record], links: Sequence[Sequence[str]]) -> Profile:
    """Join records with links (type, normalised, channel code, region); the first link's region is theirs."""
    named = [(kind, value, code) for kind, value, code, _ in links]
    return profile_of(customer_id, rows, named, links[0][3] if links else "")


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


def _fetch(query: str, **values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()
