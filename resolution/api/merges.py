"""Merges: what was joined, and taking it back."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from resolution.api.authentication import actor_of
from resolution.api.filters import CustomerId, Moment, OneOf
from resolution.api.idempotency import once
from resolution.api.pagination import PAGE_LIMIT
from resolution.api.permissions import READ_MERGES, UNDO
from resolution.api.serializers import Body, Flag, Id, Several, Text, Words, read
from resolution.api.views import DeskDetailView, DeskListView, DeskView
from resolution.models import Merge, MergeMember
from resolution.selectors.customers import get_canonical
from resolution.selectors.merge_tree import merge_tree
from resolution.services.unmerge import Side, plan_unmerge, undo_merge

QUERYSET = Merge.objects.prefetch_related("members")


class MergeMemberAnswer(serializers.ModelSerializer[MergeMember]):
    """One customer of a merge; `live` is false once it was taken out again."""

    customer_id = serializers.UUIDField()

    class Meta:
        model = MergeMember
        fields: ClassVar[tuple[str, ...]] = ("customer_id", "live", "undone_at", "undone_by")
        read_only_fields = fields


class MergeAnswer(serializers.ModelSerializer[Merge]):
    """One merge; `undone_at` is null while it stands, with all its members or with those that are `live`."""

    survivor_id = serializers.UUIDField()
    absorbed = serializers.SerializerMethodField()
    members = MergeMemberAnswer(many=True)
    run_id = serializers.IntegerField(allow_null=True)

    class Meta:
        model = Merge
        fields: ClassVar[tuple[str, ...]] = (
            "id", "survivor_id", "absorbed", "members", "method", "weight", "actor_kind", "actor_name",
            "run_id", "created_at", "undone_at", "undone_by",
        )  # fmt: skip
        read_only_fields = fields

    def get_absorbed(self, merge: Merge) -> list[str]:
        return [str(member.customer_id) for member in merge.members.all()]


@extend_schema_field(OpenApiTypes.BOOL)
class YesNoFilter(filters.TypedChoiceFilter):
    """true or false; django-filter's own passes over any other word."""

    def __init__(self, **options: Any) -> None:
        choices = [("true", "yes"), ("false", "no")]
        errors = {"invalid_choice": "true or false is wanted; this is “%(value)s”."}
        super().__init__(
            choices=choices, coerce=lambda word: word == "true", error_messages=errors, **options
        )


class MergeFilter(filters.FilterSet):
    survivor = CustomerId(field_name="survivor_id")
    absorbed = CustomerId(field_name="members__customer_id")
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
    """One row that came since; `goes_to` is empty when nothing tells whose it is."""

    relation = serializers.CharField()
    label = serializers.CharField()
    row_id = serializers.CharField()
    title = serializers.CharField()
    at = serializers.DateTimeField()
    goes_to = serializers.CharField()
    why = serializers.CharField()


class QuestionReturnAnswer(serializers.Serializer[Any]):
    """One open conflict it touches; `goes_to` is whom it names afterwards instead, empty when it stays."""

    conflict_id = serializers.IntegerField()
    reason = serializers.CharField()
    goes_to = serializers.CharField()


class KeptApartAnswer(serializers.Serializer[Any]):
    """A live “not the same” that was said of the whole and counts for who leaves, too."""

    judgement_id = serializers.IntegerField(source="judgement")
    customer_id = serializers.UUIDField(source="other")
    name = serializers.CharField(source="other_name")
    judged_by = serializers.CharField(source="who")
    judged_at = serializers.DateTimeField(source="when")


class UnmergePlanAnswer(serializers.Serializer[Any]):
    """What an undo would do; answer `asks` in `assign` and `assign_others`; `blockers` forbid it."""

    merge_id = serializers.IntegerField()
    survivor = SideAnswer(help_text="Who the rest stays with, whoever absorbed the merge's survivor since.")
    returning = SideAnswer(many=True)
    ends = serializers.BooleanField(help_text="Whether nobody is left in the merge afterwards.")
    fields = FieldReturnAnswer(many=True)
    arrivals = ArrivalAnswer(many=True)
    asks = ArrivalAnswer(many=True)
    questions = QuestionReturnAnswer(many=True)
    left = serializers.ListField(child=serializers.CharField())
    kept_apart = KeptApartAnswer(many=True, help_text="From whom everyone who leaves is kept apart, too.")
    blockers = serializers.ListField(child=serializers.CharField())
    fingerprint = serializers.CharField(help_text="Send it along, and nothing else than this will be done.")


class UndoQuery(Body):
    member = Id(required=False, help_text="Only this customer is taken out; everyone left, when not given.")


class UndoBody(Body):
    member_ids = Several(
        child=Id(),
        required=False,
        min_length=1,
        max_length=PAGE_LIMIT,
        help_text="Only these are taken out, each with all it had absorbed; everyone left, when not given.",
    )
    judge_different = Flag(
        required=False, default=True, help_text="Whether to note that both sides are different people."
    )
    assign = Words(
        child=Id(), required=False, help_text="Row id → customer id, for each row the preview asks about."
    )
    assign_others = Id(required=False, help_text="Where all rows asked about go that `assign` leaves out.")
    fingerprint = Text(
        required=False, allow_blank=True, max_length=64, help_text="The preview's; refused if it is another."
    )
    dry_run = Flag(required=False, default=False, help_text="Answer with the plan, but write nothing.")


class MergeListView(DeskListView):
    """List merges, newest first."""

    access: ClassVar = {"GET": READ_MERGES}
    queryset = QUERYSET
    serializer_class = MergeAnswer
    filterset_class = MergeFilter


class MergeView(DeskDetailView):
    """One merge."""

    access: ClassVar = {"GET": READ_MERGES}
    queryset = QUERYSET
    serializer_class = MergeAnswer
    lookup_url_kwarg = "merge_id"
    noun = "merge"

    @extend_schema(operation_id="merges_get")
    def get(self, *args: Any, **kwargs: Any) -> Any:
        """Return one merge."""
        return super().get(*args, **kwargs)


class TreeMemberAnswer(serializers.Serializer[Any]):
    """One customer of a merge; `live` is false once it was taken out again."""

    customer_id = serializers.CharField()
    name = serializers.CharField()
    live = serializers.BooleanField()
    undone_at = serializers.DateTimeField(allow_null=True)
    undone_by = serializers.CharField()


class TreeMergeAnswer(serializers.Serializer[Any]):
    """One merge of a customer's tree, followed by those its members had gone through before."""

    id = serializers.IntegerField(source="row.id")
    depth = serializers.IntegerField(help_text="Merges between this one and the customer; 0 for its own.")
    survivor_id = serializers.CharField(source="row.survivor_id")
    members = TreeMemberAnswer(source="row.absorbed", many=True)
    method = serializers.CharField(source="row.method")
    weight = serializers.FloatField(source="row.weight", allow_null=True)
    actor_name = serializers.CharField(source="row.by")
    rows_moved = serializers.IntegerField(source="row.rows_moved")
    created_at = serializers.DateTimeField(source="row.at")
    undone_at = serializers.DateTimeField(source="row.undone_at", allow_null=True)
    undone_by = serializers.CharField(source="row.undone_by")


class MergeTreeAnswer(serializers.Serializer[Any]):
    """How a customer was built, newest first; `cut` when the oldest merges are left out."""

    customer_id = serializers.CharField()
    merges = TreeMergeAnswer(source="flat", many=True)
    cut = serializers.BooleanField()


class CustomerMergesView(DeskView):
    """The merges that made one customer."""

    access: ClassVar = {"GET": READ_MERGES}

    @extend_schema(responses=MergeTreeAnswer, operation_id="customer_merges")
    def get(self, request: Request, customer_id: uuid.UUID) -> Response:
        """Return the tree of merges, standing or undone, of the live customer an id stands for."""
        return Response(MergeTreeAnswer(merge_tree(get_canonical(customer_id).pk)).data)


class UndoView(DeskView):
    """Taking a merge back, or members out of it."""

    access: ClassVar = {"GET": READ_MERGES, "POST": UNDO}
    query = UndoQuery

    def parameters(self) -> frozenset[str]:
        """What may follow the address: nothing when it is the body that names the members."""
        return frozenset() if self.request.method == "POST" else super().parameters()

    @extend_schema(
        parameters=[UndoQuery], responses={200: UnmergePlanAnswer}, operation_id="merges_undo_preview"
    )
    def get(self, request: Request, merge_id: int) -> Response:
        """Show what an undo would do now: rows, fields, questions, and what arrived since."""
        member = read(UndoQuery, request.query_params.dict()).get("member")
        plan = plan_unmerge(merge_id, member_ids=[member] if member else None)
        return Response(UnmergePlanAnswer(plan).data)

    @extend_schema(
        request=UndoBody,
        responses={
            200: PolymorphicProxySerializer(
                "Undone", [MergeAnswer, UnmergePlanAnswer], resource_type_field_name=None
            )
        },
        operation_id="merges_undo",
    )
    @once
    def post(self, request: Request, merge_id: int) -> Response:
        """Take a merge back, or members out of it, row for row."""
        body = read(UndoBody, request.data)
        wanted: dict[str, Any] = {
            "member_ids": body.get("member_ids"),
            "assign": {row: str(customer) for row, customer in body.get("assign", {}).items()},
            "assign_others": str(body.get("assign_others", "")),
        }
        if body["dry_run"]:
            return Response(UnmergePlanAnswer(plan_unmerge(merge_id, **wanted)).data)
        merge = undo_merge(
            merge_id=merge_id,
            **wanted,
            judge_different=body["judge_different"],
            fingerprint=body.get("fingerprint", ""),
            actor=actor_of(request),
        )
        return Response(MergeAnswer(merge).data)
