"""Match models: what there is, what each would change, and which one decides."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from resolution.api.authentication import actor_of
from resolution.api.filters import OneOf
from resolution.api.idempotency import once
from resolution.api.permissions import COMPARE_MODELS, PROMOTE_MODELS, READ_MODELS
from resolution.api.serializers import Body, read
from resolution.api.views import DeskListView, DeskView
from resolution.jobs import start_compare_model
from resolution.models import StoredModel
from resolution.selectors.comparison import comparison_card
from resolution.selectors.match_model import all_models, find_model, live_version
from resolution.services.match_models import promote, roll_back


@extend_schema_field({"type": "object", "additionalProperties": True})
class FreeAnswer(serializers.JSONField):
    pass


class ModelAnswer(serializers.ModelSerializer[StoredModel]):
    """A match model; drafts decide nothing, and at most one is live."""

    made_by = serializers.CharField(source="maker_name")
    promoted_by = serializers.SlugRelatedField[StoredModel](
        slug_field="username", read_only=True, allow_null=True
    )
    metrics = FreeAnswer()

    class Meta:
        model = StoredModel
        fields: ClassVar[tuple[str, ...]] = (
            "version", "name", "state", "digest", "metrics", "notes", "made_by", "promoted_by", "created_at",
            "promoted_at", "retired_at",
        )  # fmt: skip
        read_only_fields = fields
        extra_kwargs: ClassVar = {"created_at": {"allow_null": True}}


class NamedAnswer(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField()


class EntryAnswer(serializers.Serializer[Any]):
    """Customers a model treats otherwise: the weight of their strongest pair before and after, and why.

    For a customer that would split, `parts` has the names its records would fall into.
    """

    customers = serializers.SerializerMethodField()
    before = serializers.FloatField(allow_null=True)
    after = serializers.FloatField(allow_null=True)
    why = serializers.CharField()
    parts = serializers.ListField(child=serializers.ListField(child=serializers.CharField()))

    @extend_schema_field(NamedAnswer(many=True))
    def get_customers(self, entry: Any) -> list[dict[str, str]]:
        return [{"id": key, "name": name} for key, name in entry.customers]


class ChangeAnswer(serializers.Serializer[Any]):
    """One kind of difference: all are counted in `number`, the first are named."""

    kind = serializers.CharField(source="key")
    title = serializers.CharField()
    number = serializers.IntegerField()
    entries = EntryAnswer(many=True)


class ComparisonAnswer(serializers.Serializer[Any]):
    """What a shadow run over the register found against the model live then."""

    live = serializers.CharField()
    at = serializers.DateTimeField()
    by = serializers.CharField()
    run_id = serializers.IntegerField()
    customers = serializers.IntegerField()
    pairs = serializers.IntegerField()
    changes = ChangeAnswer(many=True)


class WholeModelAnswer(ModelAnswer):
    """A match model with its artefact, and its comparison once there was one."""

    artefact = serializers.SerializerMethodField()
    comparison = serializers.SerializerMethodField()

    class Meta(ModelAnswer.Meta):
        fields = (*ModelAnswer.Meta.fields, "comparison", "artefact")

    @extend_schema_field({"type": "object", "additionalProperties": True})
    def get_artefact(self, row: StoredModel) -> Any:
        return json.loads(row.artefact)

    @extend_schema_field(ComparisonAnswer(allow_null=True))
    def get_comparison(self, row: StoredModel) -> Any:
        card = comparison_card(row)
        return None if card is None else ComparisonAnswer(card).data


class StartedAnswer(serializers.Serializer[Any]):
    """A run the worker was asked for."""

    job = serializers.IntegerField()
    model = serializers.CharField()


class LiveAnswer(serializers.Serializer[Any]):
    """The version that decides from now on."""

    live = serializers.CharField()


class ModelFilter(filters.FilterSet):
    state = OneOf(choices=StoredModel.State.choices)

    class Meta:
        model = StoredModel
        fields: ClassVar[list[str]] = []


class ModelListView(DeskListView):
    """List the stored models, newest first; while none is live the shipped one decides."""

    access: ClassVar = {"GET": READ_MODELS}
    queryset = all_models()
    serializer_class = ModelAnswer
    filterset_class = ModelFilter


class ModelView(DeskView):
    """One model."""

    access: ClassVar = {"GET": READ_MODELS}

    @extend_schema(responses={200: WholeModelAnswer}, operation_id="models_get")
    def get(self, request: Request, version: str) -> Response:
        """Return one model, the shipped one too, with what it would change by name."""
        return Response(WholeModelAnswer(find_model(version)).data)


class CompareView(DeskView):
    """Trying a model in shadow."""

    access: ClassVar = {"POST": COMPARE_MODELS}

    @extend_schema(request=Body, responses={202: StartedAnswer}, operation_id="models_compare")
    @once
    def post(self, request: Request, version: str) -> Response:
        """Ask the worker to compare a model with the live one; the result is on the model once it is done."""
        read(Body, request.data)
        job = start_compare_model(version, actor_of(request))
        return Response(StartedAnswer({"job": job, "model": version}).data, status=202)


class PromoteView(DeskView):
    """Letting a model decide."""

    access: ClassVar = {"POST": PROMOTE_MODELS}

    @extend_schema(request=Body, responses={200: WholeModelAnswer}, operation_id="models_promote")
    @once
    def post(self, request: Request, version: str) -> Response:
        """Promote a model that was compared with the one now live; who made it is refused."""
        read(Body, request.data)
        return Response(WholeModelAnswer(promote(version=version, actor=actor_of(request))).data)


class RollBackView(DeskView):
    """Taking the live model out of force."""

    access: ClassVar = {"POST": PROMOTE_MODELS}

    @extend_schema(request=Body, responses={200: LiveAnswer}, operation_id="models_roll_back")
    @once
    def post(self, request: Request, version: str) -> Response:
        """Let the model live again that this live one replaced, which may be the shipped one."""
        read(Body, request.data)
        roll_back(version=version, actor=actor_of(request))
        return Response(LiveAnswer({"live": live_version()}).data)
