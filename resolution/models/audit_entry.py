"""The trail: one append-only, chained row a change (the reference's `customer_identity_audit`)."""

from __future__ import annotations

import uuid

import pgtrigger
from django.db import models
from django.db.models import Q
from django.utils import timezone

from customers.ids import uuid7

# What of an entry may tell who somebody is.
PERSONAL = ("identifier_value", "old_value", "metadata")
_EMPTIED = ", ".join(f"'{name}'" for name in (*PERSONAL, "salt", "erased_by"))


class AuditEntry(models.Model):
    """Who did what to whose identity, when and why. Written by `services.audit` alone.

    `sequence` has no gaps; `hash` covers the row and `previous_hash`, so an edited or missing row shows.
    It covers `salt` too, so that it tells nothing of the values once both are gone: an erasure empties
    PERSONAL and the salt and names itself in `erased_by`; its own entry seals what is left.
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
    # None in entries written before salts were.
    salt = models.BinaryField(max_length=16, null=True)
    erased_by = models.BigIntegerField(null=True, help_text="The sequence of the erasure that emptied it.")

    class Meta:
        db_table = "customer_identity_audit"
        verbose_name_plural = "audit entries"
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["customer", "-sequence"], name="audit_of_customer"),  # customer page
            models.Index(fields=["-created_at"], name="audit_newest"),  # audit search
            models.Index(fields=["action", "-sequence"], name="audit_by_action"),  # audit filter
            # Audit search: one name or request stands in many rows, which the index holds as one key.
            models.Index(fields=["actor_name"], name="audit_by_actor"),
            models.Index(fields=["request_id"], condition=~Q(request_id=""), name="audit_of_request"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="p5_audit_is_append_only",
                operation=pgtrigger.Update | pgtrigger.Delete,
                when=pgtrigger.Before,
                declare=[("emptied", f"text[] := ARRAY[{_EMPTIED}]")],
                func="""
                    IF TG_OP = 'UPDATE' AND OLD.erased_by IS NULL AND OLD.action <> 'erase'
                        AND NEW.erased_by > OLD.sequence AND NEW.identifier_value = '' AND NEW.old_value = ''
                        AND NEW.metadata = '{}' AND NEW.salt IS NULL
                        AND to_jsonb(NEW) - emptied = to_jsonb(OLD) - emptied
                    THEN
                        RETURN NEW;
                    END IF;
                    RAISE EXCEPTION 'Cannot update or delete rows from % table', TG_TABLE_NAME;
                """,
            ),
            pgtrigger.Trigger(
                name="p5_emptied_entry_names_its_erasure",
                operation=pgtrigger.Update,
                when=pgtrigger.After,
                timing=pgtrigger.Deferred,
                condition=pgtrigger.Condition("NEW.erased_by IS NOT NULL"),
                func="""
                    IF NOT EXISTS (
                        SELECT FROM customer_identity_audit
                        WHERE sequence = NEW.erased_by AND action = 'erase'
                    ) THEN
                        RAISE EXCEPTION 'entry % names no erasure that emptied it', NEW.sequence
                            USING ERRCODE = 'integrity_constraint_violation';
                    END IF;
                    RETURN NULL;
                """,
            ),
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
