"""Merges: what was joined, and taking it back."""

from __future__ import annotations

from typing import Any, ClassVar

from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from resolution.api.authentication import actor_of
from resolution.api.filters import Moment, OneOf
from resolution.api.idempotency import once
from resolution.api.permissions import READ_MERGES, UNDO
from resolution.api.serializers import Body, Flag, Id, read
from resolution.api.views import DeskListView, DeskView
from resolution.models import Merge
from resolution.services.unmerge import Side, plan_unmerge, undo_merge

QUERYSET = Merge.objects.prefetch_related("members")


class MergeAnswer(serializers.ModelSerializer[Merge]):
    """One merge; `undone_at` is null while it stands."""

    survivor_id = serializers.UUIDField()
    absorbed = serializers.SerializerMethodField()
    run_id = serializers.IntegerField(allow_null=True)

    class Meta:
        model = Merge
        fields: ClassVar[tuple[str, ...]] = (
            "id", "survivor_id", "absorbed", "method", "weight", "actor_kind", "actor_name", "run_id",
            "created_at", "undone_at", "undone_by",
        )  # fmt: skip
        read_only_fields = fields

    def get_absorbed(self, merge: Merge) -> list[str]:
        return [str(member.customer_id) for member in merge.members.all()]


@extend_schema_field(OpenApiTypes.BOOL)
class YesNoFilter(filters.TypedChoiceFilter):
    """true or false; django-filter's own passes over any other word."""

    def __init__(self, **options: Any) -> None:
        choices = [("true", "yes"), ("false", "no")]
        super().__init__(choices=choices, coerce=lambda word: word == "true", **options)


class MergeFilter(filters.FilterSet):
    survivor = filters.UUIDFilter(field_name="survivor_id")
    absorbed = filters.UUIDFilter(field_name="members__customer_id")
    method = OneOf(choices=Merge.Method.choices)
    undone = YesNoFilter(field_name="undone_at", lookup_expr="isnull", exclude=True)
    created_after = Moment(field_name="created_at", lookup_expr="gte")
    created_before = Moment(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Merge
        fields: ClassVar[list[str]] = []


class RowCountAnswer(serializers.Serializer[Any]):
    label = serializers.CharField()
    number = serializers.IntegerField()


class SideAnswer(serializers.Serializer[Any]):
    """One customer after the undo, and how many rows go back to it."""

    customer_id = serializers.CharField()
    name = serializers.CharField()
    rows = serializers.SerializerMethodField()

    @extend_schema_field(RowCountAnswer(many=True))
    def get_rows(self, side: Side) -> list[dict[str, Any]]:
        return [{"label": label, "number": number} for label, number in side.rows]


class FieldReturnAnswer(serializers.Serializer[Any]):
    field = serializers.CharField()
    now = serializers.CharField()
    before = serializers.CharField()
    fate = serializers.ChoiceField(choices=["restored", "inherited", "kept"])


class ArrivalAnswer(serializers.Serializer[Any]):
    """One row that came to the survivor since; `goes_to` is empty when nothing tells whose it is."""

    relation = serializers.CharField()
    label = serializers.CharField()
    row_id = serializers.CharField()
    title = serializers.CharField()
    at = serializers.DateTimeField()
    goes_to = serializers.CharField()
    why = serializers.CharField()


class UnmergePlanAnswer(serializers.Serializer[Any]):
    """What an undo would do; answer each of `asks` in `assign`; `blockers` forbid it."""

    merge_id = serializers.IntegerField()
    survivor = SideAnswer()
    returning = SideAnswer(many=True)
    fields = FieldReturnAnswer(many=True)
    arrivals = ArrivalAnswer(many=True)
    asks = ArrivalAnswer(many=True)
    left = serializers.ListField(child=serializers.CharField())
    blockers = serializers.ListField(child=serializers.CharField())


class UndoBody(Body):
    judge_different = Flag(
        required=False, default=True, help_text="Whether to note that both sides are different people."
    )
    assign = serializers.DictField(
        child=Id(), required=False, help_text="Row id → customer id, for each row the preview asks about."
    )


class MergeListView(DeskListView):
    """List merges, newest first."""

    access: ClassVar = {"GET": READ_MERGES}
    queryset = QUERYSET
    serializer_class = MergeAnswer
    filterset_class = MergeFilter


class MergeView(DeskView, RetrieveAPIView):
    """One merge."""

    access: ClassVar = {"GET": READ_MERGES}
    queryset = QUERYSET
    serializer_class = MergeAnswer
    lookup_url_kwarg = "merge_id"
    filter_backends: ClassVar[tuple[Any, ...]] = ()

    @extend_schema(operation_id="merges_get")
    def get(self, *args: Any, **kwargs: Any) -> Any:
        """Return one merge."""
        return super().get(*args, **kwargs)


class UndoView(DeskView):
    """Taking a merge back."""

    access: ClassVar = {"GET": READ_MERGES, "POST": UNDO}

    @extend_schema(responses={200: UnmergePlanAnswer}, operation_id="merges_undo_preview")
    def get(self, request: Request, merge_id: int) -> Response:
        """Show what an undo would do now: rows, fields, and what arrived since."""
        return Response(UnmergePlanAnswer(plan_unmerge(merge_id)).data)

    @extend_schema(request=UndoBody, responses={200: MergeAnswer}, operation_id="merges_undo")
    @once
    def post(self, request: Request, merge_id: int) -> Response:
        """Take a merge back, row for row."""
        body = read(UndoBody, request.data)
        merge = undo_merge(
            merge_id=merge_id,
            judge_different=body["judge_different"],
            assign={row: str(customer) for row, customer in body.get("assign", {}).items()},
            actor=actor_of(request),
        )
        return Response(MergeAnswer(merge).data)
