"""The file tool and Splink, each run as a command of its own, and what they wrote read alike."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.accuracy import Codes, Weights
from benchmarks.ground import ROOT, say


@dataclass(frozen=True)
class Run:
    """One run of a tool: seconds of each stage and of the whole command, memory, its threshold.

    `pairs_a_second` are those of scoring alone, where the tool tells.
    """

    stages: dict[str, float]
    command: float
    peak_mib: float
    candidates: int
    own_weight: float
    pairs_a_second: float = 0.0

    @property
    def seconds(self) -> float:
        return sum(self.stages.values())


@dataclass(frozen=True)
class Output:
    """What a tool wrote: scored pairs of row numbers, and a cluster number for each row."""

    left: Codes
    right: Codes
    weight: Weights
    cluster: Codes


def demand_the_command() -> None:
    """End the benchmark where `manage.py dedupe` cannot be run."""
    asked = subprocess.run(
        [sys.executable, "manage.py", "dedupe", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        raise SystemExit(f"`manage.py dedupe` cannot be run: {asked.stderr.strip()[-300:]}")


def alternate(name: str, path: Path, folder: Path, runs: int) -> tuple[list[Run], list[Run]]:
    """Run both on one set in turns; each run overwrites what its tool wrote before."""
    ours, peers = [], []
    for number in range(runs):
        say(f"{name}, run {number + 1} of {runs}")
        ours.append(run_ours(path, folder / "ours"))
        peers.append(run_splink(path, folder / "splink"))
    return ours, peers


def run_ours(path: Path, out: Path, *options: str) -> Run:
    """Run `manage.py dedupe` once."""
    begun = time.perf_counter()
    finish([sys.executable, "manage.py", "dedupe", str(path), "--out", str(out), *options])
    command = time.perf_counter() - begun
    report = json.loads((out / "report.json").read_text())
    return Run(
        stages=report["timings"],
        command=command,
        peak_mib=report["peak_memory_mib"],
        candidates=report["counts"]["candidate_pairs"],
        own_weight=report["threshold"]["weight"],
    )


def run_splink(path: Path, out: Path) -> Run:
    """Run Splink once."""
    begun = time.perf_counter()
    done = run_peer("run", str(path), str(out))
    command = time.perf_counter() - begun
    return Run(
        done["seconds"], command, done["peak_mib"], done["pairs"], done["own_weight"], done["pairs_a_second"]
    )


def run_peer(*arguments: str) -> dict[str, Any]:
    """Run a peer in a process of its own; give what it told."""
    done: dict[str, Any] = json.loads(finish([sys.executable, "-m", "benchmarks.peers", *arguments]))
    return done


def finish(command: list[str]) -> str:
    """Run a command to its end; give its last line. Ends the benchmark with its last words when it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[1:])} failed:\n{done.stderr.strip()[-2000:]}")
    return (done.stdout.strip().splitlines() or [""])[-1]


def median_of(runs: list[Run]) -> Run:
    """One run with the median of every figure; counts are those of the last."""
    stages = {
        stage: statistics.median(run.stages.get(stage, 0.0) for run in runs) for stage in runs[0].stages
    }
    return Run(
        stages=stages,
        command=statistics.median(run.command for run in runs),
        peak_mib=statistics.median(run.peak_mib for run in runs),
        candidates=runs[-1].candidates,
        own_weight=runs[-1].own_weight,
        pairs_a_second=statistics.median(run.pairs_a_second for run in runs),
    )


def read_ours(path: Path, out: Path) -> Output:
    """Read what `dedupe` wrote for a set; a record no cluster names stands alone."""
    ids = pq.read_table(path, columns=["record_id"])["record_id"].combine_chunks()
    pairs = pq.read_table(out / "pairs.parquet", columns=["id_a", "id_b", "match_weight"])
    clusters = pq.read_table(out / "clusters.parquet", columns=["id", "cluster_id"])
    return Output(
        left=_row_numbers(pairs["id_a"], ids),
        right=_row_numbers(pairs["id_b"], ids),
        weight=pairs["match_weight"].to_numpy().astype(np.float64),
        cluster=_cluster_of_rows(_row_numbers(clusters["id"], ids), clusters["cluster_id"], len(ids)),
    )


def read_splink(path: Path, out: Path) -> Output:
    """Read what `benchmarks.peers run` wrote for a set."""
    rows = pq.read_metadata(path).num_rows
    pairs, clusters = pq.read_table(out / "pairs.parquet"), pq.read_table(out / "clusters.parquet")
    return Output(
        left=pairs["left"].to_numpy().astype(np.int64),
        right=pairs["right"].to_numpy().astype(np.int64),
        weight=pairs["weight"].to_numpy().astype(np.float64),
        cluster=_cluster_of_rows(clusters["row"].to_numpy().astype(np.int64), clusters["cluster"], rows),
    )


def _row_numbers(named: pa.ChunkedArray, ids: pa.Array) -> Codes:
    found = pc.index_in(named.cast(ids.type), ids)
    if found.null_count:
        raise SystemExit(
            f"{found.null_count} ids of the output are not in the set: it was read by another id."
        )
    rows: Codes = found.to_numpy().astype(np.int64)
    return rows


def _cluster_of_rows(rows: Codes, cluster: pa.ChunkedArray, total: int) -> Codes:
    numbers = cluster.combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    clusters = np.arange(total) + len(rows)
    clusters[rows] = numbers
    return clusters
