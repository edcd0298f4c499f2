"""Deduplicate whole files beside Splink: how right, how fast, how much memory.

    python -m benchmarks.dedupe_speed [--sets NAME …] [--runs 3]

Both run as commands of their own, alternating, and one scorer judges what they write. Seconds and memory
are medians of the runs; the stages leave out the start of Python and its imports, "whole command" does not.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import ground
from benchmarks.accuracy import (
    ClusterAccuracy,
    Codes,
    PairAccuracy,
    Shares,
    Truth,
    Weights,
    join_pairs,
    judge_clusters,
    judge_pairs,
    number_pairs,
    read_truth,
)
from benchmarks.ground import ROOT, Figure, say, sets_at_hand

SETS = ("fake_1000", "febrl3", "customers_10k", "customers_100k", "customers_1m")
CURVE = ("customers_10k", "customers_100k", "customers_1m")
LOOKED_UP = ("customers_10k", "customers_1m")
LABELLED, LABELS, SEED = "customers_100k", 2_000, 1


@dataclass(frozen=True)
class Run:
    """One run of a tool: seconds of each stage and of the whole command, memory, and where it wrote."""

    stages: dict[str, float]
    command: float
    peak_mib: float
    candidates: int
    own_weight: float

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


@dataclass(frozen=True)
class Judged:
    """A tool's pairs, its own clusters, and those that linking at the best cut would give."""

    pairs: PairAccuracy
    clusters: ClusterAccuracy
    at_best: ClusterAccuracy


def measure(sets: Sequence[str] = SETS, runs: int = 3) -> Iterator[Figure]:
    """Run both tools on each set; then one record alone, the plain kernel, and how time grows with size."""
    _demand_the_command()
    seconds: dict[str, tuple[float, float]] = {}
    for name, path in sets_at_hand(sets):
        with tempfile.TemporaryDirectory() as folder:
            ours, peers = _alternate(name, path, Path(folder), runs)
            yield from _compared(name, path, Path(folder), ours, peers)
            seconds[name] = _median(ours).seconds, _median(peers).seconds
            if name == LABELLED:
                yield _with_labels(path, Path(folder), ours[-1].own_weight)
        if name in LOOKED_UP:
            yield _looked_up(name, path)
        if name == "customers_10k":
            yield _naive(path)
    yield from _growth(seconds)


def _demand_the_command() -> None:
    asked = subprocess.run(
        [sys.executable, "manage.py", "dedupe", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        raise SystemExit(f"`manage.py dedupe` cannot be run: {asked.stderr.strip()[-300:]}")


# ------------------------------------------------------------------ running


def _alternate(name: str, path: Path, folder: Path, runs: int) -> tuple[list[Run], list[Run]]:
    ours, peers = [], []
    for number in range(runs):
        say(f"{name}, run {number + 1} of {runs}")
        ours.append(_run_ours(path, folder / "ours"))
        peers.append(_run_splink(path, folder / "splink"))
    return ours, peers


def _run_ours(path: Path, out: Path, *options: str) -> Run:
    begun = time.perf_counter()
    _finish([sys.executable, "manage.py", "dedupe", str(path), "--out", str(out), *options])
    command = time.perf_counter() - begun
    report = json.loads((out / "report.json").read_text())
    return Run(
        stages=report["timings"],
        command=command,
        peak_mib=report["peak_memory_mib"],
        candidates=report["counts"]["candidate_pairs"],
        own_weight=report["threshold"]["weight"],
    )


def _run_splink(path: Path, out: Path) -> Run:
    begun = time.perf_counter()
    done = _peer("run", str(path), str(out))
    command = time.perf_counter() - begun
    return Run(done["seconds"], command, done["peak_mib"], done["pairs"], done["own_weight"])


def _peer(*arguments: str) -> dict[str, Any]:
    done: dict[str, Any] = json.loads(_finish([sys.executable, "-m", "benchmarks.peers", *arguments]))
    return done


def _finish(command: list[str]) -> str:
    """Run a command to its end; give its last line. Ends the benchmark with its last words when it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[1:])} failed:\n{done.stderr.strip()[-2000:]}")
    return (done.stdout.strip().splitlines() or [""])[-1]


def _median(runs: list[Run]) -> Run:
    stages = {
        stage: statistics.median(run.stages.get(stage, 0.0) for run in runs) for stage in runs[0].stages
    }
    return Run(
        stages=stages,
        command=statistics.median(run.command for run in runs),
        peak_mib=statistics.median(run.peak_mib for run in runs),
        candidates=runs[-1].candidates,
        own_weight=runs[-1].own_weight,
    )


# ------------------------------------------------------------------ reading


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


# ------------------------------------------------------------------ figures


def _compared(name: str, path: Path, folder: Path, ours: list[Run], peers: list[Run]) -> Iterator[Figure]:
    truth = read_truth(path)
    mine, theirs = _median(ours), _median(peers)
    yield from _accuracy_figures(
        name,
        _judged(read_ours(path, folder / "ours"), truth, mine.own_weight),
        _judged(read_splink(path, folder / "splink"), truth, theirs.own_weight),
    )
    yield Figure(
        f"candidate pairs, {name}", f"{mine.candidates:,}", f"{theirs.candidates:,}", "Splink beside"
    )
    yield Figure(
        f"seconds, {name}", _stages(mine), _stages(theirs), f"median of {len(ours)}; start of Python left out"
    )
    yield Figure(f"whole command, {name}", f"{mine.command:.1f} s", f"{theirs.command:.1f} s")
    yield Figure(f"peak memory, {name}", f"{mine.peak_mib:,.0f} MiB", f"{theirs.peak_mib:,.0f} MiB")


def _judged(output: Output, truth: Truth, own: float) -> Judged:
    pairs = judge_pairs(output.left, output.right, output.weight, truth, own=own)
    best = output.weight >= pairs.best_weight
    joined = join_pairs(output.left[best], output.right[best], len(truth))
    return Judged(pairs, judge_clusters(output.cluster, truth), judge_clusters(joined, truth))


def _accuracy_figures(name: str, ours: Judged, peer: Judged) -> Iterator[Figure]:
    yield Figure(
        f"best F1 of pairs, {name}",
        _shares(ours.pairs.best),
        _shares(peer.pairs.best),
        "over all thresholds; beside: Splink",
    )
    yield Figure(
        f"F1 at own threshold, {name}",
        _shares(ours.pairs.own),
        _shares(peer.pairs.own),
        "Splink: probability 0.95",
    )
    yield Figure(
        f"blocking recall, {name}",
        f"{ours.pairs.blocking_recall:.4f}",
        f"{peer.pairs.blocking_recall:.4f}",
        "of the pairs written",
    )
    yield Figure(
        f"B-cubed, own clusters, {name}", _shares(ours.clusters.b_cubed), _shares(peer.clusters.b_cubed)
    )
    yield Figure(
        f"B-cubed, linked at the best cut, {name}",
        _shares(ours.at_best.b_cubed),
        _shares(peer.at_best.b_cubed),
    )
    if homes := ours.clusters.household_pairs:
        how = f"of {homes:,} pairs of two people of one home"
        yield Figure(
            f"households linked, own clusters, {name}", _errors(ours.clusters), _errors(peer.clusters), how
        )
        yield Figure(
            f"households linked at the best cut, {name}", _errors(ours.at_best), _errors(peer.at_best), how
        )


def _errors(clusters: ClusterAccuracy) -> str:
    return f"{clusters.household_errors:,} ({clusters.household_share:.2%})"


def _shares(shares: Shares) -> str:
    return f"{shares.f1:.4f} (P {shares.precision:.4f}, R {shares.recall:.4f})"


def _stages(run: Run) -> str:
    parts = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in run.stages.items())
    return f"{run.seconds:.1f} ({parts})"


def _with_labels(path: Path, folder: Path, own: float) -> Figure:
    """Give ours labelled pairs, and judge it on all the others."""
    truth = read_truth(path)
    without = read_ours(path, folder / "ours")
    labelled = draw_labels(without, truth, LABELS, SEED)
    write_labels(folder / "labels.csv", path, labelled, truth)
    run = _run_ours(path, folder / "taught", "--labels", str(folder / "labels.csv"))
    taught = read_ours(path, folder / "taught")
    before, after = (
        judge_pairs(output.left, output.right, output.weight, truth, own=weight, known=labelled)
        for output, weight in ((without, own), (taught, run.own_weight))
    )
    return Figure(
        f"best F1 with {LABELS:,} labels, {LABELLED}",
        f"{_shares(after.best)}; at own threshold {after.own.f1:.4f}",
        "",
        f"without {before.best.f1:.4f}, at own threshold {before.own.f1:.4f}; both judged on all other pairs",
    )


def draw_labels(output: Output, truth: Truth, count: int, seed: int) -> Codes:
    """Number pairs whose answer is told: half true ones of the set, half false ones that were proposed."""
    rng = np.random.default_rng(seed)
    order = np.argsort(truth.person, kind="stable")
    next_to = np.flatnonzero(truth.person[order][1:] == truth.person[order][:-1])
    true = number_pairs(order[next_to], order[next_to + 1], len(truth))
    wrong = truth.person[output.left] != truth.person[output.right]
    false = number_pairs(output.left[wrong], output.right[wrong], len(truth))
    half = min(count // 2, len(true), len(false))
    return np.concatenate([rng.choice(true, half, replace=False), rng.choice(false, half, replace=False)])


def write_labels(target: Path, path: Path, labelled: Codes, truth: Truth) -> None:
    """Write labelled pairs as `dedupe --labels` reads them: id, id, same or different."""
    ids = pq.read_table(path, columns=["record_id"])["record_id"].to_pylist()
    left, right = labelled // len(truth), labelled % len(truth)
    same = truth.person[left] == truth.person[right]
    with target.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id_a", "id_b", "verdict"))
        writer.writerows(
            (ids[a], ids[b], "same" if agree else "different")
            for a, b, agree in zip(left, right, same, strict=True)
        )


def _looked_up(name: str, path: Path) -> Figure:
    say(f"single records of {name}")
    done = _peer("look-up", str(path))
    return Figure(
        f"one record of {done['rows']:,}",
        "see resolve",
        f"{_milliseconds(done['predict_between'])}; one pair {_milliseconds(done['compare_records'])}",
        "p50 / p99; Splink predict_between and compare_records",
    )


def _milliseconds(timed: dict[str, float]) -> str:
    return f"{timed['p50_ms']:.0f} / {timed['p99_ms']:.0f} ms"


def _naive(path: Path) -> Figure:
    done = _peer("naive", str(path))
    return Figure(
        "nine similarities, pair by pair in Python", "", f"{done['pairs_a_second']:,.0f} pairs/s", "rapidfuzz"
    )


def _growth(seconds: dict[str, tuple[float, float]]) -> Iterator[Figure]:
    """Seconds by size, and how they stand to n log n of the smallest."""
    measured = [name for name in CURVE if name in seconds]
    if len(measured) < 2:
        return
    ours, peers = ([seconds[name][side] for name in measured] for side in (0, 1))
    what = " → ".join(name.removeprefix("customers_") for name in measured)
    sizes = [ground.SIZES[name] for name in measured]
    yield Figure(f"seconds, {what}", _curve(ours), _curve(peers))
    yield Figure(
        f"seconds against n log n, {what}",
        _curve(against_n_log_n(sizes, ours)),
        _curve(against_n_log_n(sizes, peers)),
        "1 at the smallest; above 1 grows faster than n log n",
    )


def against_n_log_n(sizes: Sequence[int], seconds: Sequence[float]) -> list[float]:
    """Divide each time by n log n, as shares of the first."""
    rates = [time / (size * math.log2(size)) for size, time in zip(sizes, seconds, strict=True)]
    return [rate / rates[0] for rate in rates]


def _curve(values: Sequence[float]) -> str:
    return " → ".join(f"{value:.2f}" for value in values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=SETS, metavar="NAME")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    ground.set_up()
    for figure in measure(arguments.sets, arguments.runs):
        print(f"{figure.what:<46} {figure.ours:<58} {figure.beside:<58} {figure.how}", flush=True)


if __name__ == "__main__":
    main()
