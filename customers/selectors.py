"""Reads of the register across its tables."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime

from django.db.models import Min

from customers.models import Mapping
from customers.models.mapping import MappingQuerySet

# channel id, identifier type, normalised value
Key = tuple[uuid.UUID, str, str]


def find_owners(keys: Collection[Key], *, at: datetime | None = None) -> dict[Key, Mapping]:
    """Return the owning link of each identifier that has an owner, or had one `at` a moment.

    At most one query.
    """
    if not keys:
        return {}
    owned = Mapping.objects.owned_at(at) if at else Mapping.objects.owned()
    found = {(row.channel_id, row.identifier_type, row.normalised): row for row in _of_keys(owned, keys)}
    return {key: found[key] for key in keys if key in found}


def find_last_owner(key: Key) -> Mapping | None:
    """Return the link that owned an identifier last and does no more."""
    return _of_keys(Mapping.objects.former(), [key]).order_by("-valid_from").first()


def find_first_moments(keys: Collection[Key]) -> dict[Key, datetime]:
    """Return from when on each identifier is known to have had an owner. At most one query."""
    if not keys:
        return {}
    links = _of_keys(Mapping.objects.owned() | Mapping.objects.former(), keys)
    firsts = links.values_list("channel", "identifier_type", "normalised").annotate(first=Min("valid_from"))
    found = {(channel, kind, value): first for channel, kind, value, first in firsts}
    return {key: found[key] for key in keys if key in found}


def _of_keys(links: MappingQuerySet, keys: Collection[Key]) -> MappingQuerySet:
    """Links of these identifiers, and of others when they are of several channels or types."""
    return links.filter(
        channel__in={channel for channel, _, _ in keys},
        identifier_type__in={kind for _, kind, _ in keys},
        normalised__in={value for _, _, value in keys},
    )
