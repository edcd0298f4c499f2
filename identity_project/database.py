"""The launcher's own look into the database, without Django: named or embedded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from identity_project import embedded, env

_NAMES = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password", "NAME": "dbname"}


def connect(var: Path) -> psycopg.Connection[tuple[Any, ...]]:
    database = env.database() or embedded.Servers(var).database()
    given = {ours: database[theirs] for theirs, ours in _NAMES.items() if database.get(theirs)}
    return psycopg.connect(**given, **database.get("OPTIONS", {}))


def row(var: Path, query: str, values: Mapping[str, Any] | None = None) -> tuple[Any, ...]:
    """The first row of a query that always has one."""
    with connect(var) as connection:
        found = connection.execute(query, values).fetchone()
    if found is None:
        raise LookupError(f"no row came of: {query}")
    return found
