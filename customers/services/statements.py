"""SQL kept in files, one a stage: read once, its table named safely, its values bound."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.db import connection
from psycopg import sql


def run_statement(path: Path, values: Mapping[str, Any], *, table: str = "") -> int:
    """Run the statement in `path` and return how many rows it wrote; `table` stands for {table} in it."""
    with connection.cursor() as cursor:
        cursor.execute(_statement(path, table), values)
        return int(cursor.rowcount)


def array_of(values: Iterable[uuid.UUID | int | str]) -> str:
    """Return ids or plain words as one array literal: far cheaper to send than a list."""
    return "{" + ",".join(map(str, values)) + "}"


@lru_cache(maxsize=128)
def _statement(path: Path, table: str) -> str:
    text = path.read_text(encoding="utf-8")
    return text.replace("{table}", sql.Identifier(table).as_string()) if table else text
