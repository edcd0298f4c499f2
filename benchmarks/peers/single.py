"""How long Splink takes for one record, against everybody and against one other."""

from __future__ import annotations

import logging
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
from splink import DuckDBAPI, Linker
from splink.internals.realtime import compare_records

from benchmarks.peers.prepare import columns_of
from benchmarks.peers.splink_run import load, train

RECORDS = 40
# What a term's share is told to be: the arithmetic takes as long with any.
TERM_SHARE = 0.001


def look_up(path: Path) -> dict[str, Any]:
    """Train on a set, then ask for single records of it: p50 and p99 in milliseconds."""
    logging.disable(logging.WARNING)
    con = duckdb.connect()
    linker = load(con, path)
    train(linker, columns_of(con, "prepared"))
    rows = con.execute("select count(*) from prepared").fetchall()[0][0]
    asked = random.Random(1).sample(range(rows), RECORDS + 1)
    records = [_record(con, number) for number in asked]
    api = DuckDBAPI(connection=con)
    everybody = api.register("prepared")
    return {
        "rows": rows,
        "predict_between": _timed(lambda record, _: _against_all(linker, api, everybody, record), records),
        "compare_records": _timed(_pairwise(linker), records),
    }


def _record(con: duckdb.DuckDBPyConnection, number: int) -> dict[str, Any]:
    cursor = con.execute("select * from prepared where unique_id = ?", [number])
    names = [column[0] for column in cursor.description]
    return dict(zip(names, cursor.fetchall()[0], strict=True))


def _against_all(linker: Linker, api: DuckDBAPI, everybody: Any, record: dict[str, Any]) -> object:
    asked = api.register([record])
    found = linker.inference.predict_between(asked, everybody, warning_mode="never")
    return found.as_record_list()


def _pairwise(linker: Linker) -> Callable[[dict[str, Any], dict[str, Any]], object]:
    with tempfile.TemporaryDirectory() as folder:
        model = linker.misc.save_model_to_json(str(Path(folder) / "model.json"), overwrite=True)
    terms = {f"tf_{column}": TERM_SHARE for column in _adjusted(model)}
    api = DuckDBAPI()

    def compare(record: dict[str, Any], other: dict[str, Any]) -> object:
        found = compare_records(record | terms, other | terms, model, api, sql_cache_key="pair")
        return found.as_record_list()

    return compare


def _adjusted(model: dict[str, Any]) -> set[str]:
    levels = (level for comparison in model["comparisons"] for level in comparison["comparison_levels"])
    return {level["tf_adjustment_column"] for level in levels if level.get("tf_adjustment_column")}


def _timed(
    call: Callable[[dict[str, Any], dict[str, Any]], object], records: list[dict[str, Any]]
) -> dict[str, float]:
    """Time the calls but the first, which warms up."""
    samples = []
    for record, other in zip(records, records[1:] + records[:1], strict=True):
        begun = time.perf_counter()
        call(record, other)
        samples.append((time.perf_counter() - begun) * 1000)
    ordered = statistics.quantiles(samples[1:], n=100, method="inclusive")
    return {"p50_ms": ordered[49], "p99_ms": ordered[98]}
