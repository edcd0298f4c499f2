"""A search for duplicates that another change comes between, and one that finds questions waiting."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from django.db import OperationalError
from django.db.models import F
from psycopg import errors as postgres

from customers.models import Customer
from resolution.models import BlockingKey, Conflict, MatchRun, Merge
from resolution.services import conflicts, live_questions, merge
from resolution.services import find_duplicates as service
from resolution.services.profiles import update_profile
from tests.factories import ConflictFactory, CustomerFactory
from tests.resolution.services.test_find_duplicates import ACTOR, LIKELY, SURE, make, run

pytestmark = pytest.mark.django_db

OTHER = {
    "given_name": "Boris", "family_name": "Okonkwo", "email": "boris@okonkwo.example",
    "birth_date": "1955-11-30", "city": "Leeds", "postcode": "LS1 4AP",
}  # fmt: skip


class TestBegunAnew:
    @pytest.mark.parametrize("failure", [postgres.DeadlockDetected, postgres.SerializationFailure])
    @pytest.mark.parametrize(
        ("module", "name"),
        [(merge, "merge_in_bulk"), (conflicts, "open_conflicts"), (live_questions, "close_conflicts")],
    )
    def test_a_part_that_another_change_came_between_is_done_anew(
        self, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, failure: type[Exception]
    ) -> None:
        gone = ConflictFactory()
        for fields in (SURE, SURE, LIKELY):
            make(**fields)
        real, tries = getattr(module, name), []

        def lose_once(*args: Any, **kwargs: Any) -> object:
            done = real(*args, **kwargs)
            tries.append(done)
            if len(tries) == 1:
                raise OperationalError("taken back") from failure()
            return done

        monkeypatch.setattr(module, name, lose_once)
        counts = run()

        told = {what: counts[what] for what in ("merged", "not_merged", "queued", "closed")}
        assert told == {"merged": 1, "not_merged": 0, "queued": 1, "closed": 1}
        assert Merge.objects.count() == 1
        assert Conflict.objects.exclude(pk=gone.pk).count() == 1
        assert MatchRun.objects.get().counts == counts | {"customers": 5}

    def test_who_changed_before_the_second_try_is_not_merged_on_what_was_compared(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make(**SURE)
        other = make(**SURE)
        real, tries = merge.merge_in_bulk, []

        def lose_once(*args: Any, **kwargs: Any) -> object:
            tries.append(args)
            if len(tries) == 1:
                raise OperationalError("taken back") from postgres.DeadlockDetected()
            if len(tries) == 2:
                Customer.objects.filter(pk=other.pk).update(version=2, **OTHER)
            return real(*args, **kwargs)

        monkeypatch.setattr(merge, "merge_in_bulk", lose_once)

        assert (run()["merged"], len(tries)) == (0, 2)


class TestWaitingQuestions:
    def test_a_pair_once_held_back_waits_with_the_evidence_of_today(self) -> None:
        make(**SURE)
        make(**LIKELY)
        run()
        Conflict.objects.update(reason="Held back: it is large (9 customers).", weight=0.5)
        BlockingKey.objects.all().delete()  # so that this run does not come upon the two

        run()

        [pair] = Conflict.objects.all()
        assert (pair.state, pair.version) == ("open", 2)
        assert "Held back" not in pair.reason
        assert pair.weight is not None
        assert pair.weight > 0.5

    def test_one_whose_evidence_is_what_it_was_stays_as_it_was_seen(self) -> None:
        make(**SURE)
        make(**LIKELY)
        run()
        BlockingKey.objects.all().delete()

        run()

        assert Conflict.objects.get().version == 1

    def test_a_group_keeps_why_it_was_held_back(self) -> None:
        group = [make(**LIKELY, email=f"anna{number}@smithers.example") for number in range(3)]
        reason = "Held back: only 2 of its 3 pairs support it."
        ConflictFactory(members=group, reason=reason, weight=0.5)
        BlockingKey.objects.all().delete()

        run()

        conflict = Conflict.objects.get()
        assert (conflict.reason, conflict.weight == 0.5) == (reason, False)


class TestTouchedWhileWeighed:
    """Waiting questions that another change comes to once they are scored and before that is written."""

    @pytest.fixture
    def meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
        real = service._score_again

        def arrange(act: Callable[[], object]) -> None:
            def score(*args: Any) -> object:
                found = real(*args)
                act()
                return found

            monkeypatch.setattr(service, "_score_again", score)

        return arrange

    def test_one_whose_customer_was_merged_is_not_closed_by_what_was_said_of_others(
        self, meanwhile: Callable[[Callable[[], object]], None]
    ) -> None:
        one, other, third = CustomerFactory.create_batch(3)
        waiting = ConflictFactory(members=[one, other])
        meanwhile(
            lambda: merge.merge_customers(member_ids=[one.pk, third.pk], survivor_id=third.pk, actor=ACTOR)
        )

        counts = run()

        waiting.refresh_from_db()
        assert (waiting.state, counts["closed"], counts["left"]) == ("open", 0, 1)
        assert {member.customer_id for member in waiting.members.all()} == {other.pk, third.pk}

    def test_one_that_was_refreshed_keeps_its_newer_evidence(
        self, meanwhile: Callable[[Callable[[], object]], None]
    ) -> None:
        make(**SURE)
        make(**LIKELY)
        run()
        BlockingKey.objects.all().delete()
        meanwhile(lambda: Conflict.objects.update(weight=9.0, reason="Newer.", version=F("version") + 1))

        counts = run()

        kept = Conflict.objects.get()
        assert (kept.weight, kept.reason, counts["left"]) == (9.0, "Newer.", 1)

    def test_one_whose_customer_looks_alike_by_then_is_not_closed_by_what_it_was(
        self, meanwhile: Callable[[Callable[[], object]], None]
    ) -> None:
        one, other = make(**SURE), make(**OTHER)
        waiting = ConflictFactory(members=[one, other])
        changes = {name: value for name, value in SURE.items() if name in OTHER}
        meanwhile(
            lambda: update_profile(customer_id=other.pk, version=other.version, changes=changes, actor=ACTOR)
        )

        counts = run()

        waiting.refresh_from_db()
        assert (waiting.state, counts["closed"], counts["left"]) == ("open", 0, 1)

    def test_one_asked_of_customers_that_changed_once_compared_is_looked_at_again(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make(**SURE)
        likely = make(**LIKELY)
        real = service.merge_until_still

        def compared(*args: Any, **kwargs: Any) -> object:
            questions = real(*args, **kwargs)
            update_profile(customer_id=likely.pk, version=likely.version, changes=OTHER, actor=ACTOR)
            return questions

        monkeypatch.setattr(service, "merge_until_still", compared)

        counts = run()

        assert (counts["queued"], counts["closed"]) == (1, 1)
        assert Conflict.objects.get().outcome == "closed"
