"""Which column of a file is which field: told by `--map`, else by the column's name, else by its content."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from resolution.batch.column_content import field_by_content
from resolution.errors import InvalidInput
from resolution.matching.normalise.text import fold_text

_NAMES_FILE = Path(__file__).with_name("column_names.txt")
_EXTRAS_FILE = Path(__file__).with_name("extra_names.txt")
# Words around a name that say whose it is or which: "billing_city", "email_work", "surname_1".
_WHOSE = (
    "customer|client|contact|person|personal|primary|secondary|main|home|work|office|business|private|privat|billing"
    "|shipping|delivery|postal|residential|user|member|account|applicant|patient|owner|holder|subject|guest"
    "|kunden?|cust|address|addr|cli|other|alt|alternate|current|orig|original|raw"
)
_OWNERS = re.compile(rf"^(?:{_WHOSE})(?=[a-z])")
_OWNERS_BEHIND = re.compile(rf"(?<=[a-z]{{2}})(?:{_WHOSE}|raw|text|value|str)$")
_NUMBERED = re.compile(r"(?<=[a-z])\d{1,2}$")
_WORDS = re.compile(r"[^\W\d_]?[^\W\d_A-Z]+\d*|[A-Z]+\d*|\d+")
_ADD_NOTHING = frozenset({"full", "complete", "res", "resident", "desc", "txt", "clean", "fake"})
_KINDS_OF_ADDRESS = frozenset({"mail", "mailing"})
_SHORT_WORDS = {"nm": "name", "ph": "phone", "nbr": "number", "strt": "street"}
UNUSED = "unused"
_PARTS = {"street_number": "address", "address_2": "address"}
_ORDER_OF_PARTS = ("street_number", "address", "address_2")
FIELDS = (
    "record_id", "external_id", "name", "given_name", "family_name", "email", "phone", "birth_date",
    "address", "postcode", "city", "region", "country", "company", "handle",
)  # fmt: skip
# Several columns may give one of these: the parts of an address, a person's two mailboxes.
MANY_COLUMNS = frozenset({"address", "email", "phone", "handle"})
IDENTIFYING = frozenset(FIELDS) - {"record_id", "region", "country"}
# These name the row of a file; other ids are a person's, whom two rows may share.
ROW_IDS = frozenset({"id", "recordid", "recid", "recno", "recordno", "recordnumber", "uuid", "guid", "rowid",
                     "rowno", "rownumber", "indexid"})  # fmt: skip
# Words for a whole name that stand for the family name beside a given name, and the other way round.
_FAMILY_BESIDE_GIVEN = frozenset({"name", "nom", "naam", "namn", "navn", "nimi", "apellido"})
_GIVEN_BESIDE_FAMILY = frozenset({"nome", "nombre", "name", "isim", "ad", "imya", "imja"})


def _read_names() -> dict[str, str]:
    """Squeezed column name → field, "unused" for names that say a column is none of ours."""
    table = {_squeezed(field): field for field in (*FIELDS, *_PARTS)}
    return table | dict.fromkeys(_read_words(_EXTRAS_FILE), UNUSED) | _read_words(_NAMES_FILE)


def _read_words(file: Path) -> dict[str, str]:
    """Read a file of names, one entry a field, as word → field."""
    table: dict[str, str] = {}
    text = re.sub(r"^#.*\n", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for entry in re.sub(r"\n +", " ", text).splitlines():
        field, _, words = entry.partition(":")
        table |= dict.fromkeys(map(_squeezed, (field, *words.split())), field)
    table.pop(UNUSED, None)
    return table


def _squeezed(header: str) -> str:
    """A header's letters and digits; Han ones stay."""
    return re.sub(r"[\W_]", "", fold_text(header))


_BY_NAME = _read_names()
_EXTRAS_BY_NAME = _read_words(_EXTRAS_FILE)


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """One column, the field it fills (empty: kept with the source record only) and how that was decided."""

    column: str
    field: str
    how: str
    example: str = ""


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """How a file's columns are read, in the order of the file."""

    uses: tuple[ColumnUse, ...]

    def places(self) -> dict[str, tuple[int, ...]]:
        """Field → the columns that fill it, by place."""
        found: dict[str, tuple[int, ...]] = {}
        for place, use in enumerate(self.uses):
            if use.field:
                found[use.field] = (*found.get(use.field, ()), place)
        return found | self._address_places()

    def _address_places(self) -> dict[str, tuple[int, ...]]:
        """The number goes before the street and the street before the flat, wherever the file has them."""
        parts = [(_part_rank(use), place) for place, use in enumerate(self.uses) if use.field == "address"]
        return {"address": tuple(place for _, place in sorted(parts))} if parts else {}

    def as_options(self) -> dict[str, str]:
        return {use.column: use.field for use in self.uses}


_WHOLE_LINE = _ORDER_OF_PARTS.index("address")


def _part_rank(use: ColumnUse) -> int:
    guessed = field_by_name(use.column) if use.how == "name" else "address"
    return _ORDER_OF_PARTS.index(guessed) if guessed in _ORDER_OF_PARTS else 1


def is_known_header(cell: str) -> bool:
    """Tell whether a cell is a word that files use as a column name."""
    return field_by_name(cell) not in {"", UNUSED}


@lru_cache(4096)
def field_by_name(header: str) -> str:
    """Find the field a column's name speaks of: empty when it says nothing, "unused" when none of ours."""
    return next((_BY_NAME[word] for word in _spellings(header) if word in _BY_NAME), "")


@lru_cache(4096)
def extra_by_name(header: str) -> str:
    """Find what else of a person a column's name speaks of ("birth_place"); empty when nothing known."""
    return next((_EXTRAS_BY_NAME[word] for word in _spellings(header) if word in _EXTRAS_BY_NAME), "")


def _spellings(header: str) -> list[str]:
    """A header as files may mean it: whole, and without its number or words that add nothing or say whose."""
    whole = _squeezed(header)
    bare = _NUMBERED.sub("", whole)
    return [
        whole,
        _OWNERS.sub("", whole),
        *_rearranged(header),
        bare,
        _OWNERS.sub("", bare),
        _OWNERS_BEHIND.sub("", bare),
        _OWNERS_BEHIND.sub("", _OWNERS.sub("", bare)),
    ]


def _rearranged(header: str) -> tuple[str, str]:
    """A header's telling words written out, in their order and the other way round: "NAME_FIRST"."""
    words = [_SHORT_WORDS.get(word, word) for word in map(_squeezed, _WORDS.findall(header)) if word]
    told = [word for word in words if word not in _ADD_NOTHING] or words
    told = told[1:] if len(told) > 1 and told[0] in _KINDS_OF_ADDRESS else told
    return "".join(told), "".join(reversed(told))


def is_row_id(header: str) -> bool:
    """Tell whether a column's name says that it numbers rows, not persons."""
    return _squeezed(header) in ROW_IDS


def fields_by_names(names: Sequence[str]) -> list[str]:
    """Find the field of each column by the names of all: what "Nom" means depends on a "Prénom" beside it."""
    found = [field_by_name(name) for name in names]
    squeezed = [_squeezed(name) for name in names]
    given, family = "given_name" in found, "family_name" in found
    for place, word in enumerate(squeezed):
        if found[place] == "name" and given and not family and word in _FAMILY_BESIDE_GIVEN:
            found[place] = "family_name"
        elif found[place] == "name" and family and not given and word in _GIVEN_BESIDE_FAMILY:
            found[place] = "given_name"
        elif word == "nombre" and not family:
            found[place] = "name"
    return _with_one_row_id(names, found)


def _with_one_row_id(names: Sequence[str], found: list[str]) -> list[str]:
    """One column numbers the records; a customer number beside it is an id of the customer's."""
    places = [place for place, field in enumerate(found) if field == "record_id"]
    chosen = next((place for place in places if is_row_id(names[place])), places[0] if places else -1)
    for place in places:
        if place != chosen:
            found[place] = "external_id"
    return found


def map_columns(
    names: Sequence[str], given: Sequence[tuple[str, str]], sample: Sequence[Sequence[str]]
) -> ColumnMap:
    """Decide what each column is; `given` pairs are (field, column), an empty column drops the field.

    Raises InvalidInput naming an unknown field or column, or when nothing in the file can identify anybody.
    """
    _check_given(names, given)
    told = {column: field for field, column in given if column}
    closed = {field for field, _ in given}
    guesses = fields_by_names(names)
    named = {_PARTS.get(guess, guess) for name, guess in zip(names, guesses, strict=True) if name not in told}
    uses = []
    for place, name in enumerate(names):
        values = [row[place] for row in sample]
        uses.append(_use_of(name, guesses[place], values, told, closed, named - MANY_COLUMNS))
        if uses[-1].field not in MANY_COLUMNS:
            closed.add(uses[-1].field)
    uses = _with_one_address(uses)
    _check_result(uses, names)
    return ColumnMap(tuple(uses))


def _with_one_address(uses: Sequence[ColumnUse]) -> list[ColumnUse]:
    """Of several whole street lines that names tell of (billing, shipping) the first one counts."""
    streets = [
        use for use in uses if use.field == "address" and use.how == "name" and _part_rank(use) == _WHOLE_LINE
    ]
    return [replace(use, field="", how="not used") if use in streets[1:] else use for use in uses]


def _use_of(
    name: str,
    guess: str,
    values: list[str],
    told: Mapping[str, str],
    closed: set[str],
    named: Set[str],
) -> ColumnUse:
    example = next((value for value in values if value.strip()), "")[:40]
    if name in told:
        return ColumnUse(name, told[name], "given", example)
    field, how = _PARTS.get(guess, guess), "name"
    if not guess:
        field, how = field_by_content(values, named), "content"
    if field in closed | {"", UNUSED}:
        return ColumnUse(name, "", "not used", example)
    return ColumnUse(name, field, how, example)


def _check_given(names: Sequence[str], given: Sequence[tuple[str, str]]) -> None:
    for field, column in given:
        if field not in FIELDS:
            raise InvalidInput(
                f"There is no field “{field[:60]}” to map to; the fields are {', '.join(FIELDS)}.",
                field=field[:60],
            )
        if column and column not in names:
            raise InvalidInput(
                f"The file has no column “{column[:60]}” for {field}; its columns are"
                f" {', '.join(names)[:500]}.",
                column=column[:60], field=field,
            )  # fmt: skip
    for field in {field for field, _ in given} - MANY_COLUMNS:
        columns = [column for other, column in given if other == field]
        if len(columns) > 1:
            raise InvalidInput(f"{field} can come from one column only; {' and '.join(columns)} were given.")


def _check_result(uses: Sequence[ColumnUse], names: Sequence[str]) -> None:
    if not any(use.field in IDENTIFYING for use in uses):
        raise InvalidInput(
            f"None of the columns ({', '.join(names)[:500]}) is known to describe a customer;"
            " say which is which with --map, as in --map email=CONTACT.",
            columns=list(names),
        )
