"""What the columns of one sheet are: fields of a profile, the records' own id, extras, or nothing of use."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from resolution.batch.canonical import joined_lines
from resolution.batch.cells import (
    OTHER,
    WHOLE_PLACES,
    holds_places,
    of_other_kind,
    one_value_each,
    places_apart,
)
from resolution.batch.columns import (
    FIELDS,
    JOINED,
    ColumnMap,
    ColumnUse,
    field_by_name,
    fields_by_names,
    is_row_id,
    map_columns,
)
from resolution.batch.extras import extra_name, is_determined, is_extra
from resolution.batch.parquet_table import is_text
from resolution.batch.shared_ids import are_shared_ids
from resolution.batch.sheet import Sheet, Texts
from resolution.batch.spread import in_threads
from resolution.errors import InvalidInput
from resolution.matching.table import EXTRA

Mapping: TypeAlias = Sequence[tuple[str, str]]

RECORD_ID, EXTERNAL_ID, REGION = "record_id", "external_id", "region"
NOT_USED = "not used"
_LOOKED_AT = 1000
_PLACES = ("city", "postcode")
# What two people of one home do not have in common.
_PERSONAL = ("given_name", "name")
_LONGEST_ID = 64
_LOOKS_LIKE_ID = re.compile(r"(?:^|[_\W])(?:id|ids|nr|no|num|number|key|code|ref|reference|index|uuid|guid)$")
# Names that tools give columns which have none, and what an id of a person looks like.
_SAYS_NOTHING = re.compile(r"(?:col|column|field|var|attr|unnamed|[a-z])?[\s:_.-]*\d*", re.IGNORECASE)
_CODE = re.compile(r"(?=(?:.*\d){5})[A-Za-z]{0,5}[-_ ]?[\dA-Za-z][\dA-Za-z./-]{4,30}")
_MOST_SHARED, _ENOUGH_CODES = 0.5, 0.95
_HAS_DIGITS = re.compile(r"[^\s]*\d[^\s]*")


@dataclass(frozen=True, slots=True)
class Layout:
    """How one sheet is read; `notes` are sentences on what was decided and might surprise.

    `whole_place` is the field whose cells have street, postcode and town in one.
    """

    uses: tuple[ColumnUse, ...]
    notes: tuple[str, ...] = ()
    whole_place: str = ""

    def places(self, field: str) -> tuple[int, ...]:
        """The columns that fill a field, by place; the parts of an address or a date in their order."""
        return ColumnMap(self.uses).places().get(field, ())

    def extras(self) -> dict[str, int]:
        """Name of each extra → its column."""
        return {
            use.field.removeprefix(EXTRA): place
            for place, use in enumerate(self.uses)
            if use.field.startswith(EXTRA)
        }


def check_mapping(mapping: Mapping, sheets: Sequence[Sheet]) -> None:
    """Raise InvalidInput for a field that does not exist or a column that no sheet has."""
    known = {name for sheet in sheets for name in sheet.names}
    for field, column in mapping:
        if field not in FIELDS and not (field.startswith(EXTRA) and len(field) > len(EXTRA)):
            raise InvalidInput(
                f"There is no field “{field[:60]}” to map to; the fields are {', '.join(FIELDS)}, and"
                f" {EXTRA}NAME for anything else.",
                field=field[:60],
            )
        if column and column not in known:
            raise InvalidInput(
                f"No file has a column “{column[:60]}” for {field}; the columns are"
                f" {', '.join(dict.fromkeys(name for sheet in sheets for name in sheet.names))[:500]}.",
                column=column[:60], field=field,
            )  # fmt: skip


def layout_of(sheet: Sheet, mapping: Mapping, id_column: str = "") -> Layout:
    """Decide what each column of a sheet is, by what was told, by name, by content.

    Raises InvalidInput when nothing in it can identify anybody, or the records' ids are not each their own.
    """
    given = [(field, column) for field, column in mapping if column in ("", *sheet.names)]
    if id_column:
        given = [*(pair for pair in given if pair[0] != RECORD_ID), (RECORD_ID, id_column)]
    plain = [pair for pair in given if not pair[0].startswith(EXTRA)]
    told = {column: field for field, column in given if column and field.startswith(EXTRA)}
    uses = list(map_columns(sheet.names, plain, _sample(sheet)).uses)
    closed = {field for field, _ in given}
    layout = _with_shared_ids(sheet, _with_ids(sheet, Layout(tuple(uses)), closed), closed)
    return _with_whole_place(sheet, _with_extras(sheet, layout, told, closed), closed)


def _sample(sheet: Sheet) -> list[tuple[str, ...]]:
    """Rows of values from all over the sheet, of each column those that are filled."""
    columns = []
    for texts in sheet.texts:
        filled = np.flatnonzero(texts.codes >= 0)
        step = max(len(filled) // _LOOKED_AT, 1)
        values = texts.at(filled[::step][:_LOOKED_AT])
        columns.append(values + [""] * (_LOOKED_AT - len(values)))
    return list(zip(*columns, strict=True))


def _with_whole_place(sheet: Sheet, layout: Layout, closed: Set[str]) -> Layout:
    """Find the column that has postcode and town in one cell, where no other column has either."""
    known = [field for field in WHOLE_PLACES if layout.places(field)]
    places = {"postcode", "city"}
    if len(places & {*known}) > 1 or len(places & closed) or not known:
        return layout
    field = next((field for field in known if field != "address"), "address")
    if not holds_places(_texts_of(sheet, layout, field)[0], streets=field == "address"):
        return layout
    columns = " and ".join(sheet.names[place] for place in layout.places(field))
    what = "street, postcode and city" if field == "address" else "postcode and city"
    note = f"The column {columns} of {sheet.path.name} holds {what} in one; they are compared each by itself."
    return replace(layout, notes=(*layout.notes, note), whole_place=field)


# ── Ids


def _with_ids(sheet: Sheet, layout: Layout, closed: Set[str]) -> Layout:
    """Settle which column the records' ids are in, and which hold ids of the customers."""
    uses, notes = list(layout.uses), list(layout.notes)
    guesses = fields_by_names(sheet.names)
    for place, use in enumerate(uses):
        if use.how == NOT_USED and guesses[place] == EXTERNAL_ID and EXTERNAL_ID not in closed:
            uses[place] = replace(use, field=EXTERNAL_ID, how="name")
    for place, use in enumerate(uses):
        if use.field == RECORD_ID and (why := _why_no_id(sheet, place)):
            uses[place], note = _demoted(sheet, use, why, closed)
            notes.append(note)
    if RECORD_ID not in closed | {use.field for use in uses}:
        uses = _with_guessed_id(sheet, uses)
    if EXTERNAL_ID not in closed | {use.field for use in uses}:
        uses = _with_guessed_shared_id(sheet, uses)
    numbered = not any(use.field == RECORD_ID for use in uses)
    return Layout(tuple(uses), tuple(notes) if numbered else ())


def _why_no_id(sheet: Sheet, place: int) -> str:
    """Say why a column does not tell the rows apart; empty when it does."""
    texts, rows = sheet.texts[place], len(sheet)
    if blank := rows - texts.filled:
        return f"is blank in {blank:,} of {rows:,} rows"
    if again := int(np.count_nonzero(texts.counts > 1)):
        example = texts.values[int(np.argmax(texts.counts))].as_py()
        ids = "an id" if again == 1 else f"{again:,} ids"
        return f"holds {ids} more than once, as “{example[:60]}” {int(texts.counts.max()):,} times"
    return ""


def _demoted(sheet: Sheet, use: ColumnUse, why: str, closed: Set[str]) -> tuple[ColumnUse, str]:
    """Take a customer number that several rows share as such, and number the rows; refuse any other id."""
    if use.how == "given" or (is_row_id(use.column) and "more than once" in why):
        raise InvalidInput(
            f"{sheet.path}: the id column “{use.column[:60]}” {why}; make the ids unique, name another column"
            f" with --id, or number the rows with --map {RECORD_ID}=.",
            path=str(sheet.path), column=use.column[:60],
        )  # fmt: skip
    note = f"The column {use.column} of {sheet.path.name} {why}, so its rows are numbered."
    if EXTERNAL_ID in closed or is_row_id(use.column):
        return replace(use, field="", how=NOT_USED), note
    return replace(use, field=EXTERNAL_ID), note


def _with_guessed_id(sheet: Sheet, uses: list[ColumnUse]) -> list[ColumnUse]:
    """Take the first unused column that looks like an id and is another one in every row."""
    for place, use in enumerate(uses):
        if not use.field and len(sheet) > 1 and _looks_like_id(sheet, place):
            uses[place] = replace(use, field=RECORD_ID, how="content")
            break
    return uses


def _with_shared_ids(sheet: Sheet, layout: Layout, closed: Set[str]) -> Layout:
    """Take unused columns as ids of customers where the rows that share one are of one person."""
    names = next((sheet.texts[place] for field in _PERSONAL for place in layout.places(field)), None)
    if EXTERNAL_ID in closed or names is None:
        return layout
    uses = [
        replace(use, field=EXTERNAL_ID, how="content")
        if not use.field and not field_by_name(use.column) and are_shared_ids(sheet.texts[place], names)
        else use
        for place, use in enumerate(layout.uses)
    ]
    return replace(layout, uses=tuple(uses))


def _looks_like_id(sheet: Sheet, place: int) -> bool:
    texts, kind = sheet.texts[place], sheet.types[place]
    if texts.distinct < len(sheet) or not (pa.types.is_integer(kind) or is_text(kind)):
        return False
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", sheet.names[place]).casefold()
    if _LOOKS_LIKE_ID.search(words) or pa.types.is_integer(kind):
        return True
    values = texts.values[:_LOOKED_AT].to_pylist()
    alike = all(len(value) <= _LONGEST_ID and _HAS_DIGITS.fullmatch(value) for value in values)
    return alike and "@" not in values[0] and not field_by_name(sheet.names[place])


def _with_guessed_shared_id(sheet: Sheet, uses: list[ColumnUse]) -> list[ColumnUse]:
    """Take the first unused column without a telling name whose codes hardly ever come again."""
    for place, use in enumerate(uses):
        if not use.field and _SAYS_NOTHING.fullmatch(use.column) and _holds_codes(sheet.texts[place]):
            uses[place] = replace(use, field=EXTERNAL_ID, how="content")
            break
    return uses


def _holds_codes(texts: Texts) -> bool:
    if not _MOST_SHARED * texts.filled <= texts.distinct < texts.filled:
        return False
    values = texts.values[:_LOOKED_AT].to_pylist()
    return sum(bool(_CODE.fullmatch(value)) for value in values) >= _ENOUGH_CODES * len(values)


# ── Extras


def _with_extras(sheet: Sheet, layout: Layout, told: dict[str, str], closed: Set[str]) -> Layout:
    """Take as extras what was told, and what looks like an attribute of a person and says something new."""
    uses, notes = list(layout.uses), list(layout.notes)
    known = [sheet.texts[place] for field in _PLACES for place in layout.places(field)]
    names = {field for field in closed if field.startswith(EXTRA)}
    for place, use in enumerate(uses):
        if use.column in told:
            uses[place] = replace(use, field=told[use.column], how="given")
            continue
        field = _extra_field(sheet, place, use, closed)
        if use.field == REGION:
            uses[place] = use = replace(use, field="", how="given" if use.how == "given" else NOT_USED)
        if not field or field in names:
            continue
        if use.how != "given" and is_determined(sheet.texts[place], known):
            notes.append(f"The column {use.column} says nothing that city and postcode do not say: left out.")
            continue
        names.add(field)
        how = use.how if use.how == "given" else "name" if field_by_name(use.column) else "content"
        uses[place] = replace(use, field=field, how=how)
    return Layout(tuple(uses), tuple(notes))


def _extra_field(sheet: Sheet, place: int, use: ColumnUse, closed: Set[str]) -> str:
    """Give the extra that a column may be; empty when it may be none."""
    if use.field == REGION:
        return f"{EXTRA}{REGION}" if use.how == "given" or sheet.texts[place].distinct > 1 else ""
    if use.field or (REGION in closed and field_by_name(use.column) == REGION):
        return ""
    kind = sheet.types[place]
    if not is_extra(use.column, kind, sheet.texts[place], len(sheet)):
        return ""
    return f"{EXTRA}{extra_name(use.column)}"


def texts_by_field(sheet: Sheet, layout: Layout) -> dict[str, list[Texts]]:
    """The columns of each field; the parts of an address or a date as one."""
    fields = [field for field in FIELDS if layout.places(field)]
    found = dict(zip(fields, in_threads(partial(_texts_of, sheet, layout), fields), strict=True))
    for field, strays in zip(OTHER, in_threads(partial(_strays, sheet, layout), tuple(OTHER)), strict=True):
        if strays:
            found[OTHER[field]] = [*found.get(OTHER[field], ()), *strays]
    if layout.whole_place:
        parts = places_apart(found.pop(layout.whole_place)[0], streets=layout.whole_place == "address")
        found |= {field: [*found.get(field, ()), texts] for field, texts in parts.items() if texts.filled}
    return found


def _texts_of(sheet: Sheet, layout: Layout, field: str) -> list[Texts]:
    columns = [sheet.texts[place] for place in layout.places(field)]
    if field in JOINED:
        return [joined_lines(columns)]
    return [texts for column in columns for texts in one_value_each(field, column)]


def _strays(sheet: Sheet, layout: Layout, field: str) -> list[Texts]:
    found = (of_other_kind(field, sheet.texts[place]) for place in layout.places(field))
    return [texts for texts in found if texts is not None]


def systems_of(layout: Layout) -> list[str]:
    """The system of each column of external ids: the first needs no name, a further one has its column's."""
    columns = [use.column for use in layout.uses if use.field == EXTERNAL_ID]
    return ["id", *(re.sub(r"[\W_]+", "", column.casefold()) for column in columns[1:])][: len(columns)]
