"""What is looked at before anything is started; each refusal is one sentence."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from identity_project.trouble import Trouble


def require_writable(folder: Path) -> None:
    """Make the folder where it is missing and try to write in it; asking for permission would not tell."""
    try:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise Trouble(
            f"Cannot write in {folder} ({os.strerror(error.errno or 0)}): "
            "use a copy of the project in a folder of yours, or set VAR_DIR to one."
        ) from error


@contextlib.contextmanager
def hold_lock(folder: Path) -> Iterator[None]:
    """Keep a second launcher off the folder; the kernel lets go of the lock however we end."""
    with (folder / "launcher.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            who = f"process {_holder(folder)}"
            raise Trouble(
                f"Another launcher ({who}) already uses {folder}: stop it with Ctrl-C first."
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def terminate_holder(folder: Path, patience: float = 60.0) -> None:
    """Ask the launcher that holds the lock to stop, and wait until it let go."""
    deadline = time.monotonic() + patience
    pid = None
    while (holder := _holder(folder)) and time.monotonic() < deadline:
        if holder != pid:
            os.kill(holder, signal.SIGTERM)
            pid = holder
        time.sleep(0.1)


def require_free_port(host: str, port: int) -> None:
    try:
        _bind(host, port)
    except OSError as error:
        raise Trouble(_port_sentence(host, port, error)) from error


def _bind(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))


def _port_sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        other = _free_port(host, port)
        return f"Port {port} is taken by another program: stop that one, or run `PORT={other} make run`."
    if error.errno == errno.EACCES:
        return f"Port {port} needs root: run `PORT=8000 make run`."
    return f"Cannot listen at {host} port {port} ({error.strerror}): set HOST to an address of this machine."


def _free_port(host: str, port: int) -> int:
    """The next port that is free; the one after if none of a hundred is."""
    for candidate in range(port + 1, min(port + 100, 65535)):
        with contextlib.suppress(OSError):
            _bind(host, candidate)
            return candidate
    return port + 1


def _holder(folder: Path) -> int | None:
    """The process that holds the lock now, as it wrote itself; None when the lock is free."""
    with (folder / "launcher.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            return int(lock.read() or 0) or None
    return None
