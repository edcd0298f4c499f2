"""Two changes that meet at a known moment, and the moment when all others have ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection, transaction

Result = TypeVar("Result")
_PATIENCE = 30.0  # seconds; only a test that fails waits so long


def met_by(call: Callable[[], Result], *, first: Callable[[], object], then: Callable[[], object]) -> Result:
    """Run `first` here, let `call` run elsewhere until a lock stops it, run `then` here and commit.

    Returns the result of `call`, or raises what it raised.
    """

    def elsewhere() -> Result:
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            running = pool.submit(elsewhere)
            _wait_until_somebody_waits()
            then()
        return running.result(timeout=_PATIENCE)


def wait_for_silence() -> None:
    """Wait until this session is the only one in the database.

    The server needs a moment to see that the other end is gone, and takes its open change back then.
    """
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    deadline = time.monotonic() + _PATIENCE
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute(others, [connection.settings_dict["NAME"]])
            if cursor.fetchone() == (0,):
                return
            time.sleep(0.02)
    raise AssertionError("somebody who should have ended still has a session")


def _wait_until_somebody_waits() -> None:
    deadline = time.monotonic() + _PATIENCE
    while not _somebody_waits():
        assert time.monotonic() < deadline, "nobody ever waited for this change"
        time.sleep(0.02)


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks"
            " WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
        )
        return bool(cursor.fetchone()[0])
