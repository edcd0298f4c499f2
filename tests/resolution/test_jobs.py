"""What the worker is asked to do."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob

from customers.models import Customer
from resolution import jobs
from resolution.conf import policy
from resolution.errors import NotFound, Refused
from resolution.models import IdempotencyRecord, ImportRun, MatchRun, StoredModel
from tests.factories import ChannelFactory, ConflictFactory, actor_for, draft, lead, steward
from tests.resolution.batch.files import ANNA, ANNA_AGAIN, write
from tests.resolution.worker import work

pytestmark = pytest.mark.django_db(transaction=True)


class TestPeriodicWork:
    """What the worker does by the clock."""

    @pytest.mark.parametrize("name", ["release_lapsed", "forget_old_answers"])
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
