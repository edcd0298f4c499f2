"""On whole labelled sets the arrays of the file tool say what profiles say one at a time.

A generated set of 2,000 records is proved in every run. The soak takes the labelled sets of BENCH_DATA,
or a generated one of 10,000 records.
"""

from __future__ import annotations

import os
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks.make_customers import make_customers
from resolution.batch.load import load_files
from resolution.matching.blocking import block_limit, blocking_keys
from resolution.matching.candidates import candidate_pairs
from resolution.matching.comparisons import FIELD_LEVELS, extra, many
from resolution.matching.comparisons.answers import SILENT
from resolution.matching.kernel import score_pairs, score_rows
from resolution.matching.model import load_model
from resolution.matching.training import train
from resolution.types import Profile

SETS = ("fake_1000", "febrl1", "febrl2", "febrl3", "customers_10k", "customers_100k")
TRUTH = ["true_id", "household_id"]


def generated(records: int, folder: Path) -> Path:
    path = folder / "generated.parquet"
    pq.write_table(make_customers(records, 3, jobs=1).drop_columns(TRUTH), path)
    return path


def labelled_sets(folder: Path) -> list[Path]:
    """The labelled sets of BENCH_DATA; a generated one where that names no folder with any."""
    given = Path(os.environ.get("BENCH_DATA", "/nowhere"))
    found = [path for name in SETS if (path := given / f"{name}.parquet").exists()]
    return found or [generated(10_000, folder)]


def pairs_by_text_keys(profiles: list[Profile]) -> set[tuple[int, int]]:
    blocks: dict[str, list[int]] = defaultdict(list)
    for row, profile in enumerate(profiles):
        for key in {key for keys in blocking_keys(profile).values() for key in keys}:
            blocks[key].append(row)
    return {
        pair
        for key, rows in blocks.items()
        if len(rows) <= block_limit(key, len(profiles))
        for pair in combinations(rows, 2)
    }


def assert_arrays_say_what_profiles_say(path: Path, patch: pytest.MonkeyPatch, every: int) -> None:
    """Compare the candidates, and the score of every so many of them, with a model that knows all columns."""
    loaded = load_files([path], id_column="", mapping=())
    profiles = [loaded.profile(row) for row in range(len(loaded.table))]
    candidates = candidate_pairs(loaded.table)
    left, right = candidates.rows()
    assert set(zip(left.tolist(), right.tolist(), strict=True)) == pairs_by_text_keys(profiles)

    model = train(loaded.table, candidates, base=load_model()).model
    left, right = left[::every], right[::every]
    patch.setattr(many, "SCREENED_FROM", 0)
    screened = list(score_rows(model, loaded.table, left, right))
    patch.setattr(many, "SCREENED_FROM", len(left) * 100)
    pairs = ((profiles[one], profiles[other]) for one, other in zip(left, right, strict=True))
    alone = list(score_pairs(model, pairs))
    assert np.concatenate([part.weight for part in screened]) == pytest.approx(
        [score.weight for score in alone], abs=1e-6
    )
    for field in screened[0].levels:
        numbers = np.concatenate([part.levels[field] for part in screened])
        names = (*(extra.LEVELS if field.startswith("extra:") else FIELD_LEVELS[field]), "")
        told = [{row.field: row.level for row in score.fields}.get(field, "") for score in alone]
        assert SILENT == -1
        assert [names[number] for number in numbers] == told, field


def test_p7_a_generated_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_arrays_say_what_profiles_say(generated(2_000, tmp_path), monkeypatch, every=3)


@pytest.mark.soak
def test_p7_every_labelled_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in labelled_sets(tmp_path):
        assert_arrays_say_what_profiles_say(path, monkeypatch, every=1)
