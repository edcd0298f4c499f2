"""manage.py import_customers: killed again and again it ends as a quiet one, and its memory stays flat."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from benchmarks.make_customers import make_customers
from customers.models import Customer, Mapping, SourceRecord
from customers.models.customer import PROFILE_FIELDS
from resolution.models import AuditEntry, Conflict, ImportRun, Merge
from resolution.services.audit import find_break
from tests.factories import ChannelFactory
from tests.resolution.batch.files import person, write
from tests.resolution.services.waiting import sessions, wait_for_silence

pytestmark = [pytest.mark.soak, pytest.mark.django_db(transaction=True)]

PEOPLE, BATCH, KILLS = 2_000, 100, 5
_IMPORT = """
import sys, django
django.setup()
from django.core.management import call_command
from django.db import connection
connection.settings_dict["NAME"] = sys.argv[1]
call_command("import_customers", sys.argv[2], channel="crm", batch=int(sys.argv[3]))
"""
_MEASURED_IMPORT = f"""{_IMPORT}
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
print(*(getrusage(who).ru_maxrss // 1024 for who in (RUSAGE_SELF, RUSAGE_CHILDREN)))
"""
FEW, MANY = 40_000, 120_000
# Of MANY rows' peak over that of FEW: caches fill up, the allocator leaves gaps between batches, and chance.
GROWTH = 1.15


def write_people(path: Path) -> Path:
    """Single people, people twice, likely pairs, and rows nobody can read."""
    rows: list[tuple[str, ...]] = []
    for number in range(PEOPLE):
        rows.append(person(number))
        if number % 6 == 0:
            rows.append(person(number, record_id=f"again{number}"))
        if number % 40 == 0:
            rows.append(person(number, record_id=f"like{number}", email="", phone="", date_of_birth=""))
        if number % 75 == 0:
            rows.append(("ragged", str(number)))
    return write(path, *rows)


def begin_import(
    path: Path, var: Path, *, script: str = _IMPORT, batch: int = BATCH, stdout: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    """Start the command in a process group of its own, on this test's database."""
    database = str(connection.settings_dict["NAME"])
    return subprocess.Popen(
        [sys.executable, "-c", script, database, str(path), str(batch)],
        cwd=settings.BASE_DIR,
        env={
            **os.environ,
            "VAR_DIR": str(var),
            "DJANGO_SETTINGS_MODULE": "identity_project.settings_test",
        },
        stdout=stdout,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def finish_import(path: Path, var: Path) -> None:
    assert begin_import(path, var).wait(300) == 0


def kill_import(path: Path, var: Path, rows: int, pause: float) -> None:
    """Let an import reach a row and a moment more, then end it with all its processes."""
    here = sessions()
    process = begin_import(path, var)
    while rows_done() < rows and process.poll() is None:
        time.sleep(0.01)
    time.sleep(pause)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)
    wait_for_silence(here)


def rows_done() -> int:
    return ImportRun.objects.values_list("rows_done", flat=True).first() or 0


def assert_whole_batches() -> None:
    run = ImportRun.objects.get()
    ends = [run.counts.get(end, 0) for end in ("created", "updated", "unchanged", "refused")]
    assert run.rows_done % BATCH == 0
    assert sum(ends) == run.rows_done
    assert SourceRecord.objects.count() == Customer.objects.count() == run.counts.get("created", 0)
    assert AuditEntry.objects.filter(action="create").count() == run.counts.get("created", 0)
    assert Customer.objects.filter(status="merged").count() == run.counts.get("merged", 0)


def register() -> dict[str, Any]:
    """Everything an import brings, with customers named by their records instead of their ids."""
    people: dict[Any, list[str]] = {}
    for key, customer in SourceRecord.objects.order_by("source_key").values_list("source_key", "customer"):
        people.setdefault(customer, []).append(key)
    names = {customer: tuple(keys) for customer, keys in people.items()}
    run = ImportRun.objects.get()
    standing = {row.pk: row.canonical_id for row in Customer.objects.all()}
    links = Mapping.objects.values_list("customer", "identifier_type", "normalised", "status", "verified")
    return {
        "customers": sorted(
            (names[row.pk], *(str(getattr(row, field)) for field in PROFILE_FIELDS))
            for row in Customer.objects.active()
        ),
        "links": sorted((names[standing[customer]], *rest) for customer, *rest in links),
        "questions": sorted(_asked(conflict, names) for conflict in Conflict.objects.all()),
        "records": sorted(SourceRecord.objects.values_list("source_key", "fingerprint")),
        "merges": Merge.objects.count(),
        "run": (run.state, run.rows_done, run.rows_total, run.counts),
    }


def _asked(conflict: Conflict, names: dict[Any, tuple[str, ...]]) -> tuple[str, str, Collection[Any]]:
    members = conflict.members.values_list("customer", flat=True)
    return conflict.kind, conflict.state, sorted(names.get(customer, ()) for customer in members)


def empty_register() -> None:
    call_command(
        "flush", verbosity=0, interactive=False, inhibit_post_migrate=True, reset_sequences=False,
        allow_cascade=True,
    )  # fmt: skip


class TestKilledImports:
    def test_p6_an_import_killed_again_and_again_ends_as_one_that_was_not(self, tmp_path: Path) -> None:
        path = write_people(tmp_path / "people.csv")
        ChannelFactory(code="crm", default_region="DE")
        finish_import(path, tmp_path / "quiet")
        undisturbed, quiet_rejects = register(), rejects_in(tmp_path / "quiet")
        empty_register()
        ChannelFactory(code="crm", default_region="DE")

        dice = random.Random()
        total = undisturbed["run"][1]
        for rows in sorted(dice.randrange(total - 5 * BATCH) for _ in range(KILLS)):
            kill_import(path, tmp_path / "killed", rows, dice.uniform(0, 0.3))
            assert_whole_batches()
        assert ImportRun.objects.get().state == "running"
        finish_import(path, tmp_path / "killed")

        assert register() == undisturbed
        assert rejects_in(tmp_path / "killed") == quiet_rejects
        assert find_break() is None


class TestMemory:
    def test_the_peak_of_an_import_is_the_same_for_three_times_the_rows(self, tmp_path: Path) -> None:
        few, many = (peaks_of_import(tmp_path / str(rows), rows) for rows in (FEW, MANY))
        assert all(large < GROWTH * small for small, large in zip(few, many, strict=True)), (few, many)


def peaks_of_import(folder: Path, rows: int) -> list[int]:
    """Import that many rows into an empty register; the peaks of both processes in MiB."""
    folder.mkdir()
    empty_register()
    ChannelFactory(code="crm", default_region="DE")
    path = folder / "people.parquet"
    pq.write_table(make_customers(rows, jobs=1).drop_columns(["true_id", "household_id"]), path)
    process = begin_import(path, folder, script=_MEASURED_IMPORT, batch=2000, stdout=subprocess.PIPE)
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0
    return [int(word) for word in output.splitlines()[-1].split()]


def rejects_in(var: Path) -> str:
    [path] = (var / "rejects").iterdir()
    return path.read_text()
