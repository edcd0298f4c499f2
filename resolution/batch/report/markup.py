"""HTML and SVG from plain calls: every text is escaped on its way in, every element closed."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


class Html(str):
    """Text that is markup already. Only `tag`, `join` and the page's own style sheet make it."""

    __slots__ = ()


Inside = str | None | Iterable["Inside"]
Attribute = str | int | float | bool | None

_VOID = frozenset({"br", "hr", "meta", "wbr"})
NOTHING = Html("")


def tag(name: str, *inside: Inside, **attributes: Attribute) -> Html:
    """Build one element; text in it is escaped, None left out, iterables are taken one by one.

    An attribute is left out where its value is None or False; `class_` is class, `stroke_width` stroke-width.
    """
    head = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{head}>")
    return Html(f"<{name}{head}>{join(inside)}</{name}>")


def join(inside: Inside) -> Html:
    """Put parts one after the other, escaping what is not markup yet."""
    if inside is None:
        return NOTHING
    if isinstance(inside, Html):
        return inside
    if isinstance(inside, str):
        return Html(escape(inside))
    return Html("".join(map(join, inside)))


def _attribute(key: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return f' {name}="{escape(text)}"'
