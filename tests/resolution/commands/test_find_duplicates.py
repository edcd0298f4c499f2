"""manage.py find_duplicates: what it says."""

from __future__ import annotations

import re
import signal

import pytest
from django.core.management import CommandError, call_command

from customers.models import Customer
from resolution.models import MatchRun
from resolution.services import find_duplicates as service
from resolution.services.profiles import create_customer
from resolution.types import Actor

pytestmark = pytest.mark.django_db
SURE = {"given_name": "Anna", "family_name": "Smithers", "email": "anna@smithers.example", "city": "Berlin"}


def say(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    call_command("find_duplicates", *arguments)
    return " ".join(capsys.readouterr().out.split())


class TestFindDuplicates:
    def test_says_what_it_did_and_the_largest_blocks(self, capsys: pytest.CaptureFixture[str]) -> None:
        for _ in range(2):
            create_customer(fields=SURE, actor=Actor.machine("test"))

        said = say(capsys)

        assert "│ linked at once │ 1" in said
        assert re.search(r"\b[a-z]{2}\+*:\S", said)
        assert Customer.objects.active().count() == 1

    def test_writes_nothing_on_a_dry_run(self, capsys: pytest.CaptureFixture[str]) -> None:
        for _ in range(2):
            create_customer(fields=SURE, actor=Actor.machine("test"))

        assert "Would happen" in say(capsys, "--dry-run")
        assert Customer.objects.active().count() == 2

    def test_says_when_another_run_is_at_work(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from contextlib import nullcontext

        monkeypatch.setattr(service.locks, "hold_work", lambda name: nullcontext(False))

        with pytest.raises(CommandError, match="being looked for already"):
            call_command("find_duplicates")


class TestStopped:
    @pytest.fixture(autouse=True)
    def _stopped_while_comparing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(*given: object, **options: object) -> None:
            signal.raise_signal(signal.SIGTERM)

        monkeypatch.setattr(service.Comparison, "compare", interrupted)

    def test_ends_with_a_sentence_and_says_so_on_the_run(self) -> None:
        with pytest.raises(CommandError, match="the same command finds the rest") as stopped:
            call_command("find_duplicates")

        assert stopped.value.returncode == 130
        run = MatchRun.objects.get()
        assert (run.state, run.error, run.finished_at is None) == ("failed", "It was interrupted.", False)

    def test_changed_nothing_on_a_dry_run(self) -> None:
        with pytest.raises(CommandError, match="Nothing was changed"):
            call_command("find_duplicates", "--dry-run")
        assert not MatchRun.objects.exists()
