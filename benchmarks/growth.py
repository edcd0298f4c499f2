"""How time grows with size, and how that stands to n log n."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from benchmarks import ground
from benchmarks.ground import Figure

CURVE = ("customers_10k", "customers_100k", "customers_1m", "customers_5m")


def growth_of(seconds: Mapping[str, tuple[float, float]]) -> Iterator[Figure]:
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
