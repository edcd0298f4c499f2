"""What a model would change, seen before it does (P11)."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from customers.models import Customer
from resolution.errors import IllegalTransition, NotFound, Refused
from resolution.matching.model import load_model
from resolution.models import AuditEntry, Conflict, MatchRun, Merge, StoredModel
from resolution.services import compare_models as service
from resolution.services.compare_models import compare_in_shadow
from resolution.services.find_duplicates import find_duplicates
from resolution.services.match_models import promote
from resolution.services.profiles import create_customer
from resolution.types import Actor
from tests.factories import actor_for, draft, lead

pytestmark = pytest.mark.django_db

ACTOR = Actor.machine("test")
SURE = {
    "given_name": "Anna", "family_name": "Smithers", "email": "anna@smithers.example",
    "birth_date": "1980-02-13", "city": "Berlin", "postcode": "10115",
}  # fmt: skip
LIKELY = {"given_name": "Anna", "family_name": "Smithers", "city": "Berlin"}


def make(**fields: str) -> str:
    return str(create_customer(fields=fields, actor=ACTOR).pk)


def compared(**changes: Any) -> dict[str, Any]:
    draft(**changes)
    found = compare_in_shadow(version="2.0.0", actor=ACTOR).comparison
    assert found is not None
    return found


def named(comparison: dict[str, Any], what: str) -> list[set[str]]:
    return [set(entry["customers"]) for entry in comparison[what]]


class TestCompareInShadow:
    def test_p11_who_would_no_longer_merge_is_named_and_nothing_is_written(self) -> None:
        pair = {make(**SURE), make(**SURE)}

        found = compared(prior=-45.0)

        assert named(found, "would_not_merge") == [pair]
        assert (found["would_merge"], found["counts"]["would_not_merge"]) == ([], 1)
        [entry] = found["would_not_merge"]
        assert entry["before"] > entry["after"]
        assert entry["why"]
        assert (Merge.objects.count(), Conflict.objects.count()) == (0, 0)

    def test_p11_who_would_merge_and_which_questions_that_answers_is_named(self) -> None:
        pair = {make(**LIKELY), make(**LIKELY)}

        found = compared(prior=-1.0, household_prior=-30.0)

        assert named(found, "would_merge") == [pair]
        assert named(found, "questions_lost") == [pair]

    def test_questions_that_would_be_new_are_named(self) -> None:
        pair = {make(**SURE), make(**SURE)}

        found = compared(prior=-32.0)

        assert named(found, "questions_gained") == [pair]

    def test_p11_who_is_one_customer_and_would_split_is_named(self) -> None:
        ids = [make(**SURE), make(**SURE)]
        find_duplicates(actor=ACTOR)

        found = compared(prior=-45.0)

        assert found["would_split"] == [{"customer": ids[0], "parts": [[key] for key in sorted(ids)]}]
        assert (found["counts"]["would_split"], found["counts"]["merged_by_machine"]) == (1, 1)
        assert Customer.objects.active().count() == 1

    def test_the_same_model_changes_nothing(self) -> None:
        for fields in (SURE, SURE, LIKELY):
            make(**fields)

        found = compared()

        changes = ("would_merge", "would_not_merge", "questions_gained", "questions_lost", "would_split")
        assert [found[name] for name in changes] == [[]] * 5
        assert found["outcomes"]["live"] == found["outcomes"]["candidate"]
        assert found["outcomes"]["live"]["merged"] == 1

    def test_all_are_counted_and_some_are_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(service, "MOST_NAMED", 1)
        for name in ("Anna", "Bea"):
            for _ in range(2):
                make(**SURE | {"given_name": name, "email": f"{name}@smithers.example"})

        found = compared(prior=-45.0)

        assert (found["counts"]["would_not_merge"], len(found["would_not_merge"])) == (2, 1)

    def test_keeps_a_record_of_itself_and_tells_how_far_it_is(self) -> None:
        make(**SURE)
        make(**SURE)
        draft()
        told: list[str] = []

        row = compare_in_shadow(
            version="2.0.0", actor=ACTOR, watch=lambda stage, done, total: told.append(stage)
        )

        run = MatchRun.objects.get()
        assert (row.state, run.kind, run.state, run.model_version) == (
            "shadow",
            "compare_model",
            "done",
            "2.0.0",
        )
        assert run.counts["pairs"] == 1
        assert {"comparing", "grouping", "looking at merges", "naming"} <= {*told} & {*run.timings}
        assert row.comparison is not None
        assert (row.comparison["run"], row.comparison["live"]) == (run.pk, load_model(None).version)
        entry = AuditEntry.objects.get(action="model", resolution_method="compare")
        assert entry.metadata["counts"] == run.counts

    def test_can_be_done_again_after_another_went_live(self) -> None:
        draft("2.0.0")
        draft("3.0.0")
        for version in ("2.0.0", "3.0.0"):
            compare_in_shadow(version=version, actor=ACTOR)
        promote(version="3.0.0", actor=actor_for(lead()))

        again = compare_in_shadow(version="2.0.0", actor=ACTOR)

        assert again.comparison is not None
        assert again.comparison["live"] == "3.0.0"

    def test_a_live_one_the_shipped_one_and_an_unknown_one_are_refused(self) -> None:
        draft()
        compare_in_shadow(version="2.0.0", actor=ACTOR)
        promote(version="2.0.0", actor=actor_for(lead()))

        for version in ("2.0.0", load_model(None).version):
            with pytest.raises(IllegalTransition):
                compare_in_shadow(version=version, actor=ACTOR)
        with pytest.raises(NotFound):
            compare_in_shadow(version="9", actor=ACTOR)

    def test_a_second_one_at_the_same_time_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        draft()
        monkeypatch.setattr(service.runs.locks, "hold_work", lambda name: nullcontext(False))

        with pytest.raises(Refused, match="being compared already"):
            compare_in_shadow(version="2.0.0", actor=ACTOR)

    def test_one_that_breaks_off_says_so_and_leaves_the_draft(self, monkeypatch: pytest.MonkeyPatch) -> None:
        draft()
        monkeypatch.setattr(service, "count_merged", lambda: 1 / 0)

        with pytest.raises(ZeroDivisionError):
            compare_in_shadow(version="2.0.0", actor=ACTOR)

        assert MatchRun.objects.get().state == "failed"
        assert StoredModel.objects.get().state == "draft"


class TestRunsKeepTheirModel:
    def test_p11_a_run_goes_on_with_the_model_it_began_with(self, monkeypatch: pytest.MonkeyPatch) -> None:
        make(**SURE)
        make(**SURE)
        draft(prior=-45.0)
        compare_in_shadow(version="2.0.0", actor=ACTOR)

        def promote_now(stage: str, done: int, total: int) -> None:
            if stage == "comparing" and not done and StoredModel.objects.filter(state="shadow").exists():
                promote(version="2.0.0", actor=actor_for(lead()))

        summary = find_duplicates(actor=ACTOR, watch=promote_now)

        assert summary.settled.merged == 1
        assert MatchRun.objects.get(pk=summary.run_id).model_version == load_model(None).version
        assert find_duplicates(actor=ACTOR).run_id is not None
        assert MatchRun.objects.order_by("-pk").values_list("model_version", flat=True)[0] == "2.0.0"
