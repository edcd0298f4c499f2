"""What a few labelled pairs are worth: the file tool taught with them, judged on all others."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.accuracy import Codes, Truth, judge_pairs, number_pairs, read_truth, write_shares
from benchmarks.ground import Figure
from benchmarks.tools import Output, read_ours, run_ours

LABELS, SEED = 2_000, 1


def with_labels(path: Path, folder: Path, own: float) -> Figure:
    """Give ours labelled pairs, and judge it on all the others."""
    truth = read_truth(path)
    without = read_ours(path, folder / "ours")
    labelled = draw_labels(without, truth, LABELS, SEED)
    write_labels(folder / "labels.csv", path, labelled, truth)
    run = run_ours(path, folder / "taught", "--labels", str(folder / "labels.csv"))
    taught = read_ours(path, folder / "taught")
    before, after = (
        judge_pairs(output.left, output.right, output.weight, truth, own=weight, known=labelled)
        for output, weight in ((without, own), (taught, run.own_weight))
    )
    return Figure(
        f"best F1 with {LABELS:,} labels, {path.stem}",
        f"{write_shares(after.best)}; at own threshold {after.own.f1:.4f}",
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
