"""Whole addresses in one column taken apart: the street line, the postcode and the town.

A file that has neither a postcode nor a town of its own often has them at the end of its addresses:
"12 High St, Newton CA19 8GX", "Hauptstr. 3, 10115 Berlin". Where many lines say so, all are taken apart.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from resolution.batch.numbering import renumber
from resolution.batch.sheet import Texts
from resolution.matching.normalise.address import STREET_KINDS, STREET_WORDS, normalise_city
from resolution.matching.normalise.country import country_code
from resolution.matching.normalise.text import plain_words

_LOOKED_AT = 2000
# The share of lines that must end in a postcode, or in a town that others end in too.
_ENOUGH = 0.3
_PARTS = re.compile(r"\s*[,;\n]\s*")
_CODE = (
    r"[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z][ -]?\d[A-Z]\d|\d{4} ?[A-Z]{2}|\d{5}-\d{3,4}|\d{4}-\d{3}"
    r"|\d{3}-\d{4}|\d{2}-\d{3}|\d{3} \d{2}|(?:[A-Z]{1,2}-)?\d{4,6}"
)
_AT_THE_END = re.compile(rf"(?<![\w-])(?:{_CODE})$", re.IGNORECASE)
_AT_THE_START = re.compile(rf"(?:{_CODE})(?![\w-])", re.IGNORECASE)
_IN_BETWEEN = re.compile(r"(?P<line>.*\d.*?) (?P<code>\d{5}) (?P<city>[^\d]+)")
_STREET_WORDS = STREET_KINDS | frozenset(STREET_WORDS) | frozenset(STREET_WORDS.values())
_STATE = re.compile(r"\b[A-Z]{2,3}$")


class Taken(NamedTuple):
    """A whole address taken apart; empty where nothing was said."""

    line: str
    postcode: str
    city: str


def take_apart(text: str) -> Taken:
    """Read the postcode and the town from the end of an address, the country left out."""
    parts = [part for part in _PARTS.split(text.strip()) if part]
    while len(parts) > 1 and country_code(parts[-1]):
        parts.pop()
    for place in range(len(parts) - 1, max(len(parts) - 3, -1), -1):
        if found := _AT_THE_END.search(parts[place]) or _leading_code(parts[place]):
            return _around(parts, place, found)
    if len(parts) == 1 and (found := _IN_BETWEEN.fullmatch(parts[0])):
        return Taken(*found.group("line", "code", "city"))
    if len(parts) > 1 and _is_town(parts[-1]):
        return Taken(", ".join(parts[:-1]), "", parts[-1])
    return Taken(", ".join(parts), "", "")


def _leading_code(part: str) -> re.Match[str] | None:
    """A code before a town, not a house number before its street."""
    found = _AT_THE_START.match(part)
    return None if found and _STREET_WORDS & set(plain_words(part)) else found


def _around(parts: list[str], place: int, found: re.Match[str]) -> Taken:
    """The town stands beside the postcode, or in the part before or behind it."""
    before, behind = parts[:place], parts[place + 1 :]
    beside = f"{parts[place][: found.start()]} {parts[place][found.end() :]}".strip(" .-")
    if any(map(str.isdigit, beside)):
        return Taken(", ".join([*before, beside]), found[0], behind[0] if behind else "")
    town = _STATE.sub("", beside).strip()
    if not town and behind:
        town = behind[0]
    elif not town and before and _is_town(before[-1]):
        town = before.pop()
    return Taken(", ".join(before), found[0], town)


def _is_town(part: str) -> bool:
    return not any(map(str.isdigit, part)) and bool(normalise_city(part))


def with_places(address: Texts) -> dict[str, list[Texts]]:
    """Give the columns of street lines, postcodes and towns that a column of whole addresses holds.

    Lines are left as they are where few of them have a postcode or a town that comes again.
    """
    texts = address.values.to_pylist()
    if not _are_whole(texts[:: max(len(texts) // _LOOKED_AT, 1)]):
        return {"address": [address]}
    taken = [take_apart(text) for text in texts]
    known = _towns(taken)
    taken = [Taken("", "", row.line) if not row.city and _town(row.line) in known else row for row in taken]
    columns = zip(*taken, strict=True)
    return {
        field: [Texts(*renumber(pa.array(column, pa.string()), address.codes))]
        for field, column in zip(("address", "postcode", "city"), columns, strict=True)
    }


def _are_whole(texts: Sequence[str]) -> bool:
    taken = [take_apart(text) for text in texts]
    known = _towns(taken)
    whole = sum(bool(row.postcode and row.line) or _town(row.city) in known for row in taken)
    return whole >= _ENOUGH * max(len(texts), 1)


def _towns(taken: Sequence[Taken]) -> set[str]:
    """The towns that more than one line ends in."""
    counts = Counter(town for row in taken if (town := _town(row.city)))
    return {town for town, count in counts.items() if count > 1}


def _town(text: str) -> str:
    return normalise_city(text) if text else ""
