"""Conflicts: what waits for a person."""

from __future__ import annotations

from typing import Any, ClassVar

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers

from resolution.api.filters import CustomerId, Moment, OneOf
from resolution.api.permissions import SEE_CONFLICTS
from resolution.api.serializers import BANDS
from resolution.api.views import DeskDetailView, DeskListView
from resolution.models import Conflict, ConflictMember

QUERYSET = Conflict.objects.select_related("channel", "assignee").prefetch_related("members__customer")


class ConflictMemberAnswer(serializers.ModelSerializer[ConflictMember]):
    """One customer asked about; `version` is what a proposal may name as seen."""

    customer_id = serializers.UUIDField()
    version = serializers.IntegerField(source="customer.version")

    class Meta:
        model = ConflictMember
        fields = ("customer_id", "role", "version")


class ConflictAnswer(serializers.ModelSerializer[Conflict]):
    """One question to a steward."""

    members = ConflictMemberAnswer(many=True)
    channel = serializers.SlugRelatedField[Conflict](slug_field="code", read_only=True, allow_null=True)
    assignee = serializers.SlugRelatedField[Conflict](slug_field="username", read_only=True, allow_null=True)
    message_id = serializers.UUIDField(allow_null=True)
    run_id = serializers.IntegerField(allow_null=True)

    class Meta:
        model = Conflict
        fields: ClassVar[tuple[str, ...]] = (
            "id", "kind", "state", "outcome", "reason", "band", "weight", "priority", "members", "channel",
            "identifier_type", "identifier_value", "message_id", "run_id", "assignee", "leased_until",
            "parked_until", "due_at", "decided_at", "comment", "version", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields


class ConflictDetailAnswer(ConflictAnswer):
    """One question with its evidence: the scored pairs, a reason per field."""

    evidence = serializers.ListField(child=serializers.DictField())

    class Meta(ConflictAnswer.Meta):
        fields = (*ConflictAnswer.Meta.fields, "evidence")


class ConflictFilter(filters.FilterSet):
    kind = OneOf(choices=Conflict.Kind.choices)
    state = OneOf(choices=Conflict.State.choices)
    band = OneOf(choices=[(band, band) for band in BANDS])
    assignee = filters.CharFilter(field_name="assignee__username", max_length=150)
    customer = CustomerId(field_name="members__customer_id")
    created_after = Moment(field_name="created_at", lookup_expr="gte")
    created_before = Moment(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Conflict
        fields: ClassVar[list[str]] = []


class ConflictListView(DeskListView):
    """List conflicts, newest first."""

    access: ClassVar = {"GET": SEE_CONFLICTS}
    queryset = QUERYSET
    serializer_class = ConflictAnswer
    filterset_class = ConflictFilter


class ConflictView(DeskDetailView):
    """One conflict."""

    access: ClassVar = {"GET": SEE_CONFLICTS}
    queryset = QUERYSET
    serializer_class = ConflictDetailAnswer
    lookup_url_kwarg = "conflict_id"
    noun = "conflict"

    @extend_schema(operation_id="conflicts_get")
    def get(self, *args: Any, **kwargs: Any) -> Any:
        """Return one conflict with its evidence."""
        return super().get(*args, **kwargs)
