"""Jobs a killed worker left behind are taken up again; those of a living one are not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from resolution import jobs
from resolution.services import stalled_jobs
from resolution.services.stalled_jobs import TakenBack

pytestmark = pytest.mark.django_db


def add_worker(*, silent: timedelta) -> int:
    """A worker that was last heard of so long ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (%s) RETURNING id",
            [timezone.now() - silent],
        )
        return int(cursor.fetchone()[0])


def add_job(
    *, status: str = "doing", attempts: int = 0, queueing_lock: str | None = None, worker: int | None = None
) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs"
            " (queue_name, task_name, status, attempts, queueing_lock, worker_id)"
            " VALUES ('default', 'find_duplicates', %s, %s, %s, %s) RETURNING id",
            [status, attempts, queueing_lock, worker],
        )
        return int(cursor.fetchone()[0])


def take_back() -> TakenBack:
    with connection.cursor() as cursor:
        return stalled_jobs.take_back(cursor, silent_for=0)


def hand_back() -> None:
    with connection.cursor() as cursor:
        stalled_jobs.hand_back(cursor)


def status_of(job: int) -> str:
    return ProcrastinateJob.objects.get(pk=job).status


class TestTakeBack:
    def test_a_job_under_way_waits_again_and_counts_its_attempt(self) -> None:
        job = add_job()
        assert take_back() == TakenBack(again=1)
        assert status_of(job) == "todo"
        assert ProcrastinateJob.objects.get(pk=job).attempts == 1

    @pytest.mark.parametrize("status", ["todo", "succeeded", "failed"])
    def test_any_other_job_is_left_as_it_is(self, status: str) -> None:
        job = add_job(status=status)
        assert take_back() == TakenBack()
        assert status_of(job) == status

    def test_a_job_whose_like_waits_already_ends(self) -> None:
        job = add_job(queueing_lock="find_duplicates")
        add_job(status="todo", queueing_lock="find_duplicates")
        assert take_back() == TakenBack()
        assert status_of(job) == "failed"

    def test_of_two_alike_one_waits(self) -> None:
        first, second = (add_job(queueing_lock="find_duplicates") for _ in range(2))
        assert take_back() == TakenBack(again=1)
        assert (status_of(first), status_of(second)) == ("todo", "failed")

    def test_a_job_that_crashed_too_often_is_given_up(self) -> None:
        job = add_job(attempts=stalled_jobs.MAX_ATTEMPTS)
        assert take_back() == TakenBack(given_up=1)
        assert status_of(job) == "failed"


class TestTakenBackByTheClock:
    """On any database: workers of other machines may be at it, and say so."""

    def test_a_job_of_a_silent_worker_waits_again(self) -> None:
        job = add_job(worker=add_worker(silent=timedelta(minutes=5)))
        assert jobs.take_up_stalled(timestamp=0) == 1
        assert status_of(job) == "todo"

    def test_a_job_of_a_worker_that_was_forgotten_waits_again(self) -> None:
        job = add_job(worker=None)
        assert jobs.take_up_stalled(timestamp=0) == 1
        assert status_of(job) == "todo"

    def test_a_job_of_a_living_worker_goes_on(self) -> None:
        job = add_job(worker=add_worker(silent=timedelta(seconds=15)))
        assert jobs.take_up_stalled(timestamp=0) == 0
        assert status_of(job) == "doing"

    def test_one_left_by_the_dead_keeps_none_from_running(self) -> None:
        """With a lock, a worker killed while it took jobs up would have ended that for ever."""
        assert jobs.take_up_stalled.lock is None


class TestHandBack:
    def test_a_job_of_a_worker_that_was_stopped_waits_again_without_counting(self) -> None:
        job = add_job(attempts=stalled_jobs.MAX_ATTEMPTS, worker=add_worker(silent=timedelta(seconds=1)))
        hand_back()
        assert status_of(job) == "todo"
        assert ProcrastinateJob.objects.get(pk=job).attempts == stalled_jobs.MAX_ATTEMPTS

    def test_one_whose_like_waits_already_is_left_to_the_next_start(self) -> None:
        job = add_job(queueing_lock="find_duplicates")
        add_job(status="todo", queueing_lock="find_duplicates")
        hand_back()
        assert status_of(job) == "doing"
