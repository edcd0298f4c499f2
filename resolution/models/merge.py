"""The merge ledger: everything needed to explain a merge and to take it back exactly."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Merge(models.Model):
    """One act of merging: who survived, by which plan, and what the survivor was before."""

    class Method(models.TextChoices):
        MANUAL = "manual", "Decided by people"
        AUTO = "auto", "Above the automatic band"

    survivor = models.ForeignKey("customers.Customer", on_delete=models.PROTECT, related_name="merges")
    method = models.CharField(max_length=10, choices=Method)
    weight = models.FloatField(
        null=True, help_text="Match weight of the weakest edge that joined it, log2 odds."
    )
    plan = models.JSONField(help_text="Field → value, source customer and rule.")
    pre_image = models.JSONField(help_text="The survivor's fields before.")
    actor_kind = models.CharField(max_length=10)
    actor_name = models.CharField(max_length=150)
    run = models.ForeignKey("resolution.MatchRun", null=True, on_delete=models.PROTECT, related_name="merges")
    created_at = models.DateTimeField(auto_now_add=True)
    undone_at = models.DateTimeField(null=True)
    undone_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        db_table = "merges"
        default_permissions = ("view",)
        permissions = [("undo_merge", "Can undo merges")]
        indexes = [models.Index(fields=["survivor", "-id"], name="merge_of_survivor")]  # customer page, undo

    def __str__(self) -> str:
        return f"Merge {self.pk}"


class MergeMember(models.Model):
    """One customer absorbed by a merge, with its row as it was."""

    merge = models.ForeignKey(Merge, on_delete=models.PROTECT, related_name="members")
    customer = models.ForeignKey("customers.Customer", on_delete=models.PROTECT, related_name="memberships")
    pre_image = models.JSONField()
    live = models.BooleanField(default=True, help_text="False once it was taken out of the merge.")
    undone_at = models.DateTimeField(null=True)
    undone_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        db_table = "merge_members"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["customer"], condition=Q(live=True), name="p4_absorbed_once"),
            models.UniqueConstraint(fields=["merge", "customer"], name="merge_member_once"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} in merge {self.merge_id}"


class MergeMove(models.Model):
    """One row a merge touched and what it was before, so that undo gives back exactly that row."""

    merge = models.ForeignKey(Merge, on_delete=models.PROTECT, related_name="moves")
    relation = models.CharField(
        max_length=60, help_text="The relation's name in the registry, such as messages."
    )
    row_id = models.UUIDField()
    owner_before = models.ForeignKey("customers.Customer", on_delete=models.PROTECT, related_name="+")
    before = models.JSONField(default=dict, help_text="Column values that changed besides the owner.")
    live = models.BooleanField(default=True, help_text="False once the row was given back.")

    class Meta:
        db_table = "merge_moves"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["merge", "relation", "row_id"], name="p4_row_moved_once_a_merge")
        ]

    def __str__(self) -> str:
        return f"{self.relation} {self.row_id}"
