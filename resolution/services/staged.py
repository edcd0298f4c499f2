"""What the parts of a batch of an import share: what became of it, and how its tables are read."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from customers.ids import uuid7
from resolution.batch.records import Details, Record, unread_birth_date
from resolution.batch.table import Refusal
from resolution.types import Profile

METHOD = "import"


@dataclass(slots=True)
class Taken:
    """What became of one batch's records.

    `unread` are birth dates that cannot be read, of records that are in without them. `links_blocked` and
    `links_refused` count identifiers left out by a block and by a hard limit. `touched` are the customers to
    be compared now, `profiles` those of the new ones among them. Customers of batches to come get ids greater
    than `last`.
    """

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: list[Refusal] = field(default_factory=list)
    unread: list[Refusal] = field(default_factory=list)
    links_blocked: int = 0
    links_refused: int = 0
    touched: set[uuid.UUID] = field(default_factory=set)
    profiles: dict[uuid.UUID, Profile] = field(default_factory=dict)
    last: uuid.UUID = field(default_factory=uuid7)

    def note_unread(self, record: Record, details: Details) -> None:
        """Keep what of a record that is in could not be read."""
        if unread := unread_birth_date(record, details):
            self.unread.append(unread)


def column_of(field: str, value: str) -> str | None:
    """A day is a column of its own type, where nothing known is NULL."""
    return value or None if field == "birth_date" else value


def keys_of(records: Iterable[Record]) -> list[str]:
    return [record.key for record in records]


def fetch(query: str, values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values if isinstance(values, dict) else [values])
        return list(cursor.fetchall())
