"""Proposals and four eyes: one person wants a merge, a second one allows it."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db.models import F
from django.utils import timezone

from customers.models import Customer
from resolution.errors import (
    FourEyes,
    IllegalTransition,
    InvalidInput,
    NotFound,
    NotPermitted,
    Refused,
    StaleVersion,
)
from resolution.models import Conflict, Merge, MergeProposal, ProposalBatch, ProposalMember
from resolution.selectors.merge_policy import contradict_hard, merge_rules, took_back_words
from resolution.services import audit, locks
from resolution.services.audit import Trail
from resolution.services.conflict_states import check_transition
from resolution.services.ledger import Act
from resolution.services.merge import carry_out, draft_merge, refuse_blocked, refuse_stale
from resolution.services.merge_plan import MOST_MEMBERS, Picks, plan_hash
from resolution.services.overruling import withdraw_overruled
from resolution.services.proposals import return_conflict, withdraw_locked
from resolution.services.queue import account_of, lock_claimed
from resolution.services.second_person import Circumstances, Reason, circumstances_of, needs_second_person
from resolution.types import Actor

State = MergeProposal.State


@locks.again_after_deadlock
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

    Where no rule wants a second person the merge passes at once: the proposal is then `passed`.
    `seen_versions` are the members' versions on the proposer's screen (None: as they stand now).
    Raises UnknownCustomer, NotFound, NotPermitted for an actor without account, InvalidInput for a member the
    conflict does not ask about, ClaimLost, StaleVersion, MergeBlocked, Refused when it is proposed already.
    """
    with audit.change(actor) as trail:
        members = locks.lock_with_absorbed(set(member_ids))
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
    overruled: Collection[int] = (),
) -> MergeProposal:
    """Propose a merge as part of a larger change; members, with those absorbed, and conflict are locked.

    `overruled` are the judgements against it that its proposer wants withdrawn: they stand until it is
    carried out, and contradict it.
    """
    _refuse_strangers(members, conflict)
    if refusal := why_too_many(len(members)):
        raise InvalidInput(refusal)
    refuse_overlap(members)
    act = draft_merge(members, survivor_id=survivor_id, picks=picks, overruled=overruled)
    refuse_blocked(act.plan)
    [hard_conflict] = contradict_hard([members])
    [took_back] = took_back_words([members], trail.actor.user_id)
    like = circumstances_of(
        act.plan,
        list(act.facts.values()),
        hard_conflict=hard_conflict or took_back,
        overruled=sorted(overruled),
    )
    proposal = _store(
        trail, Draft(act, like, needs_second_person(like, merge_rules()), conflict, picks or {}), comment
    )
    if not proposal.reasons:
        pass_at_once(trail, [(proposal, act)])
    if conflict is not None:
        conflict.refresh_from_db()
    return proposal


@dataclass(frozen=True, slots=True)
class Draft:
    """A merge about to be proposed: its plan, what it is like, and why it needs a second person."""

    act: Act
    circumstances: Circumstances
    reasons: tuple[Reason, ...]
    conflict: Conflict | None = None
    picks: Picks = field(default_factory=dict)


def pass_at_once(trail: Trail, drafted: Sequence[tuple[MergeProposal, Act]]) -> None:
    """Carry out merges that no rule wants a second person for; members, with those absorbed, are locked."""
    merges = _carry_out(trail, [(proposal, act.for_proposal(proposal)) for proposal, act in drafted])
    for merge, (proposal, _) in zip(merges, drafted, strict=True):
        proposal.merge = merge
        _answer(proposal, State.PASSED, "", approver=None)
        return_conflict(proposal, comment="The proposed customers were merged; decide about the others.")
        trail.record(
            "pass", customer_id=merge.survivor_id, method="policy", merge=merge.pk,
            rules=asdict(merge_rules()), **_facts(proposal, proposal.comment),
        )  # fmt: skip


@locks.again_after_deadlock
def approve_proposal(*, proposal_id: int, comment: str = "", actor: Actor) -> MergeProposal:
    """Carry out a proposed merge as its second person.

    Raises NotFound, NotPermitted, FourEyes, IllegalTransition when it is not pending, StaleVersion saying
    which member changed and what, MergeBlocked.
    """
    with audit.change(actor) as trail:
        members = locks.lock_with_absorbed(_members_of(proposal_id))
        proposal = _lock_pending(proposal_id, "approved")
        approver = second_person(proposal, actor)
        refuse_changed(proposal, members)
        act = draft_merge(
            members, survivor_id=proposal.survivor_id, picks=proposal.picks, overruled=proposal.overruled
        )
        approve_drafted(trail, [(proposal, as_proposed(proposal, act))], comment=comment, approver=approver)
        return proposal


def approve_drafted(
    trail: Trail, drafted: Sequence[tuple[MergeProposal, Act]], *, comment: str, approver: int
) -> None:
    """Carry out proposals, each planned as it was proposed, as their second person; all are locked."""
    merges = _carry_out(trail, drafted)
    for merge, (proposal, _) in zip(merges, drafted, strict=True):
        proposal.merge = merge
        _answer(proposal, State.APPROVED, comment, approver=approver)
        return_conflict(proposal, comment="The proposed customers were merged; decide about the others.")
        trail.record("approve", customer_id=merge.survivor_id, merge=merge.pk, **_facts(proposal, comment))


def _carry_out(trail: Trail, drafted: Sequence[tuple[MergeProposal, Act]]) -> list[Merge]:
    for proposal, act in drafted:
        withdraw_overruled(trail, proposal, act.customers)
    return carry_out(trail, [act for _, act in drafted]).merges


@locks.again_after_deadlock
def reject_proposal(*, proposal_id: int, comment: str = "", actor: Actor) -> MergeProposal:
    """Turn a proposal down; its conflict goes back to the steward, and what was said against it still stands.

    Raises NotFound, NotPermitted, FourEyes, IllegalTransition when it is not pending.
    """
    with audit.change(actor) as trail:
        locks.lock_customers(_members_of(proposal_id))
        proposal = _lock_pending(proposal_id, "rejected")
        reject_locked(trail, proposal, comment=comment, approver=second_person(proposal, actor))
        return proposal


def reject_locked(trail: Trail, proposal: MergeProposal, *, comment: str, approver: int) -> None:
    """Turn one pending, locked proposal down as its second person."""
    _answer(proposal, State.REJECTED, comment, approver=approver)
    return_conflict(proposal, comment=comment or "The proposal was rejected.")
    trail.record("reject", customer_id=proposal.survivor_id, **_facts(proposal, comment))


@locks.again_after_deadlock
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


def why_too_many(number: int) -> str:
    """Say in a sentence that so many customers cannot be proposed as one; empty when they can."""
    if number <= MOST_MEMBERS:
        return ""
    return f"{number} customers were given; at most {MOST_MEMBERS} are proposed at once. Leave some out."


def refuse_overlap(members: Mapping[uuid.UUID, Customer]) -> None:
    """Refuse a merge of customers, any of whom waits in another proposal already, whichever way round.

    Of two that were merged in either direction, the second could only fail.
    """
    for sentence, proposal in overlaps(members).values():
        raise Refused(sentence, proposal=proposal)


def overlaps(members: Mapping[uuid.UUID, Customer]) -> dict[uuid.UUID, tuple[str, int]]:
    """Return, for each of these customers that waits in a pending proposal, the sentence and its number."""
    rows = ProposalMember.objects.filter(proposal__state=State.PENDING, customer__in=members).order_by("-pk")
    return {
        row.customer_id: (
            f"Proposal {row.proposal_id} would merge {members[row.customer_id].display_name} already; wait"
            " for its answer, or have it withdrawn.",
            row.proposal_id,
        )
        for row in rows
    }


def _store(trail: Trail, draft: Draft, comment: str) -> MergeProposal:
    [proposal] = store_proposals(trail, [draft], comment=comment)
    return proposal


def store_proposals(
    trail: Trail, drafts: Sequence[Draft], *, comment: str, batch: ProposalBatch | None = None
) -> list[MergeProposal]:
    """Write proposals down, their conflicts awaiting the answer; a few statements for any number."""
    proposer = account_of(trail.actor)
    proposals = MergeProposal.objects.bulk_create(
        MergeProposal(
            conflict=draft.conflict,
            survivor=draft.act.survivor,
            picks=dict(draft.picks),
            plan_hash=plan_hash(draft.act.plan),
            comment=comment[:500],
            proposer_id=proposer,
            batch=batch,
            circumstances=draft.circumstances.stored(),
            reasons=[asdict(reason) for reason in draft.reasons],
        )
        for draft in drafts
    )
    ProposalMember.objects.bulk_create(
        ProposalMember(proposal=proposal, customer=row, seen_version=row.version)
        for proposal, draft in zip(proposals, drafts, strict=True)
        for row in (draft.act.survivor, *draft.act.absorbed)
    )
    _await_approval([draft.conflict for draft in drafts if draft.conflict is not None], proposer)
    for proposal in proposals:
        against: dict[str, Any] = {"overruled": proposal.overruled} if proposal.overruled else {}
        trail.record("propose", customer_id=proposal.survivor_id, **against, **_facts(proposal, comment))
    return proposals


def _await_approval(conflicts: Sequence[Conflict], proposer: int) -> None:
    """Let claimed, locked conflicts wait for an answer; one statement, the instances stay as they were."""
    for conflict in conflicts:
        check_transition(conflict, Conflict.State.DECIDED)
    Conflict.objects.filter(pk__in=[conflict.pk for conflict in conflicts]).update(
        state=Conflict.State.DECIDED,
        leased_until=None,
        decided_by=proposer,
        decided_at=timezone.now(),
        version=F("version") + 1,
        updated_at=timezone.now(),
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


def second_person(proposal: MergeProposal, actor: Actor) -> int:
    """Return the approver's account. Raises NotPermitted without one, FourEyes for the proposer."""
    approver = account_of(actor)
    if approver == proposal.proposer_id:
        raise FourEyes
    return approver


def refuse_changed(proposal: MergeProposal, members: Mapping[uuid.UUID, Customer]) -> None:
    """Raise StaleVersion when a member has changed since the proposal was made, saying what."""
    seen = {row.customer_id: row.seen_version for row in proposal.members.all()}
    refuse_stale(members, seen, since=proposal.created_at)


def as_proposed(proposal: MergeProposal, act: Act) -> Act:
    """See that a merge planned again is still what was proposed. Raises MergeBlocked, StaleVersion."""
    refuse_blocked(act.plan)
    if plan_hash(act.plan) != proposal.plan_hash:
        raise StaleVersion(
            f"Proposal {proposal.pk} would no longer give what its proposer saw: newer sightings of a value"
            " change which one wins. Reject it, so that it is proposed again.",
            proposal=proposal.pk,
        )
    return act.for_proposal(proposal)


def _answer(proposal: MergeProposal, state: str, comment: str, *, approver: int | None) -> None:
    proposal.state = state
    proposal.answer = comment[:500]
    proposal.approver_id = approver
    proposal.decided_at = timezone.now()
    proposal.version += 1
    proposal.save(update_fields=["state", "answer", "approver", "merge", "decided_at", "version"])


def _facts(proposal: MergeProposal, comment: str) -> dict[str, Any]:
    return {"proposal": proposal.pk, "conflict": proposal.conflict_id, "reason": comment[:500]}
