"""An identifier linked to a customer: the reference's `customer_identity_mapping`."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from customers.ids import uuid7

IDENTIFIER_LENGTH = 255


class MappingQuerySet(models.QuerySet["Mapping"]):
    def owned(self) -> MappingQuerySet:
        """The links that decide who an identifier belongs to."""
        return self.filter(status=Mapping.Status.ACTIVE)

    def current(self) -> MappingQuerySet:
        """Owned links and shared ones: everything that describes a customer today."""
        return self.filter(status__in=[Mapping.Status.ACTIVE, Mapping.Status.SHARED])


class Mapping(models.Model):
    """One identifier of one customer on one channel, as it came and in canonical form.

    `active` links own their value (P1). A `shared` link says that this customer uses the value too while
    somebody else owns it, as a family does with a telephone; it never answers a look-up.
    `ended` links were taken off; `collapsed` ones were folded into an equal link by a merge.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        SHARED = "shared", "Shared"
        ENDED = "ended", "Ended"
        COLLAPSED = "collapsed", "Collapsed"

    id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(
        primary_key=True, default=uuid7, editable=False
    )
    customer = models.ForeignKey("customers.Customer", on_delete=models.PROTECT, related_name="mappings")
    channel = models.ForeignKey("customers.Channel", on_delete=models.PROTECT, related_name="mappings")
    identifier_type = models.CharField(max_length=50)
    channel_identifier = models.CharField(max_length=IDENTIFIER_LENGTH)
    normalised = models.CharField(max_length=IDENTIFIER_LENGTH)
    confidence_score = models.DecimalField(max_digits=3, decimal_places=2, default=Decimal("1.00"))
    verified = models.BooleanField(default=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    first_seen_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    valid_from = models.DateTimeField(default=timezone.now)
    valid_to = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = MappingQuerySet.as_manager()

    class Meta:
        db_table = "customer_identity_mapping"
        constraints = [
            models.UniqueConstraint(
                fields=["channel", "identifier_type", "normalised"],
                condition=Q(status="active"),
                name="p1_one_owner",
            ),
            models.UniqueConstraint(
                fields=["customer", "channel", "identifier_type", "normalised"],
                condition=Q(status__in=["active", "shared"]),
                name="mapping_once_a_customer",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["active", "shared", "ended", "collapsed"]),
                name="mapping_status_known",
            ),
            models.CheckConstraint(condition=~Q(normalised=""), name="p8_blank_is_no_identifier"),
            models.CheckConstraint(
                condition=Q(confidence_score__gte=0, confidence_score__lte=1),
                name="mapping_confidence_0_to_1",
            ),
            models.CheckConstraint(
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=F("valid_from")),
                name="mapping_interval_forward",
            ),
        ]
        indexes = [
            # Who else, on any channel, uses this value: resolve and the identifier's page.
            models.Index(
                fields=["identifier_type", "normalised"],
                condition=Q(status__in=["active", "shared"]),
                name="mapping_value_current",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.identifier_type} {self.channel_identifier}"
