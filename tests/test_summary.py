"""The demo is loaded once a database, and its story told at every start."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from identity_project import env, summary
from resolution.models import Conflict
from resolution.selectors.queue import queue_counts
from resolution.types import OUT_OF_QUEUE
from tests.factories import ConflictFactory, steward


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
