"""What the machine may not settle alone."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class Conflict(models.Model):
    """One question to a steward, from open to done.

    The states and the moves between them are in `services.conflict_states.TRANSITIONS`. `members_key` names
    the set of customers asked about, so that the same question is not asked twice.
    """

    class Kind(models.TextChoices):
        VERIFIED_IDENTIFIER = "verified_identifier", "Verified identifier claimed"
        HIGH_CONFIDENCE_IDENTIFIER = "high_confidence_identifier", "Identifier claimed"
        SEVERAL_CANDIDATES = "several_candidates", "Several candidates"
        LIKELY_DUPLICATE = "likely_duplicate", "Likely duplicate"
        LIMIT_REACHED = "limit_reached", "Limit reached"
        SHARED_VALUE = "shared_value", "Shared value"
        CONTRADICTION = "contradiction", "Contradiction"
        OVER_MERGE = "over_merge", "Over-merge"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CLAIMED = "claimed", "Claimed"
        PARKED = "parked", "Parked"
        DECIDED = "decided", "Awaiting approval"
        RETURNED = "returned", "Returned"
        DONE = "done", "Done"

    class Outcome(models.TextChoices):
        NONE = "", "None yet"
        MERGED = "merged", "Merged"
        DIFFERENT = "different", "Not the same"
        RELATED = "related", "Related, not the same"
        UNSURE = "unsure", "Unsure"
        KEPT = "kept", "Identifier kept by its owner"
        MOVED = "moved", "Identifier moved"
        ACCEPTED = "accepted", "Right as it is"
        CLOSED = "closed", "No longer a question"

    kind = models.CharField(max_length=40, choices=Kind)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.NONE, blank=True)
    members_key = models.CharField(max_length=64)
    reason = models.CharField(max_length=500)
    band = models.CharField(max_length=10, blank=True, default="")
    weight = models.FloatField(null=True, help_text="Match weight of the strongest pair, log2 odds.")
    evidence = models.JSONField(default=list, help_text="Pair scores with a reason per field.")
    priority = models.SmallIntegerField(default=0)
    channel = models.ForeignKey("customers.Channel", null=True, on_delete=models.PROTECT, related_name="+")
    identifier_type = models.CharField(max_length=50, blank=True, default="")
    identifier_value = models.CharField(max_length=255, blank=True, default="")
    verified = models.BooleanField(default=False, help_text="The identifier was claimed as a verified one.")
    message = models.ForeignKey(
        "customers.Message", null=True, on_delete=models.PROTECT, related_name="conflicts"
    )
    run = models.ForeignKey(
        "resolution.MatchRun", null=True, on_delete=models.PROTECT, related_name="conflicts"
    )
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="claimed_conflicts"
    )
    leased_until = models.DateTimeField(null=True)
    parked_until = models.DateTimeField(null=True)
    due_at = models.DateTimeField()
    comment = models.CharField(max_length=500, blank=True, default="")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "conflicts"
        default_permissions = ("view",)
        permissions = [
            ("work_conflicts", "Can claim and decide conflicts"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "members_key"], condition=~Q(state="done"), name="p6_a_question_is_asked_once"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "claimed", "parked", "decided", "returned", "done"]),
                name="conflict_state_known",
            ),
            models.CheckConstraint(
                condition=~Q(state="claimed") | Q(assignee__isnull=False, leased_until__isnull=False),
                name="claimed_conflict_has_a_lease",
            ),
            models.CheckConstraint(
                condition=Q(state="done", outcome__gt="") | (~Q(state="done") & ~Q(outcome="closed")),
                name="done_conflict_has_an_outcome",
            ),
        ]
        indexes = [
            # Whether the same was asked and answered before: called right, left with its owner, merged.
            models.Index(fields=["members_key"], name="conflict_by_question"),
            # The queue: what is still to be done, most urgent first.
            models.Index(
                fields=["-priority", "due_at", "id"], condition=~Q(state="done"), name="conflict_queue"
            ),
        ]

    def __str__(self) -> str:
        return f"Conflict {self.pk}"


class ConflictMember(models.Model):
    """One customer a conflict asks about, and its part in it."""

    class Role(models.TextChoices):
        MEMBER = "member", "Candidate"
        OWNER = "owner", "Owner"
        CLAIMANT = "claimant", "Claimant"

    conflict = models.ForeignKey(Conflict, on_delete=models.CASCADE, related_name="members")
    customer = models.ForeignKey(
        "customers.Customer", on_delete=models.PROTECT, related_name="conflict_members"
    )
    role = models.CharField(max_length=10, choices=Role, default=Role.MEMBER)

    class Meta:
        db_table = "conflict_members"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["conflict", "customer"], name="conflict_member_once")]

    def __str__(self) -> str:
        return f"{self.role} {self.customer_id}"
