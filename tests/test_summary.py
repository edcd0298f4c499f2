"""The demo is loaded once a database, and its story told at every start."""

from __future__ import annotations

from pathlib import Path

import pytest

from identity_project import summary


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
