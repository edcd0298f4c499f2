"""Reading what both tools write, and drawing labels; neither tool runs here."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.accuracy import Truth
from benchmarks.growth import against_n_log_n
from benchmarks.some_labels import draw_labels, write_labels
from benchmarks.tools import Output, read_ours, read_splink

TRUTH = Truth(np.array([0, 0, 1, 2]), np.full(4, -1), np.zeros(4, np.int64))


@pytest.fixture
def labelled_set(tmp_path: Path) -> Path:
    pq.write_table(pa.table({"record_id": ["d", "c", "b", "a"]}), tmp_path / "set.parquet")
    return tmp_path / "set.parquet"


class TestReading:
    def test_ours_comes_by_id_and_a_record_unnamed_stands_alone(
        self, labelled_set: Path, tmp_path: Path
    ) -> None:
        pairs = {"id_a": ["a"], "id_b": ["c"], "match_weight": [3.5]}
        pq.write_table(pa.table(pairs), tmp_path / "pairs.parquet")
        pq.write_table(pa.table({"id": ["a", "c"], "cluster_id": ["x", "x"]}), tmp_path / "clusters.parquet")
        read = read_ours(labelled_set, tmp_path)
        assert (read.left.tolist(), read.right.tolist(), read.weight.tolist()) == ([3], [1], [3.5])
        assert read.cluster[3] == read.cluster[1]
        assert len(set(read.cluster.tolist())) == 3

    def test_an_id_of_another_set_is_refused(self, labelled_set: Path, tmp_path: Path) -> None:
        pairs = {"id_a": ["a"], "id_b": ["stranger"], "match_weight": [3.5]}
        pq.write_table(pa.table(pairs), tmp_path / "pairs.parquet")
        pq.write_table(pa.table({"id": ["a"], "cluster_id": ["x"]}), tmp_path / "clusters.parquet")
        with pytest.raises(SystemExit, match="1 ids of the output are not in the set"):
            read_ours(labelled_set, tmp_path)

    def test_splink_comes_by_row_number(self, labelled_set: Path, tmp_path: Path) -> None:
        pq.write_table(pa.table({"left": [0], "right": [2], "weight": [1.0]}), tmp_path / "pairs.parquet")
        rows = {"row": [3, 2, 1, 0], "cluster": [3, 0, 1, 0]}
        pq.write_table(pa.table(rows), tmp_path / "clusters.parquet")
        read = read_splink(labelled_set, tmp_path)
        assert read.cluster[0] == read.cluster[2]
        assert len(set(read.cluster.tolist())) == 3


class TestLabels:
    OUTPUT = Output(np.array([0, 1, 2]), np.array([1, 2, 3]), np.ones(3), np.arange(4))

    def test_half_are_true_and_half_were_proposed_wrongly(self) -> None:
        drawn = draw_labels(self.OUTPUT, TRUTH, 2, seed=1)
        left, right = drawn // 4, drawn % 4
        assert (TRUTH.person[left] == TRUTH.person[right]).tolist() == [True, False]

    def test_are_written_as_ids_and_a_verdict(self, labelled_set: Path, tmp_path: Path) -> None:
        write_labels(tmp_path / "labels.csv", labelled_set, np.array([1, 6]), TRUTH)
        with (tmp_path / "labels.csv").open(newline="") as file:
            rows = list(csv.reader(file))
        assert rows[1:] == [["d", "c", "same"], ["c", "b", "different"]]


def test_growth_is_one_where_time_follows_n_log_n() -> None:
    sizes = [1_000, 10_000, 100_000]
    seconds = [size * np.log2(size) for size in sizes]
    assert against_n_log_n(sizes, seconds) == pytest.approx([1.0, 1.0, 1.0])
