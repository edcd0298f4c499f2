"""The trail: one append-only, chained row a change (the reference's `customer_identity_audit`)."""

from __future__ import annotations

import uuid

import pgtrigger
from django.db import models
from django.utils import timezone

from customers.ids import uuid7


class AuditEntry(models.Model):
    """Who did what to whose identity, when and why. Written by `services.audit` alone.

    `sequence` has no gaps; `hash` covers the row and `previous_hash`, so an edited or missing row shows.
    """

    class ActorKind(models.TextChoices):
        USER = "user", "Person"
        SERVICE = "service", "Service"
        MACHINE = "machine", "Identity Desk"

    id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(
        primary_key=True, default=uuid7, editable=False
    )
    sequence = models.BigIntegerField(unique=True)
    # The trail outlives what it tells of: no row of it is checked against, or locks, the register.
    customer = models.ForeignKey(
        "customers.Customer",
        null=True,
        on_delete=models.PROTECT,
        related_name="audit_entries",
        db_index=False,  # audit_of_customer begins with it
        db_constraint=False,
    )
    channel = models.ForeignKey(
        "customers.Channel",
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    identifier_type = models.CharField(max_length=50, blank=True, default="")
    identifier_value = models.TextField(blank=True, default="")
    action = models.CharField(max_length=50)
    old_value = models.TextField(blank=True, default="")
    resolver_id = models.UUIDField(null=True)
    resolution_method = models.CharField(max_length=100, blank=True, default="")
    confidence_score = models.DecimalField(max_digits=3, decimal_places=2, null=True)
    metadata = models.JSONField(default=dict)
    actor_kind = models.CharField(max_length=10, choices=ActorKind)
    actor_name = models.CharField(max_length=150)
    request_id = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        db_table = "customer_identity_audit"
        verbose_name_plural = "audit entries"
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["customer", "-sequence"], name="audit_of_customer"),  # customer page
            models.Index(fields=["-created_at"], name="audit_newest"),  # audit search
            models.Index(fields=["action", "-sequence"], name="audit_by_action"),  # audit filter
        ]
        triggers = [
            pgtrigger.Protect(name="p5_audit_is_append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            pgtrigger.Trigger(
                name="p5_audit_is_not_truncated",
                operation=pgtrigger.Truncate,
                when=pgtrigger.Before,
                level=pgtrigger.Statement,
                func="RAISE EXCEPTION 'the audit trail cannot be truncated';",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sequence} {self.action}"
