"""What merges do to proposals that others have waiting."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from resolution.conf import policy
from resolution.models import Conflict, MergeProposal
from resolution.services import locks
from resolution.services.audit import Trail


def withdraw_overtaken(
    trail: Trail,
    gone: Collection[uuid.UUID],
    *,
    but: Collection[MergeProposal] = (),
    answer: str = "Another merge took in one of its customers.",
) -> list[int]:
    """Withdraw pending proposals that name a customer gone just now, `but` for those being carried out.

    Their conflicts, where they still ask something, go back to the steward. Runs inside the larger change.
    """
    pending = MergeProposal.objects.filter(
        state=MergeProposal.State.PENDING, members__customer__in=gone
    ).exclude(pk__in=[proposal.pk for proposal in but])
    overtaken = locks.lock_rows(MergeProposal.objects.filter(pk__in=pending.values("pk")))
    for proposal in overtaken:
        withdraw_locked(trail, proposal, answer=answer)
    return [proposal.pk for proposal in overtaken]


def forget(proposal_ids: Collection[int]) -> None:
    """Take from proposals what people typed and picked, and the digest of it."""
    MergeProposal.objects.filter(pk__in=proposal_ids).update(picks={}, comment="", answer="", plan_hash="")


def withdraw_moot(trail: Trail, conflict_ids: Collection[int], *, answer: str) -> list[int]:
    """Withdraw the pending proposals that answer conflicts which now name other customers."""
    pending = MergeProposal.objects.filter(state=MergeProposal.State.PENDING, conflict__in=conflict_ids)
    moot = locks.lock_rows(pending)
    for proposal in moot:
        withdraw_locked(trail, proposal, answer=answer)
    return [proposal.pk for proposal in moot]


def withdraw_locked(trail: Trail, proposal: MergeProposal, *, answer: str) -> None:
    """Take back one pending, locked proposal and return its conflict to the steward."""
    proposal.state = MergeProposal.State.WITHDRAWN
    proposal.answer = answer[:500]
    proposal.decided_at = timezone.now()
    proposal.version += 1
    proposal.save(update_fields=["state", "answer", "decided_at", "version"])
    trail.record(
        "withdraw",
        customer_id=proposal.survivor_id,
        proposal=proposal.pk,
        conflict=proposal.conflict_id,
        reason=answer,
    )
    return_conflict(proposal, comment=answer)


def return_conflict(proposal: MergeProposal, *, comment: str) -> None:
    """Give a proposal's conflict back to its proposer, unless a merge has answered it meanwhile.

    It is theirs alone for policy.review_days.
    """
    Conflict.objects.filter(pk__in=[proposal.conflict_id], state=Conflict.State.DECIDED).update(
        state=Conflict.State.RETURNED,
        assignee=proposal.proposer_id,
        leased_until=timezone.now() + timedelta(days=policy().review_days),
        comment=comment[:500],
        decided_at=None,
        version=F("version") + 1,
        updated_at=timezone.now(),
    )
