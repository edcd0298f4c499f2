"""Bars inside table cells. The number stands in the cell beside, so a bar says nothing to a screen reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from resolution.batch.report.markup import Attribute, Html, Inside, tag
from resolution.batch.report.scales import Linear, Log

_THICK = 14


def percent(value: float) -> str:
    """A place along the width of a chart."""
    return f"{value:.2f}%"


def box(start: float, end: float, **attributes: Attribute) -> Html:
    """A rectangle between two places along the width, whichever comes first."""
    left, right = min(start, end), max(start, end)
    return tag("rect", x=percent(left), width=percent(right - left), **attributes)


def line_at(place: float, **attributes: Attribute) -> Html:
    """An upright line from top to bottom."""
    return tag("line", x1=percent(place), x2=percent(place), y1="0", y2="100%", **attributes)


def drawing(*inside: Inside, height: int | str = _THICK, class_: str = "inline") -> Html:
    return tag("svg", *inside, class_=class_, width="100%", height=height, aria_hidden="true")


def length_bar(value: float, highest: float, *, kind: str = "fill-main") -> Html:
    """A bar as long as its share of the highest value."""
    return stacked_bar([(value, kind)], highest)


def stacked_bar(parts: Iterable[tuple[float, str]], highest: float) -> Html:
    """Bars one after the other, each a length and a colour class; together at most `highest` long."""
    scale, at, boxes = Linear(0, highest or 1), 0.0, []
    for value, kind in parts:
        boxes.append(box(scale.at(at), scale.at(at + value), height=_THICK, class_=kind))
        at += value
    return drawing(tag("rect", width="100%", height=_THICK, class_="track"), boxes)


def log_bar(value: float, highest: float) -> Html:
    """A bar on a scale of powers of ten, with a hairline at each."""
    scale = Log(highest)
    return drawing(
        hairlines(map(scale.at, scale.ticks())), box(0, scale.at(value), height=_THICK, class_="fill-main")
    )


def hairlines(places: Iterable[float]) -> list[Html]:
    """Faint upright lines to measure bars by."""
    return [line_at(place, class_="hairline") for place in places]


def axis(ticks: Sequence[tuple[float, str]]) -> Html:
    """Labels above a column of bars: places along the width and their words."""
    labels = (tag("text", words, x=percent(place), y=11, text_anchor=anchor(place)) for place, words in ticks)
    return drawing(labels, class_="inline axis")


def anchor(place: float) -> str:
    """Keep the words at either end inside the chart."""
    if place < 4:
        return "start"
    return "end" if place > 96 else "middle"
