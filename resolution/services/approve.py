"""Proposals and four eyes: one person wants a merge, a second one allows it."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.utils import timezone

from customers.models import Customer
from resolution.errors import (
    FourEyes,
    IllegalTransition,
    InvalidInput,
    MergeBlocked,
    NotFound,
    NotPermitted,
    Refused,
    StaleVersion,
)
from resolution.models import Conflict, MergeProposal, ProposalMember
from resolution.services import audit, locks
from resolution.services.audit import Trail
from resolution.services.conflicts import check_transition
from resolution.services.ledger import Act
from resolution.services.merge import carry_out, draft_merge, refuse_stale
from resolution.services.merge_plan import Picks, plan_hash
from resolution.services.proposals import return_conflict, withdraw_locked
from resolution.services.queue import account_of, lock_claimed
from resolution.types import Actor

State = MergeProposal.State


def propose_merge(
    *,
    conflict_id: int | None = None,
    member_ids: Collection[uuid.UUID],
    survivor_id: uuid.UUID | None = None,
    picks: Picks | None = None,
    comment: str = "",
    seen_versions: Mapping[uuid.UUID, int] | None = None,
    actor: Actor,
) -> MergeProposal:
    """Propose a merge; its conflict, if any, must be claimed by the actor and then awaits approval.

    `seen_versions` are the members' versions on the proposer's screen (None: as they stand now).
    Raises UnknownCustomer, NotFound, NotPermitted for an actor without account, InvalidInput for a member the
    conflict does not ask about, ClaimLost, StaleVersion, MergeBlocked, Refused when it is proposed already.
    """
    with audit.change(actor) as trail:
        members = locks.lock_customers(set(member_ids))
        conflict = lock_claimed(conflict_id, actor) if conflict_id is not None else None
        refuse_stale(members, seen_versions or {})
        return propose_locked(
            trail, members, conflict=conflict, survivor_id=survivor_id, picks=picks, comment=comment
        )


def propose_locked(
    trail: Trail,
    members: Mapping[uuid.UUID, Customer],
    *,
    conflict: Conflict | None,
    survivor_id: uuid.UUID | None,
    picks: Picks | None,
    comment: str,
) -> MergeProposal:
    """Propose a merge as part of a larger change; members and conflict are locked."""
    _refuse_strangers(members, conflict)
    _refuse_twice(members)
    act = draft_merge(members, survivor_id=survivor_id, picks=picks)
    if act.plan.blockers:
        raise MergeBlocked(act.plan.blockers)
    proposal = _store(trail, act, conflict, picks or {}, comment)
    if conflict is not None:
        _await_approval(conflict, proposal)
    trail.record("propose", customer_id=proposal.survivor_id, **_facts(proposal, comment))
    return proposal


def approve_proposal(*, proposal_id: int, comment: str = "", actor: Actor) -> MergeProposal:
    """Carry out a proposed merge as its second person.

    Raises NotFound, NotPermitted, FourEyes, IllegalTransition when it is not pending, StaleVersion saying
    which member changed and what, MergeBlocked.
    """
    with audit.change(actor) as trail:
        members = locks.lock_with_absorbed(_members_of(proposal_id))
        proposal = _lock_pending(proposal_id, "approved")
        approver = _second_person(proposal, actor)
        act = _as_proposed(proposal, members)
        [merge] = carry_out(trail, [act])
        proposal.merge = merge
        _answer(proposal, State.APPROVED, comment, approver=approver)
        return_conflict(proposal, comment="The proposed customers were merged; decide about the others.")
        trail.record("approve", customer_id=merge.survivor_id, merge=merge.pk, **_facts(proposal, comment))
        return proposal


def reject_proposal(*, proposal_id: int, comment: str = "", actor: Actor) -> MergeProposal:
    """Turn a proposal down; its conflict goes back to the steward.

    Raises NotFound, NotPermitted, FourEyes, IllegalTransition when it is not pending.
    """
    with audit.change(actor) as trail:
        locks.lock_customers(_members_of(proposal_id))
        proposal = _lock_pending(proposal_id, "rejected")
        approver = _second_person(proposal, actor)
        _answer(proposal, State.REJECTED, comment, approver=approver)
        return_conflict(proposal, comment=comment or "The proposal was rejected.")
        trail.record("reject", customer_id=proposal.survivor_id, **_facts(proposal, comment))
        return proposal


def withdraw_proposal(*, proposal_id: int, comment: str = "", actor: Actor) -> MergeProposal:
    """Take one's own proposal back; its conflict returns to the queue's steward.

    Raises NotFound, NotPermitted for anybody but the proposer, IllegalTransition when it is not pending.
    """
    with audit.change(actor) as trail:
        locks.lock_customers(_members_of(proposal_id))
        proposal = _lock_pending(proposal_id, "withdrawn")
        if proposal.proposer_id != account_of(actor):
            raise NotPermitted(f"Proposal {proposal_id} is not yours; only its proposer may withdraw it.")
        withdraw_locked(trail, proposal, answer=comment or "Withdrawn by its proposer.")
        return proposal


def _refuse_strangers(members: Mapping[uuid.UUID, Customer], conflict: Conflict | None) -> None:
    if conflict is None:
        return
    asked = set(conflict.members.values_list("customer", flat=True))
    strangers = sorted(set(members) - asked)
    if strangers:
        raise InvalidInput(
            f"Conflict {conflict.pk} does not ask about {strangers[0]}; propose that merge without it.",
            customer=str(strangers[0]),
        )


def _refuse_twice(members: Mapping[uuid.UUID, Customer]) -> None:
    """Refuse a merge of exactly these customers that waits for approval already."""
    pending = MergeProposal.objects.filter(state=State.PENDING, members__customer__in=members)
    for proposal in pending.distinct().prefetch_related("members"):
        if {row.customer_id for row in proposal.members.all()} == set(members):
            raise Refused(
                f"Proposal {proposal.pk} asks for this merge already; wait for its answer.",
                proposal=proposal.pk,
            )


def _store(trail: Trail, act: Act, conflict: Conflict | None, picks: Picks, comment: str) -> MergeProposal:
    proposal = MergeProposal.objects.create(
        conflict=conflict,
        survivor=act.survivor,
        picks=dict(picks),
        plan_hash=plan_hash(act.plan),
        comment=comment[:500],
        proposer_id=account_of(trail.actor),
    )
    ProposalMember.objects.bulk_create(
        ProposalMember(proposal=proposal, customer=row, seen_version=row.version)
        for row in (act.survivor, *act.absorbed)
    )
    return proposal


def _await_approval(conflict: Conflict, proposal: MergeProposal) -> None:
    check_transition(conflict, Conflict.State.DECIDED)
    conflict.state = Conflict.State.DECIDED
    conflict.leased_until = None
    conflict.decided_by_id = proposal.proposer_id
    conflict.decided_at = timezone.now()
    conflict.version += 1
    conflict.save(
        update_fields=["state", "leased_until", "decided_by", "decided_at", "version", "updated_at"]
    )


def _members_of(proposal_id: int) -> Sequence[uuid.UUID]:
    rows = ProposalMember.objects.filter(proposal=proposal_id).values_list("customer", flat=True)
    members = list(rows)
    if not members:
        raise NotFound(f"There is no proposal {proposal_id}. Check the number.", proposal=proposal_id)
    return members


def _lock_pending(proposal_id: int, wanted: str) -> MergeProposal:
    proposal = locks.lock_row(MergeProposal, proposal_id)
    if proposal.state != State.PENDING:
        raise IllegalTransition(f"Proposal {proposal_id}", proposal.get_state_display().lower(), wanted)
    return proposal


def _second_person(proposal: MergeProposal, actor: Actor) -> int:
    approver = account_of(actor)
    if approver == proposal.proposer_id:
        raise FourEyes
    return approver


def _as_proposed(proposal: MergeProposal, members: Mapping[uuid.UUID, Customer]) -> Act:
    """Plan the merge again and see that it is still what was proposed."""
    seen = dict(proposal.members.values_list("customer", "seen_version"))
    refuse_stale(members, seen, since=proposal.created_at)
    act = draft_merge(members, survivor_id=proposal.survivor_id, picks=proposal.picks)
    if act.plan.blockers:
        raise MergeBlocked(act.plan.blockers)
    if plan_hash(act.plan) != proposal.plan_hash:
        raise StaleVersion(
            f"Proposal {proposal.pk} would no longer give what its proposer saw: newer sightings of a value"
            " change which one wins. Reject it, so that it is proposed again.",
            proposal=proposal.pk,
        )
    return act.for_proposal(proposal)


def _answer(proposal: MergeProposal, state: str, comment: str, *, approver: int) -> None:
    proposal.state = state
    proposal.answer = comment[:500]
    proposal.approver_id = approver
    proposal.decided_at = timezone.now()
    proposal.version += 1
    proposal.save(update_fields=["state", "answer", "approver", "merge", "decided_at", "version"])


def _facts(proposal: MergeProposal, comment: str) -> dict[str, Any]:
    return {"proposal": proposal.pk, "conflict": proposal.conflict_id, "reason": comment[:500]}
