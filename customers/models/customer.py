"""A person or company as we know them."""

from __future__ import annotations

import uuid

import pgtrigger
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models.functions import Upper

from customers.ids import uuid7

# The fields a merge decides one by one, in the order the screens show them.
PROFILE_FIELDS = (
    "name", "given_name", "family_name", "email", "phone", "company",
    "birth_date", "address", "postcode", "city", "region", "country",
)  # fmt: skip


def _searchable(field: str) -> GinIndex:
    """Index `field` for the admin's search, which compiles icontains to UPPER(field) LIKE UPPER(%s)."""
    return GinIndex(OpClass(Upper(field), name="gin_trgm_ops"), name=f"customer_{field}_trgm")


class CustomerQuerySet(models.QuerySet["Customer"]):
    def active(self) -> CustomerQuerySet:
        return self.filter(status=Customer.Status.ACTIVE)

    def members_of(self, *canonical_ids: uuid.UUID) -> CustomerQuerySet:
        """The customers themselves and everyone absorbed into them."""
        return self.filter(models.Q(pk__in=canonical_ids) | models.Q(merged_into__in=canonical_ids))


class Customer(models.Model):
    """One row that stands for a person or company; its id answers for ever (see `merged_into`).

    A merged customer points at the live customer its id now stands for, always in one hop.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        MERGED = "merged", "Merged"
        ERASED = "erased", "Erased"

    id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(
        primary_key=True, default=uuid7, editable=False
    )
    name = models.CharField(max_length=255, blank=True, default="")
    given_name = models.CharField(max_length=120, blank=True, default="")
    family_name = models.CharField(max_length=120, blank=True, default="")
    email = models.CharField(max_length=255, blank=True, default="")
    phone = models.CharField(max_length=50, blank=True, default="")
    company = models.CharField(max_length=255, blank=True, default="")
    birth_date = models.DateField(null=True, blank=True)
    address = models.CharField(max_length=255, blank=True, default="")
    postcode = models.CharField(max_length=20, blank=True, default="")
    city = models.CharField(max_length=120, blank=True, default="")
    region = models.CharField(max_length=120, blank=True, default="")
    country = models.CharField(max_length=60, blank=True, default="")
    attributes = models.JSONField(default=dict, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE, editable=False)
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="absorbed"
    )
    version = models.PositiveIntegerField(default=1, editable=False)
    last_interaction_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = CustomerQuerySet.as_manager()

    class Meta:
        db_table = "customers"
        permissions = [("erase_customer", "Can erase a person")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(status__in=["active", "merged", "erased"]), name="customer_status_known"
            ),
            models.CheckConstraint(
                condition=models.Q(status="merged", merged_into__isnull=False)
                | models.Q(status__in=["active", "erased"], merged_into__isnull=True),
                name="p2_merged_customer_names_its_survivor",
            ),
            models.CheckConstraint(
                condition=~models.Q(merged_into=models.F("id")), name="p2_customer_is_not_its_own_survivor"
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="customer_newest"),  # the admin's list
            models.Index(
                fields=["status", "id"], name="customer_status_walk"
            ),  # batch walks over the live ones
            *(_searchable(field) for field in ("name", "email", "phone", "company")),
        ]
        triggers = [
            pgtrigger.Protect(name="p2_customers_are_never_deleted", operation=pgtrigger.Delete),
            pgtrigger.Trigger(
                name="p2_redirects_are_one_hop",
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("merged_into_id", "status"),
                when=pgtrigger.After,
                timing=pgtrigger.Deferred,
                condition=pgtrigger.Condition("NEW.status <> 'active'"),
                declare=[("fault", "text")],
                # Planned anew each time: a plan kept from a small table would scan the grown one.
                func="""
                    EXECUTE $plan$
                        SELECT CASE
                            WHEN EXISTS (SELECT FROM customers WHERE merged_into_id = me.id)
                                THEN 'has absorbed customers and cannot be retired'
                            WHEN EXISTS (SELECT FROM customers
                                         WHERE id = me.merged_into_id AND status <> 'active')
                                THEN 'points at a customer that is not active'
                        END
                        FROM customers AS me WHERE me.id = $1 AND me.status <> 'active'
                    $plan$ INTO fault USING NEW.id;
                    IF fault IS NOT NULL THEN
                        RAISE EXCEPTION 'customer % %', NEW.id, fault
                            USING ERRCODE = 'integrity_constraint_violation';
                    END IF;
                    RETURN NULL;
                """,
            ),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        full = self.name or f"{self.given_name} {self.family_name}".strip()
        return full or self.company or self.email or self.phone or f"Customer {str(self.pk)[-8:]}"

    @property
    def canonical_id(self) -> uuid.UUID:
        """The live customer this id now stands for; its own id unless merged."""
        return self.merged_into_id or self.id
