"""What taking a merge back will do, decided before anything is touched.

A row goes back to the customer it came from when it still is where the merge put it. A field goes back when
it still holds what the merge wrote; if a later merge wrote it again, that one remembers the older value
instead, as an element is taken out of a linked list. What arrived since goes to the side that owns the
identifier it came with; where none tells, a person is asked.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from django.db.models import Model, QuerySet

from customers.models import Customer, Message, SourceRecord, Ticket
from customers.models import Mapping as Link
from customers.services import merging
from resolution.errors import InvalidInput
from resolution.models import Merge, MergeMember, MergeMove
from resolution.relations import MOVED, Relation
from resolution.services.ledger import MAPPINGS, REDIRECTS
from resolution.services.merge_plan import COLLAPSED, CURRENT, OWNING

RESTORED, INHERITED, KEPT = "restored", "inherited", "kept"

# Row id → customer id, both as text: a person's answers.
Answers: TypeAlias = Mapping[str, str]
LinkKey: TypeAlias = tuple[uuid.UUID, str, str]


@dataclass(frozen=True, slots=True)
class Side:
    """One customer of a merge that is to be undone; `rows` is relation label → how many go back to it."""

    customer_id: str
    name: str
    rows: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class FieldReturn:
    """One field the merge changed on its survivor; values as people read them.

    `fate` is restored, inherited (a later merge wrote it again and now remembers `before`) or kept (edited
    since, so it stays as it is).
    """

    field: str
    now: str
    before: str
    fate: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """One row that came to the survivor after the merge.

    `goes_to` is a customer id, empty when nothing tells yet; `why` is the phrase for it. A row that is
    `asked` about has to be assigned by a person: `row_id` is its key in `assign` of undo_merge.
    """

    relation: str
    label: str
    row_id: str
    title: str
    at: datetime
    goes_to: str
    why: str
    asked: bool


@dataclass(frozen=True, slots=True)
class UnmergePlan:
    """Everything an undo will do. `asks` must be answered (row id → customer id) before it is carried out.

    `left` are sentences about rows the merge moved that do not come back as they were. `blockers` forbid it.
    """

    merge_id: int
    survivor: Side
    returning: tuple[Side, ...]
    fields: tuple[FieldReturn, ...]
    arrivals: tuple[Arrival, ...]
    asks: tuple[Arrival, ...]
    left: tuple[str, ...]
    blockers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ground:
    """A merge with its customers, and the merges that stand on top of it (live, same survivor, later)."""

    merge: Merge
    survivor: Customer
    absorbed: Mapping[uuid.UUID, Customer]
    later: Sequence[Merge]

    @property
    def sides(self) -> dict[uuid.UUID, Customer]:
        return {self.survivor.pk: self.survivor, **self.absorbed}


@dataclass(slots=True)
class Standing:
    """Whose an identifier link is, and in which status: as it is, then as it will be."""

    link: Link
    customer_id: uuid.UUID
    status: str

    @property
    def key(self) -> LinkKey:
        return (self.link.channel_id, self.link.identifier_type, self.link.normalised)

    @property
    def current(self) -> bool:
        return self.status in CURRENT

    @property
    def changed(self) -> bool:
        return (self.customer_id, self.status) != (self.link.customer_id, self.link.status)

    @property
    def rank(self) -> tuple[bool, bool, bool, Any, str]:
        """Of equal links at one customer the lowest stays: in use now, owning, verified, surer, older."""
        link = self.link
        in_use = link.status in CURRENT
        return (not in_use, self.status != OWNING, not link.verified, -link.confidence_score, str(link.pk))


@dataclass(slots=True)
class Undo:
    """The plan with everything needed to carry it out.

    `owners` is relation → row id → the customer it goes to, identifiers left out (they are in `standings`).
    `inherits` are (later merge, field, value to remember).
    """

    ground: Ground
    plan: UnmergePlan
    standings: dict[uuid.UUID, Standing]
    owners: dict[str, dict[uuid.UUID, uuid.UUID]]
    redirects: dict[uuid.UUID, uuid.UUID]
    profile: dict[str, Any]
    inherits: list[tuple[Merge, str, Any]]


@dataclass(frozen=True, slots=True)
class _Told:
    """Whose a row is that came since, as far as anything tells."""

    owner: uuid.UUID | None
    why: str
    asked: bool = False


@dataclass(slots=True)
class _Draft:
    """What comes together while planning."""

    ground: Ground
    answers: Answers
    standings: dict[uuid.UUID, Standing] = field(default_factory=dict)
    owners: dict[str, dict[uuid.UUID, uuid.UUID]] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def read_ground(merge: Merge, customers: Mapping[uuid.UUID, Customer]) -> Ground:
    """Gather what stands around a merge, its customers given."""
    absorbed = {key: row for key, row in customers.items() if key != merge.survivor_id}
    later = Merge.objects.filter(survivor=merge.survivor_id, undone_at__isnull=True, pk__gt=merge.pk)
    return Ground(merge, customers[merge.survivor_id], absorbed, list(later.order_by("pk")))


def members_of(merge: Merge) -> set[uuid.UUID]:
    """Return the ids of a merge's survivor and of everyone it absorbed."""
    return {merge.survivor_id, *MergeMember.objects.filter(merge=merge).values_list("customer", flat=True)}


def plan_undo(ground: Ground, answers: Answers) -> Undo:
    """Plan the undo of a merge; `answers` say where rows go that came since.

    Raises InvalidInput for an answer about a row that did not arrive, or one that names neither side.
    """
    draft = _Draft(ground, answers)
    _plan_links(draft)
    for relation in MOVED:
        if relation.name != MAPPINGS:
            _plan_rows(draft, relation)
    _check_answers(draft)
    fields, profile, inherits = _plan_fields(ground)
    plan = UnmergePlan(
        merge_id=ground.merge.pk,
        survivor=_side(draft, ground.survivor),
        returning=tuple(_side(draft, row) for row in ground.absorbed.values()),
        fields=tuple(fields),
        arrivals=tuple(draft.arrivals),
        asks=tuple(row for row in draft.arrivals if row.asked),
        left=tuple(draft.left),
        blockers=tuple(_blockers(ground)),
    )
    return Undo(ground, plan, draft.standings, draft.owners, _redirects(ground), profile, inherits)


# --- identifiers ---


def _plan_links(draft: _Draft) -> None:
    ground = draft.ground
    moves = list(MergeMove.objects.filter(merge=ground.merge, relation=MAPPINGS))
    brought = _moved_by_others(ground)
    folded = {row_id: status for row_id, status in brought.items() if status in CURRENT}
    rows = {move.row_id for move in moves} | set(folded)
    links = Link.objects.filter(customer__in=ground.sides) | Link.objects.filter(pk__in=rows)
    for link in links.select_related("channel").order_by("pk"):
        draft.standings[link.pk] = Standing(link, link.customer_id, link.status)
    _return_links(draft, moves)
    _place_new_links(draft, rows | set(brought))
    _part_equal_links(draft)
    _unfold(draft, folded)


def _return_links(draft: _Draft, moves: Iterable[MergeMove]) -> None:
    moved_on = ended = 0
    for move in moves:
        standing = draft.standings[move.row_id]
        if standing.customer_id not in (draft.ground.survivor.pk, move.owner_before_id):
            moved_on += 1
            continue
        standing.customer_id = move.owner_before_id
        if standing.status == COLLAPSED:
            standing.status = move.before["status"]
        ended += standing.status == Link.Status.ENDED and move.before["status"] != Link.Status.ENDED
    _note_left(draft, moved_on, "identifier", "moved on to another customer since and stays there")
    _note_left(draft, ended, "identifier", "taken off since and comes back as ended")


def _place_new_links(draft: _Draft, known: set[uuid.UUID]) -> None:
    """Identifiers linked since the merge: nothing tells whose they are."""
    ground = draft.ground
    for row_id, standing in draft.standings.items():
        link = standing.link
        since = link.created_at > ground.merge.created_at and link.customer_id == ground.survivor.pk
        if row_id in known or not since:
            continue
        answer = _answer(draft, row_id)
        why = "as answered" if answer else "linked since the merge"
        title = f"{link.identifier_type} {link.channel_identifier} on {link.channel}"
        told = _Told(answer, why, asked=answer is None)
        draft.arrivals.append(_arrival(MAPPINGS, row_id, title, link.created_at, told))
        standing.customer_id = answer or ground.survivor.pk


def _part_equal_links(draft: _Draft) -> None:
    """Let one of several equal links at a customer stand; the others stay folded."""
    for rivals in _current_by_customer(draft).values():
        _, *others = sorted(rivals, key=lambda standing: standing.rank)
        for standing in others:
            standing.status = COLLAPSED


def _unfold(draft: _Draft, folded: Mapping[uuid.UUID, str]) -> None:
    """Give the survivor back what other live merges folded into a link that leaves now."""
    survivor = draft.ground.survivor.pk
    held = {key for customer_id, key in _current_by_customer(draft) if customer_id == survivor}
    waiting = [draft.standings[row_id] for row_id in folded if draft.standings[row_id].status == COLLAPSED]
    for standing in sorted(waiting, key=lambda entry: entry.rank):
        if standing.key not in held:
            standing.customer_id, standing.status = survivor, folded[standing.link.pk]
            held.add(standing.key)


def _moved_by_others(ground: Ground) -> dict[uuid.UUID, str]:
    """Return what other live merges of this survivor moved or folded: row id → status before."""
    moves = MergeMove.objects.filter(
        merge__survivor=ground.survivor, merge__undone_at__isnull=True, relation=MAPPINGS
    ).exclude(merge=ground.merge)
    found = moves.order_by("merge", "pk").values_list("row_id", "before")
    return {row_id: before["status"] for row_id, before in found}


def _current_by_customer(draft: _Draft) -> dict[tuple[uuid.UUID, LinkKey], list[Standing]]:
    held: defaultdict[tuple[uuid.UUID, LinkKey], list[Standing]] = defaultdict(list)
    for standing in draft.standings.values():
        if standing.current:
            held[standing.customer_id, standing.key].append(standing)
    return held


# --- messages, tickets, source records ---


def _plan_rows(draft: _Draft, relation: Relation) -> None:
    ground = draft.ground
    moves = MergeMove.objects.filter(merge=ground.merge, relation=relation.name)
    came_from = dict(moves.values_list("row_id", "owner_before"))
    there = relation.model._default_manager.filter(pk__in=moves.values("row_id"), customer=ground.survivor)
    going = {row_id: came_from[row_id] for row_id in there.values_list("pk", flat=True)}
    _note_left(draft, len(came_from) - len(going), relation.noun, "moved on since and stays where it is")
    for row in _came_since(ground, relation):
        arrival = _arrival(relation.name, row.pk, str(row), _moment(row), _owner_of(draft, row))
        draft.arrivals.append(arrival)
        if arrival.goes_to not in ("", str(ground.survivor.pk)):
            going[row.pk] = uuid.UUID(arrival.goes_to)
    draft.owners[relation.name] = going


def _came_since(ground: Ground, relation: Relation) -> QuerySet[Any]:
    """Rows of the survivor younger than the merge that no other merge brought."""
    brought = MergeMove.objects.filter(
        merge__survivor=ground.survivor, merge__undone_at__isnull=True, relation=relation.name
    )
    rows = relation.model._default_manager.filter(
        customer=ground.survivor, created_at__gt=ground.merge.created_at
    )
    return rows.exclude(pk__in=brought.values("row_id")).order_by("pk")


def _owner_of(draft: _Draft, row: Model) -> _Told:
    """Return whose a row is that came since, and why."""
    answer = _answer(draft, row.pk)
    if answer:
        return _Told(answer, "as answered")
    told = [draft.standings[key] for key in _links_behind(draft, row) if key in draft.standings]
    owners = {standing.customer_id for standing in told}
    if len(owners) != 1 or not owners <= draft.ground.sides.keys():
        return _Told(None, "came without an identifier that tells", asked=True)
    name = f"{told[0].link.identifier_type} {told[0].link.channel_identifier}"
    if str(told[0].link.pk) in _open_questions(draft):
        return _Told(None, f"goes with {name}, wherever that goes")
    return _Told(owners.pop(), f"came with {name}")


def _links_behind(draft: _Draft, row: Model) -> list[uuid.UUID]:
    """Return the identifier links a row came with."""
    if isinstance(row, Message | Ticket):
        return [row.mapping_id] if row.mapping_id else []
    if isinstance(row, SourceRecord):
        texts = {str(value).strip().casefold() for value in (row.source_key, *row.data.values())}
        return [key for key, entry in draft.standings.items() if _is_shown(entry.link, row, texts)]
    return []


def _is_shown(link: Link, record: SourceRecord, texts: set[str]) -> bool:
    return link.channel_id == record.channel_id and link.channel_identifier.casefold() in texts


def _open_questions(draft: _Draft) -> set[str]:
    return {row.row_id for row in draft.arrivals if row.relation == MAPPINGS and not row.goes_to}


def _moment(row: Model) -> datetime:
    names = ("received_at", "opened_at", "created_at")
    moment: datetime = next(getattr(row, name) for name in names if hasattr(row, name))
    return moment


def _arrival(relation: str, row_id: uuid.UUID, title: str, at: datetime, told: _Told) -> Arrival:
    label = next(entry.noun for entry in MOVED if entry.name == relation)
    owner = str(told.owner or "")
    return Arrival(relation, label, str(row_id), title[:120], at, owner, told.why, told.asked)


# --- answers ---


def _answer(draft: _Draft, row_id: uuid.UUID) -> uuid.UUID | None:
    """Return where a person said a row goes. Raises InvalidInput when that is neither side."""
    given = draft.answers.get(str(row_id))
    if given is None:
        return None
    known = {str(key): key for key in draft.ground.sides}
    if given not in known:
        raise InvalidInput(
            f"Row {row_id} cannot go to {given[:40]}; it goes to one of {', '.join(sorted(known))}.",
            row=str(row_id),
        )
    return known[given]


def _check_answers(draft: _Draft) -> None:
    arrived = {row.row_id for row in draft.arrivals}
    strangers = sorted(set(draft.answers) - arrived)
    if strangers:
        raise InvalidInput(
            f"Row {strangers[0][:40]} did not arrive since merge {draft.ground.merge.pk}; only rows that did"
            " can be assigned.",
            row=strangers[0][:40],
        )


# --- fields ---


def _plan_fields(
    ground: Ground,
) -> tuple[list[FieldReturn], dict[str, Any], list[tuple[Merge, str, Any]]]:
    profile = merging.snapshot(ground.survivor)
    returns: list[FieldReturn] = []
    inherits: list[tuple[Merge, str, Any]] = []
    for name, written, before in _changes(ground.merge):
        heir = next((merge for merge in ground.later if _changed(merge, name)), None)
        fate = _fate(written, heir.pre_image[name] if heir else profile[name], heir)
        returns.append(FieldReturn(name, _shown(profile[name]), _shown(before), fate))
        if heir and fate == INHERITED:
            inherits.append((heir, name, before))
        if fate == RESTORED:
            profile[name] = before
    return returns, profile, inherits


def _fate(written: Any, found: Any, heir: Merge | None) -> str:
    """`found` is what the next merge met, or what stands today."""
    if found != written:
        return KEPT
    return INHERITED if heir else RESTORED


def _changes(merge: Merge) -> Iterator[tuple[str, Any, Any]]:
    """Yield each field a merge changed on its survivor, what it wrote and what was there."""
    for name, choice in merge.plan.items():
        if choice["value"] != merge.pre_image[name]:
            yield name, choice["value"], merge.pre_image[name]


def _changed(merge: Merge, name: str) -> bool:
    return any(changed == name for changed, _, _ in _changes(merge))


def _shown(value: Any) -> str:
    return "" if value is None else str(value)


# --- the whole ---


def _redirects(ground: Ground) -> dict[uuid.UUID, uuid.UUID]:
    """Return the redirects the merge bent, each with whom it pointed at before."""
    moves = MergeMove.objects.filter(merge=ground.merge, relation=REDIRECTS)
    return dict(moves.values_list("row_id", "owner_before"))


def _side(draft: _Draft, customer: Customer) -> Side:
    """Count what a customer gets; the survivor gets back only what folded."""
    links = [row for row in draft.standings.values() if row.changed and row.customer_id == customer.pk]
    rows = [("Identifiers", len(links))]
    labels = {relation.name: relation.label for relation in MOVED}
    for name, owners in draft.owners.items():
        mine = sum(owner == customer.pk for owner in owners.values())
        rows.append((labels[name], mine))
    return Side(str(customer.pk), customer.display_name, tuple(row for row in rows if row[1]))


def _note_left(draft: _Draft, number: int, noun: str, what: str) -> None:
    if number:
        plural = "s were" if number > 1 else " was"
        draft.left.append(f"{number} {noun}{plural} {what}.")


def _blockers(ground: Ground) -> Iterator[str]:
    merge = ground.merge
    if merge.undone_at:
        yield f"Merge {merge.pk} was undone on {merge.undone_at:%d %B %Y} by {merge.undone_by} already."
        return
    if later := absorbing_merge(ground.survivor):
        yield f"Merge {merge.pk} lies under merge {later}, which absorbed its survivor; undo that one first."
    gone = [row for row in ground.sides.values() if row.status == Customer.Status.ERASED]
    yield from (f"Customer {row.pk} was erased; only the id remains." for row in gone)


def absorbing_merge(customer: Customer) -> int | None:
    """Return the number of the live merge that absorbed a customer, None when none did."""
    absorbed = MergeMember.objects.filter(customer=customer, live=True)
    return absorbed.values_list("merge_id", flat=True).first()
