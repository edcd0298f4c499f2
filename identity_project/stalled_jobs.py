"""Jobs whose worker was killed: still marked as under way, they would hold their lock for ever."""

from __future__ import annotations

from typing import Any

import psycopg

# A job that was under way at this many crashes may well be their cause.
MAX_ATTEMPTS = 3

_UNDER_WAY = """
    SELECT job.id,
           job.attempts >= %s OR EXISTS (
               SELECT FROM procrastinate_jobs AS other
               WHERE other.status = 'todo' AND other.queueing_lock = job.queueing_lock
           )
    FROM procrastinate_jobs AS job
    WHERE job.status = 'doing'
    ORDER BY job.id
"""
_RETRY = "SELECT procrastinate_retry_job_v2(%s, now(), NULL, NULL, NULL)"
_FAIL = "SELECT procrastinate_finish_job_v1(%s, 'failed', false)"


def take_back(connection: psycopg.Connection[Any]) -> int:
    """Queue again every job under way and return how many; only right while no worker lives.

    A job that has its like in the queue already, or that crashed too often, ends as failed instead.
    """
    jobs = connection.execute(_UNDER_WAY, [MAX_ATTEMPTS]).fetchall()
    for job, hopeless in jobs:
        connection.execute(_FAIL if hopeless else _RETRY, [job])
    return len(jobs)
