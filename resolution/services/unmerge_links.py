"""Whose each identifier link is, and in which status, once some merges of a tree have not been.

The merges that remain are gone through again, oldest first, by the rules they folded links by. What comes out
is where the links stand and what the ledger has to say of them; nothing else can differ from a history in
which the members that leave were never absorbed.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from resolution.services.merge_plan import COLLAPSED, CURRENT, OWNING, SHARING
from resolution.services.merge_tree import Page

ENDED = "ended"

LinkKey: TypeAlias = tuple[uuid.UUID, str, str]


@dataclass(frozen=True, slots=True)
class LinkMove:
    """What the ledger says of a link: the merge that moved or folded it, its owner and status before."""

    merge: int
    owner: uuid.UUID
    status: str


@dataclass(frozen=True, slots=True)
class LinkFact:
    """One identifier link as it is, with its live moves, oldest first.

    An ended one `owned` its value when some time lies between its beginning and its end.
    """

    id: uuid.UUID
    customer: uuid.UUID
    key: LinkKey
    title: str
    value: str
    status: str
    verified: bool
    confidence: float
    created_at: datetime
    ended_at: datetime | None
    owned: bool = False
    moves: tuple[LinkMove, ...] = ()

    @property
    def home(self) -> uuid.UUID:
        """Whose it was before any merge moved it."""
        return self.moves[0].owner if self.moves else self.customer

    @property
    def base(self) -> str:
        """Its status but for merges and for its end."""
        if self.status in CURRENT:
            return self.status
        if self.owned:
            return OWNING
        before = [move.status for move in self.moves if move.status in CURRENT]
        if before:
            return before[-1]
        return SHARING if self.status == ENDED else self.status


@dataclass(slots=True)
class Standing:
    """Where a link stands when all is gone through: its customer, its status, its moves."""

    link: LinkFact
    customer: uuid.UUID
    status: str
    moves: list[LinkMove] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return (self.customer, self.status) != (self.link.customer, self.link.status)

    def in_use(self, at: datetime) -> bool:
        """Whether it described its customer at that moment."""
        return self.status in CURRENT and not self.ended_by(at)

    def ended_by(self, at: datetime) -> bool:
        if self.link.status != ENDED:
            return False
        return self.link.ended_at is None or self.link.ended_at <= at


def go_through(
    pages: Sequence[Page], links: Iterable[LinkFact], homes: Mapping[uuid.UUID, uuid.UUID]
) -> dict[uuid.UUID, Standing]:
    """Return where links stand after these merges, by id; `homes` says whose each was to begin with.

    The links must be all there are of their keys in the tree.
    """
    held: defaultdict[uuid.UUID, list[Standing]] = defaultdict(list)
    waiting = sorted(links, key=lambda link: (link.created_at, link.id))
    standings = {link.id: Standing(link, homes[link.id], link.base) for link in waiting}
    for page in pages:
        born = [link for link in waiting if _is_there(link, page)]
        waiting = [link for link in waiting if not _is_there(link, page)]
        _take_in(held, [standings[link.id] for link in born])
        _fold(page, held)
        _carry(page, held)
    _take_in(held, [standings[link.id] for link in waiting])
    for standing in standings.values():
        if standing.link.status == ENDED:
            standing.status = ENDED
    return standings


def _is_there(link: LinkFact, page: Page) -> bool:
    return link.created_at < page.at or any(move.merge <= page.merge for move in link.moves)


def _take_in(held: defaultdict[uuid.UUID, list[Standing]], born: Iterable[Standing]) -> None:
    """Let links appear at their customers; one that meets an equal one there is settled at once."""
    for standing in born:
        equal = [row for row in held[standing.customer] if row.link.key == standing.link.key]
        held[standing.customer].append(standing)
        rivals = [row for row in (*equal, standing) if row.in_use(standing.link.created_at)]
        for row in sorted(rivals, key=_rank)[1:]:
            row.status = COLLAPSED


def _rank(standing: Standing) -> tuple[bool, bool, bool, float, str]:
    """Of equal links that meet outside a merge the lowest stays: in use, owning, verified, surer, older."""
    link = standing.link
    in_use = link.status in CURRENT
    return (not in_use, standing.status != OWNING, not link.verified, -link.confidence, str(link.id))


def _fold(page: Page, held: Mapping[uuid.UUID, list[Standing]]) -> None:
    """Let one of the equal links that a merge brings together stand, as plan_merge does."""
    meeting: defaultdict[LinkKey, list[Standing]] = defaultdict(list)
    for customer in (page.survivor, *page.members):
        for standing in held.get(customer, ()):
            if standing.in_use(page.at):
                meeting[standing.link.key].append(standing)
    for rivals in meeting.values():
        rivals.sort(key=lambda row: _place(row, page.survivor))
        for standing in rivals[1:]:
            standing.moves.append(LinkMove(page.merge, standing.customer, standing.status))
            standing.status = COLLAPSED


def _place(standing: Standing, survivor: uuid.UUID) -> tuple[bool, bool, float, bool, str]:
    link = standing.link
    owning, own = standing.status == OWNING, standing.customer == survivor
    return (not owning, not link.verified, -link.confidence, not own, str(link.id))


def _carry(page: Page, held: defaultdict[uuid.UUID, list[Standing]]) -> None:
    """Give the members' links to the survivor, but those that folded just now."""
    for member in page.members:
        staying = []
        for standing in held.pop(member, ()):
            if standing.moves and standing.moves[-1].merge == page.merge:
                staying.append(standing)
                continue
            status = ENDED if standing.ended_by(page.at) else standing.status
            standing.moves.append(LinkMove(page.merge, member, status))
            standing.customer = page.survivor
            held[page.survivor].append(standing)
        held[member] = staying
