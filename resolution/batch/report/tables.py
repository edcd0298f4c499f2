"""Tables with captions, and the cells they are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from resolution.batch.report.markup import Html, Inside, tag


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its head and the class of its cells ("number", "bar", "text")."""

    head: Inside
    kind: str = "text"


def words_column(head: Inside) -> Column:
    return Column(head)


def number_column(head: Inside) -> Column:
    return Column(head, "number")


def bar_column(head: Inside) -> Column:
    return Column(head, "bar")


def table(
    caption: str,
    columns: Sequence[Column],
    rows: Iterable[Sequence[Inside]],
    *,
    legend: Inside = None,
    kind: str = "",
) -> Html:
    """Lay out rows under a caption, with a legend where there is one; the first cell of each row heads it."""
    return frame(
        caption,
        tag("caption", caption, legend),
        tag("thead", header_row(columns)),
        tag("tbody", (row(columns, cells) for cells in rows)),
        kind=kind,
    )


def frame(caption: str, *parts: Inside, kind: str = "") -> Html:
    """Put the parts of a table into a frame that scrolls sideways and can be reached by keyboard."""
    inner = tag("table", *parts, class_=kind or None)
    return tag("div", inner, class_="frame", tabindex=0, role="region", aria_label=caption)


def header_row(columns: Sequence[Column]) -> Html:
    return tag("tr", (tag("th", column.head, scope="col", class_=column.kind) for column in columns))


def row(columns: Sequence[Column], cells: Sequence[Inside]) -> Html:
    """One row; its first cell is its head."""
    first, *rest = cells
    return tag(
        "tr",
        tag("th", first, scope="row", class_=columns[0].kind),
        (tag("td", cell, class_=column.kind) for column, cell in zip(columns[1:], rest, strict=True)),
    )


def empty(sentence: str) -> Html:
    """Say in place of a chart or table why there is none."""
    return tag("p", sentence, class_="empty")


def folded(summary: Inside, *inside: Inside, opened: bool = False) -> Html:
    return tag("details", tag("summary", summary), inside, open=opened)
