"""How many customers a value may have, and how many values a customer: one row a type of identifier."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class IdentifierRule(models.Model):
    """The limits of one type of identifier; empty means none.

    Past a soft limit the link is made and a person asked; a hard limit refuses it. A link not seen for
    `valid_days` answers no look-up and gives way to whoever claims its value. `rank` orders the types, 1 is
    believed first.
    """

    identifier_type = models.CharField(max_length=50, unique=True)
    values_soft = models.PositiveIntegerField("values a customer, then ask", null=True, blank=True)
    values_hard = models.PositiveIntegerField("values a customer, then refuse", null=True, blank=True)
    customers_soft = models.PositiveIntegerField("customers a value, then ask", null=True, blank=True)
    customers_hard = models.PositiveIntegerField("customers a value, then refuse", null=True, blank=True)
    valid_days = models.PositiveIntegerField("valid for days", null=True, blank=True)
    exclusive = models.BooleanField(
        default=False, help_text="A customer has one verified value only; a second one speaks against it."
    )
    rank = models.PositiveSmallIntegerField()
    version = models.PositiveIntegerField(default=1)
    changed_by = models.CharField(max_length=150, blank=True, default="")
    changed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "identifier_rules"
        default_permissions = ("view",)
        permissions = [("set_identifier_rules", "Can set identifier rules")]
        constraints = [
            models.CheckConstraint(
                condition=Q(values_soft__isnull=True)
                | Q(values_hard__isnull=True)
                | Q(values_soft__lte=F("values_hard")),
                name="rule_values_soft_before_hard",
            ),
            models.CheckConstraint(
                condition=Q(customers_soft__isnull=True)
                | Q(customers_hard__isnull=True)
                | Q(customers_soft__lte=F("customers_hard")),
                name="rule_customers_soft_before_hard",
            ),
            models.CheckConstraint(
                condition=~Q(values_soft=0)
                & ~Q(values_hard=0)
                & ~Q(customers_soft=0)
                & ~Q(customers_hard=0)
                & ~Q(valid_days=0)
                & ~Q(rank=0),
                name="rule_limits_from_one",
            ),
        ]

    def __str__(self) -> str:
        return self.identifier_type
