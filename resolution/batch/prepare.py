"""What a new customer of a record needs, worked out without the database: details, profile, blocking keys."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from customers.ids import uuid7
from resolution.batch.records import Details, Record, details_of
from resolution.matching.key_numbers import number_keys
from resolution.selectors.profiles import newcomer_profile
from resolution.types import Profile


@dataclass(frozen=True, slots=True)
class Source:
    """The channel of a file, as far as preparing needs it."""

    code: str
    region: str


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A customer about to be made of a record, under the id it will have."""

    customer_id: uuid.UUID
    details: Details
    profile: Profile
    keys: tuple[int, ...]


def prepare_newcomer(record: Record, source: Source) -> Newcomer:
    """Work out what the customer of one new record will be."""
    customer_id, details = uuid7(), details_of(record.data, source.region)
    identifiers = [(entry.type, entry.normalised) for entry in details.usable]
    profile = newcomer_profile(customer_id, details.fields, identifiers, (source.code, source.region))
    return Newcomer(customer_id, details, profile, tuple(number_keys(profile)))
