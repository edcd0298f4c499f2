"""The door to files: a path to a table, whatever the format."""

from __future__ import annotations

from resolution.batch.csv_table import open_csv
from resolution.batch.facts import FileFacts
from resolution.batch.parquet_table import open_parquet
from resolution.batch.table import Table


def open_table(facts: FileFacts, *, delimiter: str = "") -> Table:
    """Open an examined file; raises InvalidInput when its header or format cannot serve."""
    if facts.kind == "parquet":
        return open_parquet(facts)
    return open_csv(facts, delimiter=delimiter)
