"""Processes we start: recorded on disk so that the next start can stop what a crash left behind."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from identity_project.accounts import Account

# The clock may be set between two looks at a process; its start is then told a little differently.
_SAME_START_SECONDS = 2.0


@dataclass(slots=True)
class Child:
    """A process of ours, how it is asked to stop and how long it may take."""

    name: str
    process: subprocess.Popen[bytes]
    record: Path
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    patience: float = 15.0

    @property
    def title(self) -> str:
        return title(self.name)

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def stop(self) -> None:
        """Ask, wait, then kill; returns when the process is gone."""
        if not self.ended:
            self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(self.patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.record.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Command:
    """What to start, as whom, and where its output goes.

    Names begin with a number: what an earlier start left behind is stopped from the highest down.
    """

    name: str
    words: Sequence[str | Path]
    log: Path
    account: Account = field(default_factory=Account)
    folder: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM


def title(name: str) -> str:
    """ "1-postgres" is told as postgres."""
    return name.partition("-")[2]


def start(command: Command, records: Path) -> Child:
    """Start in a session of its own, so that Ctrl-C reaches only us and we stop things in order."""
    command.log.parent.mkdir(parents=True, exist_ok=True)
    with command.log.open("ab") as log:
        process = subprocess.Popen(
            [str(word) for word in command.words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=command.folder,
            start_new_session=True,
            **command.account.popen_arguments(),
        )
    record = _write_record(records, command, process.pid)
    return Child(command.name, process, record, command.log, stop_signal=command.stop_signal)


def stop_leftovers(records: Path) -> list[str]:
    """Stop what an earlier start recorded and could not stop; return the titles of what still ran.

    Two starts may meet over the same leftovers: what the other one has stopped is neither stopped nor told.
    """
    stopped = []
    for record in sorted(records.glob("*.json"), reverse=True):
        facts = _read_record(record)
        process = _recorded_process(facts) if facts else None
        if process is not None:
            stop_process(process, signal.Signals(facts["stop_signal"]))
            stopped.append(title(record.stem))
        record.unlink(missing_ok=True)
    return stopped


def stop_process(process: psutil.Process, stop_signal: signal.Signals, patience: float = 15.0) -> None:
    """Ask, wait, then kill a process that is not our child, with all it started."""
    try:
        family = [process, *process.children(recursive=True)]
        process.send_signal(stop_signal)
    except psutil.NoSuchProcess:
        return
    _, alive = psutil.wait_procs(family, timeout=patience)
    for straggler in alive:
        with suppress(psutil.NoSuchProcess):
            straggler.kill()
    psutil.wait_procs(alive, timeout=patience)


def _write_record(records: Path, command: Command, pid: int) -> Path:
    records.mkdir(parents=True, exist_ok=True)
    path = records / f"{command.name}.json"
    draft = path.with_suffix(".draft")
    facts = {"pid": pid, "started": _started(pid), "stop_signal": int(command.stop_signal)}
    draft.write_text(json.dumps(facts))
    draft.replace(path)
    return path


def _read_record(record: Path) -> dict[str, Any]:
    """What a record says; nothing when it is empty or gone."""
    try:
        return dict(json.loads(record.read_text() or "{}"))
    except FileNotFoundError:
        return {}


def _started(pid: int) -> float:
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return 0.0


def _recorded_process(facts: Mapping[str, float]) -> psutil.Process | None:
    """The process a record speaks of, or None when it is gone and its number perhaps someone else's."""
    try:
        process = psutil.Process(int(facts["pid"]))
        same = abs(process.create_time() - facts["started"]) <= _SAME_START_SECONDS
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None
