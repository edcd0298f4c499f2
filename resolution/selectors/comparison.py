"""What a shadow comparison found, as screens and commands show it: customers by name, weights, reasons."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from customers.models import Customer
from resolution.models import StoredModel

# Key in the stored comparison → what a person reads: title, and the sentence that explains it.
CHANGES = {
    "would_merge": ("Would merge", "Pairs the machine would join that it leaves apart today."),
    "would_not_merge": ("Would no longer merge", "Pairs the machine would join today and no longer would."),
    "would_split": (
        "Would split",
        "Customers the machine has merged whose records the new model would not bring together again. "
        "They stay merged; undo the merge where it was wrong.",
    ),
    "questions_gained": ("New questions", "Customers a steward would be asked about."),
    "questions_lost": ("Questions that go", "Customers a steward would no longer be asked about."),
}
_ERASED = "an erased customer"

Named = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """Customers (id, name) a model treats otherwise, and the weight of their strongest pair before and after.

    For a customer that would split, `parts` has the names its records would fall into.
    """

    customers: tuple[Named, ...]
    before: float | None = None
    after: float | None = None
    why: str = ""
    parts: tuple[tuple[str, ...], ...] = ()

    @property
    def weights(self) -> str:
        return "" if self.after is None else f"{self.before:+.1f} → {self.after:+.1f}"


@dataclass(frozen=True, slots=True)
class Change:
    """One kind of difference: all are counted, the first are named."""

    key: str
    title: str
    explained: str
    number: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class ComparisonCard:
    """A comparison with the model that was live then. `outcomes` are (what, live, candidate)."""

    live: str
    at: datetime
    by: str
    run_id: int
    customers: int
    pairs: int
    outcomes: tuple[tuple[str, int, int], ...]
    changes: tuple[Change, ...]

    @property
    def quiet(self) -> bool:
        """Whether the two models differ in nothing a person would see."""
        return not any(change.number for change in self.changes)


def comparison_card(row: StoredModel) -> ComparisonCard | None:
    """Return a model's comparison with names as they are today; None when there was none. One query."""
    found = row.comparison
    if found is None:
        return None
    names = _names(found)
    sides = found["outcomes"]
    return ComparisonCard(
        live=found["live"],
        at=datetime.fromisoformat(found["at"]),
        by=found["by"],
        run_id=found["run"],
        customers=found["counts"]["customers"],
        pairs=found["counts"]["pairs"],
        outcomes=tuple(
            (label, sides["live"][key], sides["candidate"][key])
            for key, label in (
                ("merges", "Groups merged at once"),
                ("merged", "Customers fewer by that"),
                ("questions", "Questions for stewards"),
            )
        ),
        changes=tuple(_change(key, found, names) for key in CHANGES),
    )


def _change(key: str, found: Mapping[str, Any], names: Mapping[str, str]) -> Change:
    title, explained = CHANGES[key]
    make = _split if key == "would_split" else _pair
    entries = tuple(make(entry, names) for entry in found[key])
    return Change(key, title, explained, found["counts"][key], entries)


def _pair(entry: Mapping[str, Any], names: Mapping[str, str]) -> Entry:
    return Entry(_named(entry["customers"], names), entry["before"], entry["after"], entry["why"])


def _split(entry: Mapping[str, Any], names: Mapping[str, str]) -> Entry:
    parts = tuple(tuple(names.get(key, _ERASED) for key in part) for part in entry["parts"])
    return Entry(_named([entry["customer"]], names), parts=parts)


def _named(keys: list[str], names: Mapping[str, str]) -> tuple[Named, ...]:
    return tuple((key, names.get(key, _ERASED)) for key in keys)


def _names(found: Mapping[str, Any]) -> dict[str, str]:
    rows = Customer.objects.exclude(status=Customer.Status.ERASED).in_bulk({*map(uuid.UUID, _keys(found))})
    return {str(key): customer.display_name for key, customer in rows.items()}


def _keys(found: Mapping[str, Any]) -> Iterator[str]:
    for key in CHANGES:
        for entry in found[key]:
            yield from entry.get("customers", ())
            if "customer" in entry:
                yield entry["customer"]
            for part in entry.get("parts", ()):
                yield from part
