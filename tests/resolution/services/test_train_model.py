"""A model learnt from the register: from what, and what is kept of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from resolution.errors import InvalidInput
from resolution.matching.model import MatchModel
from resolution.matching.training import Trained
from resolution.models import AuditEntry, MatchRun, StoredModel
from resolution.services import train_model as service
from resolution.services.find_duplicates import find_duplicates
from resolution.services.judge import judge_pair
from resolution.services.merge import merge_customers
from resolution.services.profiles import create_customer
from resolution.services.train_model import measure, read_labels, said_by_people, train_model
from resolution.types import Actor, Profile
from tests.factories import actor_for, make_model, steward

pytestmark = pytest.mark.django_db

ACTOR = Actor.machine("test")
SURE = {"given_name": "Anna", "family_name": "Smithers", "email": "anna@smithers.example", "city": "York"}


def make(**fields: str) -> str:
    return str(create_customer(fields=fields, actor=ACTOR).pk)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What training was given; it learns nothing."""
    seen: dict[str, Any] = {}

    def learn(profiles: Iterable[Profile], *, base: MatchModel, seed: int, labels: Any) -> Trained:
        seen.update(profiles=list(profiles), base=base, seed=seed, labels=set(labels))
        return Trained(base, facts={"pairs": 7})

    monkeypatch.setattr(service, "train_on_profiles", learn)
    return seen


class TestTrainModel:
    def test_keeps_a_draft_with_what_was_learnt(self, given: dict[str, Any]) -> None:
        make(**SURE)

        row = train_model(actor=ACTOR, name="spring", seed=5)

        assert (row.state, row.name, row.version) == ("draft", "spring", f"{timezone.now():%Y-%m-%d}.1")
        assert row.metrics["training"] == {"pairs": 7, "base": given["base"].version, "seed": 5}
        artefact = json.loads(row.artefact)
        assert (artefact["name"], artefact["version"]) == ("spring", row.version)
        run = MatchRun.objects.get()
        assert (run.kind, run.state, run.model_version, run.counts["records"]) == (
            "train_model", "done", row.version, 1,
        )  # fmt: skip
        assert AuditEntry.objects.get(action="model").resolution_method == "draft"

    def test_each_one_gets_a_version_of_its_own(self) -> None:
        versions = [train_model(actor=ACTOR).version for _ in range(2)]

        assert [version.rpartition(".")[2] for version in versions] == ["1", "2"]

    def test_learns_from_customers_as_they_first_came(self, given: dict[str, Any]) -> None:
        ids = {make(**SURE), make(**SURE)}
        find_duplicates(actor=ACTOR)

        train_model(actor=ACTOR)

        assert {profile.key for profile in given["profiles"]} == ids

    def test_learns_from_peoples_words_and_from_the_labels_given(self, given: dict[str, Any]) -> None:
        left, right, third = sorted([make(**SURE), make(**SURE), make(**SURE)])
        judge(left, right, "different")

        train_model(actor=ACTOR, labels=[(left, third, True)])

        assert given["labels"] == {(left, right, False), (left, third, True)}

    def test_what_fails_is_said_on_its_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(service, "train_on_profiles", lambda *_, **__: 1 / 0)

        with pytest.raises(ZeroDivisionError):
            train_model(actor=ACTOR)

        assert MatchRun.objects.get().state == "failed"
        assert not StoredModel.objects.exists()

    def test_a_name_that_does_not_fit_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="100 characters"):
            train_model(actor=ACTOR, name="x" * 101)


def judge(left: str, right: str, verdict: str) -> None:
    judge_pair(
        left_id=service.uuid.UUID(left),
        right_id=service.uuid.UUID(right),
        verdict=verdict,
        reason="",
        actor=actor_for(steward()),
    )


class TestSaidByPeople:
    def test_the_last_word_counts_and_doubt_does_not(self) -> None:
        left, right, third = sorted(make(name="Ann") for _ in range(3))
        judge(left, right, "same")
        judge(left, right, "different")
        judge(left, third, "unsure")

        assert list(said_by_people()) == [(left, right, False)]

    def test_a_merge_people_decided_says_that_two_are_one(self) -> None:
        left, right = sorted(make(name="Ann") for _ in range(2))
        merge_customers(
            member_ids=[service.uuid.UUID(key) for key in (left, right)],
            survivor_id=service.uuid.UUID(left),
            actor=ACTOR,
        )

        assert list(said_by_people()) == [(left, right, True)]


class TestMeasure:
    def test_counts_what_would_be_linked_with_its_interval(self) -> None:
        one, other, stranger = make(**SURE), make(**SURE), make(given_name="Bert", family_name="Jones")

        found = measure(make_model(), [(one, other, True), (one, stranger, False)])

        assert (found["linked_rightly"], found["linked_wrongly"], found["different"]) == (1, 0, 1)
        assert found["precision"]["share"] == found["recall"]["share"] == 1.0
        assert found["precision"]["low"] < 0.5

    def test_without_labels_there_is_nothing_to_say(self) -> None:
        assert measure(make_model(), []) == {}

    def test_where_nothing_is_linked_there_is_no_precision(self) -> None:
        pair = [make(**SURE), make(**SURE)]

        found = measure(make_model(prior=-45.0), [(*pair, True)])

        assert (found["precision"], found["recall"]["share"]) == (None, 0.0)


class TestReadLabels:
    ONE, OTHER = "01890000-0000-7000-8000-000000000001", "01890000-0000-7000-8000-000000000002"

    def test_reads_pairs_with_a_heading_or_without(self, tmp_path: Path) -> None:
        path = tmp_path / "labels.csv"
        path.write_text(
            f"left,right,verdict\n{self.ONE}, {self.OTHER}, same\n\n{self.OTHER},{self.ONE},different\n"
        )

        assert read_labels(path) == [(self.ONE, self.OTHER, True), (self.OTHER, self.ONE, False)]

    @pytest.mark.parametrize("line", ["x,y,same", f"{ONE},{OTHER}", f"{ONE},{OTHER},perhaps"])
    def test_a_line_that_cannot_be_read_is_named(self, tmp_path: Path, line: str) -> None:
        path = tmp_path / "labels.csv"
        path.write_text(f"{self.ONE},{self.OTHER},same\n{line}\n")

        with pytest.raises(InvalidInput, match="Line 2"):
            read_labels(path)

    def test_a_file_that_cannot_be_read_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="cannot be read"):
            read_labels(tmp_path / "none.csv")
