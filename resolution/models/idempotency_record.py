"""Answers already given, so that the same request twice has the effect of one."""

from __future__ import annotations

from django.db import models


class IdempotencyRecord(models.Model):
    """The answer to one keyed request of one caller (P6)."""

    caller = models.CharField(max_length=150)
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    response = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "idempotency_records"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["caller", "key"], name="p6_one_answer_a_key")]

    def __str__(self) -> str:
        return self.key
