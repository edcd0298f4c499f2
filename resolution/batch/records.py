"""A row of a file to what the register takes: identifiers, sensible profile fields, a fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from customers.models import Customer
from customers.models.mapping import IDENTIFIER_LENGTH
from resolution.batch.cells import values_in
from resolution.batch.columns import JOINED, ColumnMap
from resolution.batch.table import Refusal, Row
from resolution.birth_dates import is_unread, read_birth_date, unread_sentence
from resolution.matching.identifiers import normalise_identifier
from resolution.matching.normalise.address import address_of
from resolution.matching.normalise.company import normalise_company
from resolution.matching.normalise.country import country_code
from resolution.matching.normalise.name import normalise_name_part, parse_name
from resolution.types import Identifier

SOURCE_ID = "record_id"
IDENTIFIER_FIELDS = ("external_id", "email", "phone", "handle")
# The columns of the customer table that a file fills.
CUSTOMER_FIELDS = (
    "name", "given_name", "family_name", "email", "phone", "company",
    "birth_date", "address", "postcode", "city", "region", "country",
)  # fmt: skip
_PLACES = frozenset({"region", "country"})
NOBODY = "nothing in it can identify or describe a customer"


def _limit(field: str) -> int:
    return getattr(Customer._meta.get_field(field), "max_length", None) or 40


LIMITS = {field: _limit(field) for field in CUSTOMER_FIELDS} | dict.fromkeys(
    (SOURCE_ID, "external_id", "handle"), IDENTIFIER_LENGTH
)


@dataclass(frozen=True, slots=True)
class Record:
    """One row made ready.

    `key` is the source's own id, or the fingerprint where it has none. `data` is what the row said, by field,
    with the columns that fill no field under "other".
    """

    line: int
    key: str
    own_id: bool
    fingerprint: str
    data: dict[str, Any]
    raw: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Details:
    """What a record's data mean: the profile fields worth showing and the identifiers, usable or not."""

    fields: dict[str, str]
    identifiers: tuple[Identifier, ...]

    @property
    def usable(self) -> tuple[Identifier, ...]:
        """The identifiers that can be linked, each once."""
        distinct = {(entry.type, entry.normalised): entry for entry in self.identifiers if entry.normalised}
        return tuple(distinct.values())

    @property
    def describes_somebody(self) -> bool:
        """Whether there is anything but fillers, and more than a country."""
        return bool(self.usable) or any(value for field, value in self.fields.items() if field not in _PLACES)


class RecordMaker:
    """Turns rows of one file into records; holds the column map."""

    def __init__(self, names: tuple[str, ...], columns: ColumnMap) -> None:
        self._names = names
        self._fields = columns.places()
        mapped = {place for places in self._fields.values() for place in places}
        self._others = tuple(place for place in range(len(names)) if place not in mapped)

    def make(self, row: Row) -> Record | Refusal:
        """Check a row and make its record, or say why it is refused."""
        data: dict[str, Any] = {}
        for field, places in self._fields.items():
            cells = (value for place in places for value in values_in(field, row.values[place]))
            values = [" ".join(cell.split()) for cell in cells]
            if text := _joined(field, values):
                data[field] = text
        if fault := self._fault(row, data):
            return fault
        if other := {
            self._names[place]: row.values[place] for place in self._others if row.values[place].strip()
        }:
            data["other"] = other
        digest = fingerprint(data)
        own_id = str(data.get(SOURCE_ID, ""))
        return Record(row.line, own_id or digest, bool(own_id), digest, data, row.values)

    def _fault(self, row: Row, data: Mapping[str, Any]) -> Refusal | None:
        for place, value in enumerate(row.values):
            if "\x00" in value:
                return Refusal(row.line, self._names[place], "a NUL byte in the value", row.values)
        for field, value in data.items():
            if fault := _too_long(field, value):
                return Refusal(row.line, self._column_of(field), fault, row.values)
        return None

    def _column_of(self, field: str) -> str:
        return " + ".join(self._names[place] for place in self._fields[field])


def _joined(field: str, values: list[str]) -> Any:
    """The parts of an address or a date make one line; several mailboxes or numbers stay a list."""
    filled = [value for value in values if value]
    if field in JOINED or len(filled) < 2:
        return " ".join(filled)
    return filled


def _too_long(field: str, value: Any) -> str:
    longest = max(map(len, value)) if isinstance(value, list) else len(value)
    if longest <= LIMITS.get(field, IDENTIFIER_LENGTH):
        return ""
    return f"{longest:,} characters where at most {LIMITS.get(field, IDENTIFIER_LENGTH)} fit"


def fingerprint(data: Mapping[str, Any]) -> str:
    """Give the SHA-256 (hex) of a record's data."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def details_of(data: Mapping[str, Any], region: str) -> Details:
    """Read sensible profile fields and identifiers out of a record's data; `region` is the channel's."""
    region = country_code(_text(data, "country")) or region
    identifiers = tuple(
        normalise_identifier(field, value, region=region)
        for field in IDENTIFIER_FIELDS
        for value in _values(data, field)
    )
    fields = {field: _sensible(field, data, identifiers, region) for field in CUSTOMER_FIELDS}
    return Details(fields, identifiers)


def unread_birth_date(record: Record, details: Details) -> Refusal | None:
    """The birth date a record came in without, because it cannot be read as one."""
    text = _text(record.data, "birth_date")
    if not text or not is_unread(text, details.fields["birth_date"]):
        return None
    return Refusal(record.line, "birth_date", f"taken in without it: {unread_sentence(text)}", record.raw)


def shows(data: Mapping[str, Any], region: str, type: str, value: str, normalised: str) -> bool:
    """Whether a record has an identifier, as it came, which is quickly told, or in canonical form."""
    texts = list(_values(data, type))
    if value in texts:
        return True
    region = country_code(_text(data, "country")) or region
    return any(normalise_identifier(type, text, region=region).normalised == normalised for text in texts)


def _sensible(field: str, data: Mapping[str, Any], identifiers: tuple[Identifier, ...], region: str) -> str:
    """A field's value as a customer page should show it: empty where the row has a filler."""
    if field in ("email", "phone"):
        return next((entry.value for entry in identifiers if entry.type == field and entry.usable), "")
    text = _text(data, field)
    if not text:
        return ""
    if field == "birth_date":
        return read_birth_date(text, region)
    return text if _MEANS_SOMETHING[field](text) else ""


def _always(text: str) -> bool:
    return True


@lru_cache(1 << 16)
def _is_address_line(text: str) -> bool:
    return address_of(text, "", "") is not None


_MEANS_SOMETHING: dict[str, Callable[[str], Any]] = {
    "name": parse_name,
    "given_name": normalise_name_part,
    "family_name": normalise_name_part,
    "company": normalise_company,
    "address": _is_address_line,
    "postcode": lambda text: address_of("", "", text),
    "city": lambda text: address_of("", text, ""),
    "region": _always,
    "country": _always,
}


def _text(data: Mapping[str, Any], field: str) -> str:
    value = data.get(field, "")
    return value[0] if isinstance(value, list) else value


def _values(data: Mapping[str, Any], field: str) -> list[str]:
    value = data.get(field, "")
    return value if isinstance(value, list) else [value] if value else []
