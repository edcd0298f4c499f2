"""What taking members out of a merge has to know: the tree it stands in, its rows, what came since."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Model

from customers.models import Customer, Message, SourceRecord, Ticket
from customers.models import Mapping as Link
from customers.services import merging
from resolution.errors import InvalidInput, NotFound
from resolution.models import Conflict, ConflictMember, Merge, MergeMember, MergeMove
from resolution.relations import MOVED, Relation
from resolution.selectors.customers import fetch_customers
from resolution.selectors.judgements import told_apart_since
from resolution.services.merge_tree import Page, Tree
from resolution.services.unmerge_links import LinkFact, LinkMove
from resolution.services.unmerge_types import MAPPINGS, ArrivedRow, Ground, Person, Question

_LISTED = 5


def read_ground(merge_id: int, members: Collection[uuid.UUID] = ()) -> Ground:
    """Read all that bears on taking these members, or all that are left, out of a merge.

    A constant number of queries. Raises NotFound, and InvalidInput for a customer the merge did not absorb.
    """
    merge = Merge.objects.filter(pk=merge_id).first()
    if merge is None:
        raise NotFound(f"There is no merge {merge_id}. Check the number.", merge=merge_id)
    absorbed = {row.customer_id: row for row in merge.members.order_by("customer")}
    _check_members(merge, absorbed, members)
    live = [key for key, row in absorbed.items() if row.live]
    leaving = tuple(sorted(members or live or absorbed))
    root = fetch_customers([merge.survivor_id])[merge.survivor_id].canonical_id
    group = Customer.objects.members_of(root).in_bulk()
    group |= fetch_customers([key for key in leaving if key not in group])
    blockers = tuple(_blockers(merge, [absorbed[key] for key in leaving], group))
    ground = Ground(
        merge=merge.pk,
        survivor=merge.survivor_id,
        leaving=leaving,
        tree=Tree(root, () if blockers else read_pages(group)),
        people={key: _person(row) for key, row in group.items()},
        blockers=blockers,
    )
    return ground if blockers else _with_rows(ground, merge)


def read_pages(group: Collection[uuid.UUID]) -> tuple[Page, ...]:
    """Return the merges that stand among these customers, oldest first."""
    members: defaultdict[int, dict[uuid.UUID, dict[str, Any]]] = defaultdict(dict)
    for row in MergeMember.objects.filter(customer__in=group, live=True).order_by("customer"):
        members[row.merge_id][row.customer_id] = row.pre_image
    merges = Merge.objects.filter(pk__in=members).order_by("pk")
    return tuple(
        Page(row.pk, row.created_at, row.survivor_id, members[row.pk], row.pre_image, row.plan)
        for row in merges
    )


def _check_members(merge: Merge, absorbed: Collection[uuid.UUID], members: Collection[uuid.UUID]) -> None:
    strangers = sorted(set(members) - set(absorbed))
    if strangers:
        names = ", ".join(map(str, sorted(absorbed)[:_LISTED]))
        raise InvalidInput(
            f"Merge {merge.pk} did not absorb customer {strangers[0]}; it absorbed {names}.",
            merge=merge.pk,
            customer=str(strangers[0]),
        )


def _blockers(
    merge: Merge, leaving: Sequence[MergeMember], group: Mapping[uuid.UUID, Customer]
) -> Iterator[str]:
    if merge.undone_at:
        yield f"Merge {merge.pk} was undone on {merge.undone_at:%d %B %Y} by {merge.undone_by} already."
        return
    for row in leaving:
        if row.undone_at:
            yield (
                f"{group[row.customer_id].display_name} ({row.customer_id}) was taken out of merge {merge.pk}"
                f" on {row.undone_at:%d %B %Y} by {row.undone_by} already."
            )
    gone = [row for _, row in sorted(group.items()) if row.status == Customer.Status.ERASED]
    if gone:
        yield (
            f"Customer {gone[0].pk} was erased; only the id remains,"
            f" so merge {merge.pk} cannot be taken back."
        )


def _person(customer: Customer) -> Person:
    return Person(customer.pk, customer.display_name, merging.snapshot(customer))


def _with_rows(ground: Ground, merge: Merge) -> Ground:
    path = ground.tree.path(merge.pk)
    links = tuple(_links(ground))
    rows, moved_on = _given_back(ground)
    return Ground(
        merge=ground.merge,
        survivor=ground.survivor,
        leaving=ground.leaving,
        tree=ground.tree,
        people=ground.people,
        links=links,
        new_links=frozenset(link.id for link in links if _came_since(path, link.home, link.created_at)),
        rows=rows,
        moved_on=moved_on,
        arrived=tuple(_arrived(ground.tree.root, path, links, ground)),
        questions=tuple(_questions(ground.tree.root)),
        words=told_apart_since({page.survivor: page.at for page in path}),
    )


def _came_since(path: Sequence[Page], home: uuid.UUID, stored_at: Any) -> bool:
    """Whether a row came to the survivor, or to whoever absorbed it, once the members were part of it."""
    return any(page.survivor == home and page.at < stored_at for page in path)


def _links(ground: Ground) -> Iterator[LinkFact]:
    """Give every identifier link of the tree with the moves that stand."""
    moves: defaultdict[uuid.UUID, list[LinkMove]] = defaultdict(list)
    merges = [page.merge for page in ground.tree.pages]
    stand = MergeMove.objects.filter(merge__in=merges, relation=MAPPINGS, live=True)
    for row_id, number, owner, before in stand.order_by("merge", "pk").values_list(
        "row_id", "merge", "owner_before", "before"
    ):
        moves[row_id].append(LinkMove(number, owner, before["status"]))
    links = Link.objects.filter(customer__in=ground.people).select_related("channel").order_by("pk")
    for link in links:
        yield LinkFact(
            id=link.pk,
            customer=link.customer_id,
            key=(link.channel_id, link.identifier_type, link.normalised),
            title=f"{link.identifier_type} {link.channel_identifier} on {link.channel}",
            value=link.channel_identifier,
            status=link.status,
            verified=link.verified,
            confidence=float(link.confidence_score),
            created_at=link.created_at,
            ended_at=link.valid_to,
            owned=link.valid_to is not None and link.valid_to > link.valid_from,
            moves=tuple(moves[link.pk]),
        )


def _given_back(ground: Ground) -> tuple[dict[str, dict[uuid.UUID, uuid.UUID]], dict[str, int]]:
    """Return which rows go back to whom, and how many of the rows moved are elsewhere by now, by relation."""
    rows: dict[str, dict[uuid.UUID, uuid.UUID]] = {}
    moved_on: dict[str, int] = {}
    for relation in MOVED:
        moves = MergeMove.objects.filter(
            merge=ground.merge, relation=relation.name, live=True, owner_before__in=ground.leaving
        )
        came_from = dict(moves.values_list("row_id", "owner_before"))
        places = ground.people if relation.name == MAPPINGS else [ground.tree.root]
        there = relation.model._default_manager.filter(pk__in=moves.values("row_id"), customer__in=places)
        found = set(there.values_list("pk", flat=True))
        moved_on[relation.name] = len(came_from) - len(found)
        if relation.name != MAPPINGS:
            rows[relation.name] = {key: owner for key, owner in came_from.items() if key in found}
    return rows, moved_on


def _arrived(
    root: uuid.UUID, path: Sequence[Page], links: Sequence[LinkFact], ground: Ground
) -> Iterator[ArrivedRow]:
    for relation in MOVED:
        if relation.name != MAPPINGS:
            for row in _rows_since(root, path, relation, ground):
                behind = tuple(_links_behind(row, links))
                yield ArrivedRow(relation.name, row.pk, str(row), _moment(row), row.created_at, behind)


def _rows_since(root: uuid.UUID, path: Sequence[Page], relation: Relation, ground: Ground) -> list[Any]:
    """Return the rows of the root that came to a survivor on the path after the merge below it, by key."""
    moves = MergeMove.objects.filter(
        merge__in=[page.merge for page in ground.tree.pages], relation=relation.name, live=True
    )
    survivors = [page.survivor for page in path]
    brought = moves.exclude(owner_before__in=survivors)
    rows: list[Any] = list(
        relation.model._default_manager.filter(customer=root, created_at__gt=path[0].at)
        .exclude(pk__in=brought.values("row_id"))
        .order_by("pk")
    )
    first = moves.filter(row_id__in=[row.pk for row in rows]).order_by("-merge")
    homes = dict(first.values_list("row_id", "owner_before"))  # the oldest comes last and stays
    return [row for row in rows if _came_since(path, homes.get(row.pk, root), row.created_at)]


def _links_behind(row: Model, links: Sequence[LinkFact]) -> Iterator[uuid.UUID]:
    """Give the identifier links a row came with."""
    if isinstance(row, Message | Ticket) and row.mapping_id:
        yield row.mapping_id
    if isinstance(row, SourceRecord):
        texts = {str(value).strip().casefold() for value in (row.source_key, *row.data.values())}
        yield from (
            link.id for link in links if link.key[0] == row.channel_id and link.value.casefold() in texts
        )


def _moment(row: Model) -> Any:
    names = ("received_at", "opened_at", "created_at")
    return next(getattr(row, name) for name in names if hasattr(row, name))


def _questions(root: uuid.UUID) -> Iterator[Question]:
    """Give the open conflicts that name the root."""
    named = ConflictMember.objects.filter(customer=root).exclude(conflict__state=Conflict.State.DONE)
    for member in named.select_related("conflict").order_by("conflict"):
        row = member.conflict
        kind, value, channel = row.identifier_type, row.identifier_value, row.channel_id
        yield Question(
            id=row.pk,
            reason=row.reason,
            key=(channel, kind, value) if channel else None,
            message=row.message_id,
            role=member.role,
            about=frozenset(entry[side] for entry in row.evidence for side in ("left", "right")),
        )
