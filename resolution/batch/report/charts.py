"""Charts with axes: a histogram of weights and lines over weights.

Places along the width are percentages and heights are pixels, so that a chart fills any width while its
words keep their size. Axis words stand in the padding of the drawing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from resolution.batch.report import words
from resolution.batch.report.bars import anchor, percent
from resolution.batch.report.markup import Html, Inside, tag
from resolution.batch.report.scales import Linear, Log, nice_ticks
from resolution.batch.report.tables import Column, folded, table
from resolution.batch.run_facts import Histogram

HEIGHT = 220


@dataclass(frozen=True, slots=True)
class Marker:
    """A weight worth a line across a chart, and the words at its head."""

    weight: float
    words: str


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its name, points (weight, share) and the class that colours it."""

    name: str
    points: Sequence[tuple[float, float]]
    kind: str


@dataclass(frozen=True, slots=True)
class DataTable:
    """The numbers behind a chart."""

    caption: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Inside]]


def figure(key: str, title: str, description: str, drawn: Inside, legend: Inside, data: DataTable) -> Html:
    """Put a drawing, its legend and its numbers under a heading; screen readers get title and description."""
    drawing = tag(
        "svg",
        tag("title", title, id=f"{key}-title"),
        tag("desc", description, id=f"{key}-desc"),
        drawn,
        class_="chart",
        role="img",
        aria_labelledby=f"{key}-title {key}-desc",
    )
    numbers = folded("The numbers", table(data.caption, data.columns, data.rows))
    return tag("figure", tag("figcaption", tag("strong", title), legend), drawing, numbers)


def legend(*entries: tuple[str, str]) -> Html:
    """Name each colour class: (class, words)."""
    return tag(
        "span",
        (tag("span", tag("i", class_=f"swatch {kind}"), text) for kind, text in entries),
        class_="legend",
    )


def histogram_bars(histogram: Histogram, x: Linear, kind_of: Callable[[float], str]) -> Html:
    """Draw counts on a scale of powers of ten; `kind_of` colours a bar by its left edge."""
    y = Log(max(histogram.counts, default=1), start=HEIGHT, end=0)
    bars = [
        _upright(x.at(left), x.at(right), y.at(number), kind_of(left))
        for left, right, number in histogram.bins()
        if number
    ]
    levels = [(y.at(tick), words.count(tick)) for tick in y.ticks()]
    return tag("g", _levels(levels), bars)


def _upright(left: float, right: float, top: float, kind: str) -> Html:
    return tag(
        "rect",
        x=percent(left),
        width=percent((right - left) * 0.94),
        y=f"{top:.1f}",
        height=f"{HEIGHT - top:.1f}",
        class_=kind,
    )


def lines(series: Iterable[Series], x: Linear, y: Linear) -> Html:
    """Draw lines of shares, with a gridline at every round share."""
    levels = [(y.at(tick), words.share(tick)) for tick in nice_ticks(y.low, y.high, most=6)]
    drawn = (
        tag(
            "path",
            d=path_of(entry.points, x, y),
            class_=f"curve {entry.kind}",
            vector_effect="non-scaling-stroke",
        )
        for entry in series
    )
    stretched = tag(
        "svg", drawn, viewBox=f"0 0 100 {HEIGHT}", preserveAspectRatio="none", width="100%", height=HEIGHT
    )
    return tag("g", _levels(levels), stretched)


def path_of(points: Iterable[tuple[float, float]], x: Linear, y: Linear) -> str:
    """The path through points; those that are no numbers are passed over."""
    places = [(x.at(weight), y.at(share)) for weight, share in points if math.isfinite(weight + share)]
    return "".join(f"{'L' if place else 'M'}{at:.2f} {up:.2f}" for place, (at, up) in enumerate(places))


def weight_axis(x: Linear) -> Html:
    """Label round weights below a chart, with the odds they stand for where those are round too."""
    ticks = nice_ticks(x.low, x.high, most=7)
    return tag("g", (_weight_tick(x.at(tick), tick) for tick in ticks), class_="axis")


def _weight_tick(place: float, weight: float) -> Inside:
    at, side = percent(place), anchor(place)
    odds = tag("text", words.odds(weight), x=at, y=HEIGHT + 32, text_anchor=side, class_="faint")
    return (
        tag("line", x1=at, x2=at, y1=HEIGHT, y2=HEIGHT + 4, class_="tick"),
        tag("text", words.weight(weight, places=0), x=at, y=HEIGHT + 17, text_anchor=side),
        odds if weight % 10 == 0 else None,
    )


def markers(entries: Iterable[Marker], x: Linear) -> Html:
    """Draw a line at each marker inside the chart, its words above the plot, each a line higher."""
    inside = [entry for entry in entries if x.low <= entry.weight <= x.high]
    return tag("g", (_marker(x.at(entry.weight), entry.words, row) for row, entry in enumerate(inside)))


def _marker(place: float, text: str, row: int) -> Inside:
    height, rightwards = -8 - 16 * row, place < 60
    return (
        tag("line", x1=percent(place), x2=percent(place), y1=height - 10, y2=HEIGHT, class_="marker"),
        tag(
            "text",
            text,
            x=percent(place),
            y=height,
            dx=5 if rightwards else -5,
            text_anchor="start" if rightwards else "end",
            class_="marker-words",
        ),
    )


def _levels(levels: Iterable[tuple[float, str]]) -> Html:
    """Gridlines across the plot, their words to the left of it."""
    return tag("g", (_level(f"{height:.1f}", text) for height, text in levels), class_="axis")


def _level(height: str, text: str) -> Inside:
    return (
        tag("line", x1="0", x2="100%", y1=height, y2=height, class_="grid"),
        tag("text", text, x=-8, y=height, dy="0.32em", text_anchor="end"),
    )
