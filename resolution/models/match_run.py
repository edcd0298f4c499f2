"""One run of duplicate finding over the register."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class MatchRun(models.Model):
    """What a run did, with which model, how far it is and what it found."""

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    kind = models.CharField(max_length=20, default="find_duplicates")
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    engine = models.CharField(max_length=20, default="postgresql")
    model_version = models.CharField(max_length=60)
    stage = models.CharField(max_length=60, blank=True, default="")
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    counts = models.JSONField(default=dict)
    timings = models.JSONField(default=dict, help_text="Stage → seconds.")
    error = models.CharField(max_length=500, blank=True, default="")
    actor_name = models.CharField(max_length=150)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "match_runs"
        default_permissions = ("view",)
        permissions = [("start_run", "Can start runs")]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["running", "done", "failed"]), name="match_run_state_known"
            )
        ]

    def __str__(self) -> str:
        return f"Run {self.pk}"
