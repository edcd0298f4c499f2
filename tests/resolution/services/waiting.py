"""Two changes that meet at a known moment, and the moment when all others have ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from django.db import connection, transaction

from resolution.services import locks

Result = TypeVar("Result")
_PATIENCE = 30.0  # seconds; only a test that fails waits so long


def met_by(call: Callable[[], Result], *, first: Callable[[], object], then: Callable[[], object]) -> Result:
    """Run `first` here, let `call` run elsewhere until a lock stops it, run `then` here and commit.

    Returns the result of `call`, or raises what it raised.
    """

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            running = pool.submit(_in_own_session, call)
            _wait_until(_somebody_waits)
            then()
        return running.result(timeout=_PATIENCE)


@contextmanager
def elsewhere(call: Callable[[], Result]) -> Iterator[Callable[[], Future[Result]]]:
    """Give what begins `call` in another session and returns once it has ended or waits for this one."""
    with ThreadPoolExecutor(1) as pool:

        def begin() -> Future[Result]:
            running = pool.submit(_in_own_session, call)
            _wait_until(lambda: running.done() or _somebody_waits())
            return running

        yield begin


def _in_own_session(call: Callable[[], Result]) -> Result:
    try:
        return call()
    finally:
        connection.close()


@contextmanager
def work_held_elsewhere(name: str) -> Iterator[None]:
    """Let another session be at a piece of work of this name meanwhile."""
    held, done = threading.Event(), threading.Event()

    def other_session() -> None:
        with locks.hold_work(name):
            held.set()
            done.wait(_PATIENCE)
        connection.close()

    thread = threading.Thread(target=other_session)
    thread.start()
    held.wait(_PATIENCE)
    try:
        yield
    finally:
        done.set()
        thread.join()


def sessions() -> frozenset[int]:
    """The sessions in the database. A browser's test may have left some, in which nobody does anything."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        return frozenset(pid for (pid,) in cursor.fetchall())


def wait_for_silence(before: Collection[int]) -> None:
    """Wait until only sessions that were there before are left.

    The server needs a moment to see that the other end is gone, and takes its open change back then.
    """
    deadline = time.monotonic() + _PATIENCE
    while sessions() - set(before):
        assert time.monotonic() < deadline, "somebody who should have ended still has a session"
        time.sleep(0.02)


def _wait_until(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not met():
        assert time.monotonic() < deadline, "nobody ever waited for this change"
        time.sleep(0.02)


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
        )
        return bool(cursor.fetchone()[0])
