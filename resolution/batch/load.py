"""Files of records to one table of profiles: columns told apart, values made canonical, ids made unique."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from resolution.batch.canonical import Fields, canonical_columns, extra_column, extra_field, regions_of
from resolution.batch.collector import seldom_collecting
from resolution.batch.customs import Customs, customs_of
from resolution.batch.fan_in import without_shared
from resolution.batch.layout import (
    EXTERNAL_ID,
    RECORD_ID,
    Layout,
    check_mapping,
    layout_of,
    systems_of,
    texts_by_field,
)
from resolution.batch.run_facts import ColumnFact, CompletenessFact, InputFact, SharedValueFact
from resolution.batch.sheet import Sheet, Texts, read_sheet
from resolution.batch.table import Refusal
from resolution.errors import InvalidInput
from resolution.matching.table import EXTRA, PROFILE_COLUMNS, Column, ProfileTable
from resolution.types import Profile

Watch: TypeAlias = Callable[[str], None]

# The columns that each field of the table is made of.
_SOURCES = {
    "name": ("name", "given_name", "family_name"),
    "address": ("address", "postcode", "city"),
} | {field: (field,) for field in ("birth_date", "email", "phone", "external_id", "company", "handle")}


@dataclass(frozen=True, eq=False)
class Loaded:
    """n records of one or several files, row i being record i everywhere.

    `ids` are the records' own as text, "FILE:ROW" where they have none; `sources` the number of the input
    each is from. `refusals` are the rows of each input that could not be read. Values of too many people are
    in `shared_values` and nowhere else. `notes` are whole sentences.
    """

    ids: npt.NDArray[np.object_]
    sources: npt.NDArray[np.int32]
    table: ProfileTable
    columns: tuple[ColumnFact, ...]
    completeness: tuple[CompletenessFact, ...]
    inputs: tuple[InputFact, ...]
    refusals: tuple[tuple[Refusal, ...], ...] = ()
    shared_values: tuple[SharedValueFact, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def profile(self, row: int) -> Profile:
        """One record as a profile, with the canonical values of the table."""
        columns = self.table.columns
        values: dict[str, Any] = {
            attribute: _values_at(columns[field], row) for field, attribute in PROFILE_COLUMNS.items()
        }
        extras = tuple(
            (field.removeprefix(EXTRA), value)
            for field, column in columns.items()
            if field.startswith(EXTRA)
            for value in _values_at(column, row)
        )
        return Profile(key=self.table.keys[row], **values, extras=extras)


def _values_at(column: Column, row: int) -> tuple[Any, ...]:
    return tuple(column.values[code] for code in column.codes[column.starts[row] : column.starts[row + 1]])


def load_files(
    paths: Sequence[Path | str],
    *,
    id_column: str = "",
    mapping: Sequence[tuple[str, str]] = (),
    delimiter: str = "",
    encoding: str = "",
    watch: Watch = lambda stage: None,
) -> Loaded:
    """Read files into one table; `mapping` has (field, column), an empty column dropping the field.

    A field "extra:NAME" is any other attribute. `watch` is told the name of each stage as it begins. Raises
    NotFound or InvalidInput, each in one sentence, where a file or an option cannot serve.
    """
    if not paths:
        raise InvalidInput("There is no file to read; name at least one CSV or Parquet file.")
    with seldom_collecting():
        watch("read")
        sheets = [read_sheet(Path(path), delimiter=delimiter, encoding=encoding) for path in paths]
        watch("columns")
        _check_options(sheets, mapping, id_column)
        layouts = [layout_of(sheet, mapping, id_column) for sheet in sheets]
        watch("normalise")
        return _loaded(sheets, layouts, watch)


def _check_options(sheets: Sequence[Sheet], mapping: Sequence[tuple[str, str]], id_column: str) -> None:
    check_mapping(mapping, sheets)
    for sheet in sheets:
        if id_column and id_column not in sheet.names:
            raise InvalidInput(
                f"{sheet.path} has no column “{id_column[:60]}” to take the ids from; its columns are"
                f" {', '.join(sheet.names)[:500]}.",
                path=str(sheet.path), column=id_column[:60],
            )  # fmt: skip


def _loaded(sheets: Sequence[Sheet], layouts: Sequence[Layout], watch: Watch) -> Loaded:
    found = [texts_by_field(sheet, layout) for sheet, layout in zip(sheets, layouts, strict=True)]
    united = _united(sheets, layouts, found)
    customs = list(map(_customs, found))
    country = next(iter(united.fields.get("country", ())), None)
    regions = regions_of(
        country, [(len(sheet), custom) for sheet, custom in zip(sheets, customs, strict=True)]
    )
    columns = canonical_columns(united.fields, regions, united.systems)
    columns |= {extra_field(name): extra_column(texts) for name, texts in united.extras.items()}
    completeness = tuple(_completeness(columns, united))
    watch("shared values")
    columns, shared = without_shared(columns)
    keys = _ids(sheets, layouts)
    ids = np.empty(len(keys), dtype=object)
    ids[:] = keys
    return Loaded(
        ids=ids,
        sources=np.repeat(np.arange(len(sheets), dtype=np.int32), [len(sheet) for sheet in sheets]),
        table=ProfileTable(keys, columns),
        columns=tuple(_column_facts(sheets, layouts)),
        completeness=completeness,
        inputs=tuple(InputFact(str(sheet.path), len(sheet), sheet.kind) for sheet in sheets),
        refusals=tuple(sheet.refusals for sheet in sheets),
        shared_values=shared,
        notes=tuple(_notes(sheets, layouts, customs)),
    )


def _customs(fields: Fields) -> Customs:
    return customs_of(fields.get("phone", []), fields.get("birth_date", []), has_country="country" in fields)


def _notes(sheets: Sequence[Sheet], layouts: Sequence[Layout], customs: Sequence[Customs]) -> Iterable[str]:
    for sheet, layout, custom in zip(sheets, layouts, customs, strict=True):
        yield from layout.notes
        if custom.region:
            yield f"{sheet.path.name} names no country; phones and dates were read as in {custom.region}."
        if sheet.refusals:
            rows = "1 row" if len(sheet.refusals) == 1 else f"{len(sheet.refusals):,} rows"
            yield f"{rows} of {sheet.path.name} could not be read; rejects.csv says which and why."


# ── Several files as one


@dataclass(frozen=True, eq=False)
class _United:
    """The columns of all files by field, blank in the files that have none."""

    fields: dict[str, list[Texts]]
    systems: list[str]
    extras: dict[str, Texts]


def _united(sheets: Sequence[Sheet], layouts: Sequence[Layout], found: Sequence[Fields]) -> _United:
    sizes = [len(sheet) for sheet in sheets]
    fields: dict[str, list[Texts]] = {}
    for field in dict.fromkeys(field for one in found for field in one):
        most = max(len(one.get(field, ())) for one in found)
        fields[field] = [
            _stacked([_nth(one.get(field, []), place) for one in found], sizes) for place in range(most)
        ]
    by_system = [
        dict(zip(systems_of(layout), one.get(EXTERNAL_ID, ()), strict=True))
        for layout, one in zip(layouts, found, strict=True)
    ]
    systems = list(dict.fromkeys(system for one in by_system for system in one))
    fields[EXTERNAL_ID] = [_stacked([one.get(system) for one in by_system], sizes) for system in systems]
    extras = [
        {name: sheet.texts[place] for name, place in layout.extras().items()}
        for sheet, layout in zip(sheets, layouts, strict=True)
    ]
    names = dict.fromkeys(name for one in extras for name in one)
    return _United(
        fields, systems, {name: _stacked([one.get(name) for one in extras], sizes) for name in names}
    )


def _nth(columns: Sequence[Texts], place: int) -> Texts | None:
    return columns[place] if place < len(columns) else None


def _stacked(columns: Sequence[Texts | None], sizes: Sequence[int]) -> Texts:
    """One column of all files; equal texts of two files stay two."""
    if len(columns) == 1 and columns[0] is not None:
        return columns[0]
    values, codes, before = [], [], 0
    for column, size in zip(columns, sizes, strict=True):
        if column is None:
            codes.append(np.full(size, -1, dtype=np.int32))
            continue
        codes.append(np.where(column.codes >= 0, column.codes + before, -1).astype(np.int32))
        values.append(column.values.cast(pa.string()))
        before += len(column.values)
    return Texts(pa.concat_arrays(values), np.concatenate(codes))


# ── Ids


def _ids(sheets: Sequence[Sheet], layouts: Sequence[Layout]) -> list[str]:
    """The records' ids, under their file's name where they have none or two files share some."""
    labels = _labels(sheets)
    own = [_own_ids(sheet, layout) for sheet, layout in zip(sheets, layouts, strict=True)]
    parts = [
        ids or _under(label, range(1, len(sheet) + 1))
        for label, sheet, ids in zip(labels, sheets, own, strict=True)
    ]
    if len(parts) > 1 and len(set().union(*parts)) < sum(map(len, parts)):
        parts = [
            _under(label, part) if ids else part for label, part, ids in zip(labels, parts, own, strict=True)
        ]
    return [text for part in parts for text in part] if len(parts) > 1 else parts[0]


def _own_ids(sheet: Sheet, layout: Layout) -> list[str]:
    places = layout.places(RECORD_ID)
    return sheet.texts[places[0]].at(np.arange(len(sheet))) if places else []


def _under(label: str, ids: Iterable[object]) -> list[str]:
    return [f"{label}:{one}" for one in ids]


def _labels(sheets: Sequence[Sheet]) -> list[str]:
    """Short names of the files that no two share."""
    counts = Counter(sheet.path.stem for sheet in sheets)
    return [
        sheet.path.stem if counts[sheet.path.stem] == 1 else f"{sheet.path.stem}{number}"
        for number, sheet in enumerate(sheets, 1)
    ]


# ── Facts


def _column_facts(sheets: Sequence[Sheet], layouts: Sequence[Layout]) -> Iterable[ColumnFact]:
    labels = _labels(sheets)
    for label, sheet, layout in zip(labels, sheets, layouts, strict=True):
        for use, texts in zip(layout.uses, sheet.texts, strict=True):
            column = use.column if len(sheets) == 1 else f"{label}: {use.column}"
            yield ColumnFact(
                column, use.field, use.how, use.example, texts.filled / len(sheet), texts.distinct
            )


def _completeness(columns: dict[str, Column], united: _United) -> Iterable[CompletenessFact]:
    for field, column in columns.items():
        sources = [texts for source in _SOURCES.get(field, ()) for texts in united.fields.get(source, ())]
        if field.startswith(EXTRA):
            sources = [united.extras[field.removeprefix(EXTRA)]]
        if sources:
            told = np.logical_or.reduce([texts.codes >= 0 for texts in sources])
            filled = column.counts > 0
            yield CompletenessFact(
                field, float(filled.mean()), len(column.values), int(np.count_nonzero(told & ~filled))
            )
