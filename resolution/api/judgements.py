"""Judgements: what a person says of two customers."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db.models import Q, QuerySet
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.models import Customer
from resolution.api import filters as desk
from resolution.api.authentication import actor_of
from resolution.api.idempotency import once
from resolution.api.permissions import JUDGE, READ_JUDGEMENTS
from resolution.api.serializers import Body, Comment, Id, OneOf, read
from resolution.api.views import DeskListView
from resolution.models import Judgement
from resolution.services.judge import judge_pair


class JudgementBody(Body):
    left_id = Id()
    right_id = Id()
    verdict = OneOf(choices=Judgement.Verdict.choices)
    relation = OneOf(
        choices=[choice for choice in Judgement.Relation.choices if choice[0]],
        required=False,
        help_text="How related ones are related; only with the verdict related.",
    )
    reason = Comment()


class JudgementAnswer(serializers.ModelSerializer[Judgement]):
    """A verdict on a pair; the pair is ordered, whichever way it was given.

    It names the customers as they were judged. `superseded_at` is null while it lives; what took its place is
    `superseded_by`. `conflict_id` is the conflict it was said in.
    """

    left_id = serializers.UUIDField()
    right_id = serializers.UUIDField()
    conflict_id = serializers.IntegerField(allow_null=True)
    superseded_by = serializers.IntegerField(source="superseded_by_id", allow_null=True)

    class Meta:
        model = Judgement
        fields = (
            "id", "left_id", "right_id", "verdict", "relation", "reason", "actor_name", "conflict_id",
            "created_at", "superseded_at", "superseded_by",
        )  # fmt: skip
        read_only_fields = fields


class JudgementFilter(filters.FilterSet):
    customer = desk.CustomerId(
        method="about", help_text="What was said of this customer and of those merged into it."
    )
    verdict = desk.OneOf(choices=Judgement.Verdict.choices)
    live = desk.OneOf(
        choices=[("true", "Live"), ("false", "Superseded")],
        method="living",
        help_text="true: not superseded; false: superseded; left out: all.",
    )
    actor = filters.CharFilter(field_name="actor_name", max_length=150)
    created_after = desk.Moment(field_name="created_at", lookup_expr="gte")
    created_before = desk.Moment(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Judgement
        fields: ClassVar[list[str]] = []

    def about(self, rows: QuerySet[Judgement], name: str, customer: uuid.UUID) -> QuerySet[Judgement]:
        group = Customer.objects.filter(Q(pk=customer) | Q(merged_into=customer)).values("pk")
        return rows.filter(Q(left__in=group) | Q(right__in=group))

    def living(self, rows: QuerySet[Judgement], name: str, live: str) -> QuerySet[Judgement]:
        return rows.filter(superseded_at__isnull=live == "true")


class JudgementView(DeskListView):
    """List verdicts on pairs, newest first, those superseded by later words too."""

    access: ClassVar = {"GET": READ_JUDGEMENTS, "POST": JUDGE}
    queryset = Judgement.objects.all()
    serializer_class = JudgementAnswer
    filterset_class = JudgementFilter

    @extend_schema(request=JudgementBody, responses={201: JudgementAnswer}, operation_id="judgements_create")
    @once
    def post(self, request: Request) -> Response:
        """Say whether two customers are the same; a later word supersedes an earlier one."""
        body = read(JudgementBody, request.data)
        judgement = judge_pair(
            left_id=body["left_id"],
            right_id=body["right_id"],
            verdict=body["verdict"],
            relation=body.get("relation", ""),
            reason=body.get("reason", ""),
            actor=actor_of(request),
        )
        return Response(JudgementAnswer(judgement).data, status=201)
