"""The whole register compared with itself."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Collection
from itertools import combinations
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from customers.models import Customer
from customers.services import register
from resolution.batch import pipeline
from resolution.batch.pipeline import Comparison, Findings, candidates_of_register
from resolution.errors import Refused
from resolution.matching.kernel import score_pair
from resolution.models import AuditEntry, Conflict, MatchRun, Merge
from resolution.selectors.match_model import live_model
from resolution.selectors.profiles import load_profiles
from resolution.services import audit, locks, merge, questions, settle
from resolution.services import find_duplicates as service
from resolution.services.find_duplicates import KIND, find_duplicates
from resolution.services.importing import import_file, open_file
from resolution.services.judge import judge_pair
from resolution.services.profiles import create_customer, update_profile
from resolution.services.resolve import find_potential_duplicates
from resolution.types import Actor, Profile
from tests.factories import ChannelFactory, ConflictFactory, actor_for, steward
from tests.resolution.batch.files import ANNA, write
from tests.resolution.services.waiting import work_held_elsewhere

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

        [name, *_], sizes = zip(*find_duplicates(actor=ACTOR).blocks, strict=True)
        assert re.fullmatch("[a-z]{2}\\+*:.+", name)
        assert set(sizes) == {2}


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


def overtake_once(monkeypatch: pytest.MonkeyPatch, change: Callable[[], object]) -> None:
    """Let another change come between the first comparison and what is merged by it."""
    real, changes = Comparison.compare, [change]

    def compare_and_be_overtaken(*args: Any, **kwargs: Any) -> Findings:
        found = real(*args, **kwargs)
        while changes:
            changes.pop()()
        return found

    monkeypatch.setattr(Comparison, "compare", compare_and_be_overtaken)


def merged_ids() -> set[UUID]:
    """The one customer that several ids stand for, by these ids."""
    [survivor] = set(Customer.objects.filter(status="merged").values_list("merged_into", flat=True))
    return set(Customer.objects.members_of(survivor).values_list("pk", flat=True))


class TestChangesMeanwhile:
    """Others change the register between comparing and merging, or between merging and asking."""

    def test_who_changed_after_comparing_is_compared_again_as_it_is_now(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        left, right, third = make(**SURE), make(**SURE), make(**SURE)

        def change() -> None:
            update_profile(
                customer_id=right.pk, version=1, changes={"given_name": "Zoe", "email": ""}, actor=ACTOR
            )

        overtake_once(monkeypatch, change)
        counts = run()

        assert (counts["merged"], counts["not_merged"]) == (1, 0)
        assert {left.pk, third.pk} == merged_ids()
        assert "has changed" not in "".join(Conflict.objects.values_list("reason", flat=True))

    def test_who_was_absorbed_after_comparing_is_compared_as_whom_it_stands_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        left, right, other = make(**SURE), make(**SURE), make(city="Ulm")

        def absorb() -> None:
            merge.merge_customers(member_ids=[right.pk, other.pk], survivor_id=other.pk, actor=ACTOR)

        overtake_once(monkeypatch, absorb)
        counts = run()

        assert (counts["merged"], counts["not_merged"], counts["queued"]) == (1, 0, 0)
        assert merged_ids() == {left.pk, right.pk, other.pk}

    def test_an_import_compares_again_who_changed_after_comparing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        left, right = make(**SURE), make(**SURE)
        settler = settle.Settler()
        overtake_once(monkeypatch, lambda: register.count_changes([right.pk]))

        with audit.change(ACTOR) as trail:
            settled = settler.settle(trail, [left.pk], {})

        assert (settled.merged, settled.not_merged, settled.queued) == (1, 0, 0)

    def test_who_changes_after_every_comparison_is_asked_about_instead_of_merged(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        left, right = make(**SURE), make(**SURE)
        real = Comparison.compare

        def compare_and_be_overtaken(*args: Any, **kwargs: Any) -> Findings:
            found = real(*args, **kwargs)
            register.count_changes([right.pk])
            return found

        monkeypatch.setattr(Comparison, "compare", compare_and_be_overtaken)
        counts = run()

        assert (counts["merged"], counts["not_merged"], counts["queued"]) == (0, 1, 1)
        conflict = Conflict.objects.get()
        assert "has changed since it was compared" in conflict.reason
        assert conflict.evidence
        assert set(conflict.members.values_list("customer", flat=True)) == {left.pk, right.pk}

    def test_a_refused_group_stays_asked_when_another_merges(self, monkeypatch: pytest.MonkeyPatch) -> None:
        make(**SURE)
        changed = make(**SURE)
        other = {"given_name": "Bo", "family_name": "Okonkwo", "email": "bo@okonkwo.example", "city": "Rome"}
        make(**other, birth_date="1971-03-04")
        make(**other, birth_date="1971-03-04")
        likely = make(given_name="Anna", family_name="Smithers", city="Berlin", company="Quarles Ltd")
        real = Comparison.compare

        def compare_and_be_overtaken(*args: Any, **kwargs: Any) -> Findings:
            found = real(*args, **kwargs)
            register.count_changes([changed.pk])
            return found

        monkeypatch.setattr(Comparison, "compare", compare_and_be_overtaken)
        counts = run()

        assert (counts["merged"], counts["not_merged"]) == (1, 1)
        asked = [set(row.members.values_list("customer", flat=True)) for row in Conflict.objects.all()]
        assert any(changed.pk in members for members in asked)
        assert any(likely.pk in members for members in asked)

    def test_p3_a_group_told_apart_meanwhile_is_a_contradiction(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        left, right, _third = make(**SURE), make(**SURE), make(**SURE)
        real = Comparison.compare

        def compare_and_be_overtaken(*args: Any, **kwargs: Any) -> Findings:
            found = real(*args, **kwargs)
            judge_pair(
                left_id=left.pk, right_id=right.pk, verdict="different", reason="", actor=actor_for(steward())
            )
            return found

        monkeypatch.setattr(Comparison, "compare", compare_and_be_overtaken)

        assert run()["merged"] == 0
        assert Conflict.objects.get().kind == "contradiction"

    def test_groups_left_after_the_last_round_are_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(settle, "_MOST_ROUNDS", 1)
        john = {"given_name": "John", "family_name": "Smith"}
        make(**john, email="johnnysmith77@post.example", birth_date="1980-02-13")
        make(**john, email="johnnysmith77@post.example", city="Leeds", phone="+442079460018")
        third = make(**john, birth_date="1980-03-13", city="Leeds")

        counts = run()

        assert (counts["merged"], counts["queued"]) == (1, 1)
        conflict = Conflict.objects.get(state="open")
        assert "It kept growing" in conflict.reason
        assert third.pk in conflict.members.values_list("customer", flat=True)

    @pytest.mark.django_db(transaction=True)
    def test_p2_asking_waits_for_a_merge_and_names_the_living(self) -> None:
        """The asker has read whom it will ask about; the merge commits only then."""
        left, right, likely = make(**SURE), make(**SURE), make(**LIKELY)
        question = questions._question((str(right.pk), str(likely.pk)), "Alike.", (), None)
        locked, asking = threading.Event(), threading.Event()

        def merge_slowly() -> None:
            with transaction.atomic():
                locks.lock_customers({left.pk, right.pk})
                locked.set()
                asking.wait(30)
                merge.merge_customers(member_ids=[left.pk, right.pk], survivor_id=left.pk, actor=ACTOR)
            connection.close()

        thread = threading.Thread(target=merge_slowly)
        thread.start()
        locked.wait(30)
        release = threading.Timer(0.5, asking.set)
        release.start()
        with audit.change(ACTOR) as trail:
            settle.ask(trail, [question])
        thread.join()

        members = set(Conflict.objects.get().members.values_list("customer", flat=True))
        assert members == {left.pk, likely.pk}


class TestBoundedWork:
    def test_gone_questions_are_found_however_they_are_cut(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(service, "_QUESTIONS_LOOKED_AT", 1)
        gone = [ConflictFactory().pk for _ in range(3)]
        sizes: list[int] = []
        real = service.load_profiles

        def note(ids: Collection[UUID]) -> dict[UUID, Profile]:
            sizes.append(len(ids))
            return real(ids)

        monkeypatch.setattr(service, "load_profiles", note)

        assert run()["closed"] == len(gone)
        assert max(sizes) == 2

    def test_records_of_a_clean_source_are_paired_within_it_only(self) -> None:
        members = {str(uuid4()) for _ in range(2000)}
        mine, theirs = list(members)[:2], list(members)[2:5]
        sources = {UUID(key): {"mine"} for key in mine} | {UUID(key): {"theirs"} for key in theirs}

        apart = pipeline._parted_by_source([members], sources)

        assert apart == {frozenset(mine)} | set(map(frozenset, combinations(theirs, 2)))

    def test_p3_verdicts_hold_though_profiles_are_looked_at_in_lots(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pipeline, "CUSTOMERS_A_LOT", 1)
        make(**LIKELY | {"family_name": "Quarles"}, email="q@q.example", birth_date="1950-01-01")
        make(**LIKELY | {"family_name": "Quarles"}, email="q@q.example", birth_date="1950-01-01")
        left, right = make(**SURE), make(**SURE)
        judge_pair(
            left_id=left.pk, right_id=right.pk, verdict="different", reason="", actor=actor_for(steward())
        )
        sizes: list[int] = []
        real = pipeline.verdicts_on_pairs

        def note(ids: Collection[UUID]) -> dict[Any, Any]:
            sizes.append(len(ids))
            return real(ids)

        monkeypatch.setattr(pipeline, "verdicts_on_pairs", note)

        assert run()["merged"] == 1
        assert max(sizes) == 2
        assert {left.pk, right.pk} <= set(Customer.objects.active().values_list("pk", flat=True))


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

    def test_p6_only_one_runs_at_a_time_and_the_other_request_is_told(self) -> None:
        with work_held_elsewhere(KIND):
            with pytest.raises(Refused, match="being looked for already"):
                find_duplicates(actor=ACTOR)
            with pytest.raises(Refused):
                find_duplicates(actor=ACTOR, dry_run=True)
        refused = MatchRun.objects.get()
        assert (refused.state, refused.actor_name) == ("failed", ACTOR.name)
        assert refused.finished_at is not None
        assert "being looked for already" in refused.error


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
            frozenset((key, other)) for key, profile in profiles.items() for other in find_candidates(profile)
        }
        assert found == online != set()
