"""Columns of text to columns of canonical values: what `build_profile` gives for every row, all rows at once.

Each distinct text is made canonical once. What takes several columns (a name, an address, a phone number by
its country) is worked out for the distinct combinations of their numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from resolution.batch.customs import Customs
from resolution.batch.numbering import Codes, combine, renumber, take
from resolution.batch.sheet import Texts
from resolution.batch.spread import in_threads, spread
from resolution.matching.normalise import junk
from resolution.matching.normalise.bulk import (
    bulk_cities,
    bulk_companies,
    bulk_dates,
    bulk_emails,
    bulk_full_names,
    bulk_name_parts,
    bulk_phones,
    bulk_postcodes,
    bulk_street_lines,
)
from resolution.matching.normalise.country import country_code
from resolution.matching.normalise.external_id import external_id_in, normalise_handle
from resolution.matching.normalise.text import fold_text, plain_words
from resolution.matching.table import EXTRA, ArrowTexts, Column, Composites, Part, single_column
from resolution.types import Address, Name

_ADDRESS_PARTS = ("street", "house", "postcode", "city", "country")

# The column of each field, several for some, in the order their values come.
Fields = Mapping[str, Sequence[Texts]]

# The fields that take longest go first, so that no processor is left with one of them at the end.
_LONGEST = ("phone", "address", "email", "name")

_PLAIN_ID = "^[A-Za-z0-9._-]{1,100}$"


@dataclass(frozen=True, eq=False)
class Regions:
    """Whose customs each row's phones and dates follow: numbers of `codes` (ISO alpha-2, "" for unknown)."""

    codes: tuple[str, ...]
    phones: Codes
    dates: Codes

    def __len__(self) -> int:
        return len(self.phones)


def regions_of(country: Texts | None, customs: Sequence[tuple[int, Customs]]) -> Regions:
    """Take each row's region from its country, else its file's; `customs` come with the file's rows.

    Where all dates of a file are of one order, they are read in that one whatever the country.
    """
    files = np.repeat(np.arange(len(customs)), [rows for rows, _ in customs])
    codes = list(dict.fromkeys(["", *(custom.region for _, custom in customs)]))
    phones = np.array([codes.index(custom.region) for _, custom in customs], dtype=np.int32)[files]
    if country is not None:
        found = [country_code(text) for text in country.values.to_pylist()]
        codes = list(dict.fromkeys([*codes, *found]))
        own = take(
            np.array([codes.index(code) if code else -1 for code in found], dtype=np.int32), country.codes
        )
        phones = np.where(own >= 0, own, phones)
    codes = list(dict.fromkeys([*codes, *(custom.dates or "" for _, custom in customs)]))
    told = [-1 if custom.dates is None else codes.index(custom.dates) for _, custom in customs]
    dates = np.array(told, dtype=np.int32)[files]
    return Regions(tuple(codes), phones, np.where(dates >= 0, dates, phones))


def canonical_columns(fields: Fields, regions: Regions, systems: Sequence[str]) -> dict[str, Column]:
    """Make the column of every field that profiles are compared by.

    `systems` are those of the columns of external ids.
    """
    rows = len(regions)
    several: dict[str, Callable[[Texts], Column]] = {
        "email": lambda texts: _plain(texts, bulk_emails(texts.values, spread)),
        "phone": lambda texts: _by_region(texts, regions, regions.phones, bulk_phones),
        "handle": lambda texts: _plain(texts, _each(texts, lambda text: normalise_handle(text).value)),
    }
    single: dict[str, Callable[[Texts], Column]] = {
        "birth_date": lambda texts: _by_region(texts, regions, regions.dates, bulk_dates),
        "company": lambda texts: _plain(texts, bulk_companies(texts.values, spread)),
    }

    def joined(field: str, make: Callable[[Texts], Column]) -> Column:
        return _joined([make(texts) for texts in fields.get(field, ())], rows)

    def external_ids() -> Column:
        named = zip(fields.get("external_id", ()), systems, strict=True)
        return _joined([_plain(texts, _external_ids(texts.values, system)) for texts, system in named], rows)

    makers: dict[str, Callable[[], Column]] = {
        field: partial(joined, field, make) for field, make in (several | single).items()
    }
    makers |= {
        "external_id": external_ids,
        "name": lambda: _names(fields, rows),
        "address": lambda: _addresses(fields, rows),
    }
    order = (*_LONGEST, *(makers.keys() - set(_LONGEST)))
    found = dict(zip(order, in_threads(lambda field: makers[field](), order), strict=True))
    return {field: found[field] for field in makers}


def extra_column(texts: Texts) -> Column:
    """Make the column of what only this file tells: its words, folded."""
    return _plain(texts, _each(texts, _plain_text))


def _plain_text(text: str) -> str:
    return "" if junk.is_filler(fold_text(text)) else " ".join(plain_words(text))


def extra_field(name: str) -> str:
    return f"{EXTRA}{name}"


def _each(texts: Texts, canonical: Callable[[str], str]) -> pa.Array:
    return pa.array(map(canonical, texts.values.to_pylist()), pa.string())


def _external_ids(values: pa.Array, system: str) -> pa.Array:
    """Write each id as `external_id_in` does; ids of plain letters and digits all at once."""
    plain = pc.and_(
        pc.match_substring_regex(values, _PLAIN_ID),
        pc.invert(pc.is_in(pc.ascii_lower(values), value_set=pa.array(sorted(junk.FILLERS), values.type))),
    )
    plain = pc.fill_null(pc.and_(plain, pc.match_substring_regex(values, "[^0._-]")), False)
    written = pc.binary_join_element_wise(external_id_in(system, "a").value.removesuffix("a"), values, "")
    others = [external_id_in(system, text).value for text in values.filter(pc.invert(plain)).to_pylist()]
    return pc.replace_with_mask(written, pc.invert(plain), pa.array(others, written.type))


def _plain(texts: Texts, canonical: pa.Array) -> Column:
    values, codes = renumber(canonical, texts.codes)
    return single_column(ArrowTexts(values), codes)


def _by_region(texts: Texts, regions: Regions, rows: Codes, bulk: Callable[..., pa.Array]) -> Column:
    filled = np.flatnonzero(texts.codes >= 0)
    (values, places), pairs = combine([texts.codes[filled], rows[filled]])
    names = pa.array(regions.codes, pa.string()).take(pa.array(places))
    canonical = bulk(texts.values.take(pa.array(values)), names, spread)
    found, numbers = renumber(canonical, pairs)
    codes = np.full(len(texts.codes), -1, dtype=np.int32)
    codes[filled] = numbers
    return single_column(ArrowTexts(found), codes)


def _joined(columns: Sequence[Column], rows: int) -> Column:
    """One column of several, each profile's values in their order and each once."""
    if len(columns) < 2:
        return columns[0] if columns else single_column([], np.full(rows, -1, dtype=np.int32))
    numbers: dict[str, int] = {}
    table = np.full((rows, len(columns)), -1, dtype=np.int32)
    for place, column in enumerate(columns):
        own = [numbers.setdefault(value, len(numbers)) for value in column.values]
        table[:, place] = take(np.array(own, dtype=np.int32), column.first)
        for before in range(place):
            table[table[:, place] == table[:, before], place] = -1
    filled = table >= 0
    starts = np.append(0, np.cumsum(filled.sum(axis=1))).astype(np.int64)
    return Column(list(numbers), table[filled], starts)


def _only(fields: Fields, field: str) -> Texts | None:
    return next(iter(fields.get(field, ())), None)


# ── Names


def _names(fields: Fields, rows: int) -> Column:
    """Given and family name where a row has either of sense, else its whole name taken apart."""
    halves = [_half(_only(fields, part), rows) for part in ("given_name", "family_name")]
    (given_texts, given), (family_texts, family) = _without_placeholders(*halves)
    whole = _only(fields, "name")
    if whole is not None:
        firsts, lasts = bulk_full_names(whole.values, spread)
        given_texts, first = _added(given_texts, firsts)
        family_texts, last = _added(family_texts, lasts)
        bare = (given < 0) & (family < 0)
        given = np.where(bare, take(first, whole.codes), given)
        family = np.where(bare, take(last, whole.codes), family)
        given_texts, given = renumber(given_texts, given)
        family_texts, family = renumber(family_texts, family)
    (firsts, lasts), pairs = combine([given, family])
    parts = {"given": (given_texts, firsts), "family": (family_texts, lasts)}
    return _composed(Name, parts, pairs, (firsts >= 0) | (lasts >= 0))


def _half(texts: Texts | None, rows: int) -> tuple[pa.Array, Codes]:
    if texts is None:
        return pa.array([], pa.string()), np.full(rows, -1, dtype=np.int32)
    return renumber(bulk_name_parts(texts.values, spread), texts.codes)


def _without_placeholders(
    given: tuple[pa.Array, Codes], family: tuple[pa.Array, Codes]
) -> tuple[tuple[pa.Array, Codes], tuple[pa.Array, Codes]]:
    """Some placeholders are family names of people: they mean nothing when they stand alone."""
    (firsts, first), (lasts, last) = given, family
    first = np.where(_flagged(firsts, first), np.int32(-1), first)
    last = np.where(_flagged(lasts, last) & (first < 0), np.int32(-1), last)
    return (firsts, first), (lasts, last)


def _flagged(texts: pa.Array, codes: Codes) -> npt.NDArray[np.bool_]:
    flags = pc.is_in(texts, value_set=pa.array(sorted(junk.NAMES), pa.string()))
    return np.append(flags.to_numpy(zero_copy_only=False), False)[codes]


def _added(texts: pa.Array, others: pa.Array) -> tuple[pa.Array, Codes]:
    """Texts with others behind them, and the numbers of those; "" has none."""
    values, numbers = renumber(others, np.arange(len(others), dtype=np.int32))
    return pa.concat_arrays([texts, values]), np.where(numbers >= 0, numbers + len(texts), -1).astype(
        np.int32
    )


def _looked_up(texts: pa.Array, codes: Codes) -> list[str]:
    found: list[str] = pc.fill_null(texts.take(pa.array(codes, mask=codes < 0)), "").to_pylist()
    return found


def _composed(
    make: Callable[..., object],
    parts: Mapping[str, tuple[pa.Array, Codes]],
    codes: Codes,
    useful: npt.NDArray[np.bool_],
) -> Column:
    """A column of the useful combinations of parts, numbered anew; equal ones must have met before."""
    numbers = np.where(useful, np.cumsum(useful) - 1, -1).astype(np.int32)
    kept = {name: Part(ArrowTexts(texts), own[useful]) for name, (texts, own) in parts.items()}
    return single_column(Composites(make, kept), take(numbers, codes))


# ── Addresses


def _addresses(fields: Fields, rows: int) -> Column:
    """The distinct addresses of the rows; a house or a country alone is none."""
    lines = _only(fields, "address") or Texts(pa.array([], pa.string()), np.full(rows, -1, dtype=np.int32))
    streets, houses = bulk_street_lines(lines.values, spread)
    parts = [renumber(part, lines.codes) for part in (streets, houses)]
    parts += [
        _part(_only(fields, field), rows, canonical)
        for field, canonical in (("postcode", _postcodes), ("city", _cities), ("country", _countries))
    ]
    places, codes = combine([numbers for _, numbers in parts])
    street, _, postcode, city, _ = (place >= 0 for place in places)
    named = {
        name: (texts, place) for name, (texts, _), place in zip(_ADDRESS_PARTS, parts, places, strict=True)
    }
    return _composed(Address, named, codes, street | postcode | city)


def _part(
    texts: Texts | None, rows: int, canonical: Callable[[pa.Array], pa.Array]
) -> tuple[pa.Array, Codes]:
    if texts is None:
        return pa.array([], pa.string()), np.full(rows, -1, dtype=np.int32)
    return renumber(canonical(texts.values), texts.codes)


def _postcodes(values: pa.Array) -> pa.Array:
    return bulk_postcodes(values, spread)


def _cities(values: pa.Array) -> pa.Array:
    return bulk_cities(values, spread)


def _countries(values: pa.Array) -> pa.Array:
    return pa.array([country_code(text).lower() for text in values.to_pylist()], pa.string())


def joined_lines(columns: Sequence[Texts]) -> Texts:
    """The parts of an address as one line a row, for the distinct combinations only."""
    if len(columns) < 2:
        return columns[0]
    places, rows = combine([texts.codes for texts in columns])
    parts = [_looked_up(texts.values, place) for texts, place in zip(columns, places, strict=True)]
    lines = [" ".join(filter(None, row)) for row in zip(*parts, strict=True)]
    values, codes = renumber(pa.array(lines, pa.string()), rows)
    return Texts(values, codes)
