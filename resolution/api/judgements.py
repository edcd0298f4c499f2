"""Judgements: what a person says of two customers."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from resolution.api.authentication import actor_of
from resolution.api.idempotency import once
from resolution.api.permissions import JUDGE
from resolution.api.serializers import Body, Comment, Id, OneOf, read
from resolution.api.views import DeskView
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
    """A verdict on a pair; the pair is ordered, whichever way it was given."""

    left_id = serializers.UUIDField()
    right_id = serializers.UUIDField()

    class Meta:
        model = Judgement
        fields = ("id", "left_id", "right_id", "verdict", "relation", "reason", "actor_name", "created_at")
        read_only_fields = fields


class JudgementView(DeskView):
    """Verdicts on pairs."""

    access: ClassVar = {"POST": JUDGE}

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
