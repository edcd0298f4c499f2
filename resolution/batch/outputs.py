"""What a run leaves in its folder: pairs, clusters and model, each whole or not at all.

Files are written beside their names and put in place at the end, so a run that was cut off leaves those of the
run before, or nothing.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from resolution.batch.dedupe import Outcome
from resolution.batch.scoring import Kept
from resolution.errors import InvalidInput
from resolution.matching.comparisons import FIELD_LEVELS, extra
from resolution.matching.comparisons.many import SILENT
from resolution.matching.decide import Policy
from resolution.matching.model import save_model
from resolution.matching.thresholds import probability_of
from resolution.types import Band

PAIRS, CLUSTERS, MODEL, REJECTS = "pairs.parquet", "clusters.parquet", "model.json", "rejects.csv"
# What a field says that is missing on a side.
MISSING = "missing"
_ROWS_A_WRITE = 1 << 18
_POLICY = Policy()


def write_outputs(outcome: Outcome, folder: Path) -> None:
    """Write pairs.parquet, clusters.parquet and model.json, and rejects.csv where rows were refused.

    Raises InvalidInput when the folder cannot be written or is full.
    """
    with _told_as_refusal(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _put(folder / PAIRS, lambda path: _write_pairs(outcome, path))
        _put(folder / CLUSTERS, lambda path: pq.write_table(_clusters(outcome), path, compression="zstd"))
        _put(folder / MODEL, lambda path: save_model(outcome.trained.model, path))
        if any(outcome.loaded.refusals):
            _put(folder / REJECTS, lambda path: _write_rejects(outcome, path))


@contextmanager
def _told_as_refusal(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InvalidInput(
            f"{folder} cannot be written ({error.strerror or error}); nothing in it was changed by halves.",
            path=str(folder),
        ) from error


def _put(path: Path, write: Callable[[Path], None]) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        write(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def bands_of(weights: np.ndarray, threshold: float) -> np.ndarray:
    """Name the band of each weight: linked surely (auto), linked (sample), worth a look (review), or none."""
    sure = max(_POLICY.auto, threshold)
    found = np.full(len(weights), 3, dtype=np.int8)
    found[weights >= min(_POLICY.review, threshold)] = 2
    found[weights >= threshold] = 1
    found[weights >= sure] = 0
    return found


def _write_pairs(outcome: Outcome, path: Path) -> None:
    kept = outcome.kept
    ids = pa.array(outcome.loaded.ids, type=pa.string())
    first = _pairs_table(kept, slice(0, _ROWS_A_WRITE), ids, outcome.threshold)
    with pq.ParquetWriter(path, first.schema, compression="zstd") as writer:
        writer.write_table(first)
        for start in range(_ROWS_A_WRITE, len(kept), _ROWS_A_WRITE):
            part = slice(start, start + _ROWS_A_WRITE)
            writer.write_table(_pairs_table(kept, part, ids, outcome.threshold))


def _pairs_table(kept: Kept, part: slice, ids: pa.Array, threshold: float) -> pa.Table:
    weight = kept.weight[part]
    columns = {
        "id_a": ids.take(pa.array(kept.left[part])),
        "id_b": ids.take(pa.array(kept.right[part])),
        "match_weight": pa.array(weight.astype(np.float32)),
        "match_probability": pa.array(probability_of(weight).astype(np.float32)),
        "band": _words(bands_of(weight, threshold), [band.value for band in Band]),
    }
    for field, levels in kept.levels.items():
        columns[f"level_{field}"] = _words(_missing_last(levels[part], field), [*levels_of(field), MISSING])
        columns[f"weight_{field}"] = pa.array(kept.weights[field][part])
    columns["weight_household"] = pa.array(kept.household[part])
    return pa.table(columns)


def levels_of(field: str) -> tuple[str, ...]:
    """The levels of a field, extra columns' alike."""
    return FIELD_LEVELS.get(field, extra.LEVELS)


def _missing_last(levels: np.ndarray, field: str) -> np.ndarray:
    return np.where(levels == SILENT, len(levels_of(field)), levels).astype(np.int8)


def _words(numbers: np.ndarray, words: Sequence[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(numbers, type=pa.int8()), pa.array(words))


def _clusters(outcome: Outcome) -> pa.Table:
    """A cluster is named by the id of its first record."""
    ids = pa.array(outcome.loaded.ids, type=pa.string())
    return pa.table({"id": ids, "cluster_id": ids.take(pa.array(outcome.clusters.labels))})


def _write_rejects(outcome: Outcome, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "line", "column", "reason"))
        for given, refusals in zip(outcome.loaded.inputs, outcome.loaded.refusals, strict=True):
            writer.writerows((given.path, entry.line, entry.column, entry.reason) for entry in refusals)
