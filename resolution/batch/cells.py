"""Cells that hold more than one value: several mailboxes or telephones, an address with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from resolution.batch.numbering import renumber
from resolution.batch.sheet import Texts
from resolution.matching.normalise.country import COUNTRY_NAMES

_MOST_VALUES = 8

# ── Several values of one kind

_MAILBOX = re.compile(r"[^\s@;,|/<>()\[\]\"']+@[^\s@;,|/<>()\[\]\"']+")
_SEVERAL_MAILBOXES = r"@[^@]*[\s;,|/\"][^@]*@"
_SEPARATOR = re.compile(r"[;|,\r\n\t&]|\s(?:or|and|und|oder|ou|et|lub)\s")
_SEVERAL_NUMBERS = r"(?:[0-9][^0-9]*){14}"
_FEWEST_DIGITS = 7
# A stroke stands inside of numbers too, behind the code of a town.
_FEWEST_AT_A_STROKE = 9


def _mailboxes(cell: str) -> list[str]:
    return _MAILBOX.findall(cell)


def _numbers(cell: str) -> list[str]:
    """The telephone numbers of a cell; what is too short for one is an extension."""
    pieces = [piece for part in _SEPARATOR.split(cell) for piece in _at_strokes(part)]
    return [piece.strip() for piece in pieces if _digits(piece) >= _FEWEST_DIGITS]


def _at_strokes(text: str) -> list[str]:
    pieces = text.split("/")
    return pieces if min(map(_digits, pieces)) >= _FEWEST_AT_A_STROKE else [text]


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))


# Field → what a cell with several values looks like, and how to take it apart.
_SEVERAL: Mapping[str, tuple[str, Callable[[str], list[str]]]] = MappingProxyType(
    {"email": (_SEVERAL_MAILBOXES, _mailboxes), "phone": (_SEVERAL_NUMBERS, _numbers)}
)


def values_in(field: str, cell: str) -> list[str]:
    """The values of one cell; itself where it holds one, or none that is known."""
    if field not in _SEVERAL:
        return [cell]
    found = _SEVERAL[field][1](cell)[:_MOST_VALUES]
    return found if len(found) > 1 else [cell]


# What a value of the other kind looks like in a column of mailboxes, and in one of telephone numbers.
_OTHER_KIND = MappingProxyType(
    {"email": r"^[+(]?[0-9][0-9 ()./\-]{6,22}$", "phone": r"^[^\s@]+@[^\s@]+\.[^\s@]+$"}
)
OTHER = MappingProxyType({"email": "phone", "phone": "email"})


def one_value_each(field: str, texts: Texts) -> list[Texts]:
    """Spread the values of a column's cells over as many columns as are needed; mostly that is the one."""
    if field not in _SEVERAL:
        return [texts]
    looks, values_of = _SEVERAL[field]
    places = pc.indices_nonzero(pc.match_substring_regex(texts.values, looks)).to_pylist()
    found = {place: values_of(texts.values[place].as_py())[:_MOST_VALUES] for place in places}
    several = {place: values for place, values in found.items() if len(values) > 1}
    if not several:
        return [texts]
    columns = [texts.values.to_pylist()]
    columns += [[""] * len(texts.values) for _ in range(max(map(len, several.values())) - 1)]
    for place, values in several.items():
        for column, value in zip(columns, values, strict=False):
            column[place] = value
    return [_column(pa.array(column, pa.string()), texts) for column in columns]


def of_other_kind(field: str, texts: Texts) -> Texts | None:
    """The telephone numbers in a column of mailboxes, or the other way round; None where there are none."""
    if field not in _OTHER_KIND:
        return None
    others = pc.match_substring_regex(texts.values, _OTHER_KIND[field])
    if not pc.any(others).as_py():
        return None
    found = _column(pc.if_else(others, texts.values, pa.scalar("", texts.values.type)), texts)
    return found if found.filled else None


def _column(values: pa.Array, texts: Texts) -> Texts:
    return Texts(*renumber(values, texts.codes))


# ── An address with its place

# The fields that a column with a whole address may be known as, and of those the ones it then fills too.
WHOLE_PLACES = ("address", "postcode", "city")
# Streets alone, or towns alone, may well be most of a file.
_FEWEST, _LOOKED_AT, _ENOUGH = 3, 2000, 0.25
_CODES = "|".join((
    "[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}", "[A-Z][0-9][A-Z][ -]?[0-9][A-Z][0-9]", "[0-9]{4} ?[A-Z]{2}",
    "[0-9]{2}-[0-9]{3}", "[0-9]{3} [0-9]{2}", "[0-9]{5}-[0-9]{3,4}", "[0-9]{4}-[0-9]{3}", "[0-9]{3}-[0-9]{4}",
    "[0-9]{4,6}",
))  # fmt: skip
_CODE = rf"(?:[A-Z]{{1,2}}-)?(?P<postcode>{_CODES})"
_STREET = r"(?P<street>.*[^ ,])"
_TOWN = r"(?P<city>[^0-9,]+?)"
# Ways to write a street and its place in one line; the first that fits counts.
_WHOLE = (
    # 5 Main St, Austin, TX 73301
    rf"(?i)^{_STREET} ?, ?{_TOWN}[ ,]+(?-i:[A-Z]{{2,3}})[ ,]+{_CODE}$",
    # 5 Main St, 10115 Berlin
    rf"(?i)^{_STREET}[ ,]+{_CODE}[ ,]+{_TOWN}$",
    # 5 Main St, Leeds, LS1 4AP
    rf"(?i)^{_STREET} ?, ?{_TOWN}[ ,]+{_CODE}$",
)
# What is left of it where a part is missing.
_PARTLY = (
    rf"(?i)^{_STREET} ?, ?{_CODE}(?P<city>)$",
    rf"(?i)^(?P<street>){_CODE}(?P<city>)$",
    rf"(?i)^(?P<street>.*[0-9].*?) ?, ?{_TOWN}(?P<postcode>)$",
)
# Places alone; or a street behind its number, as "1200 Broadway".
_BARE = (
    rf"(?i)^(?P<street>){_CODE}[ ,]+{_TOWN}$",
    rf"(?i)^(?P<street>){_TOWN}[ ,]+(?:(?-i:[A-Z]{{2,3}})[ ,]+)?{_CODE}$",
    rf"(?i)^(?P<street>){_TOWN}(?P<postcode>)$",
)
_PARTS = ("street", "postcode", "city")
_LINE_ENDS = r" *[\r\n;]+ *"
_NAMES_OF_COUNTRIES = "|".join(sorted(COUNTRY_NAMES, key=len, reverse=True))
_COUNTRY = rf"(?i)(?:^| *, *)(?:{_NAMES_OF_COUNTRIES}|(?-i:[A-Z]{{2}}))$"


def holds_places(texts: Texts, *, streets: bool) -> bool:
    """Tell whether cells have a postcode and a town in one, behind a street or alone."""
    filled = texts.at(np.flatnonzero(texts.codes >= 0)[:_LOOKED_AT])
    lines = _lines(pa.array(filled, pa.string()))
    fitting = np.logical_or.reduce([_fits(lines, way) for way in (_WHOLE if streets else _BARE[:2])])
    return len(filled) >= _FEWEST and bool(fitting.mean() >= _ENOUGH)


def places_apart(texts: Texts, *, streets: bool) -> dict[str, Texts]:
    """Take street, postcode and town of each cell apart; a line in none of the usual ways is a street.

    Where cells have streets, a line without one is a place if another cell has its town.
    """
    lines = _lines(texts.values)
    parts = {part: pa.nulls(len(lines), pa.string()) for part in _PARTS}
    for way in _WHOLE if streets else ():
        parts = _read(lines, way, parts)
    towns = pc.unique(parts["city"].drop_null()) if streets else None
    for way in _BARE:
        parts = _read(lines, way, parts, towns)
    for way in _PARTLY:
        parts = _read(lines, way, parts)
    parts["street"] = pc.coalesce(parts["street"], lines)
    columns = {part: _column(pc.fill_null(values, ""), texts) for part, values in parts.items()}
    return {"address": columns["street"], "postcode": columns["postcode"], "city": columns["city"]}


def _read(
    lines: pa.Array, way: str, parts: dict[str, pa.Array], towns: pa.Array | None = None
) -> dict[str, pa.Array]:
    """Fill the parts of the lines not read yet that are written in a way, in one of some towns if given."""
    found = pc.extract_regex(
        pc.if_else(pc.is_null(parts["street"]), lines, pa.scalar(None, pa.string())), way
    )
    own = {part: pc.struct_field(found, part) for part in _PARTS}
    taken = pc.is_valid(own["street"])
    if towns is not None:
        taken = pc.and_(taken, pc.is_in(own["city"], value_set=towns))
    return {part: pc.if_else(taken, own[part], values) for part, values in parts.items()}


def _lines(values: pa.Array) -> pa.Array:
    """Addresses in one line each, without the country at their end."""
    lines = pc.replace_substring_regex(values.cast(pa.string()), _LINE_ENDS, ", ")
    lines = pc.replace_substring_regex(lines, r"[ \t]+", " ")
    return pc.utf8_trim(pc.replace_substring_regex(lines, _COUNTRY, ""), " ,")


def _fits(lines: pa.Array, way: str) -> np.ndarray:
    found: np.ndarray = pc.match_substring_regex(lines, way).to_numpy(zero_copy_only=False)
    return found
