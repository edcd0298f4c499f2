"""manage.py train_model, compare_model, promote_model: what they say and do."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from resolution.matching.model import load_model
from resolution.models import AuditEntry, StoredModel
from resolution.selectors.match_model import live_model
from resolution.services.compare_models import compare_in_shadow
from resolution.services.profiles import create_customer
from resolution.types import Actor
from tests.factories import draft, lead, steward

pytestmark = pytest.mark.django_db

ACTOR = Actor.machine("test")
SURE = {"given_name": "Anna", "family_name": "Smithers", "email": "anna@smithers.example", "city": "York"}


def say(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    call_command(*arguments)
    return " ".join(capsys.readouterr().out.split())


def pair() -> list[str]:
    return [str(create_customer(fields=SURE, actor=ACTOR).pk) for _ in range(2)]


class TestTrainModel:
    def test_keeps_a_draft_and_says_what_to_do_next(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        path = tmp_path / "labels.csv"
        path.write_text(f"{','.join(pair())},same\n")

        said = say(capsys, "train_model", "--labels", str(path), "--name", "spring", "--seed", "7")

        row = StoredModel.objects.get()
        assert (row.name, row.state, row.metrics["training"]["seed"]) == ("spring", "draft", 7)
        assert f"manage.py compare_model {row.version}" in said
        assert "precision" in said

    def test_says_which_line_of_the_labels_is_at_fault(self, tmp_path: Path) -> None:
        path = tmp_path / "labels.csv"
        path.write_text("left,right,verdict\nx,y,same\n")

        with pytest.raises(CommandError, match="Line 2"):
            call_command("train_model", "--labels", str(path))


class TestCompareModel:
    def test_says_who_would_change_by_name(self, capsys: pytest.CaptureFixture[str]) -> None:
        pair()
        draft(prior=-45.0)

        said = say(capsys, "compare_model", "2.0.0")

        assert "Would no longer merge │ 1" in said
        assert "Anna Smithers · Anna Smithers" in said
        assert "Nothing was changed" in said

    def test_says_that_there_is_no_such_model(self) -> None:
        with pytest.raises(CommandError, match="There is no model 9"):
            call_command("compare_model", "9")


class TestPromoteModel:
    def test_promotes_in_the_name_of_a_lead_and_takes_it_back(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        lead(username="lena")
        draft()
        compare_in_shadow(version="2.0.0", actor=ACTOR)

        assert "Model 2.0.0 is live" in say(capsys, "promote_model", "2.0.0", "--by", "lena")
        assert live_model().version == "2.0.0"
        entry = AuditEntry.objects.get(action="model", resolution_method="promote")
        assert entry.actor_name.startswith("lena, by command line")

        shipped = load_model(None).version
        said = say(capsys, "promote_model", "2.0.0", "--by", "lena", "--roll-back")
        assert f"Model {shipped} is live" in said

    def test_p11_what_was_not_compared_is_refused(self) -> None:
        lead(username="lena")
        draft()
        with pytest.raises(CommandError, match="Compare it in shadow"):
            call_command("promote_model", "2.0.0", "--by", "lena")

    def test_only_a_lead_can_be_named(self) -> None:
        steward(username="sara")
        draft()
        for name, sentence in (("sara", "only leads do"), ("nobody", "There is no account")):
            with pytest.raises(CommandError, match=sentence):
                call_command("promote_model", "2.0.0", "--by", name)
