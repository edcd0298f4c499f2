"""What a load balancer asks, and the headers every page carries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone

pytestmark = pytest.mark.django_db


def readiness(client: Client) -> tuple[int, dict[str, Any]]:
    answer = client.get("/readyz")
    return answer.status_code, answer.json()["checks"]


def add_job_under_way(*, lock: str, silent: timedelta) -> None:
    """A job whose worker was last heard of so long ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH worker AS (INSERT INTO procrastinate_workers (last_heartbeat) VALUES (%s) RETURNING id)"
            " INSERT INTO procrastinate_jobs (queue_name, task_name, status, lock, worker_id)"
            " SELECT 'q', 't', 'doing', %s, id FROM worker",
            [timezone.now() - silent, lock],
        )


def add_waiting_job(*, age: timedelta, scheduled: timedelta | None = None, lock: str | None = None) -> None:
    """A job nobody took, as it looks after `age`."""
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, scheduled_at, lock)"
            " VALUES ('q', 't', %s, %s) RETURNING id",
            [now + scheduled if scheduled else None, lock],
        )
        cursor.execute(
            "UPDATE procrastinate_events SET at = %s WHERE job_id = %s", [now - age, cursor.fetchone()[0]]
        )


class TestHealth:
    def test_answers_without_looking_at_anything(self, client: Client) -> None:
        assert client.get("/healthz").content == b"ok\n"


class TestReadiness:
    def test_is_ready_when_every_check_passes(self, client: Client) -> None:
        status, checks = readiness(client)
        assert status == 200, checks
        assert sorted(checks) == ["cache", "database", "migrations", "queue"]

    def test_is_not_ready_while_a_due_job_waits_too_long(self, client: Client) -> None:
        add_waiting_job(age=timedelta(hours=1))
        status, checks = readiness(client)
        assert status == 503
        assert checks["queue"] == {"ok": False, "detail": "oldest waiting job: 3600 s"}

    def test_a_job_for_tomorrow_is_not_late(self, client: Client) -> None:
        add_waiting_job(age=timedelta(days=3), scheduled=timedelta(days=1))
        assert readiness(client)[0] == 200

    def test_a_job_behind_its_own_lock_is_not_late(self, client: Client) -> None:
        add_job_under_way(lock="register", silent=timedelta(seconds=5))
        add_waiting_job(age=timedelta(hours=1), lock="register")
        assert readiness(client)[0] == 200

    def test_a_job_behind_one_whose_worker_is_gone_is_late(self, client: Client) -> None:
        add_job_under_way(lock="register", silent=timedelta(hours=2))
        add_waiting_job(age=timedelta(hours=1), lock="register")
        assert readiness(client)[0] == 503

    def test_is_not_ready_while_a_migration_waits_and_names_it(self, client: Client) -> None:
        MigrationRecorder(connection).record_unapplied("sessions", "0001_initial")
        status, checks = readiness(client)
        assert status == 503
        assert checks["migrations"]["detail"] == "not applied: sessions.0001_initial"

    def test_is_not_ready_when_the_cache_is_gone_and_tells_no_address(
        self, client: Client, settings: Any
    ) -> None:
        settings.CACHES = {
            "default": {
                "BACKEND": "django_redis.cache.RedisCache",
                "LOCATION": "unix:///nowhere/valkey.sock?db=0",
            }
        }
        status, checks = readiness(client)
        assert status == 503
        assert checks["cache"]["ok"] is False
        assert "nowhere" not in checks["cache"]["detail"]

    def test_no_cache_configured_is_no_fault(self, client: Client, settings: Any) -> None:
        settings.CACHE_URL = ""
        assert readiness(client)[1]["cache"] == {"ok": True, "detail": "not configured, nothing is cached"}


class TestEveryPage:
    def test_the_root_leads_to_the_desk(self, client: Client) -> None:
        assert client.get("/").headers["Location"] == "/admin/"

    @pytest.mark.parametrize("path", ["/admin/login/", "/healthz"])
    def test_forbids_foreign_and_inline_code(self, path: str, client: Client) -> None:
        policy = client.get(path).headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
