"""A matter a customer raised, with its own life."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from customers.ids import uuid7


class Ticket(models.Model):
    """One support ticket of one customer."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"

    id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(
        primary_key=True, default=uuid7, editable=False
    )
    customer = models.ForeignKey("customers.Customer", on_delete=models.PROTECT, related_name="tickets")
    channel = models.ForeignKey("customers.Channel", on_delete=models.PROTECT, related_name="tickets")
    mapping = models.ForeignKey(
        "customers.Mapping", null=True, blank=True, on_delete=models.PROTECT, related_name="tickets"
    )
    external_id = models.CharField(max_length=255, blank=True, default="")
    subject = models.CharField(max_length=255)
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)
    opened_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "tickets"
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "external_id"], condition=~Q(external_id=""), name="p6_ticket_taken_once"
            ),
            models.CheckConstraint(condition=Q(status__in=["open", "closed"]), name="ticket_status_known"),
        ]
        indexes = [models.Index(fields=["customer", "-opened_at"], name="ticket_timeline")]  # customer page

    def __str__(self) -> str:
        return self.subject or f"Ticket {self.pk}"
