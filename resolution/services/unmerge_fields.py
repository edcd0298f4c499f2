"""What becomes of profile fields when members leave a merge: each field is followed up to where it stands.

A merge wrote a value on its survivor; a later one met it there, and wrote another or let it pass; the one
that absorbed the survivor may have taken it over. Leaving members are taken out of that chain as an element
is taken out of a linked list. Where somebody edited the value in between, the edit stays. The parts of an
address go together, since a merge takes an address whole.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from customers.services.merging import SNAPSHOT_FIELDS
from resolution.services.merge_plan import ATTRIBUTES, LAST_INTERACTION, PARTS
from resolution.services.merge_tree import Page, Tree
from resolution.services.survivorship import ADDRESS, TYPED, Candidate, choose, choose_address, has_address
from resolution.types import FieldChoice

RESTORED, INHERITED, KEPT = "restored", "inherited", "kept"
# Whose value it is → field → value, of everybody in a merge; one field's place in the ledger.
_Offers: TypeAlias = Mapping[str, Mapping[str, Any]]
_Choice: TypeAlias = dict[str, Any]
# Fields that are decided together.
_UNITS = (ADDRESS, *((name,) for name in SNAPSHOT_FIELDS if name not in ADDRESS))


@dataclass(frozen=True, slots=True)
class FieldReturn:
    """One field the merge changed on its survivor; values as people read them, of the customer it is in now.

    `fate` is restored, inherited (a later merge wrote it and now remembers `before`) or kept (edited since,
    so it stays as it is).
    """

    field: str
    now: str
    before: str
    fate: str


@dataclass(frozen=True, slots=True)
class Heard:
    """One message that arrived since: when it was stored, when it was received, whether it leaves."""

    stored_at: datetime
    at: datetime
    leaves: bool


@dataclass(slots=True)
class Profiles:
    """What is written by following: `tree` and `rows` (customer → fields) change, `touched` says which."""

    tree: Tree
    rows: dict[uuid.UUID, dict[str, Any]]
    heard: Sequence[Heard]
    pages: set[int]
    images: dict[tuple[int, uuid.UUID], dict[str, Any]]
    customers: set[uuid.UUID]


@dataclass(slots=True)
class _Value:
    """A field's value on its way up: as it was written, and as it would have been."""

    name: str
    was: Any
    now: Any

    @property
    def same(self) -> bool:
        return bool(_read(self.name, self.was) == _read(self.name, self.now))


class _Unit:
    """The values of one unit that are still on their way, and the fate of each that is not."""

    def __init__(self, values: Iterable[_Value]) -> None:
        self.values = tuple(values)
        self.fates: dict[str, str] = {}

    @property
    def going(self) -> list[_Value]:
        return [value for value in self.values if value.name not in self.fates]

    def moves(self, profiles: Profiles) -> bool:
        return any(not value.same or _lowers(profiles, value.name) for value in self.going)

    def end(self, fate: str) -> None:
        self.fates |= {value.name: fate for value in self.going}


def follow_fields(tree: Tree, profiles: Profiles, merge: int) -> list[FieldReturn]:
    """Take the members that `profiles.tree` lacks out of every field; `tree` is the ledger as it stands."""
    before, after = tree.page(merge), profiles.tree.page(merge)
    if before is None or after is None:
        return []
    root = profiles.rows[tree.root]
    returns = [entry for names in _UNITS for entry in _follow_unit(profiles, root, before, after, names)]
    return sorted(returns, key=lambda entry: SNAPSHOT_FIELDS.index(entry.field))


def _follow_unit(
    profiles: Profiles, root: Mapping[str, Any], before: Page, after: Page, names: Sequence[str]
) -> list[FieldReturn]:
    stood = {name: root[name] for name in names}
    first = (
        _renew(profiles, after, names) if after.members else {name: after.pre_image[name] for name in names}
    )
    unit = _Unit(_Value(name, _written(before, name), first[name]) for name in names)
    changed = {value.name for value in unit.values if not value.same}
    if not unit.moves(profiles):
        return []
    _follow(profiles, after, unit)
    return [
        FieldReturn(name, _shown(stood[name]), _shown(root[name] if fate == RESTORED else first[name]), fate)
        for name, fate in unit.fates.items()
        if name in changed or stood[name] != root[name]
    ]


def latest_of(moments: Iterable[datetime | str | None]) -> str | None:
    """Return the latest moment, ISO; None when there is none."""
    found = [_moment(entry) for entry in moments if entry]
    return max(found).isoformat() if found else None


def _follow(profiles: Profiles, page: Page, unit: _Unit) -> None:
    """Carry a change from the page it begins at as far up as it reaches, until each value has its fate."""
    while True:
        for later in profiles.tree.later(page.survivor, page.merge):
            _pass(profiles, later, unit)
        above = profiles.tree.absorbing(page.survivor)
        _keep_edited(profiles, unit, profiles.rows[page.survivor], above.at if above else None)
        for value in unit.going:
            _write_row(profiles, page.survivor, value)
        if above is None:
            unit.end(RESTORED)
            return
        _take_over(profiles, above, page.survivor, unit)
        if not unit.going:
            return
        page = above


def _pass(profiles: Profiles, page: Page, unit: _Unit) -> None:
    """Let a later merge of the same survivor find the other values."""
    _keep_edited(profiles, unit, page.pre_image, page.at)
    written = {value.name: _written(page, value.name) for value in unit.going}
    for value in unit.going:
        page.pre_image[value.name] = value.now
        profiles.pages.add(page.merge)
    _hand_on(profiles, page, unit, written)


def _take_over(profiles: Profiles, page: Page, member: uuid.UUID, unit: _Unit) -> None:
    """Let the merge that absorbed the survivor find the other values on its member."""
    written = {value.name: _written(page, value.name) for value in unit.going}
    for value in unit.going:
        page.members[member][value.name] = value.now
        profiles.images.setdefault((page.merge, member), {})[value.name] = value.now
    _hand_on(profiles, page, unit, written)


def _hand_on(profiles: Profiles, page: Page, unit: _Unit, written: Mapping[str, Any]) -> None:
    """Let a merge decide again; what comes to the same as before has been inherited."""
    now = _renew(profiles, page, list(written))
    for value in unit.going:
        value.was, value.now = written[value.name], now[value.name]
    if not unit.moves(profiles):
        unit.end(INHERITED)


def _keep_edited(profiles: Profiles, unit: _Unit, found: Mapping[str, Any], at: datetime | None) -> None:
    """Leave out what does not stand there as it was written before: somebody edited it since."""
    edited = [value for value in unit.going if not _meets(profiles, value, found[value.name], at)]
    unit.fates |= {value.name: KEPT for value in edited}


def _write_row(profiles: Profiles, customer: uuid.UUID, value: _Value) -> None:
    if profiles.rows[customer][value.name] != value.now:
        profiles.rows[customer][value.name] = value.now
        profiles.customers.add(customer)


def _meets(profiles: Profiles, value: _Value, found: Any, at: datetime | None = None) -> bool:
    """Whether what stands there is what was written before; messages heard meanwhile are allowed for."""
    if value.name != LAST_INTERACTION:
        return bool(_read(value.name, found) == _read(value.name, value.was))
    heard = [entry for entry in profiles.heard if at is None or entry.stored_at < at]
    told = [entry for entry in heard if found and entry.at <= _moment(found)]
    if _read(value.name, found) != _read(value.name, latest_of([value.was, *(row.at for row in told)])):
        return False
    value.was = found
    value.now = latest_of([value.now, *(row.at for row in told if not row.leaves)])
    return True


def _lowers(profiles: Profiles, name: str) -> bool:
    return name == LAST_INTERACTION and any(entry.leaves for entry in profiles.heard)


def _written(page: Page, name: str) -> Any:
    return page.plan[name]["value"] if name in page.plan else page.pre_image[name]


def _renew(profiles: Profiles, page: Page, names: Sequence[str]) -> dict[str, Any]:
    """Decide fields of a merge again after what they were decided from has changed; return their values."""
    choices = _decide_again(page, names)
    for name, choice in choices.items():
        if choice["value"] or page.pre_image[name]:
            page.plan[name] = choice
        else:
            page.plan.pop(name, None)
    if choices:
        profiles.pages.add(page.merge)
    return {name: choice["value"] for name, choice in choices.items()}


def _decide_again(page: Page, names: Sequence[str]) -> dict[str, _Choice]:
    members = {page.survivor: page.pre_image, **dict(sorted(page.members.items()))}
    offers = {str(key): offer for key, offer in members.items()}
    if names and names[0] in ADDRESS:
        address = _address(page, offers)
        return {name: address[name] for name in names}
    return {name: _decide_one(page, name, offers) for name in names}


def _decide_one(page: Page, name: str, offers: _Offers) -> _Choice:
    values = {key: offer[name] for key, offer in offers.items()}
    if name == ATTRIBUTES:
        return _joined(page, values)
    if name == LAST_INTERACTION:
        return {"value": latest_of(values.values()), "source": str(page.survivor), "rule": "latest"}
    taken = page.plan.get(name)
    if taken and _has_value(taken, name, offers):
        return _renewed(taken, name, offers)
    return _stored(choose(name, _candidates(name, offers), survivor=str(page.survivor)))


def _joined(page: Page, values: Mapping[str, Any]) -> _Choice:
    joined: dict[str, Any] = {}
    for own in values.values():
        joined = {**own, **joined}
    return {"value": joined, "source": str(page.survivor), "rule": "joined"}


def _address(page: Page, offers: _Offers) -> dict[str, _Choice]:
    """Decide the parts of an address: of whom it was taken while that one has any, or chosen anew."""
    taken = {name: page.plan[name] for name in ADDRESS if name in page.plan}
    picked = {
        name: _renewed(choice, name, offers)
        for name, choice in taken.items()
        if choice["rule"] == "picked" and _has_value(choice, name, offers)
    }
    whole = {
        name: _renewed(choice, name, offers)
        for name, choice in taken.items()
        if choice["rule"] not in ("picked", "empty") and has_address(choice["source"], offers)
    }
    if not whole:
        candidates = {name: _candidates(name, offers) for name in ADDRESS}
        chosen = choose_address(candidates, survivor=str(page.survivor), picks={})
        whole = {name: _stored(choice) for name, choice in chosen.items()}
    source = next(iter(whole.values()))["source"]
    rest = {name: {"value": offers[source][name], "source": source, "rule": "together"} for name in ADDRESS}
    return rest | whole | picked


def _has_value(taken: _Choice, name: str, offers: _Offers) -> bool:
    """Whether whose value was taken still has one, or what was taken was none."""
    if taken["source"] == TYPED:
        return True
    offer = offers.get(taken["source"])
    return offer is not None and bool(offer[name] or not taken["value"])


def _renewed(taken: _Choice, name: str, offers: _Offers) -> _Choice:
    return taken if taken["source"] == TYPED else {**taken, "value": offers[taken["source"]][name]}


def _candidates(name: str, offers: _Offers) -> list[Candidate]:
    together = next((parts for parts in PARTS if name in parts), (name,))
    return [
        Candidate(key, offer[name] or "", fullness=sum(len(offer[part] or "") for part in together))
        for key, offer in offers.items()
    ]


def _stored(choice: FieldChoice) -> _Choice:
    value = choice.value or (None if choice.field == "birth_date" else "")
    return {"value": value, "source": choice.source, "rule": choice.rule}


def _read(name: str, value: Any) -> Any:
    """A stored value to compare by: one moment may be written in several ways."""
    return _moment(value) if name == LAST_INTERACTION and value else value


def _moment(value: datetime | str) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def _shown(value: Any) -> str:
    return "" if value is None else str(value)
