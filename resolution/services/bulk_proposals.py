"""Many likely duplicates proposed in one go, and answered in one go: what cannot go along is named and left.

Facts, judgements and scores are loaded once for all, and what goes along is merged as one change.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from customers.models import Customer
from resolution.errors import IdentityError, InvalidInput, MergeBlocked, NotFound, Refused, StaleVersion
from resolution.models import Conflict, MergeProposal, ProposalBatch, ProposalMember
from resolution.selectors.changes import changed_members, describe_change
from resolution.selectors.customers import fetch_customers
from resolution.selectors.field_rows import FieldRow, field_rows
from resolution.selectors.merge_policy import contradict_hard, merge_rules, took_back_words
from resolution.services import audit, locks
from resolution.services.approve import (
    Draft,
    approve_drafted,
    as_proposed,
    overlaps,
    pass_at_once,
    refuse_changed,
    reject_locked,
    second_person,
    store_proposals,
    why_too_many,
)
from resolution.services.ledger import Act
from resolution.services.merge import Wanted, draft_merges
from resolution.services.merge_plan import plan_hash
from resolution.services.queue import account_of, lease_locked, why_not_claimed
from resolution.services.second_person import circumstances_of, needs_second_person
from resolution.types import Actor

MOST_TOGETHER = 100
State = MergeProposal.State


@dataclass(frozen=True, slots=True)
class Seen:
    """What was looked at: the hash of each conflict's plan, and its members' versions as far as known."""

    plans: Mapping[int, str]
    versions: Mapping[uuid.UUID, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BulkRow:
    """One conflict of a selection: its plan, and why it is left out, a sentence each; none: it goes along.

    `stale` says that it is left out for coming to something else than was looked at.
    """

    conflict: Conflict
    draft: Draft
    why: tuple[str, ...]
    stale: bool = False

    @property
    def code(self) -> str:
        """The code of the refusal that this row alone would meet; empty when it goes along."""
        if self.stale:
            return StaleVersion.code
        if self.draft.act.plan.blockers:
            return MergeBlocked.code
        return Refused.code if self.why else ""

    @property
    def fields(self) -> list[FieldRow]:
        """The fields not all have the same value of, as the comparison of these customers shows them."""
        rows = field_rows(self.draft.act.facts, self.draft.act.plan, {}, ())
        return [row for row in rows if row.rule not in ("", "empty", "equal")]

    @property
    def members(self) -> list[Customer]:
        return [self.draft.act.customers[key] for key in sorted(self.draft.act.customers)]

    @property
    def survivor(self) -> Customer:
        return self.draft.act.survivor

    @property
    def plan_hash(self) -> str:
        return plan_hash(self.draft.act.plan)


@dataclass(frozen=True, slots=True)
class BulkDraft:
    """A selection as it would be proposed now."""

    band: str
    rows: tuple[BulkRow, ...]

    @property
    def going(self) -> list[BulkRow]:
        return [row for row in self.rows if not row.why]

    @property
    def left_out(self) -> list[BulkRow]:
        return [row for row in self.rows if row.why]


@dataclass(frozen=True, slots=True)
class BulkProposed:
    """What was proposed together, and what was left out. `batch` is None when nothing went along."""

    batch: ProposalBatch | None
    proposals: tuple[MergeProposal, ...]
    draft: BulkDraft


@dataclass(frozen=True, slots=True)
class Left:
    """One proposal that was not answered, and why in a sentence."""

    proposal_id: int
    why: str


@dataclass(frozen=True, slots=True)
class BulkAnswer:
    """What was answered together, and what was left as it is."""

    answered: tuple[MergeProposal, ...]
    left: tuple[Left, ...]


def preview_in_bulk(*, conflict_ids: Collection[int], actor: Actor) -> BulkDraft:
    """Return what propose_in_bulk would do now: each plan, and which are left out and why.

    Raises NotFound for an unknown conflict, InvalidInput for none, too many, or those of several bands.
    """
    members = _members_of(conflict_ids)
    customers = fetch_customers({key for keys in members.values() for key in keys})
    conflicts = list(Conflict.objects.filter(pk__in=members).select_related("assignee").order_by("pk"))
    return _draft(conflicts, members, customers, None, actor)


@locks.again_after_deadlock
def propose_in_bulk(
    *,
    conflict_ids: Collection[int],
    seen: Seen,
    comment: str = "",
    actor: Actor,
) -> BulkProposed:
    """Propose a merge for each likely duplicate, all of one band; each is claimed on the way.

    One that would come to something else by now than was `seen` in the preview is left out, naming who
    changed. Each proposal stays bound to its members' versions. Raises as preview_in_bulk, InvalidInput for a
    conflict whose plan was not seen, and NotPermitted for an actor without account.
    """
    with audit.change(actor) as trail:
        members = _members_of(conflict_ids)
        _refuse_unseen(members, seen)
        customers = locks.lock_with_absorbed({key for keys in members.values() for key in keys})
        conflicts = locks.lock_rows(Conflict.objects.filter(pk__in=members))
        draft = _draft(conflicts, members, customers, seen, actor)
        going = draft.going
        if not going:
            return BulkProposed(None, (), draft)
        lease_locked([row.conflict for row in going], actor)
        for row in going:
            row.conflict.state = Conflict.State.CLAIMED
        batch = ProposalBatch.objects.create(
            proposer_id=account_of(actor), band=draft.band, comment=comment[:500]
        )
        drafts = [row.draft for row in going]
        proposals = store_proposals(trail, drafts, comment=comment, batch=batch)
        both = zip(proposals, drafts, strict=True)
        passing = [(proposal, drafted.act) for proposal, drafted in both if not drafted.reasons]
        pass_at_once(trail, passing)
        return BulkProposed(batch, tuple(proposals), draft)


@locks.again_after_deadlock
def approve_in_bulk(
    *, batch_id: int, proposal_ids: Collection[int] = (), comment: str = "", actor: Actor
) -> BulkAnswer:
    """Carry out the proposals of a batch (all, when none is named) as their second person.

    A proposal that is answered already, stale or blocked by now is named and left. Raises NotFound, FourEyes,
    NotPermitted, InvalidInput for a proposal of another batch.
    """
    with audit.change(actor) as trail:
        proposals, members = _lock_batch(batch_id, proposal_ids)
        approver = second_person(proposals[0], actor)
        pending, left = _pending(proposals)
        acts = draft_merges(members, [_wanted(proposal) for proposal in pending]) if pending else []
        drafted: list[tuple[MergeProposal, Act]] = []
        for proposal, act in zip(pending, acts, strict=True):
            try:
                refuse_changed(proposal, act.customers)
                drafted.append((proposal, as_proposed(proposal, act)))
            except IdentityError as refusal:
                left.append(Left(proposal.pk, str(refusal)))
        approve_drafted(trail, drafted, comment=comment, approver=approver)
        return BulkAnswer(tuple(proposal for proposal, _ in drafted), tuple(left))


@locks.again_after_deadlock
def reject_in_bulk(
    *, batch_id: int, proposal_ids: Collection[int] = (), comment: str = "", actor: Actor
) -> BulkAnswer:
    """Turn the proposals of a batch (all, when none is named) down; their conflicts go back to the steward.

    Raises as approve_in_bulk.
    """
    with audit.change(actor) as trail:
        proposals, _ = _lock_batch(batch_id, proposal_ids)
        approver = second_person(proposals[0], actor)
        pending, left = _pending(proposals)
        for proposal in pending:
            reject_locked(trail, proposal, comment=comment, approver=approver)
        return BulkAnswer(tuple(pending), tuple(left))


def _members_of(conflict_ids: Collection[int]) -> dict[int, tuple[uuid.UUID, ...]]:
    wanted = sorted(set(conflict_ids))
    if not 1 <= len(wanted) <= MOST_TOGETHER:
        raise InvalidInput(
            f"{len(wanted)} conflicts were chosen; 1 to {MOST_TOGETHER} can be proposed together."
        )
    rows = Conflict.objects.filter(pk__in=wanted).values_list("pk", "members__customer")
    members: dict[int, list[uuid.UUID]] = {}
    for key, customer in rows.order_by("pk", "members__customer"):
        members.setdefault(key, []).append(customer)
    if missing := [key for key in wanted if key not in members]:
        raise NotFound(f"There is no conflict {missing[0]}. Check the number.", conflict=missing[0])
    return {key: tuple(found) for key, found in members.items()}


def _draft(
    conflicts: Sequence[Conflict],
    members: Mapping[int, tuple[uuid.UUID, ...]],
    customers: Mapping[uuid.UUID, Customer],
    seen: Seen | None,
    actor: Actor,
) -> BulkDraft:
    band = _one_band(conflicts)
    acts = draft_merges(customers, [Wanted(members[conflict.pk]) for conflict in conflicts])
    groups, rules = [members[conflict.pk] for conflict in conflicts], merge_rules()
    took_back = took_back_words(groups, actor.user_id)
    hard = [any(found) for found in zip(contradict_hard(groups), took_back, strict=True)]
    waiting, taken = overlaps(customers), dict[uuid.UUID, int]()
    rows = []
    for conflict, act, hard_conflict in zip(conflicts, acts, hard, strict=True):
        like = circumstances_of(act.plan, list(act.facts.values()), hard_conflict=hard_conflict, bulk=True)
        draft = Draft(act, like, needs_second_person(like, rules), conflict)
        forbidden = [*_why_not(conflict, act, actor), *_why_overlapping(act, waiting, taken)]
        changed = _why_stale(conflict, act, seen) if seen and not forbidden else []
        if not forbidden and not changed:
            taken.update(dict.fromkeys(act.customers, conflict.pk))
        rows.append(BulkRow(conflict, draft, (*forbidden, *changed), stale=bool(changed)))
    return BulkDraft(band, tuple(rows))


def _refuse_unseen(conflict_ids: Iterable[int], seen: Seen) -> None:
    if unseen := [key for key in conflict_ids if key not in seen.plans]:
        raise InvalidInput(
            f"Nobody looked at what conflict {unseen[0]} would be proposed as; see the preview first, and"
            " give the hash of its plan along.",
            conflict=unseen[0],
        )


def _one_band(conflicts: Iterable[Conflict]) -> str:
    bands = sorted({conflict.band for conflict in conflicts})
    if len(bands) > 1:
        named = ", ".join(band or "not scored" for band in bands)
        raise InvalidInput(
            f"The conflicts chosen are of several bands ({named}); choose those of one.", bands=bands
        )
    return bands[0]


def _why_not(conflict: Conflict, act: Act, actor: Actor) -> list[str]:
    """Why one conflict cannot be proposed: its kind, who has it, blockers of its merge."""
    if conflict.kind != Conflict.Kind.LIKELY_DUPLICATE:
        kind = conflict.get_kind_display().lower()
        return [f"It is about “{kind}”; only likely duplicates are proposed together."]
    refusal = why_not_claimed(conflict, actor) or why_too_many(len(act.customers))
    return [refusal] if refusal else list(act.plan.blockers)


def _why_stale(conflict: Conflict, act: Act, seen: Seen) -> list[str]:
    """Say who changed since one looked, when the merge would come to something else for it."""
    if seen.plans[conflict.pk] == plan_hash(act.plan):
        return []
    changed = changed_members(act.customers, seen.versions)
    return [
        *(describe_change(row, seen.versions[row.pk]) for row in changed),
        "It would come to something else than you saw; look at it again.",
    ]


def _why_overlapping(
    act: Act, waiting: Mapping[uuid.UUID, tuple[str, int]], taken: Mapping[uuid.UUID, int]
) -> list[str]:
    """Why its customers are bound elsewhere: in a proposal that waits, or in this very selection."""
    pending = dict.fromkeys(waiting[key][0] for key in sorted(act.customers) if key in waiting)
    twice = [key for key in sorted(act.customers) if key in taken]
    return [
        *pending,
        *(
            f"{act.customers[key].display_name} takes part in conflict {taken[key]} of this selection."
            for key in twice
        ),
    ]


def _lock_batch(
    batch_id: int, proposal_ids: Collection[int]
) -> tuple[list[MergeProposal], dict[uuid.UUID, Customer]]:
    """Lock the members with those absorbed, then the proposals of a batch that are to be answered."""
    batch = MergeProposal.objects.filter(batch=batch_id)
    known = set(batch.values_list("pk", flat=True))
    if not known:
        raise NotFound(f"There is no batch {batch_id}. Check the number.", batch=batch_id)
    if strangers := sorted(set(proposal_ids) - known):
        raise InvalidInput(
            f"Proposal {strangers[0]} is not of batch {batch_id}; answer it by itself.", proposal=strangers[0]
        )
    wanted = sorted(set(proposal_ids) or known)
    members = ProposalMember.objects.filter(proposal__in=wanted).values_list("customer", flat=True)
    customers = locks.lock_with_absorbed(set(members))
    proposals = locks.lock_rows(batch.filter(pk__in=wanted).prefetch_related("members"))
    return proposals, customers


def _pending(proposals: Iterable[MergeProposal]) -> tuple[list[MergeProposal], list[Left]]:
    pending, left = [], []
    for proposal in proposals:
        if proposal.state == State.PENDING:
            pending.append(proposal)
        else:
            state = proposal.get_state_display().lower()
            left.append(Left(proposal.pk, f"Proposal {proposal.pk} is {state} already."))
    return pending, left


def _wanted(proposal: MergeProposal) -> Wanted:
    members = [row.customer_id for row in proposal.members.all()]
    return Wanted(members, proposal.survivor_id, proposal.picks)
