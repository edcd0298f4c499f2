"""Merges, unmerges, approvals, erasures and blocks killed at any moment are whole or were never begun."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from resolution.models import AuditEntry, Merge
from tests.resolution.services.busy import settle_a_neighbourhood
from tests.resolution.services.promises import broken_promises, faults_of_the_register
from tests.resolution.services.waiting import sessions, wait_for_silence

KILLS, SOAK_KILLS = 40, 200
LONGEST_LIFE = 0.4  # seconds
# What is killed → what the trail calls it.
CHANGES = {
    "merge": "merge", "merge_groups": "merge", "undo": "unmerge", "approve_groups": "approve",
    "erase": "erase", "block": "block",
}  # fmt: skip


@contextmanager
def a_writer(errors: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the writer on this test's database; what it complains of is in `errors`."""
    with errors.open("w") as log:
        writer = subprocess.Popen(
            [sys.executable, "-m", "tests.resolution.services.killed_writer", _database()],
            cwd=settings.BASE_DIR,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "identity_project.settings_test"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            yield writer
        finally:
            writer.communicate(timeout=30)


def kill_again_and_again(times: int, errors: Path, seed: int | None = None) -> Counter[str]:
    """Return how many kills fell in which act."""
    inside = Counter[str]()
    settle_a_neighbourhood()
    chance, here = random.Random(seed), sessions()
    with a_writer(errors) as writer:
        assert writer.stdin
        assert writer.stdout
        for _ in range(times):
            writer.stdin.write(f"{chance.random()} {chance.uniform(0.02, LONGEST_LIFE)}\n")
            writer.stdin.flush()
            act = writer.stdout.readline().strip()
            assert act not in ("", "ended by itself"), errors.read_text()
            inside[act] += 1
            wait_for_silence(here)
            assert faults_of_the_register() == []
    assert broken_promises() == []
    call_command("verify_audit")
    return inside


def _database() -> str:
    return str(connection.settings_dict["NAME"])


@pytest.mark.django_db(transaction=True)
class TestKilledChanges:
    def test_p4_p5_a_change_killed_at_any_moment_is_whole_or_was_never_begun(self, tmp_path: Path) -> None:
        inside = kill_again_and_again(KILLS, tmp_path / "errors", seed=1)
        assert sum(inside[act] for act in CHANGES) > KILLS / 4, inside
        assert Merge.objects.exists()

    @pytest.mark.soak
    def test_p4_p5_two_hundred_kills_leave_no_half_merge(self, tmp_path: Path) -> None:
        inside = kill_again_and_again(SOAK_KILLS, tmp_path / "errors")
        assert min(inside[act] for act in CHANGES) > 0, inside
        assert set(CHANGES.values()) <= set(AuditEntry.objects.values_list("action", flat=True))
