"""Generated tables as the file tool sees them, with the truth beside them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.make_customers import make_customers
from resolution.batch.load import load_files
from resolution.matching.candidates import Candidates, candidate_pairs
from resolution.matching.groups import Clusters, Links, cluster_rows
from resolution.matching.kernel import score_rows
from resolution.matching.model import MatchModel
from resolution.matching.table import ProfileTable, Rows
from resolution.matching.thresholds import choose_threshold
from resolution.types import Name, Profile

TRUTH = ("true_id", "true_cluster", "household_id")


@dataclass(frozen=True, eq=False)
class Ground:
    """A table, its candidate pairs, and of every row the number of its person and of its home."""

    table: ProfileTable
    candidates: Candidates
    person: Rows
    home: Rows


def ground_of(records: pa.Table, folder: Path) -> Ground:
    """Read generated records the way the file tool does, without their truth."""
    hidden = [name for name in TRUTH if name in records.column_names]
    path = folder / "records.parquet"
    pq.write_table(records.drop_columns(hidden), path)
    table = load_files([path], id_column="", mapping=()).table
    person = "true_id" if "true_id" in hidden else "true_cluster"
    return Ground(table, candidate_pairs(table), _numbers(records[person]), _numbers(records["household_id"]))


def crowd_of(records: int, seed: int, folder: Path) -> list[Profile]:
    """The profiles of generated customers, their homes, twins, shared phones and mailboxes among them."""
    path = folder / "crowd.parquet"
    pq.write_table(make_customers(records, seed, jobs=1).drop_columns(["true_id", "household_id"]), path)
    loaded = load_files([path], id_column="", mapping=())
    return [loaded.profile(row) for row in range(len(loaded.table))]


def _numbers(column: pa.ChunkedArray) -> Rows:
    found: Rows = np.unique(np.array(list(map(str, column.to_pylist()))), return_inverse=True)[1]
    return found.astype(np.int64)


def scored(model: MatchModel, table: ProfileTable, candidates: Candidates) -> Links:
    """Score the candidates of a table."""
    left, right = candidates.rows()
    parts = score_rows(model, table, left, right)
    return Links(left, right, np.concatenate([np.zeros(0), *(part.weight for part in parts)]))


def deduped(model: MatchModel, table: ProfileTable, candidates: Candidates) -> Clusters:
    """Score the candidates of a table and cluster it from the best expected weight on."""
    links = scored(model, table, candidates)
    chosen = choose_threshold(links.weight)
    return cluster_rows(model, table, links, chosen.weight if chosen else 0.0)


SHARES = {"birth_date": 0.9, "email": 0.6, "phone": 0.75}


def known_people(seed: int, count: int, extras: Sequence[str] = ()) -> list[Profile]:
    """People of two records each, whose second record keeps each value in a known share of cases (SHARES).

    Of the extra columns `telling` is one of 40 and kept nearly always, `constant` is the same for everybody,
    and `random` has nothing to do with the person.
    """
    r = random.Random(seed)
    found = []
    for number in range(count):
        person = _values(r)
        again = {
            field: value if r.random() < SHARES.get(field, 1.0) else _values(r)[field]
            for field, value in person.items()
        }
        telling = f"town{r.randrange(40):02}x"
        for place, values in enumerate((person, again)):
            told = {
                "telling": telling if r.random() < 0.98 else f"town{r.randrange(40):02}x",
                "constant": "everywhere",
                "random": r.choice(("amber", "birch", "cedar", "dunes", "elder")),
            }
            found.append(
                Profile(
                    f"{number}.{place}",
                    names=(Name(*values["name"].split()),),
                    emails=(values["email"],),
                    phones=(values["phone"],),
                    birth_dates=(values["birth_date"],),
                    extras=tuple((name, told[name]) for name in extras),
                )
            )
    return found


_GIVEN = ("anna", "peter", "ulla", "boris", "wim", "zoe", "karl", "ines", "oskar", "dora", "hugo", "lea")


def _values(r: random.Random) -> dict[str, str]:
    letters = "".join(r.choice("bcdfglmnprstvz") + r.choice("aeiou") for _ in range(4))
    return {
        "name": f"{r.choice(_GIVEN)} {letters}",
        "email": f"{''.join(r.choice('abcdefghijklmnopqrstuvwxyz') for _ in range(9))}@post.example",
        "phone": f"+4930{r.randrange(10**8):08}",
        "birth_date": f"{r.randrange(1940, 2005)}-{r.randrange(1, 13):02}-{r.randrange(1, 29):02}",
    }
