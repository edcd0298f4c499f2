"""From values to places: linear and logarithmic scales, and the ticks that label them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Linear:
    """Values from `low` to `high` onto `start` to `end`; what lies beyond is held at the nearer end."""

    low: float
    high: float
    start: float = 0.0
    end: float = 100.0

    def at(self, value: float) -> float:
        if self.high == self.low:
            return (self.start + self.end) / 2
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


@dataclass(frozen=True, slots=True)
class Log:
    """Counts from 1 to `high` by their power of ten; 1 keeps a little length, 0 has none.

    A count of 1 stands a third of a decade from the start, so that a single pair can be seen.
    """

    high: float
    start: float = 0.0
    end: float = 100.0

    def at(self, value: float) -> float:
        if value < 1:
            return self.start
        length = (_FOOT + math.log10(value)) / (_FOOT + math.log10(max(self.high, 1)))
        return self.start + min(length, 1.0) * (self.end - self.start)

    def ticks(self) -> list[int]:
        """List the powers of ten up to the highest value."""
        return [10**power for power in range(math.floor(math.log10(max(self.high, 1)) + 1e-9) + 1)]


_FOOT = 1 / 3


def nice_ticks(low: float, high: float, *, most: int = 7) -> list[float]:
    """List round numbers from `low` to `high`, 1, 2 or 5 times a power of ten apart, `most` at most."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    size = 10.0 ** math.floor(math.log10(rough))
    for step in (factor * size for factor in (*_STEPS, 20.0)):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            return [step * number for number in range(first, last + 1)]
    return []


def spread(values: Iterable[float], *, around: Iterable[float] = ()) -> tuple[float, float]:
    """Find the lowest and highest of finite values, `around` taken in too; (-1, 1) when there is none."""
    finite = [value for value in (*values, *around) if math.isfinite(value)]
    if not finite:
        return -1.0, 1.0
    low, high = min(finite), max(finite)
    return (low - 1, high + 1) if low == high else (low, high)
