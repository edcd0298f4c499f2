"""How far a value reaches, by name: what the screen that blocks it shows."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from customers.models import Customer
from resolution.selectors.leaning import Leaning
from resolution.selectors.reach import Reach
from resolution.selectors.records import name_records

MOST_NAMED = 20
PARTS_NAMED = 6


@dataclass(frozen=True, slots=True)
class Named:
    """A customer by id and name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Apart:
    """A customer that falls apart: what its parts begin with, how many there are, the merges behind."""

    customer: Named
    parts: tuple[str, ...]
    number: int
    merges: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ReachCard:
    """The reach with the first of each kind named; `numbers` counts all."""

    reach: Reach
    customers: tuple[Named, ...]
    apart: tuple[Apart, ...]

    @property
    def numbers(self) -> dict[str, int]:
        return self.reach.numbers()

    @property
    def values(self) -> list[tuple[str, str, int]]:
        return self.reach.held.values[:MOST_NAMED]


def reach_card(reach: Reach) -> ReachCard:
    """Name what a value reaches; two queries."""
    holders = sorted(map(str, reach.held.customers))[:MOST_NAMED]
    apart = reach.over_merged[:MOST_NAMED]
    names = name_customers([*holders, *(str(entry.customer_id) for entry in apart)])
    records = name_records([uuid.UUID(part[0]) for entry in apart for part in entry.parts[:PARTS_NAMED]])
    return ReachCard(
        reach=reach,
        customers=tuple(Named(key, names.get(key, key)) for key in holders),
        apart=tuple(_apart(entry, names, records) for entry in apart),
    )


def name_customers(ids: Iterable[str]) -> dict[str, str]:
    """Return customers' names by id as text; one query."""
    rows = Customer.objects.filter(pk__in={uuid.UUID(key) for key in ids})
    return {str(row.pk): row.display_name for row in rows}


def _apart(entry: Leaning, names: dict[str, str], records: dict[str, str]) -> Apart:
    key = str(entry.customer_id)
    merged = entry.parts if entry.records_fall_apart else ()
    firsts = [(records.get(part[0], part[0]), len(part)) for part in merged]
    firsts += [(part[0].value.text, len(part)) for part in entry.links]
    return Apart(
        customer=Named(key, names.get(key, key)),
        parts=tuple(_part(first, number) for first, number in firsts[:PARTS_NAMED]),
        number=len(firsts),
        merges=entry.merges[:PARTS_NAMED],
    )


def _part(first: str, number: int) -> str:
    return first if number == 1 else f"{first} with {number - 1} more"
