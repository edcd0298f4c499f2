"""Generated customers made rougher, and firms without people: what files look like that nobody tidied."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.make_customers import COMPANY_FORMS, TRADES, places, typo

TRUTH = ("true_cluster", "household_id")
# Channels whose clerks mix up the two fields of a name every second time.
MIXED_UP = ("web", "shop")
LOST, FEWEST_LEFT = 0.4, 3
SECOND_RECORDS = 0.02
RECORDS_OF_A_FIRM = (0.5, 0.25, 0.13, 0.08, 0.04)


def swap_names(table: pa.Table, seed: int) -> pa.Table:
    """Exchange first and last name in half of the records of two channels."""
    rng = np.random.default_rng([seed, 1])
    channels = table["channel"].to_numpy(zero_copy_only=False)
    swapped = pa.array(np.isin(channels, MIXED_UP) & (rng.random(len(table)) < 0.5))
    first, last = table["first_name"], table["last_name"]
    return _with(
        table, first_name=pc.if_else(swapped, last, first), last_name=pc.if_else(swapped, first, last)
    )


def join_addresses(table: pa.Table, seed: int) -> pa.Table:
    """Write street, town, postcode and now and then the country into one column, the town on either side."""
    r = random.Random(f"addresses/{seed}")
    parts = ("address", "city", "postcode", "country")
    lines = [_one_line(*row, r) for row in zip(*(table[part].to_pylist() for part in parts), strict=True)]
    return _with(table.drop_columns(["city", "postcode", "country"]), address=pa.array(lines, pa.string()))


def _one_line(
    line: str | None, city: str | None, postcode: str | None, country: str, r: random.Random
) -> str | None:
    place = [f"{postcode} {city}"] if city and postcode and r.random() < 0.5 else [city, postcode]
    told = [part for part in (line, *place) if part]
    return ", ".join([*told, country] if told and r.random() < 0.3 else told) or None


def hide_names(table: pa.Table, seed: int) -> pa.Table:
    """Number the columns instead of naming them."""
    seen = [name for name in table.column_names if name not in TRUTH]
    return table.select([*seen, *TRUTH]).rename_columns([*(f"col{n}" for n in range(len(seen))), *TRUTH])


def lose_values(table: pa.Table, seed: int) -> pa.Table:
    """Blank four values in ten; records that are left with next to nothing go."""
    rng = np.random.default_rng([seed, 2])
    kept = ("channel", "country", "created_at", *TRUTH)
    lossy = [name for name in table.column_names if name not in kept]
    blanked = {
        name: pc.if_else(pa.array(rng.random(len(table)) < LOST), None, table[name].combine_chunks())
        for name in lossy
    }
    table = _with(table, **blanked)
    filled = np.sum([pc.is_valid(table[name]).to_numpy() for name in lossy], axis=0)
    return table.filter(pa.array(filled >= FEWEST_LEFT))


def keep_few_duplicates(table: pa.Table, seed: int) -> pa.Table:
    """Keep one record a person, and of every fiftieth two."""
    rng = np.random.default_rng([seed, 3])
    people = table["true_cluster"].to_numpy()
    order = np.argsort(people, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    starts = np.flatnonzero(np.r_[True, people[order][1:] != people[order][:-1]])
    rank[order] = np.arange(len(order)) - np.repeat(starts, np.diff(np.r_[starts, len(order)]))
    return table.filter(pa.array((rank == 0) | ((rank == 1) & (rng.random(len(rank)) < SECOND_RECORDS))))


ROUGH: dict[str, tuple[str, Callable[[pa.Table, int], pa.Table]]] = {
    "swapped": ("first and last name changed places in half of two channels", swap_names),
    "one_address": ("street, town and postcode in one column", join_addresses),
    "unnamed": ("columns without a name that says anything", hide_names),
    "gaps": ("four values in ten are missing", lose_values),
    "few_duplicates": ("one person in fifty has a second record", keep_few_duplicates),
}


def firms(records: int, seed: int) -> pa.Table:
    """Make a register of companies: name, switchboard, role mailbox and address, no people."""
    r = random.Random(f"firms/{seed}")
    britain = next(place for place in places() if place.code == "gb")
    rows: list[dict[str, object]] = []
    while len(rows) < records:
        name = f"{r.choice(britain.surnames.values)} {r.choice(TRADES)}"
        told = {
            "phone": f"020 7{r.randrange(1000):03d} {r.randrange(10_000):04d}",
            "email": f"info@{''.join(filter(str.isalnum, name.lower()))[:14]}.example",
            "address": f"{r.randrange(1, 120)} {r.choice(britain.streets)}",
            "city": r.choice(britain.cities.values[:80]),
            "postcode": f"EC{r.randrange(1, 99)} {r.randrange(9)}AB",
        }
        truth = {"true_cluster": len(rows), "household_id": None}
        times = r.choices(range(1, 6), RECORDS_OF_A_FIRM)[0]
        rows += [{"company_name": _as_written(name, r), **_partly(told, r), **truth} for _ in range(times)]
    return pa.Table.from_pylist(rows[:records])


def _as_written(name: str, r: random.Random) -> str:
    form = r.choice([*COMPANY_FORMS["gb"], "& Co", ""])
    name = typo(name, r) if r.random() < 0.07 else name
    return f"{name} {form}".strip()


def _partly(told: dict[str, str], r: random.Random) -> dict[str, str | None]:
    return {field: value if r.random() < 0.6 else None for field, value in told.items()}


def _with(table: pa.Table, **columns: pa.Array | pa.ChunkedArray) -> pa.Table:
    for name, column in columns.items():
        table = table.set_column(table.column_names.index(name), name, column)
    return table
