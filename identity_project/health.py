"""/healthz says the process answers; /readyz says it can do its work, check by check."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from django.conf import settings
from django.core.cache import cache
from django.db import Error as DatabaseError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django_redis.exceptions import ConnectionInterrupted
from redis.exceptions import RedisError

from resolution.services.stalled_jobs import SILENT_SECONDS

Answer = tuple[bool, str]

# A job behind one of its own lock waits as it should, as long as a living worker is at that one.
_OLDEST_JOB = """
    SELECT coalesce(extract(epoch FROM now() - min(due.at)), 0)
    FROM (
        SELECT greatest(max(event.at), max(job.scheduled_at)) AS at
        FROM procrastinate_jobs AS job
        JOIN procrastinate_events AS event ON event.job_id = job.id
        WHERE job.status = 'todo'
          AND coalesce(job.scheduled_at, now()) <= now()
          AND NOT EXISTS (
              SELECT FROM procrastinate_jobs AS ahead
              JOIN procrastinate_workers AS worker ON worker.id = ahead.worker_id
              WHERE ahead.status = 'doing' AND ahead.lock = job.lock
                AND worker.last_heartbeat > now() - make_interval(secs => %s)
          )
        GROUP BY job.id
    ) AS due
"""


def healthz(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(_request: HttpRequest) -> JsonResponse:
    """200 when every check passes, else 503; the body names each check and what it found."""
    answers = {name: _ask(check) for name, check in CHECKS.items()}
    ready = all(passed for passed, _ in answers.values())
    checks = {name: {"ok": passed, "detail": detail} for name, (passed, detail) in answers.items()}
    return JsonResponse({"ready": ready, "checks": checks}, status=200 if ready else 503)


def check_database() -> Answer:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True, "answers"


def check_cache() -> Answer:
    if not settings.CACHE_URL:
        return True, "not configured, nothing is cached"
    token = secrets.token_hex(8)
    cache.set(f"readyz:{token}", token, timeout=10)
    return cache.get(f"readyz:{token}") == token, "keeps what it is given"


def check_migrations() -> Answer:
    executor = MigrationExecutor(connection)
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _ in waiting)
    return not waiting, f"not applied: {names}" if names else "all applied"


def check_queue() -> Answer:
    """The worker is late when a job it could do has waited longer than WORKER_QUEUE_AGE_LIMIT seconds."""
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST_JOB, [SILENT_SECONDS])
        seconds = float(cursor.fetchone()[0])
    return seconds <= settings.WORKER_QUEUE_AGE_LIMIT, f"oldest waiting job: {seconds:.0f} s"


CHECKS: dict[str, Callable[[], Answer]] = {
    "database": check_database,
    "cache": check_cache,
    "migrations": check_migrations,
    "queue": check_queue,
}


def _ask(check: Callable[[], Answer]) -> Answer:
    """A check that cannot be made has failed; only the kind of error is told, not what it quotes."""
    try:
        return check()
    except (DatabaseError, ConnectionInterrupted, RedisError, OSError) as error:
        return False, f"unreachable ({type(error).__name__})"
