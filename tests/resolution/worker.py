"""What waits for the worker, done here and now."""

from __future__ import annotations

from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from resolution import jobs

assert jobs.__name__  # its tasks are known from here on


def work() -> None:
    """Do what is waiting, as the worker would."""
    for job in ProcrastinateJob.objects.filter(status="todo").order_by("id"):
        app.tasks[job.task_name](**job.args)
