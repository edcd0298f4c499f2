"""The kernel alone is timed on the pairs of another tool, by their row numbers."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.kernel_speed import score_alone
from benchmarks.peers.naive import NINE, score_naively
from resolution.matching.model import load_model, save_model


def write_set(folder: Path) -> tuple[Path, Path, Path]:
    columns = {column: ["anna", "anne", None] for column, _ in NINE} | {"record_id": ["a", "b", "c"]}
    pq.write_table(pa.table(columns), folder / "set.parquet")
    pq.write_table(pa.table({"left": [0, 1], "right": [1, 2]}), folder / "pairs.parquet")
    save_model(load_model(), folder / "model.json")
    return folder / "set.parquet", folder / "pairs.parquet", folder / "model.json"


def test_every_pair_is_scored_with_and_without_the_bound(tmp_path: Path) -> None:
    found = score_alone(*write_set(tmp_path))
    assert found["pairs"] == 2
    assert found["all"] > 0
    assert found["hopeful"] > 0


def test_the_naive_way_takes_the_same_pairs(tmp_path: Path) -> None:
    records, pairs, _ = write_set(tmp_path)
    assert score_naively(records, pairs)["pairs"] == 2
