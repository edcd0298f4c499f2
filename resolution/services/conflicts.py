"""Questions to a steward."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable


def name_members(ids: Iterable[uuid.UUID]) -> str:
    """Return one name (64 hex digits) for a set of customers, whatever their order."""
    return hashlib.sha256(" ".join(sorted({str(entry) for entry in ids})).encode()).hexdigest()
