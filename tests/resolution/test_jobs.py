"""What the worker is asked to do."""

from __future__ import annotations

import threading
from contextlib import nullcontext
from datetime import timedelta
from functools import partial

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from resolution import jobs
from resolution.conf import policy
from resolution.errors import NotFound, Refused
from resolution.models import IdempotencyRecord, MatchRun, StoredModel
from resolution.services import locks
from resolution.services.find_duplicates import RunSummary
from resolution.types import Actor
from tests.concurrency import all_at_once
from tests.factories import ConflictFactory, actor_for, draft, lead, steward
from tests.resolution.worker import work

pytestmark = pytest.mark.django_db(transaction=True)


class TestPeriodicWork:
    """What the worker does by the clock."""

    @pytest.mark.parametrize("name", ["release_lapsed", "forget_old_answers", "take_up_stalled"])
    def test_is_known_to_the_worker(self, name: str) -> None:
        assert name in {task.task.name for task in app.periodic_registry.periodic_tasks.values()}

    def test_gives_lapsed_claims_back_to_the_queue(self) -> None:
        past = timezone.now() - timedelta(minutes=1)
        lapsed = ConflictFactory(state="claimed", assignee=steward(), leased_until=past)
        held = ConflictFactory(
            state="claimed", assignee=steward(), leased_until=timezone.now() + timedelta(hours=1)
        )

        assert jobs.release_lapsed(timestamp=0) == 1

        lapsed.refresh_from_db()
        held.refresh_from_db()
        assert (lapsed.state, lapsed.assignee, held.state) == ("open", None, "claimed")

    def test_forgets_answers_nobody_may_ask_for_any_more(self) -> None:
        facts = {"caller": "shop", "request_hash": "0", "status": 200, "response": {}}
        old, new = (IdempotencyRecord.objects.create(key=key, **facts) for key in ("old", "new"))
        age = timedelta(hours=policy().idempotency_hours, minutes=1)
        IdempotencyRecord.objects.filter(pk=old.pk).update(created_at=timezone.now() - age)

        assert jobs.forget_old_answers(timestamp=0) == 1
        assert list(IdempotencyRecord.objects.all()) == [new]


class TestRunsOverTheRegister:
    def test_go_one_after_the_other(self) -> None:
        assert jobs.find_duplicates.lock == jobs.compare_model.lock == jobs.train_model.lock

    def test_leave_the_worker_a_place_for_what_is_short(self) -> None:
        long = {task.lock for task in (jobs.find_duplicates, jobs.ask_past_limits, jobs.check_trail)}
        short = {task.lock for task in (jobs.release_lapsed, jobs.forget_old_answers, jobs.take_up_stalled)}
        assert not long & short
        assert len(long) < app.worker_defaults["concurrency"]

    def test_are_overtaken_by_what_is_short(self, monkeypatch: pytest.MonkeyPatch) -> None:
        released = threading.Event()
        met: list[bool] = []

        def find(*, actor: Actor) -> RunSummary:
            met.append(released.wait(10))
            return RunSummary(run_id=None)

        monkeypatch.setattr(jobs.queue, "release_lapsed", released.set)
        monkeypatch.setattr(jobs, "find_and_settle", find)
        jobs.start_find_duplicates(actor_for(lead()))
        jobs.release_lapsed.defer(timestamp=0)

        with app.replace_connector(app.connector.get_worker_connector()) as working:
            whole = partial(
                working.run_worker, wait=False, listen_notify=False, install_signal_handlers=False
            )
            all_at_once([whole])  # in a thread of its own: this one may have an event loop already

        assert met == [True]


class TestStartFindDuplicates:
    def test_runs_in_the_name_of_who_asked(self) -> None:
        user = lead(username="mara")

        jobs.start_find_duplicates(actor_for(user))
        work()

        assert MatchRun.objects.get().actor_name == "mara"

    def test_p6_one_that_meets_a_run_at_work_is_told_under_runs(
        self, monkeypatch: pytest.MonkeyPatch, client: Client
    ) -> None:
        user = lead(username="mara")
        jobs.start_find_duplicates(actor_for(user))
        monkeypatch.setattr(locks, "hold_work", lambda name: nullcontext(False))

        with pytest.raises(Refused):
            work()

        client.force_login(user)
        page = client.get(reverse("resolution:runs")).content.decode()
        assert "Duplicates are being looked for already" in page

    def test_refuses_a_second_while_one_waits(self) -> None:
        actor = actor_for(lead())
        jobs.start_find_duplicates(actor)

        with pytest.raises(Refused, match="waiting for the worker already"):
            jobs.start_find_duplicates(actor)


class TestStartCompareModel:
    def test_compares_in_the_name_of_who_asked(self) -> None:
        draft()

        jobs.start_compare_model("2.0.0", actor_for(lead(username="mara")))
        work()

        row = StoredModel.objects.get()
        assert row.comparison is not None
        assert (row.state, row.comparison["by"]) == ("shadow", "mara")
        assert MatchRun.objects.get().actor_name == "mara"

    def test_refuses_a_second_without_harm_to_the_change_around_it(self) -> None:
        draft()
        actor = actor_for(lead())
        jobs.start_compare_model("2.0.0", actor)

        with transaction.atomic():
            with pytest.raises(Refused, match="waiting for the worker already"):
                jobs.start_compare_model("2.0.0", actor)
            assert ProcrastinateJob.objects.count() == 1

    def test_refuses_one_that_does_not_exist_at_once(self) -> None:
        with pytest.raises(NotFound):
            jobs.start_compare_model("9", actor_for(lead()))
        assert not ProcrastinateJob.objects.exists()


class TestStartTrainModel:
    def test_trains_in_the_name_of_who_asked_who_then_does_not_promote_it(self) -> None:
        user = lead(username="mara")

        jobs.start_train_model("spring", actor_for(user))
        work()

        row = StoredModel.objects.get()
        assert (row.name, row.state, row.made_by) == ("spring", "draft", user)
