"""Values that belong to too many people to tell one from another: a shop's till, a till's telephone."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from resolution.batch.numbering import Codes, combine
from resolution.batch.run_facts import SharedValueFact
from resolution.matching.normalise.name import core_family, sound_of
from resolution.matching.table import ArrowTexts, Column, Rows

FIELDS = ("email", "phone", "external_id")
# From so many names of people and of families on a value is nobody's own ...
FEWEST_NAMES = 10
FEWEST_FAMILIES = 5
# ... unless one of the names has this share of its records: a person with many records and spellings.
OWNERS_SHARE = 0.25


def without_shared(columns: Mapping[str, Column]) -> tuple[dict[str, Column], tuple[SharedValueFact, ...]]:
    """Take the values of too many people out of a table's columns; tells which, most shared first."""
    found, facts = dict(columns), []
    for field in FIELDS:
        if shared := _shared_values(columns[field], columns["name"]):
            counts = np.bincount(columns[field].codes, minlength=len(columns[field].values))
            facts += [
                SharedValueFact(field, columns[field].values[code], int(counts[code])) for code in shared
            ]
            found[field] = _without(columns[field], shared)
    return found, tuple(sorted(facts, key=lambda fact: -fact.records))


def _shared_values(column: Column, names: Column) -> list[int]:
    suspects = np.bincount(column.codes, minlength=len(column.values)) >= FEWEST_NAMES
    entries = np.flatnonzero(suspects[column.codes] & (names.first[column.owners] >= 0))
    if len(entries) == 0:
        return []
    codes, owners = column.codes[entries], column.owners[entries]
    people, families, whole = _sounds(names, owners)
    codes, people, families = codes[whole], people[whole], families[whole]
    return [
        int(code)
        for code, several in _names_of_each(codes, people).items()
        if len(several) >= FEWEST_NAMES
        and several.max() <= OWNERS_SHARE * several.sum()
        and len(_names_of_each(codes[codes == code], families[codes == code])[code]) >= FEWEST_FAMILIES
    ]


def _sounds(names: Column, owners: Rows) -> tuple[Codes, Codes, np.ndarray]:
    """For each owner: the number of its name by sound, of its family name, and whether it has both parts."""
    used, places = np.unique(names.first[owners], return_inverse=True)
    people: dict[tuple[str, str], int] = {}
    families: dict[str, int] = {}
    numbers = []
    for code in used.tolist():
        name = names.values[code]
        given = sound_of(name.given.partition(" ")[0]) or name.given
        family = sound_of(core_family(name.family)) or name.family
        numbers.append(
            (
                people.setdefault((given, family), len(people)),
                families.setdefault(family, len(families)),
                int(bool(name.given and name.family)),
            )
        )
    person, family, whole = np.array(numbers, dtype=np.int32).T
    return person[places], family[places], whole[places] > 0


def _names_of_each(codes: Codes, names: Codes) -> dict[int, Rows]:
    """Value → how many records each of its names has."""
    if len(codes) == 0:
        return {}
    (values, _), pairs = combine([codes, names])
    counts = np.bincount(pairs)
    order = np.argsort(values, kind="stable")
    found, starts = np.unique(values[order], return_index=True)
    return dict(zip(found.tolist(), np.split(counts[order], starts[1:]), strict=True))


def _without(column: Column, shared: list[int]) -> Column:
    """A column without some values; the others are numbered anew."""
    kept = np.ones(len(column.values), dtype=np.bool_)
    kept[shared] = False
    numbers = (np.cumsum(kept) - 1).astype(np.int32)
    stay = kept[column.codes]
    starts = np.append(0, np.cumsum(stay))[column.starts]
    values = ArrowTexts(column.arrow.filter(pa.array(kept)))
    return Column(values, numbers[column.codes[stay]], starts.astype(np.int64))
