"""Run Splink on one set: what each stage took, and the pairs and clusters for the common scorer."""

from __future__ import annotations

import logging
import math
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from splink import DuckDBAPI, Linker, block_on

from benchmarks.peers.model import CERTAIN, CERTAIN_RECALL, of_columns, settings_for, training_rules
from benchmarks.peers.prepare import columns_of, prepare

# Splink has no threshold of its own: this is the one its documentation clusters at.
OWN_PROBABILITY = 0.95
# Five times as many pairs take three times as long and leave F1 where it was.
RANDOM_PAIRS = 1e6


def run(path: Path, out: Path) -> dict[str, Any]:
    """Link or deduplicate a set; write pairs (left, right, weight) and clusters (row, cluster) as Parquet."""
    logging.disable(logging.WARNING)
    seconds: dict[str, float] = {}
    con = duckdb.connect()
    with _stage(seconds, "load"):
        linker = load(con, path)
    with _stage(seconds, "train"):
        train(linker, columns_of(con, "prepared"))
    with _stage(seconds, "block"):
        linker.inference.compute_blocked_pairs_for_predict()
    with _stage(seconds, "score"):
        scored = linker.inference.predict()
    with _stage(seconds, "cluster"):
        clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
            scored, threshold_match_probability=OWN_PROBABILITY
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    pairs = _write(con, scored.physical_name, clusters.physical_name, out)
    total = sum(seconds.values())
    return {
        "seconds": seconds,
        "total": total,
        "pairs": pairs,
        "pairs_a_second": pairs / seconds["score"],
        "peak_mib": peak,
        "own_weight": own_weight(),
    }


def own_weight() -> float:
    """The match weight of OWN_PROBABILITY, log2 odds."""
    return math.log2(OWN_PROBABILITY / (1 - OWN_PROBABILITY))


@contextmanager
def _stage(seconds: dict[str, float], name: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - begun


def load(con: duckdb.DuckDBPyConnection, path: Path) -> Linker:
    """Prepare a set and set Splink up for the columns it has."""
    columns, rows = prepare(con, path)
    api = DuckDBAPI(connection=con)
    tables = [api.register(name) for name in _input_tables(con, columns)]
    settings = settings_for(columns, rows)
    return Linker(tables if len(tables) > 1 else tables[0], settings, log_level=None)


def _input_tables(con: duckdb.DuckDBPyConnection, columns: list[str]) -> list[str]:
    if "source_dataset" not in columns:
        return ["prepared"]
    for source in ("a", "b"):
        con.execute(
            f"create table file_{source} as from prepared where source_dataset = '{source}'"
        ).fetchall()
    return ["file_a", "file_b"]


def train(linker: Linker, columns: list[str]) -> None:
    """Estimate the prior from sure pairs, u from random pairs, and m by EM under one rule at a time."""
    training = linker.training
    certain = [block_on(*rule) for rule in of_columns(CERTAIN, columns)]
    training.estimate_probability_two_random_records_match(certain, recall=CERTAIN_RECALL)
    training.estimate_u_using_random_sampling(max_pairs=RANDOM_PAIRS, seed=1)
    for rule in training_rules(columns):
        training.estimate_parameters_using_expectation_maximisation(block_on(*rule))


def _write(con: duckdb.DuckDBPyConnection, scored: str, clusters: str, out: Path) -> int:
    out.mkdir(parents=True, exist_ok=True)
    con.execute(
        "copy (select unique_id_l as left, unique_id_r as right, match_weight as weight"  # noqa: S608
        f" from {scored}) to '{out}/pairs.parquet'"
    ).fetchall()
    con.execute(
        f"copy (select unique_id as row, cluster_id as cluster from {clusters})"  # noqa: S608
        f" to '{out}/clusters.parquet'"
    ).fetchall()
    count: int = con.execute(f"select count(*) from {scored}").fetchall()[0][0]  # noqa: S608
    return count
