"""manage.py load_demo: the demo company, from shortened files so that it takes seconds."""

from __future__ import annotations

import stat
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command

from customers.models import Customer, Message, Ticket
from resolution.models import ApiKey, Conflict, MatchRun
from resolution.services import demo
from resolution.services.api_keys import authenticate_key
from resolution.services.demo_accounts import ACCOUNTS, read_accounts
from resolution.services.profiles import create_customer
from resolution.types import Actor

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def accounts_file(settings: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    settings.VAR_DIR = tmp_path / "var"  # type: ignore[attr-defined]
    files = tmp_path / "files"
    files.mkdir()
    for path in demo.FILES.glob("*.parquet"):
        pq.write_table(pq.read_table(path).slice(0, 120), files / path.name)
    monkeypatch.setattr(demo, "FILES", files)
    monkeypatch.setattr(demo, "LETTERS_A_CHANNEL", 6)
    monkeypatch.setattr(demo, "NEW_ADDRESSES", 6)
    return tmp_path / "var" / "accounts.txt"


def say(capsys: pytest.CaptureFixture[str]) -> str:
    call_command("load_demo")
    return capsys.readouterr().out


class TestLoadDemo:
    def test_fills_an_empty_register_and_says_it_in_numbers(self, capsys: pytest.CaptureFixture[str]) -> None:
        said = say(capsys)

        active = Customer.objects.active().count()
        waiting = Conflict.objects.exclude(state="done").count()
        assert said.startswith(f"720 records in, {active:,} customers, ")
        assert f"{waiting:,} in the queue." in said
        newcomers = Customer.objects.count() - 720
        assert newcomers > 0
        assert f"Letters from strangers made {newcomers} customers besides the records." in said
        assert Ticket.objects.exists()
        assert set(Message.objects.values_list("outcome", flat=True)) == {"linked", "created", "queued"}
        assert set(Conflict.objects.exclude(state="done").values_list("kind", flat=True)) == {
            "likely_duplicate", "several_candidates", "verified_identifier", "high_confidence_identifier",
        }  # fmt: skip

    def test_makes_an_account_for_each_role_and_keeps_the_passwords_private(
        self, capsys: pytest.CaptureFixture[str], accounts_file: Path
    ) -> None:
        said = say(capsys)

        kept = {entry.name: entry for entry in read_accounts(accounts_file)}
        assert stat.S_IMODE(accounts_file.stat().st_mode) == 0o600
        for name, role in ACCOUNTS:
            user = authenticate(username=name, password=kept[name].secret)
            assert user is not None
            assert list(user.groups.values_list("name", flat=True)) == [role]
            assert kept[name].secret in said
        assert authenticate_key(kept["demo-service"].secret).user.username == "demo-service"

    def test_a_second_time_changes_nothing_and_tells_the_same(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        first = say(capsys)
        before = (
            Customer.objects.count(),
            Conflict.objects.count(),
            Message.objects.count(),
            ApiKey.objects.count(),
        )

        second = say(capsys)

        assert second == "The demo company is in the register already; nothing was changed.\n" + first
        after = (
            Customer.objects.count(),
            Conflict.objects.count(),
            Message.objects.count(),
            ApiKey.objects.count(),
        )
        assert after == before

    def test_one_that_was_cut_short_goes_on(self, capsys: pytest.CaptureFixture[str]) -> None:
        first = say(capsys)
        MatchRun.objects.update(state="failed")
        before = (
            Customer.objects.count(),
            Message.objects.count(),
            Ticket.objects.count(),
            ApiKey.objects.count(),
        )

        second = say(capsys)

        assert second.splitlines()[1:] == first.splitlines()[1:]
        after = (
            Customer.objects.count(),
            Message.objects.count(),
            Ticket.objects.count(),
            ApiKey.objects.count(),
        )
        assert after == before

    def test_a_register_with_other_customers_is_left_alone(self) -> None:
        create_customer(fields={"name": "Anna Smithers"}, actor=Actor.machine("test"))

        with pytest.raises(CommandError, match="into an empty one only"):
            call_command("load_demo")
        assert Customer.objects.count() == 1
