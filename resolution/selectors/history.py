"""A customer's past: one timeline out of messages, tickets and the trail; merges as the screens show them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Count, Prefetch, Q, QuerySet

from customers.models import Customer, Message, Ticket
from resolution.errors import NotFound, UnknownCustomer
from resolution.models import AuditEntry, Merge, MergeMember
from resolution.selectors.labels import field_label, type_label
from resolution.services.audit import ACTIONS

_NAMED = 5


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One thing that happened. `kind` is message, ticket or an audit action; `row_id` the row behind it."""

    at: datetime
    kind: str
    title: str
    detail: str
    who: str
    channel: str
    row_id: str
    customer_id: str


@dataclass(frozen=True, slots=True)
class AbsorbedRow:
    """One customer a merge folded in."""

    customer_id: str
    name: str


@dataclass(frozen=True, slots=True)
class MergedRow:
    """One customer in a merge's page of the ledger; not `live` once it was taken out, and then by whom."""

    customer_id: str
    name: str
    live: bool
    undone_at: datetime | None
    undone_by: str


@dataclass(frozen=True, slots=True)
class MergeRow:
    """One merge as the customer page shows it; `why_not` says in a sentence why it cannot be undone now."""

    id: int
    at: datetime
    by: str
    method: str
    method_label: str
    weight: float | None
    survivor_id: str
    survivor_name: str
    absorbed: tuple[MergedRow, ...]
    rows_moved: int
    undone_at: datetime | None
    undone_by: str
    undo_possible: bool
    why_not: str

    @property
    def members_left(self) -> int:
        return sum(row.live for row in self.absorbed)


@dataclass(frozen=True, slots=True)
class History:
    """Newest first. `older` is the moment to ask for next, None at the end."""

    entries: tuple[TimelineEntry, ...]
    older: datetime | None


def customer_history(customer_id: uuid.UUID, *, before: datetime | None = None, limit: int = 100) -> History:
    """Return the timeline of a customer and of everyone absorbed into it. Raises UnknownCustomer.

    A page may be longer than `limit`: what happened in one moment stays together.
    """
    group = list(Customer.objects.members_of(customer_id).values_list("pk", flat=True))
    if customer_id not in group:
        raise UnknownCustomer(customer_id)
    sources = [source.until(before) for source in _sources(group)]
    cut = _cut(sources, limit)
    entries = [entry for source in sources for entry in source.since(cut)]
    entries.sort(key=lambda entry: (entry.at, entry.row_id), reverse=True)
    goes_on = cut is not None and any(source.until(cut).rows.exists() for source in sources)
    return History(tuple(entries), cut if goes_on else None)


def merge_row(merge_id: int) -> MergeRow:
    """Return one merge. Raises NotFound."""
    found = merge_rows(Merge.objects.filter(pk=merge_id))
    if not found:
        raise NotFound(f"There is no merge {merge_id}. Check the number.", merge=merge_id)
    return found[0]


def merge_rows(merges: QuerySet[Merge], limit: int = 200) -> tuple[MergeRow, ...]:
    """Return merges newest first, in a constant number of queries."""
    members = Prefetch("members", MergeMember.objects.select_related("customer").order_by("customer"))
    moved = Count("moves", filter=~Q(moves__relation="redirects"))
    rows = merges.select_related("survivor").prefetch_related(members).annotate(rows_moved=moved)
    found = list(rows.order_by("-pk")[:limit])
    return tuple(map(_merge_row, found))


def _merge_row(merge: Any) -> MergeRow:
    why_not = _why_not(merge)
    return MergeRow(
        id=merge.pk,
        at=merge.created_at,
        by=merge.actor_name,
        method=merge.method,
        method_label=merge.get_method_display(),
        weight=merge.weight,
        survivor_id=str(merge.survivor_id),
        survivor_name=merge.survivor.display_name,
        absorbed=tuple(map(_merged_row, merge.members.all())),
        rows_moved=merge.rows_moved,
        undone_at=merge.undone_at,
        undone_by=merge.undone_by,
        undo_possible=not why_not,
        why_not=why_not,
    )


def _merged_row(member: MergeMember) -> MergedRow:
    return MergedRow(
        customer_id=str(member.customer_id),
        name=member.customer.display_name,
        live=member.live,
        undone_at=member.undone_at,
        undone_by=member.undone_by,
    )


def _why_not(merge: Merge) -> str:
    return f"Undone by {merge.undone_by} on {merge.undone_at:%d %B %Y}." if merge.undone_at else ""


@dataclass(frozen=True, slots=True)
class _Source:
    """Rows of one table, the name of their moment, and what tells them as entries."""

    rows: QuerySet[Any]
    moment: str
    tell: Callable[[Sequence[Any]], Iterator[TimelineEntry]]

    def until(self, before: datetime | None) -> _Source:
        return replace(self, rows=self.rows.filter(**{f"{self.moment}__lt": before})) if before else self

    def since(self, cut: datetime | None) -> Iterator[TimelineEntry]:
        rows = self.rows.filter(**{f"{self.moment}__gte": cut}) if cut else self.rows
        return self.tell(list(rows.select_related("channel")))

    def newest(self, number: int) -> Iterable[datetime]:
        return self.rows.order_by(f"-{self.moment}").values_list(self.moment, flat=True)[:number]


def _sources(group: Collection[uuid.UUID]) -> Sequence[_Source]:
    trail = AuditEntry.objects.filter(customer__in=group).exclude(_told_elsewhere(group))
    return (
        _Source(Message.objects.filter(customer__in=group), "received_at", _tell_messages),
        _Source(Ticket.objects.filter(customer__in=group), "opened_at", _tell_tickets),
        _Source(trail, "created_at", _tell_trail),
    )


def _cut(sources: Iterable[_Source], limit: int) -> datetime | None:
    """Return the moment with which the newest `limit` rows end, None when there are not as many."""
    moments = sorted((moment for source in sources for moment in source.newest(limit)), reverse=True)
    return moments[limit - 1] if len(moments) >= limit else None


def _tell_messages(rows: Sequence[Message]) -> Iterator[TimelineEntry]:
    for row in rows:
        yield TimelineEntry(
            at=row.received_at,
            kind="message",
            title=row.subject or "Message",
            detail=row.content[:200],
            who=row.sender,
            channel=row.channel.name,
            row_id=str(row.pk),
            customer_id=str(row.customer_id),
        )


def _tell_tickets(rows: Sequence[Ticket]) -> Iterator[TimelineEntry]:
    for row in rows:
        yield TimelineEntry(
            at=row.opened_at,
            kind="ticket",
            title=row.subject,
            detail=row.get_status_display(),
            who="",
            channel=row.channel.name,
            row_id=str(row.pk),
            customer_id=str(row.customer_id),
        )


def _tell_trail(rows: Sequence[AuditEntry]) -> Iterator[TimelineEntry]:
    names = _names(rows)
    for row in rows:
        title = ACTIONS[row.action]
        yield TimelineEntry(
            at=row.created_at,
            kind=row.action,
            title=title[0].upper() + title[1:],
            detail=_detail(row, names),
            who=row.actor_name,
            channel=row.channel.name if row.channel else "",
            row_id=str(row.pk),
            customer_id=str(row.customer_id),
        )


def _told_elsewhere(group: Collection[uuid.UUID]) -> Q:
    """What the trail says of the absorbed and the returned, where who they are one with tells it whole."""
    members = [str(key) for key in group]
    merged = Q(action="merge", metadata__survivor__in=members) & ~Q(metadata__has_key="absorbed")
    parted = Q(action="unmerge", old_value__in=members) & ~Q(metadata__has_key="arrivals")
    return merged | parted


def _names(rows: Iterable[AuditEntry]) -> dict[str, str]:
    """Return the names of those whom merges took in, and undoing or splitting parted, as far as shown."""
    ids = {key for row in rows for key in _others(row)[:_NAMED]}
    people = Customer.objects.in_bulk(ids) if ids else {}
    return {str(key): row.display_name for key, row in people.items()}


def _others(row: AuditEntry) -> Sequence[str]:
    """Whom a merge took in or gave back, or who was split off; of an absorbed one's row, its survivor."""
    facts = row.metadata
    if row.action == "split":
        return [facts["into"]] if facts else ()
    if row.action == "unmerge":
        return facts.get("returned", ())
    if row.action == "merge":
        return facts.get("absorbed") or [str(facts["survivor"])] if facts else ()
    return ()


def _detail(row: AuditEntry, names: Mapping[str, str]) -> str:
    """What an act was about: its identifier, whom and which merge, its fields, the reason given."""
    facts = row.metadata
    identifier = f"{type_label(row.identifier_type)} {row.identifier_value}" if row.identifier_type else ""
    merge = f"merge {facts['merge']}" if "merge" in facts else ""
    written = facts["fields"] if "fields" in facts else facts.get("after", ())
    fields = ", ".join(map(field_label, written))
    parts = (identifier, _people(row, names), merge, fields, str(facts.get("reason") or ""))
    return " · ".join(part for part in parts if part)


def _people(row: AuditEntry, names: Mapping[str, str]) -> str:
    others = _others(row)
    shown = ", ".join(names[key] for key in others[:_NAMED] if key in names)
    absorbed = row.action == "merge" and "absorbed" not in row.metadata
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return f"{'into ' if shown and absorbed else ''}{shown}{more}"
