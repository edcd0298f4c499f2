"""The approval inbox as data: what was proposed, what it would do, and whether it still can."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, Count, ExpressionWrapper, Min, Prefetch, Q, QuerySet

from customers.models import Customer
from resolution.errors import InvalidInput, NotFound
from resolution.models import Judgement, MergeProposal, ProposalBatch, ProposalMember
from resolution.numbers import LARGEST_ID, read_whole
from resolution.selectors.changes import changed_members, describe_change
from resolution.selectors.history import AbsorbedRow
from resolution.selectors.workbench import Workbench, side_by_side
from resolution.services.merge_plan import plan_hash

State = MergeProposal.State
# What becomes of the words against a merge, by the state of its proposal; in the others they stand.
_WITHDRAWS: Mapping[str, str] = {
    State.PENDING: "; approving the merge withdraws that",
    State.APPROVED: "; the merge withdrew that",
    State.PASSED: "; the merge withdrew that",
}


@dataclass(frozen=True, slots=True)
class ProposalRow:
    """One proposal in the inbox. `own` proposals may be withdrawn, not approved, by who looks."""

    id: int
    state: str
    state_label: str
    conflict_id: int | None
    kind_label: str
    members: tuple[AbsorbedRow, ...]
    survivor_id: str
    comment: str
    answer: str
    proposer: str
    approver: str
    merge_id: int | None
    created_at: datetime
    decided_at: datetime | None
    version: int
    own: bool
    reasons: tuple[str, ...]
    batch_id: int | None


@dataclass(frozen=True, slots=True)
class InboxPage:
    """Proposals in order, and the cursor of the next page (empty on the last)."""

    rows: tuple[ProposalRow, ...]
    next_cursor: str


@dataclass(frozen=True, slots=True)
class InboxCounts:
    """How many proposals wait for the answer of who looks, since when; and how many of their own do."""

    to_answer: int
    own: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class ProposalCard:
    """One proposal with its comparison. `stale` lists, a sentence each, what changed since it was made.

    `overruled` lists likewise what people have said against it, which its merge withdraws.
    """

    row: ProposalRow
    workbench: Workbench
    stale: tuple[str, ...]
    overruled: tuple[str, ...]
    reach: tuple[str, ...]
    may_decide: bool


def inbox(
    *, user_id: int | None = None, state: str = "pending", after: str = "", size: int = 50
) -> InboxPage:
    """Return one page of the proposals of one state; `user_id` is who looks.

    What waits comes oldest first, one's own behind those of others; what was answered comes newest first.
    Raises InvalidInput on an unreadable cursor.
    """
    listed = _listed(state, user_id).filter(_beyond(after, state) if after else Q())
    found = list(_with_names(listed)[: size + 1])
    rows = tuple(_row(proposal, user_id) for proposal in found[:size])
    return InboxPage(rows, f"{rows[-1].own:d}_{rows[-1].id}" if len(found) > size else "")


def inbox_counts(user_id: int) -> InboxCounts:
    """Count what waits for a second person, as this person sees it. One query."""
    own = Q(proposer=user_id)
    return InboxCounts(
        **MergeProposal.objects.filter(state=State.PENDING).aggregate(
            to_answer=Count("pk", filter=~own),
            own=Count("pk", filter=own),
            oldest=Min("created_at", filter=~own),
        )
    )


def _listed(state: str, user_id: int | None) -> QuerySet[Any]:
    asked = MergeProposal.objects.filter(state=state)
    if state != State.PENDING:
        return asked.order_by("-pk")
    mine = ExpressionWrapper(Q(proposer=user_id), output_field=BooleanField())
    return asked.annotate(mine=mine).order_by("mine", "pk")


def _beyond(cursor: str, state: str) -> Q:
    """Return the condition for what comes after the row a cursor names."""
    own, _, key = cursor.partition("_")
    last = read_whole(key, most=LARGEST_ID)
    if own not in ("0", "1") or last is None:
        raise InvalidInput(f"“{cursor[:60]}” is no cursor of this list; begin at its first page.")
    if state != State.PENDING:
        return Q(pk__lt=last)
    return Q(mine=True, pk__gt=last) if own == "1" else Q(mine=True) | Q(pk__gt=last)


def proposal_card(proposal_id: int, *, user_id: int | None = None) -> ProposalCard:
    """Return one proposal with before, after and reach. Raises NotFound."""
    proposal = _with_names(MergeProposal.objects.filter(pk=proposal_id)).first()
    if proposal is None:
        raise NotFound(f"There is no proposal {proposal_id}. Check the number.", proposal=proposal_id)
    row = _row(proposal, user_id)
    members = {member.customer_id: member.customer for member in proposal.members.all()}
    workbench = side_by_side(
        member_ids=list(members), survivor_id=proposal.survivor_id, picks=proposal.picks, user_id=user_id,
        overruled=proposal.overruled,
    )  # fmt: skip
    pending = proposal.state == State.PENDING
    return ProposalCard(
        row=row,
        workbench=workbench,
        stale=tuple(_stale(proposal, members, workbench)) if pending else (),
        overruled=tuple(_describe_overruled(word, proposal.state) for word in overruled_words(proposal)),
        reach=tuple(_reach(workbench)),
        may_decide=pending and not row.own,
    )


def overruled_words(proposal: MergeProposal) -> list[Judgement]:
    """Return the words "different" that the proposal's merge withdraws, oldest first.

    While it waits, those among them that still stand.
    """
    words = Judgement.objects.filter(pk__in=proposal.overruled)
    if proposal.state == State.PENDING:
        words = words.filter(superseded_at__isnull=True)
    return list(words.select_related("left", "right").order_by("pk"))


def _describe_overruled(word: Judgement, state: str) -> str:
    reason = f" (“{word.reason}”)" if word.reason else ""
    return (
        f"{word.actor_name} judged {word.left.display_name} and {word.right.display_name} not the same on"
        f" {word.created_at:%d %B %Y}{reason}{_WITHDRAWS.get(state, '')}."
    )


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One proposal of a batch; `stale` says, a sentence each, what changed since it was made."""

    row: ProposalRow
    stale: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BatchCard:
    """Merges proposed together. `own` ones may not be answered by who looks."""

    id: int
    band: str
    comment: str
    proposer: str
    created_at: datetime
    own: bool
    rows: tuple[BatchRow, ...]

    @property
    def pending(self) -> int:
        return sum(entry.row.state == State.PENDING for entry in self.rows)


def batch_card(batch_id: int, *, user_id: int | None = None) -> BatchCard:
    """Return a batch with its proposals; queries grow only with those that are stale. Raises NotFound."""
    batch = ProposalBatch.objects.select_related("proposer").filter(pk=batch_id).first()
    if batch is None:
        raise NotFound(f"There is no batch {batch_id}. Check the number.", batch=batch_id)
    proposals = _with_names(MergeProposal.objects.filter(batch=batch)).order_by("pk")
    return BatchCard(
        id=batch.pk,
        band=batch.band,
        comment=batch.comment,
        proposer=batch.proposer.get_username(),
        created_at=batch.created_at,
        own=batch.proposer_id == user_id,
        rows=tuple(BatchRow(_row(proposal, user_id), tuple(_changes(proposal))) for proposal in proposals),
    )


def _changes(proposal: MergeProposal) -> Iterator[str]:
    """Say which members of a pending proposal have changed since, a sentence each."""
    if proposal.state != State.PENDING:
        return
    members = {row.customer_id: row.customer for row in proposal.members.all()}
    seen = {row.customer_id: row.seen_version for row in proposal.members.all()}
    for customer in changed_members(members, seen):
        yield describe_change(customer, seen[customer.pk], since=proposal.created_at)


def _with_names(proposals: QuerySet[MergeProposal]) -> QuerySet[MergeProposal]:
    members = ProposalMember.objects.select_related("customer").order_by("customer")
    return proposals.select_related("proposer", "approver", "conflict").prefetch_related(
        Prefetch("members", members)
    )


def _row(proposal: MergeProposal, user_id: int | None) -> ProposalRow:
    return ProposalRow(
        id=proposal.pk,
        state=proposal.state,
        state_label=proposal.get_state_display(),
        conflict_id=proposal.conflict_id,
        kind_label=proposal.conflict.get_kind_display() if proposal.conflict else "",
        members=tuple(
            AbsorbedRow(str(row.customer_id), row.customer.display_name) for row in proposal.members.all()
        ),
        survivor_id=str(proposal.survivor_id),
        comment=proposal.comment,
        answer=proposal.answer,
        proposer=proposal.proposer.get_username(),
        approver=proposal.approver.get_username() if proposal.approver else "",
        merge_id=proposal.merge_id,
        created_at=proposal.created_at,
        decided_at=proposal.decided_at,
        version=proposal.version,
        own=proposal.proposer_id == user_id,
        reasons=tuple(reason["sentence"] for reason in proposal.reasons),
        batch_id=proposal.batch_id,
    )


def _stale(
    proposal: MergeProposal, members: Mapping[uuid.UUID, Customer], workbench: Workbench
) -> Iterator[str]:
    """Say what makes approving fail now, a sentence each."""
    seen = {member.customer_id: member.seen_version for member in proposal.members.all()}
    changed = changed_members(members, seen)
    for customer in changed:
        yield describe_change(customer, seen[customer.pk], since=proposal.created_at)
    yield from workbench.plan.blockers
    if not changed and not workbench.plan.blockers and plan_hash(workbench.plan) != proposal.plan_hash:
        yield "Newer sightings of a value change which one wins; the result is not what was proposed."


def _reach(workbench: Workbench) -> Iterator[str]:
    """Say how far the merge reaches, a sentence each."""
    absorbed = len(workbench.plan.absorbed)
    yield f"{absorbed} customer id{'s' if absorbed > 1 else ''} will answer with the survivor."
    for moved in workbench.moved:
        yield f"{moved.label}: {moved.number} move to the survivor."
    if workbench.collapsing:
        yield f"Identifiers: {workbench.collapsing} fold into an equal one."
    typed = [row.label for row in workbench.fields if row.typed]
    if typed:
        yield f"Typed by hand: {', '.join(typed)}."
