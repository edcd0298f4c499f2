"""What a customer wrote, and what became of it."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from customers.ids import uuid7


class Message(models.Model):
    """One message; it ends linked, created, queued or refused, and the reason can be read afterwards (P6)."""

    class Outcome(models.TextChoices):
        LINKED = "linked", "Linked to a known customer"
        CREATED = "created", "New customer"
        QUEUED = "queued", "Waiting for a decision"
        REFUSED = "refused", "Refused"

    id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(
        primary_key=True, default=uuid7, editable=False
    )
    channel = models.ForeignKey("customers.Channel", on_delete=models.PROTECT, related_name="messages")
    customer = models.ForeignKey(
        "customers.Customer", null=True, blank=True, on_delete=models.PROTECT, related_name="messages"
    )
    mapping = models.ForeignKey(
        "customers.Mapping", null=True, blank=True, on_delete=models.PROTECT, related_name="messages",
        help_text="The identifier it came with; an unmerge sends the message back by it.",
    )  # fmt: skip
    external_id = models.CharField(
        max_length=255, blank=True, default="", help_text="The channel's own message id."
    )
    sender = models.CharField(max_length=255, blank=True, default="")
    subject = models.CharField(max_length=255, blank=True, default="")
    content = models.TextField(blank=True, default="")
    payload = models.JSONField(default=dict, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome)
    reason = models.CharField(max_length=500, blank=True, default="")
    received_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "messages"
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "external_id"], condition=~Q(external_id=""), name="p6_message_taken_once"
            ),
            models.CheckConstraint(
                condition=Q(outcome__in=["linked", "created", "queued", "refused"]),
                name="p6_message_outcome_known",
            ),
            models.CheckConstraint(
                condition=Q(outcome="refused") | Q(customer__isnull=False),
                name="p6_accepted_message_has_customer",
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "-received_at"], name="message_timeline")
        ]  # customer page

    def __str__(self) -> str:
        return self.subject or self.content[:60] or f"Message {self.pk}"
