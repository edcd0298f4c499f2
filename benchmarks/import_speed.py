"""Import and resolve whole files, beside saving one row after the other."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.ground import (
    ROOT,
    Figure,
    find_set,
    fresh_database,
    make_channel,
    say,
    sets_at_hand,
    stopwatch,
)

NAIVE_ROWS = 2000
SETS = ("customers_10k", "customers_30k", "customers_100k")


def measure(sets: tuple[str, ...] = SETS) -> Iterator[Figure]:
    """Import each set in a process of its own, then look for duplicates over the whole of it."""
    peaks: dict[str, str] = {}
    naive = _naive_rows_a_second()
    for name, path in sets_at_hand(sets):
        say(f"importing {name}")
        with fresh_database(f"import_{name}") as database:
            done = _import_apart(database, path)
            yield Figure(
                f"import {name}, resolved",
                f"{done['seconds']:.1f} s, {done['rows'] / done['seconds']:,.0f} rows/s",
                f"{naive:,.0f} rows/s saved one by one, not resolved",
                f"{done['merged']:,} linked, {done['queued']:,} in the queue, {done['pairs']:,} pairs, "
                f"{done['cpu']:.0f} s of CPU",
            )
            peaks[name] = f"{done['peak']} + {done['helper']}"
            yield _whole_run(name)
    yield Figure(
        "peak memory of an import, MiB", "; ".join(peaks.values()), "", f"both processes; {', '.join(peaks)}"
    )


def _import_apart(database: str, path: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.one_import", database, str(path)]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _whole_run(name: str) -> Figure:
    from customers.models import Customer
    from resolution.services.find_duplicates import find_duplicates
    from resolution.types import Actor

    with stopwatch() as seconds:
        settled = find_duplicates(actor=Actor.machine("benchmark")).settled
    customers = Customer.objects.active().count()
    return Figure(
        f"find_duplicates, {name}",
        f"{seconds[0]:.1f} s",
        "",
        f"{customers:,} customers, {settled.pairs:,} pairs",
    )


def _naive_rows_a_second() -> float:
    """A row, its record and its identifiers saved as a script would, each by itself."""
    path = find_set("customers_10k")
    with fresh_database("import_naive"), stopwatch() as seconds:
        _save_one_by_one(path)
    return NAIVE_ROWS / seconds[0]


def _save_one_by_one(path: Path) -> None:
    import pyarrow.parquet as pq

    from customers.models import Channel, Customer, Mapping, SourceRecord

    channel = Channel.objects.get(code=make_channel())
    for row in pq.read_table(path).slice(0, NAIVE_ROWS).to_pylist():
        names = {"given_name": row["first_name"] or "", "family_name": row["last_name"] or ""}
        customer = Customer.objects.create(**names, email=row["email"] or "", phone=row["phone"] or "")
        SourceRecord.objects.create(
            channel=channel, customer=customer, source_key=row["record_id"], fingerprint="0" * 64
        )
        for kind in ("email", "phone"):
            if row[kind]:
                found = {"channel": channel, "identifier_type": kind, "normalised": row[kind].lower()}
                Mapping.objects.get_or_create(
                    **found, status="active", defaults={"customer": customer, "channel_identifier": row[kind]}
                )
