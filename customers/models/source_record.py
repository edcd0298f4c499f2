"""What a source said about a customer, row by row: the ground every golden value stands on."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from customers.ids import uuid7


class SourceRecord(models.Model):
    """One record of one channel, as it came, and the customer it belongs to.

    `source_key` is the source's own id of the record, or the fingerprint of its content where it has none;
    the same record imported again is recognised by it.
    """

    id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(
        primary_key=True, default=uuid7, editable=False
    )
    channel = models.ForeignKey(
        "customers.Channel",
        on_delete=models.PROTECT,
        related_name="source_records",
        db_index=False,  # p6_source_record_taken_once begins with it
    )
    customer = models.ForeignKey(
        "customers.Customer", on_delete=models.PROTECT, related_name="source_records"
    )
    source_key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "source_records"
        constraints = [
            models.UniqueConstraint(fields=["channel", "source_key"], name="p6_source_record_taken_once"),
            models.CheckConstraint(condition=~Q(source_key=""), name="source_record_has_a_key"),
        ]

    def __str__(self) -> str:
        return self.source_key
