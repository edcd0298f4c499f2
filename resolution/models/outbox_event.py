"""What other systems are told, in the order it happened."""

from __future__ import annotations

from django.db import models


class OutboxEvent(models.Model):
    """One event, written in the transaction it tells of."""

    kind = models.CharField(max_length=50)
    # Customers are never deleted, so a check of each row would find nothing.
    customer = models.ForeignKey(
        "customers.Customer", null=True, on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "outbox_events"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.pk} {self.kind}"
