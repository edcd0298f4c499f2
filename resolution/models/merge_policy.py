"""Which merges need a second person: a table of rules."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class MergePolicy(models.Model):
    """One rule; where none that is switched on applies, a steward's merge passes at once.

    `number` belongs to the rule about many records alone, `attribute` to the one about marked customers.
    """

    class Rule(models.TextChoices):
        EVERYTHING = "everything", "Every merge"
        HARD_CONFLICT = "hard_conflict", "A hard conflict between the customers"
        TYPED_VALUE = "typed_value", "A value that was typed by hand"
        MANY_RECORDS = "many_records", "Many linked records move"
        VIP = "vip", "A marked customer, such as a VIP"
        UNMERGE = (
            "unmerge",
            "Undoing and splitting: not by who proposed, approved or made the merge, or linked what leaves",
        )
        BULK = "bulk", "Proposed together with others"

    rule = models.CharField(max_length=20, choices=Rule, unique=True)
    enabled = models.BooleanField()
    number = models.PositiveIntegerField(
        null=True, help_text="From how many records that move on it applies."
    )
    attribute = models.CharField(
        max_length=60, blank=True, default="", help_text="The customer's attribute that marks it."
    )
    version = models.PositiveIntegerField(default=1)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        db_table = "merge_policies"
        verbose_name = "merge policy"
        verbose_name_plural = "merge policies"
        default_permissions = ("view", "change")
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    rule__in=[
                        "everything", "hard_conflict", "typed_value", "many_records", "vip", "unmerge",
                        "bulk",
                    ]
                ),
                name="merge_policy_rule_known",
            ),
            models.CheckConstraint(
                condition=Q(rule="many_records", number__gte=1)
                | (~Q(rule="many_records") & Q(number__isnull=True)),
                name="merge_policy_number_of_records",
            ),
            models.CheckConstraint(
                condition=Q(rule="vip", attribute__gt="") | (~Q(rule="vip") & Q(attribute="")),
                name="merge_policy_attribute_of_marked",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.get_rule_display()
