"""The kernel alone, on the very pairs that Splink scored, beside Splink and rapidfuzz called pair by pair.

    python -m benchmarks.kernel_speed SET.parquet PAIRS.parquet MODEL.json      ours, in a process of its own

Ours counts what is worked out of the distinct values beforehand; neither counts reading, blocking, learning.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks import ground
from benchmarks.ground import Figure, say, stopwatch
from benchmarks.tools import Run, finish, run_peer

ROUNDS = 3


def kernel_figures(name: str, path: Path, folder: Path, peers: Sequence[Run]) -> Iterator[Figure]:
    """Score the pairs that Splink's runs scored; `folder` holds what both tools wrote for the set."""
    say(f"the kernel alone on {name}")
    pairs, model = folder / "splink" / "pairs.parquet", folder / "ours" / "model.json"
    mine = json.loads(
        finish([sys.executable, "-m", "benchmarks.kernel_speed", str(path), str(pairs), str(model)])
    )
    scored = statistics.median(run.pairs_a_second for run in peers)
    by_itself = run_peer("naive", str(path), str(pairs))["pairs_a_second"]
    beside = f"Splink {scored:,.0f}; rapidfuzz called pair by pair {by_itself:,.0f}"
    same = f"the {mine['pairs']:,} pairs that Splink scored; median of {ROUNDS}"
    yield Figure(f"kernel alone, pairs a second, {name}", f"{mine['all']:,.0f}", beside, same)
    yield Figure(
        f"kernel with its bound, pairs a second, {name}",
        f"{mine['hopeful']:,.0f}",
        "",
        "dropping pairs that cannot reach what is written, as `dedupe` does",
    )


def score_alone(path: Path, pairs: Path, model: Path) -> dict[str, float]:
    """Score pairs of row numbers of a set, on all processors: pairs a second, with and without the bound."""
    from resolution.batch.dedupe import KEEP
    from resolution.batch.load import load_files
    from resolution.batch.scoring import score_candidates
    from resolution.batch.spread import in_threads
    from resolution.matching.comparisons.many import work_out_facts
    from resolution.matching.model import load_model

    table, learnt = load_files([path]).table, load_model(model)
    found = pq.read_table(pairs)
    left, right = (found[side].to_numpy() for side in ("left", "right"))
    with stopwatch() as beforehand:
        work_out_facts(table, mapper=in_threads)

    def pairs_a_second(floor: float) -> float:
        with stopwatch() as seconds:
            score_candidates(learnt, table, left, right, floor=floor)
        return len(left) / (beforehand[0] + seconds[0])

    every, hopeful = (
        statistics.median(pairs_a_second(floor) for _ in range(ROUNDS)) for floor in (-math.inf, KEEP)
    )
    return {"pairs": len(left), "all": every, "hopeful": hopeful}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for what in ("set", "pairs", "model"):
        parser.add_argument(what, type=Path)
    arguments = parser.parse_args()
    ground.set_up()
    print(json.dumps(score_alone(arguments.set, arguments.pairs, arguments.model)))


if __name__ == "__main__":
    main()
