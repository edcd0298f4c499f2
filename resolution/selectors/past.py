"""Customers replayed out of rows of the trail: pure, each act one small function.

A row tells what its act made of the customers it names; the acts of everyone a customer was ever merged with
are replayed together, since a merge hands over what the absorbed one has by then. What was written before
rows told this much leaves a customer unknown, until a `note` says it whole.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from customers.models import PROFILE_FIELDS

ACTIVE, MERGED = "active", "merged"
SHARED, ENDED, COLLAPSED = "shared", "ended", "collapsed"


@dataclass(frozen=True, slots=True)
class IdentifierThen:
    """One identifier link as it was; `value` is how it came, and it `owns` the value or only shares it.

    `valid_from` to `valid_to` is the time it owns the value, None where the trail does not tell. A moment
    that nobody gave is that of the act's row, which is written a little after the table's.
    """

    mapping_id: uuid.UUID
    channel_id: uuid.UUID
    type: str
    value: str
    normalised: str
    status: str
    verified: bool
    confidence: Decimal
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    @property
    def owns(self) -> bool:
        return self.status == ACTIVE


@dataclass(slots=True)
class PersonThen:
    """A customer's row as it was; not `known` while the trail has not told it whole."""

    known: bool = False
    status: str = ACTIVE
    merged_into: uuid.UUID | None = None
    fields: dict[str, str] = field(default_factory=lambda: dict.fromkeys(PROFILE_FIELDS, ""))
    attributes: dict[str, Any] = field(default_factory=dict)

    def write(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if name == "attributes":
                self.attributes = value
            else:
                self.fields[name] = value or ""


@dataclass(frozen=True, slots=True)
class Row:
    """What a replay reads of a row of the trail."""

    customer_id: uuid.UUID
    channel_id: uuid.UUID | None
    identifier_type: str
    identifier_value: str
    action: str
    confidence_score: Decimal | None
    metadata: Mapping[str, Any]
    created_at: datetime


class Past:
    """The customers and links told of so far; `replay` rows in the order of the trail."""

    def __init__(self) -> None:
        self.people: defaultdict[uuid.UUID, PersonThen] = defaultdict(PersonThen)
        self._links: dict[uuid.UUID, IdentifierThen] = {}
        self._holder: dict[uuid.UUID, uuid.UUID] = {}
        self._held: defaultdict[uuid.UUID, set[uuid.UUID]] = defaultdict(set)
        self._followers: defaultdict[uuid.UUID, set[uuid.UUID]] = defaultdict(set)

    def replay(self, rows: Iterable[Row]) -> Past:
        for row in rows:
            if row.metadata:
                _ACTS[row.action](self, row)
            else:  # emptied, or of an earlier release
                self._lose_sight(row)
        return self

    def links_of(self, customer: uuid.UUID) -> list[IdentifierThen]:
        found = (self._links[key] for key in self._held[customer])
        return sorted(found, key=lambda link: (link.status, link.type, link.normalised, link.mapping_id))

    def create(self, row: Row) -> None:
        person = self.people[row.customer_id]
        person.known = "after" in row.metadata
        person.write(row.metadata.get("after", {}))

    def note(self, row: Row) -> None:
        """Forget what was known of a customer for what is written here."""
        facts = row.metadata
        person = self.people[row.customer_id] = PersonThen(known=True, status=facts["status"])
        person.write(facts["after"])
        self._redirect(row.customer_id, _id(facts["merged_into"]))
        for key in self._held.pop(row.customer_id, ()):
            del self._links[key], self._holder[key]
        for link in facts["links"]:
            self._put(row.customer_id, _noted(link))

    def update(self, row: Row) -> None:
        """A profile that changed, or a link that became surer or whose time was put right."""
        if "mapping" in row.metadata:
            self._put(row.customer_id, self._strengthened(row))
        else:
            self.people[row.customer_id].write(row.metadata.get("after", {}))

    def link(self, row: Row) -> None:
        self._begin(row, ACTIVE)

    def share(self, row: Row) -> None:
        self._begin(row, SHARED)

    def end(self, row: Row) -> None:
        key = _id(row.metadata.get("mapping"))
        if key in self._links:
            link = self._links[key]
            moment = _moment(row.metadata.get("valid_to")) or row.created_at
            since = link.valid_from if link.owns else moment
            self._links[key] = replace(link, status=ENDED, valid_from=since, valid_to=moment)
        else:
            self.people[row.customer_id].known = False

    def merge(self, row: Row) -> None:
        """Told whole by the survivor's row; those of the absorbed ones lead to it."""
        facts = row.metadata
        if "absorbed" not in facts:
            return
        absorbed = [uuid.UUID(key) for key in facts["absorbed"]]
        survivor = self.people[row.customer_id]
        survivor.known &= "after" in facts and all(self.people[key].known for key in absorbed)
        survivor.write(facts.get("after", {}))
        folded = {uuid.UUID(key) for key in facts.get("folded", ())}
        for key in folded & self._links.keys():
            self._set_status(key, COLLAPSED)
        for member in absorbed:
            self.people[member].status = MERGED
            for follower in {member, *self._followers[member]}:
                self._redirect(follower, row.customer_id)
            for key in self._held[member] - folded:
                self._hand(key, row.customer_id)

    def unmerge(self, row: Row) -> None:
        """Told whole by the row of who stays; those of others lead to it."""
        facts = row.metadata
        if "arrivals" not in facts:
            return
        leaving = [uuid.UUID(key) for key in facts["returned"]]
        if "links" not in facts:
            for key in (row.customer_id, *leaving):
                self.people[key].known = False
        for key in leaving:
            self.people[key].status = ACTIVE
            self._redirect(key, None)
        for follower, member in facts.get("followed", {}).items():
            self._redirect(uuid.UUID(follower), uuid.UUID(member))
        for customer, fields in facts.get("after", {}).items():
            self.people[uuid.UUID(customer)].write(fields)
        for link, (customer, status) in facts.get("links", {}).items():
            self._stand(uuid.UUID(link), uuid.UUID(customer), status)

    def _lose_sight(self, row: Row) -> None:
        """Whom an emptied row was about is unknown; of a merge or its undo that may be anybody so far."""
        of_several = row.action in ("merge", "unmerge")
        for key in [*self.people] if of_several else [row.customer_id]:
            self.people[key].known = False

    def _begin(self, row: Row, status: str) -> None:
        if "mapping" in row.metadata:
            since = _moment(row.metadata.get("valid_from")) or row.created_at
            self._put(row.customer_id, _told(row, status, valid_from=since))
        else:
            self.people[row.customer_id].known = False

    def _stand(self, key: uuid.UUID, customer: uuid.UUID, status: str) -> None:
        if key in self._links:
            self._set_status(key, status)
            self._hand(key, customer)
        else:
            self.people[customer].known = False

    def _put(self, customer: uuid.UUID, link: IdentifierThen) -> None:
        self._links[link.mapping_id] = link
        self._hand(link.mapping_id, customer)

    def _hand(self, key: uuid.UUID, customer: uuid.UUID) -> None:
        self._held[self._holder.get(key, customer)].discard(key)
        self._holder[key] = customer
        self._held[customer].add(key)

    def _set_status(self, key: uuid.UUID, status: str) -> None:
        self._links[key] = replace(self._links[key], status=status)

    def _strengthened(self, row: Row) -> IdentifierThen:
        known = self._links.get(uuid.UUID(row.metadata["mapping"]))
        since, until = (known.valid_from, known.valid_to) if known else (None, None)
        return _told(
            row,
            known.status if known else ACTIVE,
            valid_from=_moment(row.metadata.get("valid_from")) or since,
            valid_to=_moment(row.metadata.get("valid_to")) or until,
        )

    def _redirect(self, customer: uuid.UUID, target: uuid.UUID | None) -> None:
        person = self.people[customer]
        if person.merged_into:
            self._followers[person.merged_into].discard(customer)
        if target:
            self._followers[target].add(customer)
        person.merged_into = target


def _told(
    row: Row, status: str, *, valid_from: datetime | None, valid_to: datetime | None = None
) -> IdentifierThen:
    return _link(
        row.metadata,
        channel_id=row.channel_id,
        type=row.identifier_type,
        normalised=row.identifier_value,
        status=status,
        confidence=row.confidence_score,
        valid_from=valid_from,
        valid_to=valid_to,
    )


def _noted(link: Mapping[str, Any]) -> IdentifierThen:
    return _link(
        link,
        channel_id=uuid.UUID(link["channel"]),
        type=link["type"],
        normalised=link["normalised"],
        status=link["status"],
        confidence=Decimal(link["confidence"]),
        valid_from=_moment(link.get("valid_from")),
        valid_to=_moment(link.get("valid_to")),
    )


def _link(facts: Mapping[str, Any], **columns: Any) -> IdentifierThen:
    return IdentifierThen(
        mapping_id=uuid.UUID(facts["mapping"]),
        value=facts.get("raw", columns["normalised"]),
        verified=facts.get("verified", False),
        **columns,
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _id(text: str | None) -> uuid.UUID | None:
    return uuid.UUID(text) if text else None


_ACTS: dict[str, Callable[[Past, Row], None]] = {
    "create": Past.create,
    "note": Past.note,
    "update": Past.update,
    "link": Past.link,
    "share": Past.share,
    "move": Past.link,
    "unlink": Past.end,
    "lose": Past.end,
    "merge": Past.merge,
    "unmerge": Past.unmerge,
}
TELLING = tuple(_ACTS)
