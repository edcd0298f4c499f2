"""Which column of a file is which field: told by `--map`, else by the column's name, else by its content."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from resolution.batch.column_content import field_by_content, is_contradicted
from resolution.errors import InvalidInput
from resolution.matching.normalise.text import HAN, fold_text

_NAMES_FILE = Path(__file__).with_name("column_names.txt")
_EXTRAS_FILE = Path(__file__).with_name("extra_names.txt")
# Words around a name that say whose it is or which: "billing_city", "email_work", "surname_1".
_WHOSE = (
    "customer|client|contact|person|personal|primary|secondary|main|home|work|office|business|private|privat|billing"
    "|default|mailing|permanent|billto|shipto|shipping|delivery|postal|residential|user|member|account|applicant|patient|owner|holder|subject|guest"
    "|kunden?|cust|address|addr|cli|other|alt|alternate|current|orig|original|raw"
)
_OWNER = re.compile(rf"^(?:{_WHOSE})(?=[a-z])")
_OWNERS_BEHIND = re.compile(rf"(?<=[a-z]{{2}})(?:{_WHOSE}|raw|text|value|str)$")
_NUMBERED = re.compile(r"(?<=[a-z])\d{1,2}$")
_NUMBERED_WITHIN = re.compile(r"(?<=[a-z]{2})\d(?=[a-z]{2})")
_WORDS = re.compile(r"[^\W\d_]?[^\W\d_A-Z]+\d*|[A-Z]+\d*|\d+")
_ADD_NOTHING = frozenset({"full", "complete", "res", "resident", "desc", "txt", "clean", "fake"})
_KINDS_OF_ADDRESS = frozenset({"mail", "mailing"})
_SHORT_WORDS = {"nm": "name", "ph": "phone", "nbr": "number", "strt": "street"}
UNUSED = "unused"
# The share of another column's values below which a column of the same name is passed over.
_NEARLY_BLANK = 0.1
# Columns that are a part of a field, in the order in which the parts make it.
_ORDERS_OF_PARTS = {
    "address": ("street_number", "address", "address_2"),
    "birth_date": ("birth_year", "birth_month", "birth_day"),
}
_PARTS = {part: field for field, parts in _ORDERS_OF_PARTS.items() for part in parts if part != field}
_PUT_TOGETHER = re.compile(r"formatted|^(?:full|complete|whole)address")
_BIRTH_PARTS = _ORDERS_OF_PARTS["birth_date"]
# Fields whose columns make one value; each column of the others has one of its own.
JOINED = frozenset(_ORDERS_OF_PARTS)
# What separates the words of a header, and what stands in front of all of a program's own.
_SEPARATORS = re.compile(r"[\s_.:/-]")
_ALTERNATIVES = re.compile(r"[/|()\[\]]| or | oder ")
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
_FAMILY_BESIDE_GIVEN = frozenset({"name", "nom", "naam", "namn", "navn", "nimi", "nume", "apellido"})
_GIVEN_BESIDE_FAMILY = frozenset({"nome", "nombre", "name", "isim", "ad", "imya", "imja"})


# Words for a given name that stand for a whole one where no family name is beside it.
_WHOLE_WITHOUT_FAMILY = ("nombre", "jméno", "meno", "ime", "όνομα", "이름", "名前")


def _read_names() -> dict[str, str]:
    """Squeezed column name → field, "unused" for names that say a column is none of ours."""
    table = {_squeezed(field): field for field in (*FIELDS, *_PARTS) if field not in _BIRTH_PARTS}
    return table | dict.fromkeys(_read_words(_EXTRAS_FILE), UNUSED) | _read_words(_NAMES_FILE)


def _read_words(file: Path) -> dict[str, str]:
    """Read a file of names, one entry a field, as word → field."""
    table: dict[str, str] = {}
    text = re.sub(r"^#.*\n", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for entry in re.sub(r"\n +", " ", text).splitlines():
        field, _, words = entry.partition(":")
        table |= dict.fromkeys((_squeezed(field), *map(_squeezed, words.split())), field)
    table.pop(UNUSED, None)
    return table


def _squeezed(header: str) -> str:
    return re.sub(f"[^a-z0-9{HAN}]", "", fold_text(header))


_BY_NAME = _read_names()
# Words for a birth date that stand for its day where a month and a year are beside it.
_DAYS_OF_BIRTH = (["birthday"], ["geburtstag"], ["fodselsdag"], ["verjaardag"])
_WHOLE_ALONE = frozenset(map(_squeezed, _WHOLE_WITHOUT_FAMILY))
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
        return {
            field: self._in_order(places) if field in JOINED else places for field, places in found.items()
        }

    def _in_order(self, places: tuple[int, ...]) -> tuple[int, ...]:
        """The number goes before the street, the year before the month, wherever the file has them."""
        guesses = fields_by_names([use.column for use in self.uses])
        return tuple(sorted(places, key=lambda place: _part_rank(self.uses[place], guesses[place])))

    def as_options(self) -> dict[str, str]:
        return {use.column: use.field for use in self.uses}


def _part_rank(use: ColumnUse, guess: str) -> int:
    order = _ORDERS_OF_PARTS[use.field]
    return order.index(guess) if use.how == "name" and guess in order else 1


def is_known_header(cell: str) -> bool:
    """Tell whether a cell is a word that files use as a column name."""
    return field_by_name(cell) not in {"", UNUSED}


@lru_cache(4096)
def field_by_name(header: str) -> str:
    """Find the field a column's name speaks of: empty when it says nothing, "unused" when none of ours."""
    if found := next((_BY_NAME[word] for word in _spellings(header) if word in _BY_NAME), ""):
        return found
    # "Address 1 - City", "Organization 1 - Name"
    kind, sign, part = header.rpartition(" - ")
    if sign:
        found = field_by_name(part)
        return found if found not in {"", "name"} else field_by_name(kind) or found
    # "City/Town", "Date of Birth (DOB)"
    parts = {field_by_name(part) for part in _ALTERNATIVES.split(header) if part != header} - {""}
    return parts.pop() if len(parts) == 1 else ""


@lru_cache(4096)
def extra_by_name(header: str) -> str:
    """Find what else of a person a column's name speaks of ("birth_place"); empty when nothing known."""
    return next((_EXTRAS_BY_NAME[word] for word in _spellings(header) if word in _EXTRAS_BY_NAME), "")


def _spellings(header: str) -> list[str]:
    """A header as files may mean it: whole, without its number, without the words that say whose it is."""
    whole = _squeezed(header)
    bare = _NUMBERED.sub("", whole)
    return [
        *_without_owners(whole),
        *_rearranged(header),
        *_without_owners(bare),
        *(_OWNERS_BEHIND.sub("", word) for word in _without_owners(bare)),
        _NUMBERED_WITHIN.sub("", bare),
    ]


def _without_owners(word: str) -> list[str]:
    """A word, and what is left as each word that says whose it is goes: "homeaddress", "address"."""
    found = [word]
    while (shorter := _OWNER.sub("", found[-1])) != found[-1]:
        found.append(shorter)
    return found


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
    names = _without_common_start(names)
    found = [field_by_name(name) for name in names]
    squeezed = [_NUMBERED.sub("", _squeezed(name)) for name in names]
    given, family = "given_name" in found, "family_name" in found
    for place, word in enumerate(squeezed):
        if found[place] == "name" and given and not family and word in _FAMILY_BESIDE_GIVEN:
            found[place] = "family_name"
        elif found[place] == "name" and family and not given and word in _GIVEN_BESIDE_FAMILY:
            found[place] = "given_name"
        elif word in _WHOLE_ALONE and not family:
            found[place] = "name"
    found = _with_one_street(names, _without_repeated_address(squeezed, found))
    return _with_birth_parts(names, _with_one_row_id(names, found))


def _with_one_street(names: Sequence[str], found: list[str]) -> list[str]:
    """Of streets that only differ by whose or what for they are (billing, shipping) the first one counts."""
    seen: set[str] = set()
    for place, field in enumerate(found):
        street = _without_owners(_squeezed(names[place]))[-1]
        if field == "address" and street in seen:
            found[place] = UNUSED
        seen.add(street)
    return found


def _without_repeated_address(squeezed: Sequence[str], found: list[str]) -> list[str]:
    """Leave out an address that was put together of the file's other columns."""
    parts = [place for place, field in enumerate(found) if field == "address"]
    whole = [place for place in parts if _PUT_TOGETHER.search(squeezed[place])]
    for place in whole if len(whole) < len(parts) else ():
        found[place] = UNUSED
    return found


def _without_common_start(names: Sequence[str]) -> Sequence[str]:
    """Leave out what all names of a file begin with: "c_first_name", "c_mail" → "first_name", "mail"."""
    start = _common_start(names) if len(names) > 2 else ""
    bare = [name[len(start) :] for name in names]
    return max(names, bare, key=lambda some: sum(bool(field_by_name(name)) for name in some))


def _common_start(names: Sequence[str]) -> str:
    """What all names begin with, up to its last separator."""
    first, last = min(names), max(names)
    same = next((place for place, pair in enumerate(zip(first, last, strict=False)) if len({*pair}) > 1), 0)
    ends = [found.end() for found in _SEPARATORS.finditer(first[:same])]
    return first[: ends[-1]] if ends else ""


def _with_birth_parts(names: Sequence[str], found: list[str]) -> list[str]:
    """Year, month and day of birth make a date where a file has all three and no whole one."""
    extras = [extra_by_name(name) for name in names]
    told = {extra: place for place, extra in enumerate(extras) if extra in _BIRTH_PARTS}
    whole = [
        place for place, field in enumerate(found) if field == "birth_date" and place not in told.values()
    ]
    if "birth_day" not in told and [_squeezed(names[place]) for place in whole] in _DAYS_OF_BIRTH:
        told["birth_day"] = whole.pop()
    if not whole and all(part in told for part in _BIRTH_PARTS):
        for part in _BIRTH_PARTS:
            found[told[part]] = part
    return found


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
    guesses = _fullest(fields_by_names(names), sample)
    named = {_PARTS.get(guess, guess) for name, guess in zip(names, guesses, strict=True) if name not in told}
    uses = []
    for place, name in enumerate(names):
        values = [row[place] for row in sample]
        guess = "" if is_contradicted(guesses[place], values) else guesses[place]
        uses.append(_use_of(name, guess, values, told, closed, named - MANY_COLUMNS))
        if uses[-1].field not in MANY_COLUMNS and guess not in _BIRTH_PARTS:
            closed.add(uses[-1].field)
    _check_result(uses, names)
    return ColumnMap(tuple(uses))


def _fullest(guesses: list[str], sample: Sequence[Sequence[str]]) -> list[str]:
    """Of several columns for one value leave out those that are blank, or nearly, beside another."""
    filled = [sum(bool(row[place].strip()) for row in sample) for place in range(len(guesses))]
    most = {
        guess: max(filled[place] for place, other in enumerate(guesses) if other == guess)
        for guess in guesses
    }
    single = MANY_COLUMNS | _PARTS.keys() | {"", UNUSED, "record_id", "external_id"}
    return [
        UNUSED if guess not in single and filled[place] < _NEARLY_BLANK * most[guess] else guess
        for place, guess in enumerate(guesses)
    ]


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
