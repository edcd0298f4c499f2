"""manage.py evaluate CLUSTERS TRUTH: how good clusters, and scored pairs, are against known answers."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import numpy as np
from django.core.management.base import BaseCommand, CommandError

from resolution.batch.labels import Labelled, ScoredPairs, Source, read_labelled, read_pairs
from resolution.batch.outputs import CLUSTERS, PAIRS
from resolution.errors import IdentityError
from resolution.management.console import show_table
from resolution.matching.evaluate import (
    Cut,
    Quality,
    best_cut,
    judge_b_cubed,
    judge_clusters,
    judge_pairs,
)
from resolution.types import Band

_SHARES = ("precision", "recall", "F1")


class Command(BaseCommand):
    help = (
        "Judge clusters against known answers, both CSV or Parquet: pairwise and B-cubed precision, recall"
        " and F1. Needs no database."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("clusters", type=Path, help="one row a record: id, cluster_id")
        parser.add_argument("truth", type=Path, help="one row a record: record_id, true_cluster")
        parser.add_argument("--id", default="", help="column of ids in CLUSTERS; else id or record_id")
        parser.add_argument("--cluster", default="", help="column of clusters in CLUSTERS; else cluster_id")
        parser.add_argument("--truth-id", default="", help="column of ids in TRUTH; else record_id or id")
        parser.add_argument(
            "--truth-cluster", default="", help="column of clusters in TRUTH; else true_cluster"
        )
        parser.add_argument(
            "--pairs", type=Path, help="scored pairs: id_a, id_b, match_weight, band; else those of the run"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            labelled = read_labelled(
                Source(options["clusters"], options["id"], options["cluster"]),
                Source(options["truth"], options["truth_id"], options["truth_cluster"]),
            )
            given = options["pairs"] or _pairs_beside(options["clusters"])
            pairs = read_pairs(given, labelled) if given else None
        except IdentityError as error:
            raise CommandError(str(error)) from error
        _show_clusters(labelled)
        if pairs is not None:
            _show_pairs(pairs, labelled)


def _pairs_beside(clusters: Path) -> Path | None:
    """The scored pairs of the run of `dedupe` that wrote the clusters."""
    pairs = clusters.with_name(PAIRS)
    return pairs if clusters.name == CLUSTERS and pairs.is_file() else None


def _show_clusters(labelled: Labelled) -> None:
    quality = judge_clusters(labelled.found, labelled.truth)
    b_cubed = judge_b_cubed(labelled.found, labelled.truth)
    show_table(
        f"Clusters of {labelled.found.size:,} records",
        ("measure", *_SHARES, "pairs right", "pairs claimed", "pairs true"),
        [
            ("pairwise", *_shares(quality), *_counts(quality)),
            ("B-cubed", *(f"{share:.4f}" for share in b_cubed), "", "", ""),
        ],
    )


def _show_pairs(pairs: ScoredPairs, labelled: Labelled) -> None:
    bands = [*map(str, Band), *sorted({*np.unique(pairs.bands).tolist()} - {*map(str, Band)})]
    rows = [_row_of_band(band, pairs, labelled) for band in bands if band in pairs.bands]
    show_table("Pairs by band", ("band", "pairs", "right", *_SHARES[:2]), rows)
    cut = best_cut(pairs.left, pairs.right, pairs.weights, labelled.truth)
    show_table("Best single threshold", ("match weight", *_SHARES), [_row_of_cut(cut)] if cut else [])


def _row_of_band(band: str, pairs: ScoredPairs, labelled: Labelled) -> tuple[object, ...]:
    of_band = pairs.bands == band
    quality = judge_pairs(pairs.left[of_band], pairs.right[of_band], labelled.truth)
    precision, recall, _ = _shares(quality)
    return band, int(quality.claimed), int(quality.right), precision, recall


def _row_of_cut(cut: Cut) -> tuple[object, ...]:
    return f"{cut.weight:+.2f}", *_shares(cut.quality)


def _shares(quality: Quality) -> tuple[str, str, str]:
    return f"{quality.precision:.4f}", f"{quality.recall:.4f}", f"{quality.f1:.4f}"


def _counts(quality: Quality) -> tuple[str, ...]:
    return tuple(f"{count:,.0f}" for count in (quality.right, quality.claimed, quality.true))
