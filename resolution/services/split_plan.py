"""What splitting a customer will do, decided before anything is touched.

`plan_split` is pure: the ground as it stands and the identifiers that leave in, the plan out; the preview is
the plan. A part leaves with the identifiers a person names, and with what came by them alone; the part that
stays is the anchor and keeps the id. Nothing else is guessed: what no identifier tells of stays.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import dataclass, replace

from customers.models import PROFILE_FIELDS
from resolution.errors import InvalidInput
from resolution.selectors.judgements import KeptApart

LinkKey = tuple[uuid.UUID, str, str]


@dataclass(frozen=True, slots=True)
class SplitLink:
    """One identifier the customer owns, and how much came with it.

    `contact` is the value as a profile field holds it, empty where none does.
    """

    id: uuid.UUID
    key: LinkKey
    type: str
    value: str
    contact: str
    channel: str
    verified: bool
    confidence: float
    messages: int
    tickets: int


@dataclass(frozen=True, slots=True)
class SplitRecord:
    """One source record: what it says of profile fields, and the identifiers it came with.

    `own` is the link of the source's own key of it, where there is one; it goes wherever the record goes.
    """

    id: uuid.UUID
    title: str
    links: frozenset[uuid.UUID]
    own: uuid.UUID | None
    says: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SplitQuestion:
    """An open conflict that names the customer, and the identifier it asks the owner of or came with.

    `shown` are the identifiers that its evidence shows of the customer.
    """

    id: int
    reason: str
    link: uuid.UUID | None
    shown: frozenset[uuid.UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class SplitGround:
    """All that bears on splitting a customer; `shown_by` is field → links and records that show its value.

    `words` told the customer apart from others.
    """

    customer_id: uuid.UUID
    name: str
    version: int
    values: Mapping[str, str]
    shown_by: Mapping[str, frozenset[uuid.UUID]]
    links: tuple[SplitLink, ...] = ()
    records: tuple[SplitRecord, ...] = ()
    questions: tuple[SplitQuestion, ...] = ()
    words: tuple[KeptApart, ...] = ()
    blockers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldPart:
    """One profile field: what it is now, and afterwards of who stays and of who goes."""

    field: str
    now: str
    stays: str
    goes: str


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """Everything a split will do; the new customer's id is issued only then.

    `moving` leave and `staying` stay; of `questions`, all open ones, some are `handed` over, and others are
    `shaken`. `kept_apart` are words on the customer that count for the new one too. `blockers` forbid it.
    `fingerprint` names what was looked at.
    """

    customer_id: uuid.UUID
    name: str
    moving: tuple[SplitLink, ...]
    staying: tuple[SplitLink, ...]
    fields: tuple[FieldPart, ...] = ()
    records: tuple[SplitRecord, ...] = ()
    records_staying: int = 0
    questions: tuple[SplitQuestion, ...] = ()
    kept_apart: tuple[KeptApart, ...] = ()
    blockers: tuple[str, ...] = ()
    fingerprint: str = ""

    @property
    def messages(self) -> int:
        return sum(link.messages for link in self.moving)

    @property
    def tickets(self) -> int:
        return sum(link.tickets for link in self.moving)

    @property
    def handed(self) -> tuple[SplitQuestion, ...]:
        """The open conflicts that ask about the new customer afterwards."""
        return tuple(row for row in self.questions if row.link in self._leaving)

    @property
    def shaken(self) -> tuple[SplitQuestion, ...]:
        """The open conflicts that stay, though what leaves is part of what they show."""
        return tuple(
            row for row in self.questions if row.link not in self._leaving and row.shown & self._leaving
        )

    @property
    def _leaving(self) -> frozenset[uuid.UUID]:
        return frozenset(link.id for link in self.moving)

    def profile_of_new(self) -> dict[str, str]:
        return {part.field: part.goes for part in self.fields if part.goes}

    def changes_of_old(self) -> dict[str, str]:
        return {part.field: part.stays for part in self.fields if part.stays != part.now}


def plan_split(
    ground: SplitGround, chosen: Collection[uuid.UUID], fields: Mapping[str, str] | None = None
) -> SplitPlan:
    """Plan the leaving of the chosen identifiers; `fields` says what the new customer's profile has besides.

    Raises InvalidInput for an identifier that is not the customer's to give.
    """
    _refuse_strangers(ground, chosen)
    leaving = tuple(row for row in ground.records if _leaves(row, set(chosen)))
    going = {*chosen, *(row.own for row in leaving)}
    moving = tuple(link for link in ground.links if link.id in going)
    staying = tuple(link for link in ground.links if link.id not in going)
    found = tuple(_parts(ground, moving, staying, leaving))
    plan = SplitPlan(
        customer_id=ground.customer_id,
        name=ground.name,
        moving=moving,
        staying=staying,
        fields=found,
        records=leaving,
        records_staying=len(ground.records) - len(leaving),
        questions=ground.questions,
        kept_apart=ground.words,
        blockers=(*ground.blockers, *_blockers(moving, staying)),
    )
    parts = tuple(replace(part, goes=(fields or {}).get(part.field, part.goes)) for part in found)
    return replace(plan, fields=parts, fingerprint=_fingerprint(plan, ground.version))


def _refuse_strangers(ground: SplitGround, chosen: Collection[uuid.UUID]) -> None:
    strangers = sorted(set(chosen) - {link.id for link in ground.links})
    if strangers and not ground.blockers:
        raise InvalidInput(
            f"Customer {ground.customer_id} does not own identifier {strangers[0]}; name some that it owns.",
            customer=str(ground.customer_id),
            mapping=str(strangers[0]),
        )


def _leaves(record: SplitRecord, chosen: Set[uuid.UUID]) -> bool:
    """A record leaves when its own key does, or when all other identifiers it came with do."""
    return record.own in chosen or (bool(record.links) and record.links <= chosen)


def _blockers(moving: Collection[SplitLink], staying: Collection[SplitLink]) -> Iterator[str]:
    if not moving:
        yield "No identifier was chosen; tick those of the person who leaves."
    elif not staying:
        yield "All identifiers would leave; at least one stays, with the part that keeps the id."


def _parts(
    ground: SplitGround,
    moving: Collection[SplitLink],
    staying: Collection[SplitLink],
    leaving: Collection[SplitRecord],
) -> Iterator[FieldPart]:
    """A value that only what leaves shows goes along; else the new one has what its own rows say."""
    gone = {link.id for link in moving} | {row.id for row in leaving}
    for name in PROFILE_FIELDS:
        now, shown = ground.values[name], ground.shown_by[name]
        goes_along = bool(now and shown) and shown <= gone
        said = next((row.says[name] for row in leaving if name in row.says), "")
        goes = now if goes_along else _surest(name, moving) or said
        yield FieldPart(name, now, _surest(name, staying) if goes_along else now, goes)


def _surest(field: str, links: Collection[SplitLink]) -> str:
    """The value of the surest identifier of a field's own type, of equal ones the oldest."""
    found = [link for link in links if link.type == field and link.contact]
    best = min(found, key=lambda link: (not link.verified, -link.confidence, link.id), default=None)
    return best.contact if best else ""


def _fingerprint(plan: SplitPlan, version: int) -> str:
    """Name what was looked at; what a person gives the new customer besides is left out."""
    covered = [
        str(plan.customer_id), version, [str(link.id) for link in plan.moving],
        [[part.field, part.stays, part.goes] for part in plan.fields],
        [plan.messages, plan.tickets, [str(row.id) for row in plan.records]],
        [row.id for row in plan.questions], [row.id for row in plan.handed + plan.shaken],
        [word.judgement for word in plan.kept_apart],
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(covered).encode()).hexdigest()[:16]
