"""The demo is loaded once a database, and its story told at every start."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from identity_project import env, summary
from resolution.models import Conflict, ImportRun, MatchRun
from resolution.selectors.queue import queue_counts
from resolution.services.demo import ACTOR
from resolution.types import OUT_OF_QUEUE
from tests import servers
from tests.factories import ChannelFactory, ConflictFactory, CustomerFactory, steward


@pytest.mark.django_db(transaction=True)
def test_a_start_counts_the_conflicts_that_the_queue_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for state in Conflict.State.values:
        held = {"assignee": steward(), "leased_until": timezone.now()} if state == "claimed" else {}
        ConflictFactory(state=state, outcome="merged" if state == "done" else "", **held)
    monkeypatch.setattr(env, "database", lambda: {**connection.settings_dict, "OPTIONS": {}})

    told = summary.banner(tmp_path, "http://localhost")

    assert f"; {queue_counts().total} conflicts in the queue." in told
    assert queue_counts().total == len(Conflict.State.values) - len(OUT_OF_QUEUE)


class TestDemoStory:
    @pytest.fixture(autouse=True)
    def _no_address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DATABASE_URL", raising=False)

    def test_the_embedded_database_wants_it_until_the_story_is_there(self, tmp_path: Path) -> None:
        assert summary.wants_demo(tmp_path)
        summary.demo_story_path(tmp_path).write_text("10,000 records in")
        assert not summary.wants_demo(tmp_path)

    def test_every_database_has_a_story_of_its_own(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        paths = {summary.demo_story_path(tmp_path)}
        for address in ("postgres://a:b@db/one", "postgres://a:b@db/two", "postgres://a:b@other/one"):
            monkeypatch.setenv("DATABASE_URL", address)
            paths.add(summary.demo_story_path(tmp_path))
        assert len(paths) == 4


@pytest.mark.django_db(transaction=True)
class TestAnotherDatabase:
    """It may hold anybody's customers: only an empty one, and a demo that was cut short, want the demo."""

    @pytest.fixture(autouse=True)
    def _address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", servers.database_address())

    def begin_demo(self) -> None:
        CustomerFactory()
        ImportRun.objects.create(
            channel=ChannelFactory(), file_name="shop.parquet", file_hash="0" * 64, state="failed",
            actor_name=ACTOR.name,
        )  # fmt: skip

    def test_that_is_empty_wants_it(self, tmp_path: Path) -> None:
        assert summary.wants_demo(tmp_path)

    def test_with_customers_of_its_own_does_not(self, tmp_path: Path) -> None:
        CustomerFactory()
        assert not summary.wants_demo(tmp_path)

    def test_whose_demo_was_cut_short_wants_the_rest(self, tmp_path: Path) -> None:
        self.begin_demo()
        assert summary.wants_demo(tmp_path)

    def test_whose_demo_is_in_does_not(self, tmp_path: Path) -> None:
        self.begin_demo()
        MatchRun.objects.create(model_version="1", actor_name=ACTOR.name, state="done")
        assert not summary.wants_demo(tmp_path)
