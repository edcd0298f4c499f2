"""Jobs a killed worker left behind are taken up again."""

from __future__ import annotations

import pytest
from django.db import connection
from procrastinate.contrib.django.models import ProcrastinateJob

from identity_project import stalled_jobs

pytestmark = pytest.mark.django_db


def add_job(*, status: str = "doing", attempts: int = 0, queueing_lock: str | None = None) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, status, attempts, queueing_lock, lock)"
            " VALUES ('default', 'find_duplicates', %s, %s, %s, 'find_duplicates') RETURNING id",
            [status, attempts, queueing_lock],
        )
        return int(cursor.fetchone()[0])


def status_after(job: int) -> str:
    connection.ensure_connection()
    stalled_jobs.take_back(connection.connection)
    return ProcrastinateJob.objects.get(pk=job).status


class TestTakeBack:
    def test_a_job_under_way_waits_again_and_counts_its_attempt(self) -> None:
        job = add_job()
        assert status_after(job) == "todo"
        assert ProcrastinateJob.objects.get(pk=job).attempts == 1

    @pytest.mark.parametrize("status", ["todo", "succeeded", "failed"])
    def test_any_other_job_is_left_as_it_is(self, status: str) -> None:
        assert status_after(add_job(status=status)) == status

    def test_a_job_whose_like_waits_already_ends(self) -> None:
        job = add_job(queueing_lock="find_duplicates")
        add_job(status="todo", queueing_lock="find_duplicates")
        assert status_after(job) == "failed"

    def test_a_job_that_crashed_too_often_ends(self) -> None:
        assert status_after(add_job(attempts=stalled_jobs.MAX_ATTEMPTS)) == "failed"
