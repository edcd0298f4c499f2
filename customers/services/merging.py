"""The register's part of merging and unmerging: rows change their customer, customers retire and return.

Nothing here decides; `resolution.services.merge` and `unmerge` do, hold the locks and keep the ledger.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from customers.models import PROFILE_FIELDS, Customer
from customers.services.statements import array_of, run_statement

SQL = Path(__file__).parent / "sql"

# Everything of a customer's row that a merge may change besides its status, JSON-ready in a snapshot.
SNAPSHOT_FIELDS = (*PROFILE_FIELDS, "attributes", "last_interaction_at")


def move_records(
    table: str, redirects: Mapping[uuid.UUID, uuid.UUID], *, keep: Collection[uuid.UUID] = ()
) -> int:
    """Give all rows of `table` from each key's customer to its value's, but those in `keep`; count them."""
    return run_statement(SQL / "move_records.sql", {**_pairs(redirects), "keep": array_of(keep)}, table=table)


def return_records(table: str, owners: Mapping[uuid.UUID, uuid.UUID]) -> int:
    """Give each row of `table` to the customer named with it (row id → customer id); count them."""
    values = {"rows": array_of(owners), "owners": array_of(owners.values())}
    return run_statement(SQL / "return_records.sql", values, table=table)


def set_mapping_status(statuses: Mapping[uuid.UUID, str]) -> int:
    """Set the status of identifier links, by row id."""
    values = {"rows": array_of(statuses), "statuses": array_of(statuses.values())}
    return run_statement(SQL / "set_mapping_status.sql", values)


def retire_customers(redirects: Mapping[uuid.UUID, uuid.UUID]) -> int:
    """Mark each key's customer merged into its value's, and let earlier redirects follow in one hop."""
    run_statement(SQL / "point_redirects.sql", _pairs(redirects))
    return run_statement(SQL / "retire_customers.sql", _pairs(redirects))


def restore_customers(ids: Collection[uuid.UUID], redirects: Mapping[uuid.UUID, uuid.UUID]) -> int:
    """Bring merged customers back, and with them the redirects (customer → target) that were theirs."""
    restored = run_statement(SQL / "restore_customers.sql", {"ids": array_of(ids)})
    run_statement(SQL / "return_redirects.sql", _pairs(redirects))
    return restored


def snapshot(customer: Customer) -> dict[str, Any]:
    """Return a customer's fields JSON-ready: text, ISO form for dates and moments, None if unset."""
    return {name: _plain(getattr(customer, name)) for name in SNAPSHOT_FIELDS}


def write_profiles(snapshots: Mapping[uuid.UUID, Mapping[str, Any]]) -> int:
    """Write whole snapshots back and count up the versions."""
    rows: Sequence[Mapping[str, Any]] = [{"id": str(key), **row} for key, row in snapshots.items()]
    return run_statement(SQL / "write_profiles.sql", {"profiles": json.dumps(rows)})


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value


def _pairs(redirects: Mapping[uuid.UUID, uuid.UUID]) -> dict[str, str]:
    return {"sources": array_of(redirects), "targets": array_of(redirects.values())}
