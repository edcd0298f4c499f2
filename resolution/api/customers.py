"""Customers: who an id stands for, what is known of them, and their past."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from customers.models import PROFILE_FIELDS, Channel, Customer, Mapping
from resolution.api.authentication import actor_of
from resolution.api.etags import etag_of, is_held, version_seen
from resolution.api.filters import Moment, OneOf, Part
from resolution.api.pagination import PAGE_LIMIT
from resolution.api.permissions import LINK, READ
from resolution.api.schema import IF_MATCH, IF_NONE_MATCH
from resolution.api.serializers import (
    FIELD_RULES,
    AnyMoment,
    Body,
    Day,
    PastMoment,
    Text,
    WholeInQuery,
    read,
)
from resolution.api.views import DeskListView, DeskView
from resolution.selectors.customer_as_of import customer_as_of
from resolution.selectors.customer_card import golden_fields
from resolution.selectors.customers import get_canonical
from resolution.selectors.history import customer_history
from resolution.selectors.past import IdentifierThen
from resolution.services.profiles import update_profile


class CustomerAnswer(serializers.ModelSerializer[Customer]):
    """A customer; `canonical_id` is the live customer its id stands for, its own unless merged."""

    canonical_id = serializers.UUIDField()

    class Meta:
        model = Customer
        fields = (
            "id", "canonical_id", "status", "version", *PROFILE_FIELDS, "attributes",
            "last_interaction_at", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields


class CanonicalCustomerAnswer(CustomerAnswer):
    """The live customer an id stands for; `requested_id` differs from `id` when that one was merged."""

    requested_id = serializers.SerializerMethodField()

    class Meta(CustomerAnswer.Meta):
        fields = ("requested_id", *CustomerAnswer.Meta.fields)

    def get_requested_id(self, customer: Customer) -> uuid.UUID:
        return self.context["requested_id"]


class CustomerFilter(filters.FilterSet):
    status = OneOf(choices=Customer.Status.choices)
    name = Part(max_length=255)
    email = Part(max_length=255)
    phone = Part(max_length=50)
    company = Part(max_length=255)
    created_after = Moment(field_name="created_at", lookup_expr="gte")
    created_before = Moment(field_name="created_at", lookup_expr="lt")

    class Meta:
        model = Customer
        fields: ClassVar[list[str]] = []


class ProfileBody(Body):
    """The fields to change; those left out stay."""

    birth_date = Day(required=False, allow_null=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        texts = {
            name: Text(required=False, allow_blank=True, max_length=_longest(name))
            for name in PROFILE_FIELDS
            if name != "birth_date"
        }
        return {**texts, **super().get_fields()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError(
                f"Give at least one field to change: {', '.join(PROFILE_FIELDS)}."
            )
        return attrs


def _longest(name: str) -> int | None:
    field: Any = Customer._meta.get_field(name)
    return field.max_length


class TimelineEntryAnswer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    kind = serializers.CharField(help_text="message, ticket or an audit action.")
    title = serializers.CharField()
    detail = serializers.CharField()
    who = serializers.CharField()
    channel = serializers.CharField()
    row_id = serializers.CharField()
    customer_id = serializers.CharField(help_text="Whose it was when it happened.")


class HistoryAnswer(serializers.Serializer[Any]):
    """What happened to a customer and to those merged into it, newest first."""

    entries = TimelineEntryAnswer(many=True)
    older = serializers.DateTimeField(
        allow_null=True, help_text="Pass as `before` for what lies further back."
    )


class HistoryQuery(Body):
    before = AnyMoment(required=False)
    limit = WholeInQuery(required=False, default=100, max_value=PAGE_LIMIT)


class AsOfQuery(Body):
    moment = PastMoment(help_text="With its time zone, such as 2026-01-31T09:30:00Z; it has passed.")


class IdentifierThenAnswer(serializers.Serializer[Any]):
    """One identifier as it was linked; `owned` unless it was shared, ended or folded into an equal one."""

    id = serializers.UUIDField(source="mapping_id")
    channel = serializers.SerializerMethodField()
    type = serializers.CharField()
    value = serializers.CharField()
    normalised = serializers.CharField()
    confidence = serializers.FloatField()
    verified = serializers.BooleanField()
    status = serializers.ChoiceField(choices=Mapping.Status.choices)
    owned = serializers.BooleanField(source="owns")

    def get_channel(self, link: IdentifierThen) -> str:
        return str(self.context["channels"][link.channel_id])


class CustomerThenAnswer(serializers.Serializer[Any]):
    """A customer as it was; `canonical_id` is the customer its id stood for then."""

    id = serializers.UUIDField(source="customer_id")
    moment = serializers.DateTimeField()
    canonical_id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Customer.Status.choices)
    birth_date = serializers.DateField(source="fields.birth_date", allow_null=True)
    attributes = serializers.DictField()
    identifiers = IdentifierThenAnswer(many=True)

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        texts = {
            name: serializers.CharField(source=f"fields.{name}")
            for name in PROFILE_FIELDS
            if name != "birth_date"
        }
        return {**texts, **super().get_fields()}


class StepAnswer(serializers.Serializer[Any]):
    """One merge's choice of a value."""

    merge_id = serializers.IntegerField()
    at = serializers.DateTimeField()
    source = serializers.CharField(
        source="source_id", help_text="The customer whose value was taken, or “typed”."
    )
    rule = serializers.ChoiceField(choices=FIELD_RULES)
    kept = serializers.BooleanField(help_text="Whether it was the survivor's own.")


class EditAnswer(serializers.Serializer[Any]):
    """Who wrote a value after the merges."""

    who = serializers.CharField()
    at = serializers.DateTimeField()


class GoldenFieldAnswer(serializers.Serializer[Any]):
    """One value; `steps` are the merges that brought it, newest first, none when no merge had a say."""

    field = serializers.CharField(help_text="A profile field, or attributes.key.")
    value = serializers.CharField()
    verified = serializers.BooleanField()
    seen_on = serializers.CharField(source="source", help_text="The channels that show it.")
    steps = StepAnswer(source="provenance.steps", many=True)
    edited = EditAnswer(
        source="provenance.edit", allow_null=True, help_text="Who wrote it since it was last merged."
    )


class ProvenanceAnswer(serializers.Serializer[Any]):
    """A customer's values with their sources; fields without a value are left out."""

    customer_id = serializers.UUIDField()
    fields = GoldenFieldAnswer(many=True)


class CustomerListView(DeskListView):
    """List customers, newest first."""

    access: ClassVar = {"GET": READ}
    queryset = Customer.objects.all()
    serializer_class = CustomerAnswer
    filterset_class = CustomerFilter


class CustomerView(DeskView):
    """One customer."""

    access: ClassVar = {"GET": READ, "PATCH": LINK}

    @extend_schema(
        parameters=[IF_NONE_MATCH],
        responses={200: CanonicalCustomerAnswer, 304: None},
        operation_id="customer_get",
    )
    def get(self, request: Request, customer_id: uuid.UUID) -> Response:
        """Return the live customer an id stands for, whichever of its ids was asked for."""
        return _shown(request, get_canonical(customer_id), requested_id=customer_id)

    @extend_schema(
        parameters=[IF_MATCH],
        request=ProfileBody,
        responses=CanonicalCustomerAnswer,
        operation_id="customer_update",
    )
    def patch(self, request: Request, customer_id: uuid.UUID) -> Response:
        """Change profile fields of the customer as you saw it."""
        customer = update_profile(
            customer_id=customer_id,
            version=version_seen(request),
            changes=read(ProfileBody, request.data),
            actor=actor_of(request),
        )
        return _shown(request, customer, requested_id=customer_id)


class CustomerProvenanceView(DeskView):
    """Where one customer's values come from."""

    access: ClassVar = {"GET": READ}

    @extend_schema(responses=ProvenanceAnswer, operation_id="customer_provenance")
    def get(self, request: Request, customer_id: uuid.UUID) -> Response:
        """Return the values of the live customer an id stands for, each with the merges that brought it."""
        customer = get_canonical(customer_id)
        fields = [entry for entry in golden_fields(customer) if entry.value]
        return Response(ProvenanceAnswer({"customer_id": customer.pk, "fields": fields}).data)


class CustomerHistoryView(DeskView):
    """One customer's past."""

    access: ClassVar = {"GET": READ}
    query = HistoryQuery

    @extend_schema(parameters=[HistoryQuery], responses=HistoryAnswer, operation_id="customer_history")
    def get(self, request: Request, customer_id: uuid.UUID) -> Response:
        """Return the timeline of a customer: messages, tickets and every change of identity."""
        asked = read(HistoryQuery, request.query_params.dict())
        history = customer_history(
            get_canonical(customer_id).pk, before=asked.get("before"), limit=asked["limit"]
        )
        return Response(HistoryAnswer(history).data)


class CustomerAsOfView(DeskView):
    """One customer as it was."""

    access: ClassVar = {"GET": READ}
    query = AsOfQuery

    @extend_schema(parameters=[AsOfQuery], responses=CustomerThenAnswer, operation_id="customer_as_of")
    def get(self, request: Request, customer_id: uuid.UUID) -> Response:
        """Return a customer as it was at a moment, as the trail tells it: this very id, merged or not."""
        then = customer_as_of(customer_id, read(AsOfQuery, request.query_params.dict())["moment"])
        wanted = {link.channel_id for link in then.identifiers}
        channels = dict(Channel.objects.filter(pk__in=wanted).values_list("pk", "code"))
        return Response(CustomerThenAnswer(then, context={"channels": channels}).data)


def _shown(request: Request, customer: Customer, *, requested_id: uuid.UUID) -> Response:
    body = CanonicalCustomerAnswer(customer, context={"requested_id": requested_id}).data
    tag = etag_of(customer.version, body)
    headers = {
        "ETag": tag,
        "Content-Location": reverse("api:customer", args=[customer.pk]),
        "Cache-Control": "private, no-cache",
    }
    if request.method == "GET" and is_held(request, tag):
        return Response(status=304, headers=headers)
    return Response(body, headers=headers)
