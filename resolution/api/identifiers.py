"""Identifiers of a customer: seen, linked, taken off."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any, ClassVar

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.models import Mapping
from resolution.api.authentication import actor_of
from resolution.api.filters import OneOf
from resolution.api.idempotency import once
from resolution.api.permissions import LINK, READ
from resolution.api.serializers import Body, Flag, IdentifierBody, Number, PastMoment, Text, read
from resolution.api.views import DeskListView, DeskView
from resolution.selectors.customers import get_canonical
from resolution.services.conflicts import CLAIMS_LEFT
from resolution.services.link import link_customer_identifier, unlink_customer_identifier

LINK_ACTIONS = (
    "linked", "unchanged", "updated", "conflict_verified", "conflict_high_confidence",
    "conflict_contradiction",
)  # fmt: skip


class MappingAnswer(serializers.ModelSerializer[Mapping]):
    """One identifier of one customer on one channel."""

    type = serializers.CharField(source="identifier_type")
    value = serializers.CharField(source="channel_identifier")
    channel = serializers.SlugRelatedField[Mapping](slug_field="code", read_only=True)
    customer_id = serializers.UUIDField()
    confidence = serializers.FloatField(source="confidence_score")

    class Meta:
        model = Mapping
        fields = (
            "id", "customer_id", "channel", "type", "value", "normalised", "confidence", "verified", "status",
            "first_seen_at", "last_seen_at", "valid_from", "valid_to",
        )  # fmt: skip
        read_only_fields = fields


class MappingFilter(filters.FilterSet):
    status = OneOf(choices=Mapping.Status.choices)

    class Meta:
        model = Mapping
        fields: ClassVar[list[str]] = []


class LinkBody(IdentifierBody):
    channel = Text(max_length=50, help_text="Code of the channel it was seen on.")
    confidence = Number(required=False, default=1.0, min_value=0, max_value=1)
    verified = Flag(required=False, default=False)
    valid_from = PastMoment(
        required=False,
        help_text="When it passed to this customer, if not now; until then it stays its last owner's.",
    )


class LinkAnswer(serializers.Serializer[Any]):
    """What became of the claim; with `resolution_needed` nothing moved and a conflict waits for a person.

    With `decided` nothing moved either: a person has decided the same claim before, in that conflict.
    """

    action = serializers.ChoiceField(choices=LINK_ACTIONS)
    customer_id = serializers.CharField()
    existing_customer_id = serializers.CharField(help_text="Who owned it before, or still does; or empty.")
    conflict_id = serializers.IntegerField(allow_null=True)
    resolution_needed = serializers.BooleanField()
    decided = serializers.ChoiceField(
        choices=["", *sorted(CLAIMS_LEFT)],
        help_text="The outcome of the conflict that answered the same claim before; or empty.",
    )


class UnlinkQuery(Body):
    reason = Text(required=False, max_length=255)


@extend_schema_view(get=extend_schema(operation_id="identifiers_list"))
class IdentifierListView(DeskListView):
    """The identifiers of one customer."""

    access: ClassVar = {"GET": READ, "POST": LINK}
    queryset = Mapping.objects.none()
    serializer_class = MappingAnswer
    filterset_class = MappingFilter

    def get_queryset(self) -> Any:
        customer = get_canonical(self.kwargs["customer_id"])
        return Mapping.objects.filter(customer=customer).select_related("channel")

    @extend_schema(request=LinkBody, responses={200: LinkAnswer}, operation_id="identifiers_link")
    @once
    def post(self, request: Request, customer_id: uuid.UUID) -> Response:
        """Say that an identifier belongs to this customer; somebody else's is not taken away silently."""
        body = read(LinkBody, request.data)
        outcome = link_customer_identifier(
            customer_id=customer_id,
            channel=body["channel"],
            identifier_type=body["type"],
            value=body["value"],
            confidence=Decimal(str(body["confidence"])).quantize(Decimal("0.01")),
            verified=body["verified"],
            valid_from=body.get("valid_from"),
            actor=actor_of(request),
        )
        return Response(LinkAnswer(outcome).data)


class IdentifierView(DeskView):
    """One identifier of one customer."""

    access: ClassVar = {"DELETE": LINK}
    query = UnlinkQuery

    @extend_schema(parameters=[UnlinkQuery], responses={204: None}, operation_id="identifiers_unlink")
    def delete(self, request: Request, customer_id: uuid.UUID, mapping_id: uuid.UUID) -> Response:
        """Take an identifier off a customer; it stays in the trail."""
        unlink_customer_identifier(
            customer_id=customer_id,
            mapping_id=mapping_id,
            reason=read(UnlinkQuery, request.query_params.dict()).get("reason", ""),
            actor=actor_of(request),
        )
        return Response(status=204)
