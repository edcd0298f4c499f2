"""Measure matching on labelled sets: blocking recall, the automatic links, the review pairs, and the speed.

    python benchmarks/matching_quality.py [FOLDER] [--set NAME …]

FOLDER holds NAME.parquet (record_id and the set's own columns) beside NAME.truth.parquet (record_id,
true_cluster). Default: the folder BENCH_DATA names, else var/data, where `make bench` keeps what it makes.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from resolution.matching.blocking import MAX_BLOCK, blocking_keys  # noqa: E402
from resolution.matching.clusters import group_customers  # noqa: E402
from resolution.matching.decide import Policy, band_of  # noqa: E402
from resolution.matching.evaluate import (  # noqa: E402
    Quality,
    evaluate_b_cubed,
    evaluate_clusters,
    evaluate_pairs,
    label_groups,
)
from resolution.matching.kernel import score_pairs  # noqa: E402
from resolution.matching.model import load_model  # noqa: E402
from resolution.matching.normalise.profile import build_profile  # noqa: E402
from resolution.types import Band, Group, PairScore, Profile  # noqa: E402

SETS = ("fake_1000", "febrl1", "febrl2", "febrl3", "customers_10k", "customers_100k")

# Other names of a record's fields, as these sets write them.
COLUMN_NAMES = {
    "first_name": "given_name",
    "last_name": "family_name",
    "surname": "family_name",
    "date_of_birth": "birth_date",
    "dob": "birth_date",
    "suburb": "city",
    "soc_sec_id": "external_id",
}
REGIONS = {"febrl": "AU", "fake": "GB"}


@dataclass(frozen=True)
class Labelled:
    """A set: its profiles and the true cluster of every key."""

    name: str
    profiles: dict[str, Profile]
    truth: dict[str, str]
    normalise_seconds: float


def main() -> None:
    arguments = _arguments()
    print(f"{'set':<15}{'what':<22}{'pairs':>9}{'precision':>11}{'recall':>9}{'F1':>8}")
    for name in arguments.set or SETS:
        if (arguments.folder / f"{name}.parquet").exists():
            report(read_set(arguments.folder, name))


def _arguments() -> argparse.Namespace:
    default = os.environ.get("BENCH_DATA") or ROOT / "var" / "data"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(default))
    parser.add_argument("--set", action="append", help="only this set; may be given several times")
    return parser.parse_args()


def read_set(folder: Path, name: str) -> Labelled:
    records = {
        row["record_id"]: record_of(row) for row in pq.read_table(folder / f"{name}.parquet").to_pylist()
    }
    labels = pq.read_table(
        folder / f"{name}.truth.parquet", columns=["record_id", "true_cluster"]
    ).to_pylist()
    region = REGIONS.get(name.rstrip("0123456789_"), "")
    started = time.process_time()
    profiles = {key: build_profile(key, [record], region=region) for key, record in records.items()}
    seconds = time.process_time() - started
    return Labelled(name, profiles, {row["record_id"]: str(row["true_cluster"]) for row in labels}, seconds)


def record_of(row: Mapping[str, object]) -> dict[str, str]:
    record = {
        COLUMN_NAMES.get(column, column): str(value) for column, value in row.items() if value is not None
    }
    if "address_1" in record:
        record["address"] = f"{record.get('street_number', '')} {record['address_1']}".strip()
    return record


def report(labelled: Labelled) -> None:
    """Print one set's figures."""
    policy, model = Policy(), load_model()
    blocks, pairs = candidate_pairs(labelled.profiles)
    _line(labelled.name, "candidates", evaluate_pairs(pairs, labelled.truth))
    # The profiles live to the end: without this the collector walks them again and again.
    gc.freeze()
    started = time.process_time()
    both = ((labelled.profiles[left], labelled.profiles[right]) for left, right in pairs)
    scores = list(score_pairs(model, both, floor=policy.review))
    seconds = time.process_time() - started
    report_bands(labelled, policy, scores)

    def score(pairs: Sequence[tuple[str, str]]) -> Iterator[PairScore]:
        profiles = labelled.profiles
        return score_pairs(model, ((profiles[left], profiles[right]) for left, right in pairs))

    report_groups(labelled, group_customers(scores, policy=policy, score=score))
    rows = len(labelled.profiles)
    speeds = rows / labelled.normalise_seconds, len(pairs) / seconds
    print(
        f"{'':<15}{len(pairs) / rows:.1f} pairs and {blocks / rows:.1f} keys a record; "
        f"{speeds[0]:,.0f} rows/s normalised, {speeds[1]:,.0f} pairs/s scored, in processor time"
    )


def candidate_pairs(profiles: Mapping[str, Profile]) -> tuple[int, list[tuple[str, str]]]:
    """Count the keys, and pair the customers that share one of at most MAX_BLOCK customers."""
    blocks: dict[str, list[str]] = defaultdict(list)
    for key, profile in profiles.items():
        for keys in blocking_keys(profile).values():
            for block in keys:
                blocks[block].append(key)
    small = (sorted(members) for members in blocks.values() if 1 < len(members) <= MAX_BLOCK)
    return sum(map(len, blocks.values())), sorted(
        {pair for members in small for pair in combinations(members, 2)}
    )


def report_bands(labelled: Labelled, policy: Policy, scores: list[PairScore]) -> None:
    for band in (Band.AUTO, Band.SAMPLE, Band.REVIEW):
        pairs = [(score.left, score.right) for score in scores if band_of(policy, score) is band]
        _line("", f"pairs: {band}", evaluate_pairs(pairs, labelled.truth))


def report_groups(labelled: Labelled, groups: list[Group]) -> None:
    """What is merged at once, what the queue asks, and what both would give if every answer were right."""
    merged = [group.members for group in groups if not group.why]
    found = label_groups(merged, labelled.profiles)
    _line("", "merged at once", evaluate_clusters(found, labelled.truth))
    asked = set(_asked(groups))
    _line("", "questions", evaluate_pairs(asked, labelled.truth))
    right = [pair for pair in asked if labelled.truth[pair[0]] == labelled.truth[pair[1]]]
    _line("", "after the queue", evaluate_clusters(_join(found, right), labelled.truth))
    print(
        f"{'':<15}B-cubed of what is merged at once: %.4f %.4f %.4f" % evaluate_b_cubed(found, labelled.truth)
    )


def _asked(groups: list[Group]) -> Iterator[tuple[str, str]]:
    """The pairs a person sees: the open ones, and those of groups that wait whole."""
    for group in groups:
        yield from ((min(pair.left, pair.right), max(pair.left, pair.right)) for pair in group.questions)
        if group.why:
            yield from ((min(pair.left, pair.right), max(pair.left, pair.right)) for pair in group.edges)


def _join(labels: Mapping[str, str], pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Join the groups of every answered pair."""
    parent = {label: label for label in labels.values()}

    def root(label: str) -> str:
        while parent[label] != label:
            label = parent[label]
        return label

    for left, right in pairs:
        parent[root(labels[left])] = root(labels[right])
    return {key: root(label) for key, label in labels.items()}


def _line(name: str, what: str, quality: Quality) -> None:
    print(
        f"{name:<15}{what:<22}{quality.claimed:>9,.0f}{quality.precision:>11.4f}"
        f"{quality.recall:>9.4f}{quality.f1:>8.4f}"
    )


if __name__ == "__main__":
    main()
