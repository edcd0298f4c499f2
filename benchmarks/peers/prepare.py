"""Bring the columns of any labelled set into one form, in SQL, as a user of the peer would before starting it."""

from __future__ import annotations

from pathlib import Path

import duckdb

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

JUNK = {
    "name": ("test", "unknown", "customer", "n/a", "xxx", "guest"),
    "email": ("test@test.com", "noemail@noemail.com", "none@none.com", "a@a.com", "info@example.com"),
    "birth": ("1900-01-01", "1970-01-01", "1980-01-01"),
    "phone": ("123456789", "234567890"),
}

_PLAIN = "nullif(trim(regexp_replace(lower(strip_accents({0})), '[^\\p{{L}}\\p{{N}} ]+', ' ', 'g')), '')"

WRITTEN = {
    "first_name": "junk(regexp_replace({plain}, '^(.+) \\p{{L}}$', '\\1'), 'name')",
    "last_name": "junk(regexp_replace({plain}, ' (jr|sr)$', ''), 'name')",
    "name": "{plain}",
    "email": "junk(tidy_email(lower(trim({0}))), 'email')",
    "phone": "junk(tidy_phone({0}), 'phone')",
    "birth": "junk(tidy_date(trim({0})), 'birth')",
    "birth_year": "try_cast({0} as integer)",
    "sex": "lower({0})",
    "address": "tidy_address({plain})",
    "street_number": "{plain}",
    "city": "{plain}",
    "postcode": "nullif(regexp_replace(upper({0}), '[^A-Z0-9]', '', 'g'), '')",
    "external_id": "nullif(regexp_replace(upper({0}), '[^A-Z0-9]', '', 'g'), '')",
}

_MACROS = (
    """create macro tidy_email(e) as case when e like '%_@_%.__%' and e not like '%@relay.%' then
        regexp_replace(case when split_part(e, '@', 2) in ('gmail.com', 'googlemail.com')
            then replace(split_part(split_part(e, '@', 1), '+', 1), '.', '')
            else split_part(split_part(e, '@', 1), '+', 1) end, '$', '')
        || '@' || replace(split_part(e, '@', 2), 'googlemail.com', 'gmail.com') end""",
    """create macro digits_of(p) as regexp_replace(regexp_replace(lower(p), 'ext.*$', ''), '[^0-9]', '', 'g')""",
    """create macro tidy_phone(p) as case when length(digits_of(p)) >= 7
        and length(list_distinct(string_split(digits_of(p), ''))) > 2 then right(digits_of(p), 9) end""",
    """create macro tidy_date(d) as strftime(coalesce(try_strptime(d, '%Y-%m-%d'), try_strptime(d, '%Y%m%d'),
        try_strptime(d, '%d.%m.%Y'), try_strptime(d, '%d/%m/%Y')), '%Y-%m-%d')""",
    """create macro tidy_address(a) as regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(
        regexp_replace(a, ' (apt|flat) *[0-9]+$', ''), '\\b(street|strasse|str)\\b', 'st', 'g'),
        '\\b(avenue)\\b', 'ave', 'g'), '\\b(road)\\b', 'rd', 'g'), '\\b(drive)\\b', 'dr', 'g'),
        '(strasse|straße|str)\\b', 'st', 'g')""",
)


def prepare(con: duckdb.DuckDBPyConnection, path: Path) -> tuple[list[str], int]:
    """Make the table `prepared` of a set, `unique_id` the row's number in the file; tell columns and rows."""
    _make_macros(con)
    con.execute("create table raw as select * from read_parquet(?)", [str(path)]).fetchall()
    found = _found(con)
    values = [f"{_written(ours, theirs)} as {ours}" for ours, theirs in found.items()]
    source = ["source as source_dataset"] if "source" in columns_of(con, "raw") else []
    chosen = ", ".join(["row_number() over () - 1 as unique_id", *source, *values])
    con.execute(f"create table tidy as select {chosen} from raw").fetchall()  # noqa: S608
    joined = ", ".join(["*", *_joined(found)])
    con.execute(f"create table prepared as select {joined} from tidy").fetchall()  # noqa: S608
    rows: int = con.execute("select count(*) from prepared").fetchall()[0][0]
    return columns_of(con, "prepared"), rows


def _make_macros(con: duckdb.DuckDBPyConnection) -> None:
    cases = " ".join(
        f"when kind = '{kind}' and v in ({', '.join(repr(value) for value in values)}) then null"
        for kind, values in JUNK.items()
    )
    for macro in (*_MACROS, f"create macro junk(v, kind) as case {cases} when v = '' then null else v end"):
        con.execute(macro).fetchall()


def columns_of(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return [row[0] for row in con.execute(f"describe {table}").fetchall()]


def _found(con: duckdb.DuckDBPyConnection) -> dict[str, str]:
    present = set(columns_of(con, "raw"))
    taken = {ours: next((name for name in names if name in present), "") for ours, names in COLUMNS.items()}
    return {ours: name for ours, name in taken.items() if name}


def _written(ours: str, theirs: str) -> str:
    column = f'"{theirs}"'
    return WRITTEN[ours].format(column, plain=_PLAIN.format(column))


def _joined(found: dict[str, str]) -> list[str]:
    """The columns that are made of several: the words of a full name in order, the street with its number."""
    made = []
    if "name" in found:
        made.append("array_to_string(list_sort(string_split(name, ' ')), ' ') as name_sorted")
    if "street_number" in found:
        made.append("coalesce(street_number || ' ', '') || address as street")
    return made
