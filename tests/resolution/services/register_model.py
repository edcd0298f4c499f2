"""What the register should hold, kept beside it in plain dictionaries.

`home` has every row as it were had nobody been merged; `survivors` says who is absorbed by whom, `verdicts`
what people said of pairs, `erased` who is nobody any more. What the tables show is the one seen through the
other, and taking all merges back must leave `home` itself.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations, count, product
from typing import Any

from resolution.models import Merge
from resolution.services.unmerge import UnmergePlan
from tests.resolution.services.promises import State

Row = dict[str, Any]
LinkKey = tuple[uuid.UUID, str, str]
TABLES = ("Customer", "Mapping", "Message", "SourceRecord", "Ticket")
CURRENT = ("active", "shared")
HEARD = "last_interaction_at"


@dataclass(slots=True)
class RegisterModel:
    """A register without merges, and the merges apart."""

    home: dict[str, dict[uuid.UUID, Row]]
    survivors: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    verdicts: dict[frozenset[uuid.UUID], str] = field(default_factory=dict)
    said_at: dict[frozenset[uuid.UUID], int] = field(default_factory=dict)
    absorbed_at: dict[uuid.UUID, int] = field(default_factory=dict)
    clock: Iterator[int] = field(default_factory=count)
    came_later: set[uuid.UUID] = field(default_factory=set)
    first_heard: dict[uuid.UUID, datetime | None] = field(default_factory=dict)
    erased: set[uuid.UUID] = field(default_factory=set)

    @classmethod
    def of(cls, state: State) -> RegisterModel:
        heard = {row["id"]: row[HEARD] for row in state["Customer"]}
        return cls({table: _by_id(state[table]) for table in TABLES}, first_heard=heard)

    @property
    def customers(self) -> list[uuid.UUID]:
        return sorted(self.home["Customer"].keys() - self.erased)

    @property
    def active(self) -> list[uuid.UUID]:
        return [key for key in self.customers if key not in self.survivors]

    def canonical(self, customer: uuid.UUID) -> uuid.UUID:
        while customer in self.survivors:
            customer = self.survivors[customer]
        return customer

    def people_of(self, customer: uuid.UUID) -> set[uuid.UUID]:
        """All ids of the person an id stands for."""
        person = self.canonical(customer)
        return {key for key in self.customers if self.canonical(key) == person}

    def owning_link(self, key: LinkKey) -> Row | None:
        owning = [row for row in self.home["Mapping"].values() if row["status"] == "active"]
        return next((row for row in owning if key_of(row) == key), None)

    def owner(self, key: LinkKey) -> uuid.UUID | None:
        link = self.owning_link(key)
        return self.canonical(link["customer_id"]) if link else None

    def shares(self, customer: uuid.UUID, key: LinkKey) -> bool:
        links = (row for row in self.home["Mapping"].values() if row["status"] == "shared")
        return any(key_of(row) == key and self.canonical(row["customer_id"]) == customer for row in links)

    def may_become_one(self, members: Iterable[uuid.UUID]) -> bool:
        """Whether these are two living customers or more with no *different* between what they stand for."""
        ids = set(members)
        apart = any(self.told_apart(frozenset(pair)) for pair in combinations(ids, 2))
        return len(ids) > 1 and not ids & self.survivors.keys() and not apart

    def merged(self, merge: Merge, members: Collection[uuid.UUID]) -> None:
        absorbed = [key for key in members if key != merge.survivor_id]
        self.survivors |= dict.fromkeys(absorbed, merge.survivor_id)
        self.absorbed_at |= dict.fromkeys(absorbed, next(self.clock))

    def judged(self, one: uuid.UUID, other: uuid.UUID, verdict: str) -> None:
        """Take over a word; that two are the same goes before what was said of those merged into them."""
        if verdict == "same":
            for pair in product(self.people_of(one), self.people_of(other)):
                self.verdicts.pop(frozenset(pair), None)
        self.verdicts[frozenset({one, other})] = verdict
        self.said_at[frozenset({one, other})] = next(self.clock)

    def parted(self, leaving: Collection[uuid.UUID], plan: UnmergePlan, answers: Mapping[str, str]) -> None:
        """Forget that these were absorbed; what only a person can tell of leaves with whom it is given."""
        words = {(key, other) for key in leaving for other in self.told_apart_while_in(key)}
        for key in leaving:
            del self.survivors[key]
        for key, other in words:
            self.keep_apart(key, other)
        for arrival in plan.arrivals:
            owner = answers.get(arrival.row_id)
            if owner and uuid.UUID(owner) in leaving:
                table = {"mappings": "Mapping", "messages": "Message"}[arrival.relation]
                self.home[table][uuid.UUID(arrival.row_id)]["customer_id"] = uuid.UUID(owner)

    def told_apart_while_in(self, customer: uuid.UUID) -> Iterator[uuid.UUID]:
        """From whom the one that absorbed a customer was told apart since, and so on up."""
        while customer in self.survivors:
            whole, since = self.survivors[customer], self.absorbed_at[customer]
            yield from (key for key, moment in self.told_apart_from(whole) if moment > since)
            customer = whole

    def told_apart_from(self, customer: uuid.UUID) -> Iterator[tuple[uuid.UUID, int]]:
        """The living from whom a customer itself was told apart, and when."""
        for pair, word in self.verdicts.items():
            if word == "different" and customer in pair:
                [other] = pair - {customer}
                if other not in self.erased:
                    yield other, self.said_at[pair]

    def keep_apart(self, one: uuid.UUID, other: uuid.UUID) -> None:
        if self.verdicts.get(frozenset({one, other})) != "different":
            self.judged(one, other, "different")

    def split(self, customer: uuid.UUID, new: uuid.UUID, before: State, after: State) -> None:
        """Take over when the two were first heard of, by the messages from before that each has now.

        From whom the whole was told apart, the new one is.
        """
        for other, _ in list(self.told_apart_from(customer)):
            self.keep_apart(new, other)
        last = next(row[HEARD] for row in before["Customer"] if row["id"] == customer)
        handed = [row for row in after["Message"] if row["customer_id"] == new]
        self.first_heard[new] = self._first_of(handed)
        if last in [row["received_at"] for row in handed]:
            left = [row for row in after["Message"] if row["customer_id"] == customer]
            self.first_heard[customer] = self._first_of(row for row in left if row["received_at"] <= last)

    def _first_of(self, messages: Iterable[Row]) -> datetime | None:
        known = [row["received_at"] for row in messages if row["id"] not in self.came_later]
        return max(known, default=None)

    def note(self, before: State, after: State) -> None:
        """Take over what an act that merges nobody wrote: new rows, and changed columns of old ones."""
        for table in TABLES:
            was = _by_id(before[table])
            for key, row in _by_id(after[table]).items():
                if key not in was:
                    self.home[table][key] = row
                    self.came_later.add(key)
                    continue
                changed = {name: value for name, value in row.items() if was[key][name] != value}
                self.home[table][key] |= changed

    def forget(self, people: Collection[uuid.UUID], after: State) -> None:
        """Take over that these were erased: who absorbed whom among them is settled for good."""
        self.erased |= set(people)
        for key in people:
            self.survivors.pop(key, None)
        for table in TABLES:
            left = _by_id(after[table])
            theirs = {key: row for key, row in left.items() if row.get("customer_id", key) in people}
            self.home[table] = {key: row for key, row in self.home[table].items() if key in left} | theirs

    def last_heard(self, state: State) -> dict[uuid.UUID, datetime | None]:
        """When the living were last heard of: by what members knew first, and by their messages since."""
        moments: defaultdict[uuid.UUID, list[datetime]] = defaultdict(list)
        for customer, moment in self.first_heard.items():
            if moment:
                moments[self.canonical(customer)].append(moment)
        for row in state["Message"]:
            if row["id"] in self.came_later:
                moments[row["customer_id"]].append(row["received_at"])
        return {customer: max(moments[customer], default=None) for customer in self.active}

    def expected(self) -> dict[str, list[Row]]:
        """The tables once all merges are taken back: what came while merged goes by its identifier."""
        home = deepcopy(self.home)
        for key, message in home["Message"].items():
            if key in self.came_later and message["mapping_id"]:
                message["customer_id"] = home["Mapping"][message["mapping_id"]]["customer_id"]
        heard = self.last_heard({table: list(rows.values()) for table, rows in home.items()})
        for key, moment in heard.items():
            home["Customer"][key][HEARD] = moment
        return {table: sorted(rows.values(), key=lambda row: row["id"]) for table, rows in home.items()}

    def told_apart(self, pair: frozenset[uuid.UUID]) -> bool:
        return any(
            word == "different" and frozenset(map(self.canonical, judged)) == pair
            for judged, word in self.verdicts.items()
        )


def key_of(link: Row) -> LinkKey:
    return (link["channel_id"], link["identifier_type"], link["normalised"])


def folded_into_equals(rows: Iterable[Row], expected: Iterable[Row]) -> list[Row]:
    """Return the rows with those unfolded that should be in use and whose customer has an equal link in use.

    A customer holds an identifier once. A link that went home to one who was given an equal link meanwhile
    stays folded into that.
    """
    found = list(rows)
    held = Counter((row["customer_id"], *key_of(row)) for row in found if row["status"] in CURRENT)
    wanted = {row["id"]: row["status"] for row in expected}
    return [
        row | {"status": wanted[row["id"]]}
        if row["status"] == "collapsed" and held[row["customer_id"], *key_of(row)]
        else row
        for row in found
    ]


def differences(found: State, expected: State) -> list[str]:
    """Return where two states differ, a sentence for every column."""
    return [
        f"{table} {key}: {name} is {there.get(name)}, not {wanted.get(name)}"
        for table in TABLES
        for key, there, wanted in _pairs(_by_id(found[table]), _by_id(expected[table]))
        for name in there.keys() | wanted.keys()
        if there.get(name) != wanted.get(name)
    ]


def _pairs(one: dict[uuid.UUID, Row], other: dict[uuid.UUID, Row]) -> Iterator[tuple[uuid.UUID, Row, Row]]:
    return ((key, one.get(key, {}), other.get(key, {})) for key in one.keys() | other.keys())


def _by_id(rows: Iterable[Mapping[str, Any]]) -> dict[uuid.UUID, Row]:
    return {row["id"]: dict(row) for row in rows}
