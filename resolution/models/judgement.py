"""A human verdict on a pair of customers."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class Judgement(models.Model):
    """What a person said of two customers; superseded by a later word, never edited.

    The pair is ordered (`left` < `right`) and names the customers as they were judged, so it still speaks
    when either has been merged since.
    """

    class Verdict(models.TextChoices):
        SAME = "same", "The same"
        DIFFERENT = "different", "Not the same"
        RELATED = "related", "Related, not the same"
        UNSURE = "unsure", "Unsure"

    class Relation(models.TextChoices):
        NONE = "", "Not said how"
        HOUSEHOLD = "household", "One household"
        SHARED_CONTACT = "shared_contact", "Shared contact"

    left = models.ForeignKey("customers.Customer", on_delete=models.PROTECT, related_name="+")
    right = models.ForeignKey("customers.Customer", on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=10, choices=Verdict)
    relation = models.CharField(
        max_length=20, choices=Relation, blank=True, default="", help_text="How two related ones are related."
    )
    reason = models.CharField(max_length=500, blank=True, default="")
    fingerprint = models.CharField(max_length=64, help_text="Of the values compared.")
    compared = models.JSONField(
        default=dict,
        help_text="Side → field → digest of the values compared, so that what changed since can be named.",
    )
    judged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    actor_name = models.CharField(max_length=150)
    conflict = models.ForeignKey(
        "resolution.Conflict", null=True, on_delete=models.PROTECT, related_name="judgements"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    superseded_at = models.DateTimeField(null=True)
    superseded_by = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="supersedes")

    class Meta:
        db_table = "judgements"
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["left", "right"],
                condition=Q(superseded_at__isnull=True),
                name="p3_one_live_judgement_a_pair",
            ),
            models.CheckConstraint(condition=Q(left__lt=F("right")), name="judgement_pair_is_ordered"),
            models.CheckConstraint(
                condition=Q(verdict__in=["same", "different", "related", "unsure"]),
                name="judgement_verdict_known",
            ),
            models.CheckConstraint(
                condition=Q(relation="") | Q(relation__in=["household", "shared_contact"], verdict="related"),
                name="judgement_relation_of_the_related",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.left_id} {self.verdict} {self.right_id}"
