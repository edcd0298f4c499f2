"""The whole register compared with itself."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from django.db import connection

from customers.models import Customer
from resolution.batch.pipeline import candidates_of_register
from resolution.errors import Refused
from resolution.matching.kernel import score_pair
from resolution.models import AuditEntry, Conflict, MatchRun, Merge
from resolution.selectors.match_model import live_model
from resolution.selectors.profiles import load_profiles
from resolution.services import locks, merge
from resolution.services.find_duplicates import KIND, find_duplicates
from resolution.services.importing import import_file, open_file
from resolution.services.judge import judge_pair
from resolution.services.profiles import create_customer, update_profile
from resolution.services.resolve import find_potential_duplicates
from resolution.types import Actor
from tests.factories import ChannelFactory, actor_for, steward
from tests.resolution.batch.files import ANNA, write

pytestmark = pytest.mark.django_db

ACTOR = Actor.machine("test run")
SURE = {
    "given_name": "Anna", "family_name": "Smithers", "email": "anna@smithers.example",
    "birth_date": "1980-02-13", "city": "Berlin", "postcode": "10115",
}  # fmt: skip
LIKELY = {"given_name": "Anna", "family_name": "Smithers", "city": "Berlin"}


def make(**fields: str) -> Customer:
    return create_customer(fields=fields, actor=ACTOR)


def run() -> dict[str, int]:
    return find_duplicates(actor=ACTOR).settled.counts()


class TestRun:
    def test_merges_the_certain_and_asks_the_likely(self) -> None:
        sure, same, likely = make(**SURE), make(**SURE), make(**LIKELY)

        counts = run()

        assert (counts["merged"], counts["queued"]) == (1, 1)
        assert {row.canonical_id for row in Customer.objects.filter(pk__in=[sure.pk, same.pk])} == {sure.pk}
        conflict = Conflict.objects.exclude(state="done").get()
        members = set(conflict.members.values_list("customer", flat=True))
        assert members == {sure.pk, likely.pk}

    def test_keeps_a_record_of_itself(self) -> None:
        make(**SURE)
        make(**SURE)

        summary = find_duplicates(actor=ACTOR)

        kept = MatchRun.objects.get()
        assert (kept.pk, kept.state, kept.stage) == (summary.run_id, "done", "done")
        assert (kept.counts["merged"], kept.counts["customers"]) == (1, 2)
        assert kept.timings.keys() >= {"comparing", "merging", "asking", "closing"}
        assert Merge.objects.get().run == kept
        assert AuditEntry.objects.get(action="run").metadata["counts"] == kept.counts

    def test_a_second_one_finds_nothing_new(self) -> None:
        for fields in (SURE, SURE, LIKELY):
            make(**fields)
        run()
        before = Customer.objects.active().count(), Conflict.objects.count(), Merge.objects.count()

        counts = run()

        assert (counts["merged"], counts["queued"], counts["waiting"]) == (0, 0, 1)
        assert (Customer.objects.active().count(), Conflict.objects.count(), Merge.objects.count()) == before

    def test_compares_again_whoever_has_grown(self) -> None:
        """The third is only likely to be one with either, but certain to be one with both."""
        john = {"given_name": "John", "family_name": "Smith"}
        make(**john, email="johnnysmith77@post.example", birth_date="1980-02-13")
        make(**john, email="johnnysmith77@post.example", city="Leeds", phone="+442079460018")
        make(**john, birth_date="1980-03-13", city="Leeds")

        counts = run()

        assert (counts["merged"], counts["queued"]) == (2, 0)

    def test_dry_counts_what_a_real_one_does_and_writes_nothing(self) -> None:
        for fields in (SURE, SURE, LIKELY):
            make(**fields)

        foreseen = find_duplicates(actor=ACTOR, dry_run=True)

        assert (foreseen.settled.merged, foreseen.run_id) == (1, None)
        assert (MatchRun.objects.count(), Merge.objects.count(), Conflict.objects.count()) == (0, 0, 0)
        assert run()["merged"] == 1

    def test_tells_the_largest_blocks(self) -> None:
        make(**SURE)
        make(**SURE)

        assert ("em:anna@smithers.example", 2) in find_duplicates(actor=ACTOR).blocks


class TestHumanWord:
    def test_p3_customers_judged_different_are_not_joined_by_a_run(self) -> None:
        left, right = make(**SURE), make(**SURE)
        judge_pair(
            left_id=left.pk,
            right_id=right.pk,
            verdict="different",
            reason="twins",
            actor=actor_for(steward()),
        )

        counts = run()

        assert (counts["merged"], counts["queued"]) == (0, 0)
        assert Customer.objects.active().count() == 2

    def test_p3_a_third_customer_does_not_bring_them_together(self) -> None:
        left, right = make(**SURE), make(**SURE)
        judge_pair(
            left_id=left.pk,
            right_id=right.pk,
            verdict="different",
            reason="twins",
            actor=actor_for(steward()),
        )
        make(**SURE)

        run()

        standing = {row.pk: row.canonical_id for row in Customer.objects.all()}
        assert standing[left.pk] != standing[right.pk]

    @pytest.mark.parametrize("verdict", ["related", "unsure"])
    def test_who_was_not_called_the_same_is_not_merged_by_the_machine(self, verdict: str) -> None:
        left, right = make(**SURE), make(**SURE)
        judge_pair(left_id=left.pk, right_id=right.pk, verdict=verdict, reason="", actor=actor_for(steward()))

        assert run()["merged"] == 0

    def test_an_answered_question_is_not_asked_again(self) -> None:
        left, right = make(**SURE), make(**LIKELY)
        judge_pair(
            left_id=left.pk, right_id=right.pk, verdict="related", reason="", actor=actor_for(steward())
        )

        run()

        assert not Conflict.objects.exists()


class TestGoneQuestions:
    def test_are_closed_when_the_customers_no_longer_look_alike(self) -> None:
        make(**SURE)
        likely = make(**LIKELY)
        run()
        update_profile(
            customer_id=likely.pk,
            version=1,
            changes={"given_name": "Wolfram", "family_name": "Ibsen", "city": "Oslo"},
            actor=actor_for(steward()),
        )

        assert run()["closed"] == 1
        conflict = Conflict.objects.get()
        assert (conflict.state, conflict.outcome) == ("done", "closed")

    def test_that_a_person_works_on_are_left_alone(self) -> None:
        make(**SURE)
        likely = make(**LIKELY)
        run()
        Conflict.objects.update(state="parked")
        update_profile(
            customer_id=likely.pk, version=1, changes={"family_name": "Ibsen"}, actor=actor_for(steward())
        )

        assert run()["closed"] == 0
        assert Conflict.objects.get().state == "parked"


class TestBadEnds:
    def test_a_crash_is_written_on_the_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        make(**SURE)
        make(**SURE)

        def fail(*args: object, **kwargs: object) -> None:
            raise ValueError("no such thing")

        monkeypatch.setattr(merge, "merge_in_bulk", fail)
        with pytest.raises(ValueError, match="no such thing"):
            find_duplicates(actor=ACTOR)

        kept = MatchRun.objects.get()
        assert (kept.state, kept.error) == ("failed", "no such thing")

    def test_a_run_that_was_killed_is_closed_by_the_next(self) -> None:
        run()
        MatchRun.objects.update(state="running")

        run()

        assert list(MatchRun.objects.order_by("pk").values_list("state", flat=True)) == ["failed", "done"]

    def test_only_one_runs_at_a_time(self) -> None:
        held, done = threading.Event(), threading.Event()

        def other_session() -> None:
            with locks.hold_work(KIND):
                held.set()
                done.wait(30)
            connection.close()

        thread = threading.Thread(target=other_session)
        thread.start()
        held.wait(30)
        try:
            with pytest.raises(Refused, match="being looked for already"):
                find_duplicates(actor=ACTOR)
        finally:
            done.set()
            thread.join()


class TestOneDecisionFunction:
    def test_p7_import_run_and_online_give_one_weight_and_the_same_reasons(self, tmp_path: Path) -> None:
        ChannelFactory(code="crm", default_region="DE")
        namesake = ("r5", "Anna", "Smithers", "", "", "", "Berlin", "", "")
        import_file(open_file(path=write(tmp_path / "a.csv", ANNA, namesake), channel="crm"), actor=ACTOR)
        [imported] = Conflict.objects.get().evidence
        run()
        [from_run] = Conflict.objects.get().evidence

        profiles = load_profiles(list(Customer.objects.values_list("pk", flat=True)))
        left, right = (profiles[row.pk] for row in Customer.objects.order_by("pk"))
        alone, turned = score_pair(live_model(), left, right), score_pair(live_model(), right, left)
        [online] = [
            score
            for score in find_potential_duplicates(
                data={"given_name": "Anna", "family_name": "Smithers", "city": "Berlin"}, channel="crm"
            )
            if score.right == left.key
        ]

        assert imported == from_run
        assert imported["weight"] == alone.weight == turned.weight == online.weight
        levels = [(entry["field"], entry["level"], entry["detail"]) for entry in imported["fields"]]
        assert levels == [(entry.field, entry.level, entry.detail) for entry in online.fields]

    def test_p7_batch_and_online_look_at_the_same_candidates(self) -> None:
        from resolution.selectors.candidates import find_candidates

        made = [
            make(**SURE),
            make(**SURE),
            make(**LIKELY),
            make(given_name="Bo", family_name="Li", city="Rome"),
        ]
        with candidates_of_register() as pairs:
            found = {frozenset(pair) for pair in pairs}

        profiles = load_profiles([row.pk for row in made])
        online = {
            frozenset((key, other))
            for key, profile in profiles.items()
            for other in find_candidates(profile).ids
        }
        assert found == online != set()
