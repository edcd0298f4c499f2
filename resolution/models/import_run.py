"""One file on its way into the register."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class ImportRun(models.Model):
    """A file, how it was read, and the line up to which its rows are in: where a broken import goes on."""

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    channel = models.ForeignKey("customers.Channel", on_delete=models.PROTECT, related_name="import_runs")
    file_name = models.CharField(max_length=255)
    file_hash = models.CharField(max_length=64)
    options = models.JSONField(default=dict, help_text="Delimiter, encoding, column map.")
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    rows_total = models.PositiveBigIntegerField(default=0)
    rows_done = models.PositiveBigIntegerField(default=0, help_text="Rows that are in, from the first on.")
    rows_settled = models.PositiveBigIntegerField(
        default=0, help_text="Rows of these whose customers were compared."
    )
    counts = models.JSONField(default=dict)
    rejects_file = models.CharField(max_length=255, blank=True, default="")
    error = models.CharField(max_length=500, blank=True, default="")
    actor_name = models.CharField(max_length=150)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "import_runs"
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["running", "done", "failed"]), name="import_run_state_known"
            ),
            models.CheckConstraint(
                condition=Q(rows_settled__lte=F("rows_done")), name="import_run_settles_what_is_in"
            ),
            models.UniqueConstraint(
                fields=["channel", "file_hash"],
                condition=Q(state="running"),
                name="one_running_import_a_file",
            ),
        ]

    def __str__(self) -> str:
        return f"Import {self.pk}"
