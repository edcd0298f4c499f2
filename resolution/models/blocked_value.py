"""Values that are nobody's: a till's telephone, a shop's own mailbox, a test account."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class BlockedValue(models.Model):
    """One value or pattern that identifies nobody, beside those shipped in `matching.normalise.junk`.

    `value` is canonical; a pattern has * for any run of characters. No type means any. A block that was
    lifted stays as `retired`, and blocking again makes a new row.
    """

    class State(models.TextChoices):
        LIVE = "live", "In force"
        RETIRED = "retired", "Lifted"

    identifier_type = models.CharField(max_length=50, blank=True, default="")
    value = models.CharField(max_length=255)
    pattern = models.BooleanField(default=False)
    reason = models.CharField(max_length=500, blank=True, default="")
    state = models.CharField(max_length=10, choices=State, default=State.LIVE)
    reach = models.JSONField(default=dict, help_text="What it touched when it came into force, in numbers.")
    made_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)
    retired_by = models.CharField(max_length=150, blank=True, default="")
    retired_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "blocked_values"
        default_permissions = ("view",)
        permissions = [("block_values", "Can block values and lift blocks")]
        constraints = [
            models.UniqueConstraint(
                fields=["identifier_type", "value", "pattern"],
                condition=Q(state="live"),
                name="a_value_is_blocked_once",
            ),
            models.CheckConstraint(condition=~Q(value=""), name="p8_a_blank_is_not_blocked"),
            models.CheckConstraint(
                condition=Q(state="live", retired_at__isnull=True)
                | Q(state="retired", retired_at__isnull=False),
                name="retired_block_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return self.value
