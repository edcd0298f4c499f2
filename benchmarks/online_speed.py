"""One record against registers of growing size: candidates from PostgreSQL, weights, decision and reasons.

Beside it stands the plain way, a comparison with every customer, on as many as that can be waited for.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.ground import Figure, fresh_database, milliseconds, say, sets_at_hand

SETS = ("customers_10k", "customers_100k", "customers_1m")
LOOK_UPS = 400
SCANS = 3
MOST_SCANNED = 100_000
_COLUMNS = (
    "id", "name", "given_name", "family_name", "email", "phone", "company", "birth_date", "address",
    "postcode", "city", "region", "country", "status", "version", "attributes", "created_at", "updated_at",
)  # fmt: skip


def measure(sets: tuple[str, ...] = SETS) -> Iterator[Figure]:
    """Fill a register with each set as it is, and time single records against it; ONLINE_SETS names fewer."""
    named = os.environ.get("ONLINE_SETS")
    for name, path in sets_at_hand(named.split(",") if named else sets):
        say(f"one record against {name}")
        with fresh_database(f"online_{name}"):
            _fill(path)
            yield _figure(name, path)


def _fill(path: Path) -> None:
    """COPY customers and their blocking keys, as an import writes them, and nothing else.

    What loading left in memory is written before anything is timed, as in a register that has been at rest.
    """
    from django.db import connection
    from django.utils import timezone

    from customers.services.copying import copy_rows
    from resolution.services.keys import write_keys

    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for batch in _batches(path, 20_000):
            rows: Iterator[list[Any]] = (
                [key, *_row(fields), "active", 1, {}, now, now] for key, fields, _ in batch
            )
            copy_rows("customers", _COLUMNS, rows)
            write_keys((key, keys) for key, _, keys in batch)
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM ANALYZE customers")
        cursor.execute("VACUUM ANALYZE blocking_keys")
        cursor.execute("CHECKPOINT")


def _row(fields: dict[str, str]) -> list[str | None]:
    return [fields.get(name) or (None if name == "birth_date" else "") for name in _COLUMNS[1:13]]


def _batches(path: Path, size: int) -> Iterator[list[tuple[uuid.UUID, dict[str, str], list[int]]]]:
    rows = _prepared(path)
    while batch := list(islice(rows, size)):
        yield batch


def _prepared(path: Path) -> Iterator[tuple[uuid.UUID, dict[str, str], list[int]]]:
    from resolution.batch.prepare import Source, prepare_newcomer

    for record in _records(path):
        newcomer = prepare_newcomer(record, Source("bench", ""))
        yield newcomer.customer_id, newcomer.details.fields, list(newcomer.keys)


def _records(path: Path) -> Iterator[Any]:
    from resolution.batch.columns import map_columns
    from resolution.batch.facts import examine
    from resolution.batch.reader import open_table
    from resolution.batch.records import RecordMaker
    from resolution.batch.table import Refusal, Row

    table = open_table(examine(path), delimiter="")
    sample = [row.values for row in islice(table.rows(), 200) if isinstance(row, Row)]
    maker = RecordMaker(table.names, map_columns(table.names, (), sample))
    for row in table.rows():
        made = row if isinstance(row, Refusal) else maker.make(row)
        if not isinstance(made, Refusal):
            yield made


def _figure(name: str, path: Path) -> Figure:
    from customers.models import Customer

    people = _strangers(path)
    _decide_each(people[:20])
    samples, candidates = _decide_each(people)
    count = Customer.objects.count()
    beside = f"{milliseconds(_scan_each(people[:SCANS]))} scanning all" if count <= MOST_SCANNED else ""
    return Figure(
        f"one record against {count:,} customers",
        milliseconds(samples),
        beside,
        f"p50 / p99; {candidates / len(people):.0f} candidates, decision and reasons included",
    )


def _strangers(path: Path) -> list[dict[str, str]]:
    """Records as a service would send them, from all over the file, each with a slip."""
    wanted = []
    for number, record in enumerate(_records(path)):
        if number % 23 == 7:
            data = {name: text for name, text in record.data.items() if isinstance(text, str)}
            kept = {name: data[name] for name in _GIVEN if data.get(name)}
            if given := kept.get("given_name", ""):
                kept["given_name"] = f"{given[:-1]}e"
            wanted.append(kept)
        if len(wanted) == LOOK_UPS:
            break
    return wanted


_GIVEN = (
    "given_name",
    "family_name",
    "email",
    "phone",
    "birth_date",
    "address",
    "city",
    "postcode",
    "country",
)


def _decide_each(people: list[dict[str, str]]) -> tuple[list[float], int]:
    from resolution.matching.decide import decide
    from resolution.matching.normalise.profile import build_profile
    from resolution.selectors.candidates import find_candidates, score_candidates
    from resolution.selectors.match_model import live_policy

    samples, candidates = [], 0
    for person in people:
        begun = time.perf_counter()
        profile = build_profile("newcomer", [person])
        decide(live_policy(), score_candidates(profile, floor=live_policy().review))
        samples.append(time.perf_counter() - begun)
        candidates += len(find_candidates(profile))
    return samples, candidates


def _scan_each(people: list[dict[str, str]]) -> list[float]:
    """The plain way: every customer's fields compared in turn."""
    from customers.models import Customer
    from resolution.matching.comparisons.simple import composite_match_score

    samples = []
    for person in people:
        begun = time.perf_counter()
        wanted = _told(person)
        rows = Customer.objects.values("given_name", "family_name", "email", "phone").iterator()
        sum(composite_match_score(wanted, _told(row)) >= 0.7 for row in rows)
        samples.append(time.perf_counter() - begun)
    return samples


def _told(row: dict[str, Any]) -> dict[str, str]:
    name = f"{row.get('given_name', '')} {row.get('family_name', '')}".strip()
    found = {"name": name, "email": row.get("email", ""), "phone": row.get("phone", "")}
    return {kind: value for kind, value in found.items() if value}
