"""The trail: who did what to whose identity."""

from __future__ import annotations

from typing import ClassVar

from django_filters import rest_framework as filters
from rest_framework import serializers

from resolution.api.filters import CustomerId, Moment, OneOf
from resolution.api.pagination import SequencePagination
from resolution.api.permissions import READ_AUDIT
from resolution.api.views import DeskListView
from resolution.models import AuditEntry
from resolution.services.audit import ACTIONS


class AuditEntryAnswer(serializers.ModelSerializer[AuditEntry]):
    customer_id = serializers.UUIDField(allow_null=True)
    channel = serializers.SlugRelatedField[AuditEntry](slug_field="code", read_only=True, allow_null=True)

    class Meta:
        model = AuditEntry
        fields = (
            "sequence", "created_at", "action", "customer_id", "channel", "identifier_type",
            "identifier_value", "old_value", "resolver_id", "resolution_method", "confidence_score",
            "metadata", "actor_kind", "actor_name", "request_id", "previous_hash", "hash", "erased_by",
        )  # fmt: skip


class AuditFilter(filters.FilterSet):
    customer = CustomerId(field_name="customer_id")
    action = OneOf(choices=ACTIONS.items())
    created_after = Moment(field_name="created_at", lookup_expr="gte")
    created_before = Moment(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = AuditEntry
        fields: ClassVar[list[str]] = []


class AuditListView(DeskListView):
    """List audit entries, newest first; each is chained to the one before by its hash."""

    access: ClassVar = {"GET": READ_AUDIT}
    queryset = AuditEntry.objects.select_related("channel")
    serializer_class = AuditEntryAnswer
    filterset_class = AuditFilter
    pagination_class = SequencePagination
