"""Resolving: who is this, and who might it be."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.models import PROFILE_FIELDS
from resolution.api.authentication import actor_of
from resolution.api.idempotency import once
from resolution.api.permissions import RESOLVE, SEARCH
from resolution.api.serializers import (
    BANDS,
    VALUE_LENGTH,
    Body,
    Flag,
    IdentifierBody,
    Number,
    PairScoreAnswer,
    PastMoment,
    Text,
    Whole,
    Words,
    read,
)
from resolution.api.views import DeskView
from resolution.matching.normalise.profile import RECORD_FIELDS
from resolution.services.resolve import (
    create_or_resolve_customer,
    find_potential_duplicates,
    resolve_identifiers,
)
from resolution.types import Resolution

STATUSES = ("matched", "linked", "created", "review", "unknown")
MOST_IDENTIFIERS = 50
MOST_CANDIDATES = 100


class FieldsBody(Body):
    """What is known of a person, as the source wrote it."""

    names: ClassVar[tuple[str, ...]] = PROFILE_FIELDS

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {name: Text(required=False, allow_blank=True, max_length=VALUE_LENGTH) for name in self.names}


class RecordBody(FieldsBody):
    """A record to compare with the register."""

    names = tuple(RECORD_FIELDS)


class ResolveBody(Body):
    channel = Text(max_length=50, help_text="Code of the channel it was seen on.")
    message = Words(
        required=False,
        help_text="The message as it came: sender_id, customer_email, customer_phone, external_customer_id,"
        " handle, profile fields, subject, content, and message_id, the channel's own. What else it holds is"
        " kept with it.",
    )
    identifiers = IdentifierBody(many=True, required=False, max_length=MOST_IDENTIFIERS)
    fields = FieldsBody(required=False)
    dry_run = Flag(required=False, default=False, help_text="Answer, but write nothing.")
    as_of = PastMoment(
        required=False,
        help_text="Answer by who had the identifiers at this past moment; writes nothing, and takes neither a"
        " message nor fields.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        person = attrs.get("identifiers") or attrs.get("fields")
        if bool(attrs.get("message")) == bool(person):
            raise serializers.ValidationError(
                "Give either a message, or identifiers and fields; and not both."
            )
        if "as_of" in attrs and not (attrs.get("identifiers") and not attrs.get("fields")):
            raise serializers.ValidationError(
                "as_of asks who had identifiers at a moment: give identifiers, no message and no fields."
            )
        return attrs


class PastOwnerAnswer(serializers.Serializer[Any]):
    """Who had one of the identifiers at the moment asked of."""

    type = serializers.CharField(source="identifier.type")
    value = serializers.CharField(source="identifier.value")
    customer_id = serializers.CharField(help_text="The id its owner had then.")
    canonical_id = serializers.CharField(help_text="The customer that id stands for now.")
    confidence = serializers.FloatField()
    valid_from = serializers.DateTimeField()
    valid_to = serializers.DateTimeField(allow_null=True, help_text="Null while it still owns it.")


class ResolutionAnswer(serializers.Serializer[Any]):
    """Who it is. With status review a provisional customer stands in until a person decides the conflict."""

    status = serializers.ChoiceField(choices=STATUSES)
    customer_id = serializers.CharField(allow_null=True, help_text="The canonical id.")
    confidence = serializers.FloatField()
    band = serializers.ChoiceField(choices=BANDS)
    weight = serializers.FloatField(allow_null=True, help_text="Log2 odds of the best candidate.")
    reasons = serializers.ListField(child=serializers.CharField())
    candidates = PairScoreAnswer(many=True)
    conflict_id = serializers.IntegerField(allow_null=True)
    message_id = serializers.CharField(allow_null=True)
    cached = serializers.BooleanField()
    as_of = serializers.DateTimeField(allow_null=True, help_text="The moment asked of.")
    owners = PastOwnerAnswer(many=True, help_text="With as_of, who had the identifiers then.")


class DuplicatesBody(Body):
    fields = RecordBody()
    channel = Text(required=False, max_length=50)
    threshold = Number(
        required=False, min_value=-100, max_value=200, help_text="Least match weight, log2 odds."
    )
    limit = Whole(required=False, default=20, max_value=MOST_CANDIDATES)


class DuplicatesAnswer(serializers.Serializer[Any]):
    """Customers that may be the person described, the likeliest first."""

    candidates = PairScoreAnswer(many=True)


class ResolveView(DeskView):
    """Who is this?"""

    access: ClassVar = {"POST": RESOLVE}

    @extend_schema(request=ResolveBody, responses={200: ResolutionAnswer}, operation_id="resolve")
    @once
    def post(self, request: Request) -> Response:
        """Find the customer behind a message or identifiers, or create it; what is unclear is queued."""
        return Response(ResolutionAnswer(_resolve(request, read(ResolveBody, request.data))).data)


class DuplicateSearchView(DeskView):
    """Who might this be?"""

    access: ClassVar = {"POST": SEARCH}

    @extend_schema(
        request=DuplicatesBody, responses={200: DuplicatesAnswer}, operation_id="duplicates_search"
    )
    @once
    def post(self, request: Request) -> Response:
        """Find customers that may be the person described; writes nothing."""
        body = read(DuplicatesBody, request.data)
        candidates = find_potential_duplicates(
            data=body["fields"],
            channel=body.get("channel"),
            threshold=body.get("threshold"),
            limit=body["limit"],
        )
        return Response(DuplicatesAnswer({"candidates": candidates}).data)


def _resolve(request: Request, body: dict[str, Any]) -> Resolution:
    common = {"channel": body["channel"], "actor": actor_of(request), "dry_run": body["dry_run"]}
    if body.get("message"):
        return create_or_resolve_customer(message=body["message"], **common)
    identifiers = [(given["type"], given["value"]) for given in body.get("identifiers", ())]
    return resolve_identifiers(
        identifiers=identifiers, fields=body.get("fields"), as_of=body.get("as_of"), **common
    )
