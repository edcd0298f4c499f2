"""Records of one customer, as files and tables hold them, to the one profile that matching compares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from resolution.matching.identifiers import normalise_identifier
from resolution.matching.normalise.address import address_of
from resolution.matching.normalise.company import normalise_company
from resolution.matching.normalise.country import country_code
from resolution.matching.normalise.date import normalise_date
from resolution.matching.normalise.external_id import external_id_in
from resolution.matching.normalise.name import name_of, parse_name
from resolution.types import Address, Identifier, Name, Profile

# The raw fields a record may have. All values are text; a missing field is the same as a blank one.
RECORD_FIELDS = (
    "name",
    "given_name",
    "family_name",
    "email",
    "phone",
    "birth_date",
    "address",
    "city",
    "postcode",
    "country",
    "company",
    "external_id",
    "external_system",
    "handle",
    "region",
)
IDENTIFYING_FIELDS = ("external_id", "email", "phone", "handle")

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class NormalisedRecord:
    """One record's canonical values; an empty or None value is no evidence."""

    name: Name | None
    email: str
    phone: str
    birth_date: str
    address: Address | None
    company: str
    external_id: str
    handle: str


def normalise_record(raw: Mapping[str, str], *, region: str = "") -> NormalisedRecord:
    """Make every field of a record canonical. Its own region or country goes before `region`."""
    region = record_region(raw, region)
    return NormalisedRecord(
        name=_record_name(raw),
        email=_identifier(raw, "email", region),
        phone=_identifier(raw, "phone", region),
        birth_date=normalise_date(_text(raw, "birth_date"), region),
        address=address_of(*(_text(raw, part) for part in ("address", "city", "postcode", "country"))),
        company=normalise_company(_text(raw, "company")),
        external_id=external_id_in(_text(raw, "external_system"), _text(raw, "external_id")).value,
        handle=_identifier(raw, "handle", region),
    )


def record_region(raw: Mapping[str, str], default: str = "") -> str:
    """Tell whose customs a record's phones and dates follow: its region, its country, the default."""
    return country_code(_text(raw, "region")) or country_code(_text(raw, "country")) or default.upper()


def record_identifiers(raw: Mapping[str, str], *, region: str = "") -> list[Identifier]:
    """List a record's identifiers as the mapping table stores them, usable or not, most trusted first."""
    region = record_region(raw, region)
    return [
        normalise_identifier(field, _text(raw, field), region=region)
        for field in IDENTIFYING_FIELDS
        if _text(raw, field).strip()
    ]


def build_profile(key: str, records: Iterable[Mapping[str, str]], *, region: str = "") -> Profile:
    """Join the records and identifiers of one customer into one profile, each canonical value once.

    Values keep the order in which they were first seen. `region` is for records that name none of their own.
    """
    rows = [normalise_record(record, region=region) for record in records]
    return Profile(
        key=key,
        names=_distinct(row.name for row in rows),
        emails=_distinct(row.email for row in rows),
        phones=_distinct(row.phone for row in rows),
        birth_dates=_distinct(row.birth_date for row in rows),
        addresses=_distinct(row.address for row in rows),
        companies=_distinct(row.company for row in rows),
        external_ids=_distinct(row.external_id for row in rows),
        handles=_distinct(row.handle for row in rows),
    )


def _text(raw: Mapping[str, str], field: str) -> str:
    return raw.get(field) or ""


def _identifier(raw: Mapping[str, str], type: str, region: str) -> str:
    text = _text(raw, type)
    return normalise_identifier(type, text, region=region).normalised if text else ""


def _record_name(raw: Mapping[str, str]) -> Name | None:
    parts = name_of(_text(raw, "given_name"), _text(raw, "family_name"))
    return parts or parse_name(_text(raw, "name"))


def _distinct(values: Iterable[Value | None]) -> tuple[Value, ...]:
    return tuple(dict.fromkeys(value for value in values if value))
