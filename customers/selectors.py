"""Reads of the register across its tables."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from customers.models import Mapping

# channel id, identifier type, normalised value
Key = tuple[uuid.UUID, str, str]


def find_owners(keys: Collection[Key]) -> dict[Key, Mapping]:
    """Return the owning link of each identifier that has an owner. At most one query."""
    if not keys:
        return {}
    owned = Mapping.objects.owned().filter(
        channel__in={channel for channel, _, _ in keys},
        identifier_type__in={kind for _, kind, _ in keys},
        normalised__in={value for _, _, value in keys},
    )
    found = {(row.channel_id, row.identifier_type, row.normalised): row for row in owned}
    return {key: found[key] for key in keys if key in found}
