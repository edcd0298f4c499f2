"""Processes that an earlier start left behind, and two starts that meet over the same ones."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from identity_project import processes
from identity_project.processes import Child, Command


@pytest.fixture
def left_behind(tmp_path: Path) -> Iterator[list[Child]]:
    """Two processes with their records."""
    children = [
        processes.start(Command(name, ["sleep", "60"], tmp_path / "log"), tmp_path / "records")
        for name in ("1-postgres", "2-valkey")
    ]
    yield children
    for child in children:
        child.stop()


class TestStopLeftovers:
    def test_stops_from_the_highest_number_down_and_forgets_them(
        self, tmp_path: Path, left_behind: list[Child]
    ) -> None:
        assert processes.stop_leftovers(tmp_path / "records") == ["valkey", "postgres"]

        assert all(child.ended for child in left_behind)
        assert processes.stop_leftovers(tmp_path / "records") == []

    def test_what_another_start_has_swept_meanwhile_is_passed_over(
        self, tmp_path: Path, left_behind: list[Child], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stop = processes.stop_process

        def sweep_then_stop(process: psutil.Process, stop_signal: signal.Signals, **given: Any) -> None:
            shutil.rmtree(tmp_path / "records")
            stop(process, stop_signal, **given)

        monkeypatch.setattr(processes, "stop_process", sweep_then_stop)

        assert processes.stop_leftovers(tmp_path / "records") == ["valkey"]

    def test_one_that_ends_just_then_is_not_told(
        self, tmp_path: Path, left_behind: list[Child], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def ended(process: psutil.Process) -> str:
            raise psutil.NoSuchProcess(process.pid)

        monkeypatch.setattr(psutil.Process, "status", ended)

        assert processes.stop_leftovers(tmp_path / "records") == []

    def test_an_empty_record_tells_of_no_process(self, tmp_path: Path) -> None:
        (tmp_path / "1-postgres.json").touch()

        assert processes.stop_leftovers(tmp_path) == []
        assert list(tmp_path.iterdir()) == []
