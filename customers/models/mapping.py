"""An identifier linked to a customer: the reference's `customer_identity_mapping`."""

from __future__ import annotations

import uuid
from datetime import datetime
from decimal import Decimal

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q
from django.utils import timezone

from customers.ids import uuid7

IDENTIFIER_LENGTH = 255
ONE_OWNER_AT_A_TIME = "p1_one_owner_at_a_time"

# Refuses a present owner whose time begins before that of a former one has ended; the constraint of this name
# keeps former owners apart. Planned anew each time: a plan kept from a small table would scan the grown one.
_REFUSE_TWO_OWNERS = """
    EXECUTE $plan$
        SELECT normalised FROM {changed}
        JOIN customer_identity_mapping AS former USING (channel_id, identifier_type, normalised)
        WHERE changed.status = 'active' AND former.status = 'ended'
          AND former.valid_to > greatest(former.valid_from, changed.valid_from)
        UNION ALL
        SELECT normalised FROM {changed}
        JOIN customer_identity_mapping AS present USING (channel_id, identifier_type, normalised)
        WHERE changed.status = 'ended' AND present.status = 'active'
          AND changed.valid_to > greatest(changed.valid_from, present.valid_from)
        LIMIT 1
    $plan$ INTO twice{values};
    IF twice IS NOT NULL THEN
        RAISE EXCEPTION '% would have two owners at one moment', twice
            USING ERRCODE = 'exclusion_violation', CONSTRAINT = '{name}';
    END IF;
    RETURN NULL;
"""


class MappingQuerySet(models.QuerySet["Mapping"]):
    def owned(self) -> MappingQuerySet:
        """The links that decide who an identifier belongs to."""
        return self.filter(status=Mapping.Status.ACTIVE)

    def owned_at(self, moment: datetime) -> MappingQuerySet:
        """The links that decided at that moment, by what is known today."""
        present = Q(status=Mapping.Status.ACTIVE, valid_from__lte=moment)
        return self.filter(
            present | Q(status=Mapping.Status.ENDED, valid_from__lte=moment, valid_to__gt=moment)
        )

    def former(self) -> MappingQuerySet:
        """The links that owned their value once."""
        return self.filter(status=Mapping.Status.ENDED, valid_to__gt=F("valid_from"))

    def current(self) -> MappingQuerySet:
        """Owned links and shared ones: everything that describes a customer today."""
        return self.filter(status__in=[Mapping.Status.ACTIVE, Mapping.Status.SHARED])


class Mapping(models.Model):
    """One identifier of one customer on one channel, as it came and in canonical form.

    `active` links own their value (P1). A `shared` link says that this customer uses the value too while
    somebody else owns it, as a family does with a telephone; it never answers a look-up.
    `ended` links were taken off; `collapsed` ones were folded into an equal link by a merge.

    `valid_from` (inclusive) to `valid_to` (exclusive, open while it stands) is the time a link owned its
    value: a number that passed on keeps every owner it had. A link that only shared ends with no time at all.
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
            models.CheckConstraint(
                condition=Q(status="ended", valid_to__isnull=False)
                | (~Q(status="ended") & Q(valid_to__isnull=True)),
                name="mapping_ends_once",
            ),
            ExclusionConstraint(
                name=ONE_OWNER_AT_A_TIME,
                expressions=[
                    ("channel", RangeOperators.EQUAL),
                    ("identifier_type", RangeOperators.EQUAL),
                    ("normalised", RangeOperators.EQUAL),
                    (
                        Func(
                            "valid_from", "valid_to", function="tstzrange", output_field=DateTimeRangeField()
                        ),
                        RangeOperators.OVERLAPS,
                    ),
                ],
                # Narrower than look-ups ask, so that none goes by its index, which is slow for single values.
                condition=Q(status="ended", valid_to__gt=F("valid_from")),
            ),
        ]
        indexes = [
            # Who uses this value, on any channel: resolve; who ever did, of any type: the admin's search.
            models.Index(fields=["normalised", "identifier_type"], name="mapping_of_value"),
            # Until when a value had another owner: every new link and the trigger below; who had it, `as_of`.
            models.Index(
                fields=["channel", "identifier_type", "normalised", "valid_to"],
                condition=Q(status="ended"),
                name="mapping_former_owners",
            ),
        ]

        triggers = [
            pgtrigger.Trigger(
                name="p1_new_links_wait_their_turn",
                level=pgtrigger.Statement,
                operation=pgtrigger.Insert,
                when=pgtrigger.After,
                referencing=pgtrigger.Referencing(new="began"),
                declare=[("twice", "text")],
                func=_REFUSE_TWO_OWNERS.format(
                    changed="began AS changed", values="", name=ONE_OWNER_AT_A_TIME
                ),
            ),
            pgtrigger.Trigger(
                name="p1_changed_links_wait_their_turn",
                operation=pgtrigger.UpdateOf(
                    "channel_id", "identifier_type", "normalised", "status", "valid_from", "valid_to"
                ),
                when=pgtrigger.After,
                condition=pgtrigger.Condition("NEW.status IN ('active', 'ended')"),
                declare=[("twice", "text")],
                func=_REFUSE_TWO_OWNERS.format(
                    changed="(SELECT ($1).*) AS changed", values=" USING NEW", name=ONE_OWNER_AT_A_TIME
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.identifier_type} {self.channel_identifier}"
