"""Which column of a file is which field: told by `--map`, else by the column's name, else by its content."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from resolution.errors import InvalidInput
from resolution.matching.normalise.country import country_code
from resolution.matching.normalise.date import normalise_date
from resolution.matching.normalise.email import normalise_email
from resolution.matching.normalise.text import fold_text

_NAMES_FILE = Path(__file__).with_name("column_names.txt")
# Words in front of a name that say whose it is: "billing_city", "customer_email".
_OWNERS = re.compile(
    r"^(?:customer|client|contact|person|primary|main|home|billing|shipping|user|member|account|kunden?|cust)"
    r"(?=[a-z])"
)
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
_ENOUGH = 0.8
_FEWEST_VALUES = 3
_OLDEST_SPREAD_YEARS = 15


def _read_names() -> dict[str, str]:
    """Squeezed column name → field, "unused" for names that say a column is none of ours."""
    table = {_squeezed(field): field for field in (*FIELDS, *_PARTS)}
    text = re.sub(r"^#.*\n", "", _NAMES_FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    for entry in re.sub(r"\n +", " ", text).splitlines():
        field, _, words = entry.partition(":")
        table |= dict.fromkeys(words.split(), field)
    return table


def _squeezed(header: str) -> str:
    return re.sub(r"[^a-z0-9]", "", fold_text(header))


_BY_NAME = _read_names()


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


def _part_rank(use: ColumnUse) -> int:
    guessed = field_by_name(use.column) if use.how == "name" else "address"
    return _ORDER_OF_PARTS.index(guessed) if guessed in _ORDER_OF_PARTS else 1


def is_known_header(cell: str) -> bool:
    """Tell whether a cell is a word that files use as a column name."""
    return bool(field_by_name(cell))


@lru_cache(4096)
def field_by_name(header: str) -> str:
    """Find the field a column's name speaks of: empty when it says nothing, "unused" when none of ours."""
    squeezed = _squeezed(header)
    return _BY_NAME.get(squeezed) or _BY_NAME.get(_OWNERS.sub("", squeezed), "")


def map_columns(
    names: Sequence[str], given: Sequence[tuple[str, str]], sample: Sequence[Sequence[str]]
) -> ColumnMap:
    """Decide what each column is; `given` pairs are (field, column), an empty column drops the field.

    Raises InvalidInput naming an unknown field or column, or when nothing in the file can identify anybody.
    """
    _check_given(names, given)
    told = {column: field for field, column in given if column}
    closed = {field for field, _ in given}
    uses = []
    for place, name in enumerate(names):
        values = [row[place] for row in sample]
        uses.append(_use_of(name, values, told, closed))
        if uses[-1].field not in MANY_COLUMNS:
            closed.add(uses[-1].field)
    _check_result(uses, names)
    return ColumnMap(tuple(uses))


def _use_of(name: str, values: list[str], told: Mapping[str, str], closed: set[str]) -> ColumnUse:
    example = next((value for value in values if value.strip()), "")[:40]
    if name in told:
        return ColumnUse(name, told[name], "given", example)
    guess = field_by_name(name)
    field, how = _PARTS.get(guess, guess), "name"
    if not guess:
        field, how = field_by_content(values), "content"
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


def field_by_content(values: Sequence[str]) -> str:
    """Find the field that at least eight in ten of the values look like; empty when none."""
    filled = [value.strip() for value in values if value.strip()]
    if len(filled) < _FEWEST_VALUES:
        return ""
    for field, looks_like in _CONTENT:
        if sum(map(looks_like, filled)) >= _ENOUGH * len(filled):
            return field if field != "birth_date" or _spread_over_years(filled) else ""
    return ""


def _looks_like_email(value: str) -> bool:
    return "@" in value and bool(normalise_email(value).value)


def _looks_like_phone(value: str) -> bool:
    digits = sum(character.isdigit() for character in value)
    return 7 <= digits <= 15 and bool(
        re.fullmatch(r"\+[\d ().\-/]+|\(?0[\d ().\-/]+|[\d().]+[ \-/][\d ().\-/]+", value)
    )


def _looks_like_date(value: str) -> bool:
    return bool(re.search(r"\d[-/.]\d", value)) and bool(normalise_date(value))


def _looks_like_country(value: str) -> bool:
    return len(value) > 1 and value.isupper() and bool(country_code(value))


def _spread_over_years(values: Sequence[str]) -> bool:
    """Births lie decades apart; dates of one business do not."""
    years = [int(normalise_date(value)[:4]) for value in values if normalise_date(value)]
    return max(years) - min(years) >= _OLDEST_SPREAD_YEARS


_CONTENT: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("email", _looks_like_email),
    ("birth_date", _looks_like_date),
    ("phone", _looks_like_phone),
    ("country", _looks_like_country),
)
