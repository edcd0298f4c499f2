"""A merge one person wants and a second person must allow."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class ProposalBatch(models.Model):
    """Merges proposed in one go, to be answered in one go or one by one."""

    proposer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    band = models.CharField(max_length=10)
    comment = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "merge_proposal_batches"
        default_permissions = ()

    def __str__(self) -> str:
        return f"Batch {self.pk}"


class MergeProposal(models.Model):
    """Members, survivor and picks as proposed, bound to the members' versions by `plan_hash`.

    Stale when a member has changed since: it is then refused with what changed. `reasons` are those of the
    rules that asked for a second person; one without any has passed at once and has no approver.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Awaiting approval"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"
        PASSED = "passed", "Passed at once"

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
    batch = models.ForeignKey(ProposalBatch, null=True, on_delete=models.PROTECT, related_name="proposals")
    circumstances = models.JSONField(default=dict, help_text="What rules ask about, as it was proposed.")
    reasons = models.JSONField(default=list, help_text="Why a second person is needed: rule and sentence.")
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
                condition=Q(state__in=["pending", "approved", "rejected", "withdrawn", "passed"]),
                name="proposal_state_known",
            ),
            models.CheckConstraint(
                condition=~Q(state="passed") | Q(approver__isnull=True, merge__isnull=False, reasons=[]),
                name="p9_passed_had_no_reason_and_names_its_merge",
            ),
            models.UniqueConstraint(
                fields=["conflict"], condition=Q(state="pending"), name="one_pending_proposal_a_conflict"
            ),
        ]

    def __str__(self) -> str:
        return f"Proposal {self.pk}"

    @property
    def overruled(self) -> list[int]:
        """The judgements “different” that stand against it and that its merge withdraws."""
        return list(self.circumstances.get("overruled", ()))


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
