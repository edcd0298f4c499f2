"""Bring the columns of any labelled set into one form, as a user would before starting the peer."""

from __future__ import annotations

from pathlib import Path

import duckdb

MACROS = Path(__file__).with_name("prepare.sql")

# Ours → the columns it may come from, as the sets write them; the first one present is taken.
COLUMNS = {
    "first_name": ("first_name", "given_name", "Vorname", "Prénom"),
    "last_name": ("last_name", "surname", "Nachname", "Nom"),
    "name": ("name",),
    "email": ("email", "E-Mail-Adresse", "Courriel"),
    "phone": ("phone", "Telefon", "Téléphone"),
    "birth": ("date_of_birth", "dob", "Geburtsdatum", "Date de naissance"),
    "birth_year": ("birth_year",),
    "sex": ("sex",),
    "address": ("address", "address_1", "street", "Straße und Hausnummer", "Adresse"),
    "street_number": ("street_number",),
    "city": ("city", "suburb", "town", "Ort", "Ville"),
    "postcode": ("postcode", "PLZ", "Code postal"),
    "external_id": ("external_id", "soc_sec_id", "Kundennummer", "N° client"),
}
WRITTEN = {
    "first_name": "tidy_first",
    "last_name": "tidy_last",
    "name": "plain",
    "email": "tidy_email",
    "phone": "tidy_phone",
    "birth": "tidy_date",
    "birth_year": "plain",
    "sex": "plain",
    "address": "tidy_address",
    "street_number": "plain",
    "city": "plain",
    "postcode": "tidy_code",
    "external_id": "tidy_code",
}


def prepare(con: duckdb.DuckDBPyConnection, path: Path) -> tuple[list[str], int]:
    """Make the table `prepared` of a set, `unique_id` the row's number in the file; tell columns and rows."""
    con.execute(MACROS.read_text()).fetchall()
    con.execute("create table raw as select * from read_parquet(?)", [str(path)]).fetchall()
    present = columns_of(con, "raw")
    found = _found(present)
    values = [f'{WRITTEN[ours]}("{theirs}") as {ours}' for ours, theirs in found.items()]
    source = ["source as source_dataset"] if "source" in present else []
    chosen = ", ".join(["row_number() over () - 1 as unique_id", *source, *values])
    con.execute(f"create table tidy as select {chosen} from raw").fetchall()  # noqa: S608
    joined = ", ".join(["*", *_joined(found)])
    con.execute(f"create table prepared as select {joined} from tidy").fetchall()  # noqa: S608
    rows: int = con.execute("select count(*) from prepared").fetchall()[0][0]
    return columns_of(con, "prepared"), rows


def columns_of(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return [row[0] for row in con.execute(f"describe {table}").fetchall()]


def _found(present: list[str]) -> dict[str, str]:
    taken = {ours: next((name for name in names if name in present), "") for ours, names in COLUMNS.items()}
    return {ours: name for ours, name in taken.items() if name}


def _joined(found: dict[str, str]) -> list[str]:
    """The columns that are made of several: the words of a full name in order, the street with its number."""
    made = []
    if "name" in found:
        made.append("in_order(name) as name_sorted")
    if "street_number" in found:
        made.append("coalesce(street_number || ' ', '') || address as street")
    return made
