"""What the worker is asked to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from customers.models import Customer
from resolution import jobs
from resolution.errors import NotFound, Refused
from resolution.models import ImportRun, MatchRun
from tests.factories import ChannelFactory, actor_for, lead
from tests.resolution.batch.files import ANNA, ANNA_AGAIN, write

pytestmark = pytest.mark.django_db(transaction=True)


def work() -> None:
    """Do what is waiting, as the worker would."""
    for job in ProcrastinateJob.objects.filter(status="todo").order_by("id"):
        app.tasks[job.task_name](**job.args)


class TestStartFindDuplicates:
    def test_runs_in_the_name_of_who_asked(self) -> None:
        user = lead(username="mara")

        jobs.start_find_duplicates(actor_for(user))
        work()

        assert MatchRun.objects.get().actor_name == "mara"

    def test_refuses_a_second_while_one_waits(self) -> None:
        actor = actor_for(lead())
        jobs.start_find_duplicates(actor)

        with pytest.raises(Refused, match="waiting for the worker already"):
            jobs.start_find_duplicates(actor)


class TestStartImport:
    def test_takes_the_file_in(self, settings: object, tmp_path: Path) -> None:
        settings.VAR_DIR = tmp_path  # type: ignore[attr-defined]
        ChannelFactory(code="crm")
        path = write(tmp_path / "a.csv", ANNA, ANNA_AGAIN)

        jobs.start_import(
            path=path, channel="crm", actor=actor_for(lead(username="mara")), mapping=[("city", "")]
        )
        work()

        assert ImportRun.objects.get().actor_name == "mara"
        assert Customer.objects.active().get().city == ""

    def test_refuses_a_file_it_could_not_read_at_once(self, tmp_path: Path) -> None:
        ChannelFactory(code="crm")

        with pytest.raises(NotFound, match="There is no file"):
            jobs.start_import(path=tmp_path / "nobody.csv", channel="crm", actor=actor_for(lead()))
        assert not ProcrastinateJob.objects.exists()
