"""Results stand in their folder all together or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest

from resolution.batch.outputs import UNFINISHED, bands_of, results_in, told_as_refusal
from resolution.errors import InvalidInput


def finish_a_run(folder: Path, *names: str) -> None:
    with results_in(folder) as place:
        for name in names:
            (place / name).write_text("new")


class TestResults:
    def test_all_of_them_come_to_stand_at_the_end(self, tmp_path: Path) -> None:
        finish_a_run(tmp_path / "a" / "b", "pairs.parquet", "report.html")

        names = sorted(path.name for path in (tmp_path / "a" / "b").iterdir())
        assert names == ["pairs.parquet", "report.html"]

    def test_a_run_that_fails_leaves_those_of_the_run_before(self, tmp_path: Path) -> None:
        finish_a_run(tmp_path, "pairs.parquet")
        with pytest.raises(KeyboardInterrupt), results_in(tmp_path) as place:
            (place / "pairs.parquet").write_text("half")
            raise KeyboardInterrupt

        assert [path.name for path in tmp_path.iterdir()] == ["pairs.parquet"]
        assert (tmp_path / "pairs.parquet").read_text() == "new"

    def test_a_run_that_fails_leaves_no_new_folder(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput), results_in(tmp_path / "new"):
            raise InvalidInput("no")

        assert not (tmp_path / "new").exists()

    def test_another_runs_rejects_go_and_other_files_stay(self, tmp_path: Path) -> None:
        finish_a_run(tmp_path, "rejects.csv")
        (tmp_path / "mine.txt").write_text("mine")
        finish_a_run(tmp_path, "pairs.parquet")

        assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.txt", "pairs.parquet"]

    def test_what_a_killed_run_left_is_cleared_away(self, tmp_path: Path) -> None:
        (tmp_path / UNFINISHED).mkdir()
        (tmp_path / UNFINISHED / "model.json").write_text("half")
        finish_a_run(tmp_path, "pairs.parquet")

        assert [path.name for path in tmp_path.iterdir()] == ["pairs.parquet"]

    def test_a_file_in_place_of_the_folder_is_refused_before_the_work(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        for place in (tmp_path / "file", tmp_path / "file" / "below"):
            with pytest.raises(InvalidInput, match="a file is in its place"), results_in(place):
                pytest.fail("the work began")

    def test_a_full_disk_is_told_in_a_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="No space left on device"), told_as_refusal(tmp_path):
            raise OSError(errno.ENOSPC, "whatever a library says")


class TestBands:
    def test_a_threshold_above_the_policys_moves_the_sure_band_up(self) -> None:
        found = bands_of(np.array([90.0, 30.0, -1.0, -9.0]), 40.0)

        assert found.tolist() == [0, 2, 2, 3]
