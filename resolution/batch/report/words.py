"""Numbers as people read them: counts, shares, weights, odds, times."""

from __future__ import annotations

import math
from datetime import datetime

MISSING = "–"
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_LARGEST_PLAIN_ODDS = 10_000
_SMALLEST = 1e-6


def count(number: float) -> str:
    """Write a whole number with commas: 1,234,567."""
    return f"{number:,.0f}"


def many(number: int, noun: str, plural: str = "") -> str:
    """Write a number with its noun: "1 pair", "2 pairs"."""
    return f"{count(number)} {noun if number == 1 else plural or noun + 's'}"


def share(value: float | None) -> str:
    """Write a share in percent, to about three figures: 87 %, 12.3 %, 0.005 %; never 100 % for less."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{_figures(100 * value)}\N{NO-BREAK SPACE}%"


def _figures(percent: float) -> str:
    if percent > 99:
        return f"{percent if percent >= 100 else min(percent, 99.99):.2f}".rstrip("0").rstrip(".")
    if percent >= 1 or percent <= 0:
        return f"{percent:.1f}".removesuffix(".0")
    if percent < _SMALLEST:
        return f"< {_SMALLEST:f}"
    return f"{percent:.{1 - math.floor(math.log10(percent))}f}".rstrip("0")


def weight(value: float | None, *, places: int = 1) -> str:
    """Write log2 odds with their sign: +12.3, −4.0."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{abs(value):.{places}f}"
    if not float(text):
        return text
    return ("−" if value < 0 else "+") + text


def odds(log2_odds: float) -> str:
    """Write log2 odds as odds, roughly: 1,000:1, 1:32, 10⁶:1."""
    if math.isnan(log2_odds):
        return MISSING
    size = 2 ** min(abs(log2_odds), 1000)
    if size < _LARGEST_PLAIN_ODDS:
        text = count(_rounded(size))
    else:
        text = "10" + str(round(math.log10(size))).translate(_SUPERSCRIPT)
    return f"{text}:1" if log2_odds >= 0 else f"1:{text}"


def _rounded(size: float) -> float:
    """To two figures: 1,024 is a thousand."""
    unit = 10 ** max(math.floor(math.log10(size)) - 1, 0)
    return round(size / unit) * unit


def duration(seconds: float) -> str:
    """Write a time: 0.42 s, 12.3 s, 3 min 12 s, 2 h 05 min."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60:,} h {minutes % 60:02} min"


def memory(mib: int) -> str:
    """Write MiB, from a GiB on in GiB."""
    return f"{mib / 1024:,.1f} GiB" if mib >= 1024 else f"{mib:,} MiB"


def moment(iso: str) -> str:
    """Write an ISO time as "23 November 2026, 06:50 UTC"; a text that is none stays as it is."""
    try:
        at = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    return f"{at.day} {at:%B %Y, %H:%M} {at.tzname() or ''}".strip()


def field_name(name: str) -> str:
    """Write a field's name in words: "given name"."""
    return name.replace("_", " ")
