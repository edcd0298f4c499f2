"""A merge one person wants and a second person must allow."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class MergeProposal(models.Model):
    """Members, survivor and picks as proposed, bound to the members' versions by `plan_hash`.

    Stale when a member has changed since: it is then refused with what changed.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Awaiting approval"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"

    conflict = models.ForeignKey(
        "resolution.Conflict", null=True, on_delete=models.PROTECT, related_name="proposals"
    )
    survivor = models.ForeignKey("customers.Customer", on_delete=models.PROTECT, related_name="+")
    picks = models.JSONField(
        default=dict, help_text="Field → customer id whose value is taken, or {'typed': text}."
    )
    plan_hash = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    comment = models.CharField(max_length=500, blank=True, default="")
    answer = models.CharField(max_length=500, blank=True, default="", help_text="The approver's word.")
    proposer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="proposals")
    approver = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="approvals"
    )
    merge = models.OneToOneField(
        "resolution.Merge", null=True, on_delete=models.PROTECT, related_name="proposal"
    )
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "merge_proposals"
        default_permissions = ("view",)
        permissions = [
            ("propose_merge", "Can propose merges"),
            ("approve_merge", "Can approve and reject merges"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(approver__isnull=True) | ~Q(approver=F("proposer")), name="p9_two_people"
            ),
            models.CheckConstraint(
                condition=~Q(state="approved") | Q(approver__isnull=False, merge__isnull=False),
                name="p9_approved_names_approver_and_merge",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "approved", "rejected", "withdrawn"]),
                name="proposal_state_known",
            ),
            models.UniqueConstraint(
                fields=["conflict"], condition=Q(state="pending"), name="one_pending_proposal_a_conflict"
            ),
        ]

    def __str__(self) -> str:
        return f"Proposal {self.pk}"


class ProposalMember(models.Model):
    """One customer of a proposal and the version the proposer saw."""

    proposal = models.ForeignKey(MergeProposal, on_delete=models.CASCADE, related_name="members")
    customer = models.ForeignKey("customers.Customer", on_delete=models.PROTECT, related_name="+")
    seen_version = models.PositiveIntegerField()

    class Meta:
        db_table = "merge_proposal_members"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["proposal", "customer"], name="proposal_member_once")]

    def __str__(self) -> str:
        return f"{self.customer_id} at version {self.seen_version}"
