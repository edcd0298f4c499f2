"""Values that make two customers candidates, as numbers."""

from __future__ import annotations

from django.db import models


class BlockingKey(models.Model):
    """One blocking key of one active customer; rebuilt by services whenever the customer changes.

    See `matching.key_numbers` for what the numbers are.
    """

    pk = models.CompositePrimaryKey("key", "customer_id")
    key = models.BigIntegerField()
    # Derived rows by the million: customers are never deleted, so a check of each row would find nothing.
    customer = models.ForeignKey(
        "customers.Customer", on_delete=models.PROTECT, related_name="blocking_keys", db_constraint=False
    )

    class Meta:
        db_table = "blocking_keys"

    def __str__(self) -> str:
        return str(self.key)
