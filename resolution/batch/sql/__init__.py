"""Set work as SQL, one file a stage; values are bound by the caller, never formatted in."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path


@lru_cache(None)
def read_sql(name: str) -> str:
    """Return the statements of a stage."""
    return (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")
