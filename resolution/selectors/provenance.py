"""Where a customer's values come from: each is followed down the merges that stand, as the ledger tells it.

What was taken back or written over since is not told of: the ledger's page must still say what the row says.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from customers.models import PROFILE_FIELDS, Customer
from resolution.models import AuditEntry
from resolution.selectors.customers import fetch_customers
from resolution.selectors.unmerge_ground import read_pages
from resolution.services.merge_plan import ATTRIBUTES
from resolution.services.merge_tree import Page
from resolution.services.survivorship import RULES, TYPED

# Rules by which a survivor keeps what it has without anything having been decided.
_SILENT = ("only", "equal", "joined")


@dataclass(frozen=True, slots=True)
class Step:
    """One merge's choice of a value, and by which rule.

    `source_id` is whose value was taken, or "typed"; `kept` says that it was the survivor's own.
    """

    merge_id: int
    at: datetime
    source_id: str
    source_name: str
    rule: str
    rule_label: str
    kept: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """Who wrote a value outside a merge, and when."""

    who: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Provenance:
    """How one value came to a customer: the choices of merges, newest first, or who wrote it after them.

    A merge that merely let the survivor keep its own is left out, but for the newest that decided about it.
    Both are empty where no merge had a say.
    """

    steps: tuple[Step, ...] = ()
    edit: Edit | None = None


@dataclass(frozen=True, slots=True)
class _Choice:
    """A step before its people are known by name."""

    page: Page
    source: str
    rule: str

    @property
    def kept(self) -> bool:
        return self.source == str(self.page.survivor)


def attribute_name(key: str) -> str:
    """Name a further attribute among the fields."""
    return f"{ATTRIBUTES}.{key}"


def provenance_of(customer: Customer) -> dict[str, Provenance]:
    """Return each field with a value, attributes as "attributes.key". At most five queries."""
    group = Customer.objects.members_of(customer.canonical_id).values_list("pk", flat=True)
    ledger = _Ledger(read_pages(list(group)))
    if not ledger.newest(customer.pk):
        return {}
    values = _values(customer)
    choices = {name: list(ledger.choices(customer.pk, name, value)) for name, value in values.items()}
    names = _names(choice for found in choices.values() for choice in found)
    edits = _edits(customer, [name for name, found in choices.items() if not found])
    return {
        name: Provenance(tuple(_step(choice, names) for choice in _telling(found)), edits.get(name))
        for name, found in choices.items()
    }


class _Ledger:
    """The pages that stand, by survivor, newest first."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self._by_survivor: defaultdict[uuid.UUID, list[Page]] = defaultdict(list)
        for page in sorted(pages, key=lambda page: page.merge, reverse=True):
            self._by_survivor[page.survivor].append(page)

    def newest(self, customer: uuid.UUID) -> Sequence[Page]:
        return self._by_survivor.get(customer, ())

    def choices(self, holder: uuid.UUID, name: str, value: Any) -> Iterator[_Choice]:
        """Give the choices that brought a value to its holder, newest first, as far down as they reach."""
        pages = iter(self.newest(holder))
        while page := next(pages, None):
            choice = _choice(page, name, value)
            if choice is None:
                return
            yield choice
            if choice.source == TYPED:
                return
            if not choice.kept:
                pages = iter(self.newest(uuid.UUID(choice.source)))


def _choice(page: Page, name: str, value: Any) -> _Choice | None:
    """Return a page's choice of a field, None where it says another value: it was written over since."""
    _, joined, key = name.partition(f"{ATTRIBUTES}.")
    if joined:
        return _choice_of_attribute(page, key, value)
    written = page.plan.get(name)
    if written is None or _text(written["value"]) != value:
        return None
    return _Choice(page, written["source"], written["rule"])


def _choice_of_attribute(page: Page, key: str, value: Any) -> _Choice | None:
    """Attributes are put together: the survivor's own go before, then the members' in order of their ids."""
    offers = {page.survivor: page.pre_image, **dict(sorted(page.members.items()))}
    for customer, image in offers.items():
        attributes = image.get(ATTRIBUTES) or {}
        if key in attributes:
            return _Choice(page, str(customer), "joined") if attributes[key] == value else None
    return None


def _values(customer: Customer) -> dict[str, Any]:
    fields = {name: _text(getattr(customer, name)) for name in PROFILE_FIELDS}
    attributes = {attribute_name(key): value for key, value in customer.attributes.items()}
    return {name: value for name, value in fields.items() if value} | attributes


def _telling(choices: Sequence[_Choice]) -> Sequence[_Choice]:
    newest = next((choice for choice in choices if choice.rule not in _SILENT), None)
    return [choice for choice in choices if not choice.kept or choice is newest] or choices[:1]


def _names(choices: Iterable[_Choice]) -> Mapping[str, str]:
    ids = {uuid.UUID(choice.source) for choice in choices if choice.source != TYPED}
    people = fetch_customers(ids) if ids else {}
    return {TYPED: "", **{str(key): row.display_name for key, row in people.items()}}


def _step(choice: _Choice, names: Mapping[str, str]) -> Step:
    return Step(
        merge_id=choice.page.merge,
        at=choice.page.at,
        source_id=choice.source,
        source_name=names[choice.source],
        rule=choice.rule,
        rule_label=RULES[choice.rule],
        kept=choice.kept,
    )


def _edits(customer: Customer, fields: Sequence[str]) -> dict[str, Edit]:
    """Return who last wrote each of these fields, as far as the trail tells."""
    wanted = {name for name in fields if name in PROFILE_FIELDS}
    if not wanted:
        return {}
    rows = AuditEntry.objects.filter(
        customer=customer, action="update", metadata__after__has_any_keys=sorted(wanted)
    )
    edits: dict[str, Edit] = {}
    for row in rows.order_by("sequence").only("metadata", "actor_name", "created_at"):
        edit = Edit(row.actor_name, row.created_at)
        edits |= dict.fromkeys(wanted.intersection(row.metadata["after"]), edit)
    return edits


def _text(value: Any) -> str:
    return "" if value is None else str(value)
