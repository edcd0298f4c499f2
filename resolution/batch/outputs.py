"""What a run leaves in its folder: pairs, clusters, model and report, all of one run or none.

Files are written aside and put in place at the end, so a run that was cut off leaves those of the run before,
or nothing.
"""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from resolution.batch.dedupe import Outcome
from resolution.batch.scoring import Kept
from resolution.batch.spread import in_threads
from resolution.errors import InvalidInput
from resolution.matching.comparisons import FIELD_LEVELS, extra
from resolution.matching.comparisons.answers import SILENT
from resolution.matching.decide import Policy
from resolution.matching.model import save_model
from resolution.matching.thresholds import probability_of
from resolution.types import Band

PAIRS, CLUSTERS, MODEL, REJECTS = "pairs.parquet", "clusters.parquet", "model.json", "rejects.csv"
RESULTS = (PAIRS, CLUSTERS, MODEL, REJECTS, "report.json", "report.html")
UNFINISHED = ".unfinished"
# What a field says that is missing on a side.
MISSING = "missing"
_ROWS_A_WRITE = 1 << 18
_POLICY = Policy()


@contextmanager
def results_in(folder: Path) -> Iterator[Path]:
    """Give a place to write results to; all of them come to stand in `folder` at the end, or none does.

    The folder is made at once, so that one that cannot be written is told before the work; what a run that
    was killed left unfinished is cleared away. Raises InvalidInput when the folder cannot be written.
    """
    is_new, unfinished = not folder.exists(), folder / UNFINISHED
    done = False
    try:
        with told_as_refusal(folder):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
        yield unfinished
        with told_as_refusal(folder):
            _put_in_place(unfinished, folder)
        done = True
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        if is_new and not done:
            with suppress(OSError):
                folder.rmdir()


def _put_in_place(unfinished: Path, folder: Path) -> None:
    """Results that this run has none of were another run's: they go."""
    for name in RESULTS:
        if (unfinished / name).exists():
            os.replace(unfinished / name, folder / name)
        else:
            (folder / name).unlink(missing_ok=True)


@contextmanager
def told_as_refusal(folder: Path) -> Iterator[None]:
    """Say in a sentence that a folder cannot be written or is full."""
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise InvalidInput(
            f"{folder} cannot be written (a file is in its place); name a folder.", path=str(folder)
        ) from error
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise InvalidInput(
            f"{folder} cannot be written ({why}); what was in it before is unchanged.", path=str(folder)
        ) from error


def write_outputs(outcome: Outcome, folder: Path) -> None:
    """Write pairs.parquet, clusters.parquet and model.json, and rejects.csv where rows were refused."""
    work: list[Callable[[], None]] = [
        lambda: _write_pairs(outcome, folder / PAIRS),
        lambda: pq.write_table(
            _clusters(outcome), folder / CLUSTERS, compression="zstd", use_dictionary=False
        ),
        lambda: save_model(outcome.trained.model, folder / MODEL),
    ]
    in_threads(lambda write: write(), work)
    if any(outcome.loaded.refusals):
        _write_rejects(outcome, folder / REJECTS)


def bands_of(weights: np.ndarray, threshold: float) -> np.ndarray:
    """Name the band of each weight: linked surely (auto), linked (sample), worth a look (review), or none."""
    sure = max(_POLICY.auto, threshold)
    found = np.full(len(weights), 3, dtype=np.int8)
    found[weights >= min(_POLICY.review, threshold)] = 2
    found[weights >= threshold] = 1
    found[weights >= sure] = 0
    return found


def _write_pairs(outcome: Outcome, path: Path) -> None:
    kept = outcome.kept.of(outcome.kept.weight >= outcome.options.keep)
    ids = pa.array(outcome.loaded.ids, type=pa.string())
    first = _pairs_table(kept, slice(0, _ROWS_A_WRITE), ids, outcome.threshold)
    plain = ("id_a", "id_b", "match_weight", "match_probability")
    repeating = [name for name in first.column_names if name not in plain]
    with pq.ParquetWriter(
        path, first.schema, compression="zstd", use_dictionary=repeating, write_statistics=["match_weight"]
    ) as writer:
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
