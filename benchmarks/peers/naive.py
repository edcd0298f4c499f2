"""The plain kernel: nine similarities, pair by pair, in Python, each by rapidfuzz."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

PAIRS = 100_000
NINE: tuple[tuple[str, Callable[[str, str], float]], ...] = (
    ("first_name", JaroWinkler.similarity),
    ("last_name", JaroWinkler.similarity),
    ("email", JaroWinkler.similarity),
    ("phone", DamerauLevenshtein.normalized_similarity),
    ("date_of_birth", DamerauLevenshtein.normalized_similarity),
    ("address", JaroWinkler.similarity),
    ("city", JaroWinkler.similarity),
    ("postcode", DamerauLevenshtein.normalized_similarity),
    ("external_id", DamerauLevenshtein.normalized_similarity),
)


def score_naively(path: Path, scored: Path) -> dict[str, float]:
    """Score some of the pairs of row numbers that another tool scored; tell the pairs a second."""
    records = pq.read_table(path, columns=[column for column, _ in NINE]).to_pylist()
    numbers = pq.read_table(scored, columns=["left", "right"]).to_pylist()
    some = random.Random(1).sample(numbers, min(PAIRS, len(numbers)))
    pairs = [(records[pair["left"]], records[pair["right"]]) for pair in some]
    begun = time.perf_counter()
    for left, right in pairs:
        _score(left, right)
    seconds = time.perf_counter() - begun
    return {"pairs": len(pairs), "seconds": seconds, "pairs_a_second": len(pairs) / seconds}


def _score(left: dict[str, str | None], right: dict[str, str | None]) -> float:
    total = 0.0
    for column, similarity in NINE:
        one, other = left[column], right[column]
        if one and other:
            total += similarity(one, other)
    return total
