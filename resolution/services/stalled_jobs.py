"""Jobs whose worker is gone: still marked as under way, they would hold their lock for ever.

It speaks through a cursor, Django's or a bare one: the launcher comes here before Django does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from django.db import connection, transaction

# A job that was under way at more crashes than this may well be their cause.
MAX_ATTEMPTS = 3
# A living worker says every ten seconds that it is one.
SILENT_SECONDS = 60.0

_UNDER_WAY = """
    SELECT job.id
    FROM procrastinate_jobs AS job
    LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
    WHERE job.status = 'doing'
      AND (worker.id IS NULL OR worker.last_heartbeat < now() - make_interval(secs => %s))
    ORDER BY job.id
    FOR UPDATE OF job SKIP LOCKED
"""
_PROSPECTS = """
    SELECT job.attempts >= %s, EXISTS (
        SELECT FROM procrastinate_jobs AS other
        WHERE other.status = 'todo' AND other.queueing_lock = job.queueing_lock
    )
    FROM procrastinate_jobs AS job
    WHERE job.id = %s
"""
_RETRY = "SELECT procrastinate_retry_job_v2(%s, now(), NULL, NULL, NULL)"
_FAIL = "SELECT procrastinate_finish_job_v1(%s, 'failed', false)"
_HAND_BACK = """
    UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL, abort_requested = false WHERE id = %s
"""


class Cursor(Protocol):
    """What Django's cursors and psycopg's have in common."""

    def execute(self, query: Any, params: Any = ..., /) -> Any: ...

    def fetchall(self) -> list[Any]: ...


@dataclass(frozen=True, slots=True)
class TakenBack:
    """How many jobs wait again, and how many were given up because they crashed too often."""

    again: int = 0
    given_up: int = 0


@dataclass(frozen=True, slots=True)
class _Stalled:
    """A job without a worker: whether it crashed too often, and whether its like waits already."""

    id: int
    worn_out: bool
    replaced: bool


def take_back(cursor: Cursor, *, silent_for: float) -> TakenBack:
    """Queue again what workers left that said nothing for so many seconds; must run inside a transaction.

    With 0 every job under way is taken, which is right only while no worker lives. A job whose like is in the
    queue already, or that crashed too often, ends as failed instead.
    """
    again = given_up = 0
    for job in _stalled(cursor, silent_for):
        cursor.execute(_FAIL if job.worn_out or job.replaced else _RETRY, [job.id])
        again += not (job.worn_out or job.replaced)
        given_up += job.worn_out
    return TakenBack(again, given_up)


def take_back_from_the_dead() -> TakenBack:
    """Queue again what workers left that were killed, on whatever machine."""
    with transaction.atomic(), connection.cursor() as cursor:
        return take_back(cursor, silent_for=SILENT_SECONDS)


def hand_back(cursor: Cursor) -> None:
    """Queue again what a worker left that was asked to stop; that is no crash and counts as none.

    Only right while no other worker lives. What has its like in the queue waits for `take_back`.
    """
    for job in _stalled(cursor, 0):
        if not job.replaced:
            cursor.execute(_HAND_BACK, [job.id])


def _stalled(cursor: Cursor, silent_for: float) -> Iterator[_Stalled]:
    """Each is judged when its turn has come: the one before may be its like."""
    cursor.execute(_UNDER_WAY, [silent_for])
    for (job,) in cursor.fetchall():
        cursor.execute(_PROSPECTS, [MAX_ATTEMPTS, job])
        [(worn_out, replaced)] = cursor.fetchall()
        yield _Stalled(job, worn_out, replaced)
