"""What becomes of profile fields when members leave a merge: each field is followed up to where it stands.

A merge wrote a value on its survivor; a later one met it there, and wrote another or let it pass; the one
that absorbed the survivor may have taken it over. Leaving members are taken out of that chain as an element
is taken out of a linked list. Where somebody edited the value in between, the edit stays.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from customers.services.merging import SNAPSHOT_FIELDS
from resolution.services.merge_plan import ATTRIBUTES, LAST_INTERACTION, PARTS
from resolution.services.merge_tree import Page, Tree
from resolution.services.survivorship import TYPED, Candidate, choose

RESTORED, INHERITED, KEPT = "restored", "inherited", "kept"


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


def follow_fields(tree: Tree, profiles: Profiles, merge: int) -> list[FieldReturn]:
    """Take the members that `profiles.tree` lacks out of every field; `tree` is the ledger as it stands."""
    before, after = tree.page(merge), profiles.tree.page(merge)
    if before is None or after is None:
        return []
    root = profiles.rows[tree.root]
    returns = []
    for name in SNAPSHOT_FIELDS:
        stood = root[name]
        value = _Value(name, _written(before, name), _written(before, name))
        value.now = _renew(profiles, after, name) if after.members else after.pre_image[name]
        first = value.now
        if value.same and not _lowers(profiles, name):
            continue
        changed = not value.same
        fate = _follow(profiles, after, value)
        if changed or stood != root[name]:
            shown = root[name] if fate == RESTORED else first
            returns.append(FieldReturn(name, _shown(stood), _shown(shown), fate))
    return returns


def latest_of(moments: Iterable[datetime | str | None]) -> str | None:
    """Return the latest moment, ISO; None when there is none."""
    found = [_moment(entry) for entry in moments if entry]
    return max(found).isoformat() if found else None


def _follow(profiles: Profiles, page: Page, value: _Value) -> str:
    """Carry a change from the page it begins at as far up as it reaches; return what became of it."""
    while True:
        for later in profiles.tree.later(page.survivor, page.merge):
            fate = _pass(profiles, later, value)
            if fate:
                return fate
        above = profiles.tree.absorbing(page.survivor)
        row = profiles.rows[page.survivor]
        if not _meets(profiles, value, row[value.name], above.at if above else None):
            return KEPT
        _write_row(profiles, page.survivor, value)
        if above is None:
            return RESTORED
        fate = _take_over(profiles, above, page.survivor, value)
        if fate:
            return fate
        page = above


def _pass(profiles: Profiles, page: Page, value: _Value) -> str:
    """Let a later merge of the same survivor find the other value; return the fate if it ends here."""
    found = page.pre_image[value.name]
    if not _meets(profiles, value, found, page.at):
        return KEPT
    written = _written(page, value.name)
    page.pre_image[value.name] = value.now
    profiles.pages.add(page.merge)
    return _hand_on(profiles, page, value, written)


def _take_over(profiles: Profiles, page: Page, member: uuid.UUID, value: _Value) -> str:
    """Let the merge that absorbed the survivor find the other value on its member."""
    written = _written(page, value.name)
    page.members[member][value.name] = value.now
    profiles.images.setdefault((page.merge, member), {})[value.name] = value.now
    return _hand_on(profiles, page, value, written)


def _hand_on(profiles: Profiles, page: Page, value: _Value, written: Any) -> str:
    value.was, value.now = written, _renew(profiles, page, value.name)
    return INHERITED if value.same and not _lowers(profiles, value.name) else ""


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


def _renew(profiles: Profiles, page: Page, name: str) -> Any:
    """Decide a field of a merge again after what it was decided from has changed; return its value."""
    choice = _decide_again(page, name)
    if choice["value"] or page.pre_image[name]:
        page.plan[name] = choice
    else:
        page.plan.pop(name, None)
    profiles.pages.add(page.merge)
    return choice["value"]


def _decide_again(page: Page, name: str) -> dict[str, Any]:
    offers = {page.survivor: page.pre_image, **dict(sorted(page.members.items()))}
    values = {str(key): offer[name] for key, offer in offers.items()}
    if name == ATTRIBUTES:
        return _joined(page, values)
    if name == LAST_INTERACTION:
        return {"value": latest_of(values.values()), "source": str(page.survivor), "rule": "latest"}
    taken: dict[str, Any] | None = page.plan.get(name)
    if taken and (taken["source"] == TYPED or values.get(taken["source"]) == taken["value"]):
        return taken
    if taken and values.get(taken["source"]):
        return {**taken, "value": values[taken["source"]]}
    return _chosen(page, name, offers)


def _joined(page: Page, values: Mapping[str, Any]) -> dict[str, Any]:
    joined: dict[str, Any] = {}
    for own in values.values():
        joined = {**own, **joined}
    return {"value": joined, "source": str(page.survivor), "rule": "joined"}


def _chosen(page: Page, name: str, offers: Mapping[uuid.UUID, Mapping[str, Any]]) -> dict[str, Any]:
    """Choose among what the others offer, now that the value's source has none."""
    together = next((parts for parts in PARTS if name in parts), (name,))
    candidates = [
        Candidate(
            str(key), offer[name] or "", fullness=sum(len(offer[part] or "") for part in together)
        )
        for key, offer in offers.items()
    ]  # fmt: skip
    choice = choose(name, candidates, survivor=str(page.survivor))
    value = choice.value or (None if name == "birth_date" else "")
    return {"value": value, "source": choice.source, "rule": choice.rule}


def _read(name: str, value: Any) -> Any:
    """A stored value to compare by: one moment may be written in several ways."""
    return _moment(value) if name == LAST_INTERACTION and value else value


def _moment(value: datetime | str) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def _shown(value: Any) -> str:
    return "" if value is None else str(value)
