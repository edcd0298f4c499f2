"""Small server-rendered SVG charts: geometry as numbers, so that no style attribute is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import template

from resolution.selectors.pair_evidence import PairEvidence

register = template.Library()

FULL_WEIGHT = 12.0  # log2 odds at which a field's bar is as long as it gets


@register.inclusion_tag("resolution/partials/meter.html")
def meter(number: float, of: float) -> dict[str, Any]:
    """A bar as long as `number` is of `of`; a number above nothing is never invisible."""
    share = 100 * number / of if of else 0
    return {"percent": f"{max(share, 1.5 if number else 0):.1f}"}


@register.inclusion_tag("resolution/partials/weight_bar.html")
def weight_bar(weight: float, full: float = FULL_WEIGHT) -> dict[str, Any]:
    """A bar to the right of the middle for, to the left against; 50 units each way at `full` log2 odds."""
    length = 50 * min(abs(weight) / full, 1)
    start = 50 - length if weight < 0 else 50
    return {"x": f"{start:.1f}", "length": f"{length:.1f}", "tone": "against" if weight < 0 else "for"}


@register.inclusion_tag("resolution/partials/waterfall.html")
def waterfall(pair: PairEvidence) -> dict[str, Any]:
    """The steps of a pair's weight, each beginning where the one above ended, and their sum."""
    low, span = _range(pair)
    steps = [_place(step.start, step.end, low, span) | {"step": step} for step in pair.steps]
    return {
        "pair": pair,
        "steps": steps,
        "total": _place(0.0, pair.weight, low, span),
        "zero": f"{100 * -low / span:.1f}",
    }


@register.simple_tag
def largest(counts: Sequence[Any]) -> int:
    """The largest `number` of some counts, which sets the scale of their bars."""
    return max((count.number for count in counts), default=0)


def _range(pair: PairEvidence) -> tuple[float, float]:
    marks = [0.0, pair.weight, *(mark for step in pair.steps for mark in (step.start, step.end))]
    low, high = min(marks), max(marks)
    return low, (high - low) or 1.0


def _place(start: float, end: float, low: float, span: float) -> dict[str, Any]:
    return {
        "x": f"{100 * (min(start, end) - low) / span:.1f}",
        "length": f"{max(100 * abs(end - start) / span, 0.4):.1f}",
        "tone": "against" if end < start else "for",
    }
