"""Explaining: why two customers are, or are not, one person."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from resolution.api.permissions import READ
from resolution.api.serializers import BANDS, Body, FieldEvidenceAnswer, Id, read
from resolution.api.views import DeskView
from resolution.models import Judgement
from resolution.selectors.explain import explain_pair


class ExplainQuery(Body):
    a = Id()
    b = Id()


class ExplainAnswer(serializers.Serializer[Any]):
    """Why two customers are, or are not, one person: the weight is the sum of the evidence."""

    a = serializers.UUIDField(source="left_id", help_text="The live customer `a` stands for.")
    b = serializers.UUIDField(source="right_id", help_text="The live customer `b` stands for.")
    weight = serializers.FloatField(source="score.weight")
    probability = serializers.FloatField(source="score.probability")
    band = serializers.ChoiceField(choices=BANDS)
    hard_conflict = serializers.CharField(source="score.hard_conflict")
    evidence = FieldEvidenceAnswer(source="score.fields", many=True)
    verdict = serializers.ChoiceField(
        choices=Judgement.Verdict.choices, allow_blank=True, help_text="What a person last said; or empty."
    )
    verdict_fresh = serializers.BooleanField(help_text="Whether the values that person compared still stand.")


class ExplainView(DeskView):
    """Why, or why not?"""

    access: ClassVar = {"GET": READ}
    query = ExplainQuery

    @extend_schema(parameters=[ExplainQuery], responses={200: ExplainAnswer}, operation_id="explain")
    def get(self, request: Request) -> Response:
        """Score two customers, with the reason per field."""
        asked = read(ExplainQuery, request.query_params.dict())
        return Response(ExplainAnswer(explain_pair(asked["a"], asked["b"])).data)
