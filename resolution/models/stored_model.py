"""A match model the register knows: what it weighs, how good it is, and how far it has come."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class StoredModel(models.Model):
    """One version of the match model, from draft to live and back.

    The artefact is written once and never changed: `digest` names it, and what processes keep in memory goes
    by that. `comparison` is what the shadow run found against the model live then, customers by id.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        SHADOW = "shadow", "Compared in shadow"
        LIVE = "live", "Live"
        RETIRED = "retired", "Retired"

    name = models.CharField(max_length=100)
    version = models.CharField(max_length=40, unique=True)
    artefact = models.TextField(
        help_text="JSON as it was written: levels have an order, which jsonb would lose."
    )
    digest = models.CharField(max_length=64, help_text="SHA-256 of the artefact.")
    metrics = models.JSONField(default=dict, help_text="What training and labels said of it.")
    notes = models.TextField(blank=True, default="")
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    comparison = models.JSONField(null=True)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="models_made"
    )
    maker_name = models.CharField(max_length=150)
    promoted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="models_promoted"
    )
    replaces = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="+", help_text="Live before; None: shipped."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    promoted_at = models.DateTimeField(null=True)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "match_models"
        verbose_name = "match model"
        default_permissions = ("view",)
        permissions = [
            ("train_model", "Can train match models"),
            ("promote_model", "Can promote match models and roll them back"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["draft", "shadow", "live", "retired"]), name="match_model_state_known"
            ),
            models.CheckConstraint(
                condition=Q(made_by__isnull=True)
                | Q(promoted_by__isnull=True)
                | ~Q(promoted_by=F("made_by")),
                name="p9_maker_does_not_promote",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["shadow", "live"]) | Q(comparison__isnull=False),
                name="p11_compared_before_live",
            ),
            models.CheckConstraint(
                condition=~Q(state="live") | Q(promoted_by__isnull=False, promoted_at__isnull=False),
                name="p11_live_names_its_promoter",
            ),
            models.CheckConstraint(
                condition=Q(state="retired", retired_at__isnull=False)
                | ~Q(state="retired") & Q(retired_at__isnull=True),
                name="match_model_retired_at_a_time",
            ),
            # Also the way every decision finds the model in force.
            models.UniqueConstraint(fields=["state"], condition=Q(state="live"), name="one_live_model"),
        ]

    def __str__(self) -> str:
        return f"Model {self.version}"
