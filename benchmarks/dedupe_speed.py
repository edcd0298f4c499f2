"""Deduplicate whole files beside Splink: how right, how fast, how much memory.

    python -m benchmarks.dedupe_speed [--sets NAME …] [--runs 3]

Both run as commands of their own, alternating, and one scorer judges what they write. Seconds and memory
are medians of the runs, but five million records are run once. The stages leave out the start of Python and
its imports, "whole command" does not.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ground
from benchmarks.accuracy import (
    ClusterAccuracy,
    PairAccuracy,
    Truth,
    join_pairs,
    judge_clusters,
    judge_pairs,
    read_truth,
    write_shares,
)
from benchmarks.ground import Figure, say, sets_at_hand
from benchmarks.growth import growth_of
from benchmarks.kernel_speed import kernel_figures
from benchmarks.some_labels import with_labels
from benchmarks.tools import (
    Output,
    Run,
    alternate,
    demand_the_command,
    median_of,
    read_ours,
    read_splink,
    run_peer,
)

SETS = ("fake_1000", "febrl3", "customers_10k", "customers_100k", "customers_1m", "customers_5m")
LOOKED_UP = ("customers_10k", "customers_1m")
LABELLED = "customers_100k"
KERNEL = ("customers_100k", "customers_1m")
# Splink takes ten gibibytes for this one and both take minutes: it is run once, where it fits.
LARGEST, MEMORY_OF_LARGEST = "customers_5m", 16 << 30


@dataclass(frozen=True)
class Judged:
    """A tool's pairs, its own clusters, and those that linking at the best cut would give."""

    pairs: PairAccuracy
    clusters: ClusterAccuracy
    at_best: ClusterAccuracy


def measure(sets: Sequence[str] = SETS, runs: int = 3) -> Iterator[Figure]:
    """Run both tools on each set; then one record alone, the plain kernel, and how time grows with size."""
    demand_the_command()
    seconds: dict[str, tuple[float, float]] = {}
    for name, path in sets_at_hand(_that_fit(sets)):
        with tempfile.TemporaryDirectory() as folder:
            ours, peers = alternate(name, path, Path(folder), 1 if name == LARGEST else runs)
            yield from _compared(name, path, Path(folder), ours, peers)
            seconds[name] = median_of(ours).seconds, median_of(peers).seconds
            if name in KERNEL:
                yield from kernel_figures(name, path, Path(folder), peers)
            if name == LABELLED:
                yield with_labels(path, Path(folder), ours[-1].own_weight)
        if name in LOOKED_UP:
            yield _looked_up(name, path)
    yield from growth_of(seconds)


def _that_fit(sets: Sequence[str]) -> Iterator[str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in sets:
        if name != LARGEST or memory >= MEMORY_OF_LARGEST:
            yield name
        else:
            say(f"Left out: {name} wants {MEMORY_OF_LARGEST >> 30} GiB of memory; {memory >> 30} are here.")


def _compared(name: str, path: Path, folder: Path, ours: list[Run], peers: list[Run]) -> Iterator[Figure]:
    truth = read_truth(path)
    mine, theirs = median_of(ours), median_of(peers)
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
        write_shares(ours.pairs.best),
        write_shares(peer.pairs.best),
        "over all thresholds; beside: Splink",
    )
    yield Figure(
        f"F1 at own threshold, {name}",
        write_shares(ours.pairs.own),
        write_shares(peer.pairs.own),
        "Splink: probability 0.95",
    )
    yield Figure(
        f"blocking recall, {name}",
        f"{ours.pairs.blocking_recall:.4f}",
        f"{peer.pairs.blocking_recall:.4f}",
        "of the pairs written",
    )
    yield Figure(
        f"B-cubed, own clusters, {name}",
        write_shares(ours.clusters.b_cubed),
        write_shares(peer.clusters.b_cubed),
    )
    yield Figure(
        f"B-cubed, linked at the best cut, {name}",
        write_shares(ours.at_best.b_cubed),
        write_shares(peer.at_best.b_cubed),
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


def _stages(run: Run) -> str:
    parts = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in run.stages.items())
    return f"{run.seconds:.1f} ({parts})"


def _looked_up(name: str, path: Path) -> Figure:
    say(f"single records of {name}")
    done = run_peer("look-up", str(path))
    return Figure(
        f"one record of {done['rows']:,}",
        "see resolve",
        f"{_milliseconds(done['predict_between'])}; one pair {_milliseconds(done['compare_records'])}",
        "p50 / p99; Splink predict_between and compare_records",
    )


def _milliseconds(timed: dict[str, float]) -> str:
    return f"{timed['p50_ms']:.0f} / {timed['p99_ms']:.0f} ms"


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
