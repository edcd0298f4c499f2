"""What the tests of imports do again and again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from customers.models import Mapping
from resolution.services import staging
from resolution.services.importing import Summary, import_file, open_file
from resolution.services.staged import Taken
from resolution.types import Actor

ACTOR = Actor.machine("test import")


def take_in(path: Path, **options: object) -> Summary:
    return import_file(open_file(path=path, channel="crm"), actor=ACTOR, **options)  # type: ignore[arg-type]


def count_tries(act: Callable[..., object], *args: object) -> int:
    """How often a batch was begun until it was in."""
    real, begun = staging.take_in, []

    def count(*args: Any, **kwargs: Any) -> Taken:
        begun.append(args)
        return real(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(staging, "take_in", count)
        act(*args)
    return len(begun)


def everything() -> dict[str, list[object]]:
    """All rows an import may touch, but for its own run and audit row."""
    tables = (
        "customers", "customer_identity_mapping", "source_records", "blocking_keys", "merges", "conflicts",
        "outbox_events",
    )  # fmt: skip
    found: dict[str, list[object]] = {}
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"SELECT row_to_json(t)::text FROM {table} AS t ORDER BY 1")
            found[table] = cursor.fetchall()
    return found


def owned(value: str) -> Mapping:
    return Mapping.objects.owned().get(normalised=value)
