"""Blocked values: what is nobody's, what blocking would reach, blocking and lifting."""

from __future__ import annotations

from typing import Any, ClassVar

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from resolution.api.authentication import actor_of
from resolution.api.filters import OneOf
from resolution.api.idempotency import once
from resolution.api.permissions import BLOCK_VALUES, READ_BLOCKED
from resolution.api.serializers import VALUE_LENGTH, Body, Comment, Flag, IdentifierType, Text, read
from resolution.api.views import DeskListView, DeskView
from resolution.models import BlockedValue
from resolution.selectors.identifier_rules import get_blocked
from resolution.selectors.leaning import Leaning
from resolution.selectors.reach import Reach
from resolution.selectors.shipped_values import shipped_values
from resolution.services.blocks import block_value, preview_block, retire_block

MOST_NAMED = 200


@extend_schema_field({"type": "object", "additionalProperties": {"type": "integer"}})
class NumbersAnswer(serializers.JSONField):
    pass


class BlockedValueAnswer(serializers.ModelSerializer[BlockedValue]):
    """A value or pattern blocked by people; `reach` counts what it touched when it came into force."""

    type = serializers.CharField(source="identifier_type", help_text="Empty: of any type.")
    reach = NumbersAnswer()

    class Meta:
        model = BlockedValue
        fields: ClassVar[tuple[str, ...]] = (
            "id", "type", "value", "pattern", "reason", "state", "reach", "made_by", "created_at",
            "retired_by", "retired_at",
        )  # fmt: skip
        read_only_fields = fields


class CoveredAnswer(serializers.Serializer[Any]):
    type = serializers.CharField()
    value = serializers.CharField()
    customers = serializers.IntegerField()


class OverMergedAnswer(serializers.Serializer[Any]):
    """A customer that the value alone holds together: the merges that leaned on it, the parts without it.

    `parts` are of merged records, `identifiers` of what was linked one by one: ids of mappings, which a split
    takes.
    """

    customer_id = serializers.UUIDField()
    merges = serializers.ListField(child=serializers.IntegerField())
    parts = serializers.ListField(child=serializers.ListField(child=serializers.UUIDField()))
    identifiers = serializers.SerializerMethodField()

    @extend_schema_field(
        {"type": "array", "items": {"type": "array", "items": {"type": "string", "format": "uuid"}}}
    )
    def get_identifiers(self, leaning: Leaning) -> list[list[str]]:
        return [[str(link.id) for link in part] for part in leaning.links]


class ReachAnswer(serializers.Serializer[Any]):
    """What blocking does, exactly; all is counted in `numbers`, the first of each are named."""

    type = serializers.CharField(source="block.type")
    value = serializers.CharField(source="block.value")
    pattern = serializers.BooleanField(source="block.pattern")
    numbers = serializers.SerializerMethodField()
    values = serializers.SerializerMethodField()
    customers = serializers.SerializerMethodField()
    merges = serializers.SerializerMethodField()
    over_merged = serializers.SerializerMethodField()

    @extend_schema_field({"type": "object", "additionalProperties": {"type": "integer"}})
    def get_numbers(self, reach: Reach) -> dict[str, int]:
        return reach.numbers()

    @extend_schema_field(CoveredAnswer(many=True))
    def get_values(self, reach: Reach) -> list[dict[str, Any]]:
        named = reach.held.values[:MOST_NAMED]
        return [{"type": type, "value": value, "customers": number} for type, value, number in named]

    @extend_schema_field({"type": "array", "items": {"type": "string", "format": "uuid"}})
    def get_customers(self, reach: Reach) -> list[str]:
        return sorted(map(str, reach.held.customers))[:MOST_NAMED]

    @extend_schema_field({"type": "array", "items": {"type": "integer"}})
    def get_merges(self, reach: Reach) -> list[int]:
        return list(reach.merges[:MOST_NAMED])

    @extend_schema_field(OverMergedAnswer(many=True))
    def get_over_merged(self, reach: Reach) -> Any:
        named: tuple[Leaning, ...] = reach.over_merged[:MOST_NAMED]
        return OverMergedAnswer(named, many=True).data


class BlockedAnswer(serializers.Serializer[Any]):
    """The block (null on a dry run) and its reach."""

    blocked = BlockedValueAnswer(allow_null=True)
    reach = ReachAnswer()


class ShippedAnswer(serializers.Serializer[Any]):
    type = serializers.CharField(help_text="Empty: of any type.")
    value = serializers.CharField()
    why = serializers.CharField()


class ShippedListAnswer(serializers.Serializer[Any]):
    """What came blocked with this release."""

    results = ShippedAnswer(many=True)


class BlockBody(Body):
    value = Text(max_length=VALUE_LENGTH, help_text="A value, or a pattern with * for any characters.")
    type = IdentifierType(required=False, help_text="Left out: of any type.")
    region = Text(required=False, max_length=2, help_text="ISO country of a national telephone number.")
    reason = Comment()
    dry_run = Flag(required=False, default=False, help_text="Only say what it would do.")


class RetireBody(Body):
    reason = Comment()


class BlockedFilter(filters.FilterSet):
    state = OneOf(choices=BlockedValue.State.choices)

    class Meta:
        model = BlockedValue
        fields: ClassVar[list[str]] = []


class BlockedListView(DeskListView):
    """List the values that people blocked, newest first."""

    access: ClassVar = {"GET": READ_BLOCKED, "POST": BLOCK_VALUES}
    queryset = BlockedValue.objects.all()
    serializer_class = BlockedValueAnswer
    filterset_class = BlockedFilter

    @extend_schema(
        request=BlockBody,
        responses={200: BlockedAnswer, 201: BlockedAnswer},
        operation_id="blocked_values_block",
    )
    @once
    def post(self, request: Request) -> Response:
        """Block a value: its links end, and customers that it alone holds together are asked about."""
        body = read(BlockBody, request.data)
        reason, dry_run = body.pop("reason", ""), body.pop("dry_run")
        if dry_run:
            return Response(BlockedAnswer({"blocked": None, "reach": preview_block(**body)}).data)
        done = block_value(**body, reason=reason, actor=actor_of(request))
        return Response(BlockedAnswer({"blocked": done.row, "reach": done.reach}).data, status=201)


class ShippedListView(DeskView):
    """The shipped list."""

    access: ClassVar = {"GET": READ_BLOCKED}

    @extend_schema(responses={200: ShippedListAnswer}, operation_id="blocked_values_shipped")
    def get(self, request: Request) -> Response:
        """List the values that this release takes for nobody's anyway."""
        return Response(ShippedListAnswer({"results": shipped_values()}).data)


class BlockedView(DeskView):
    """One blocked value."""

    access: ClassVar = {"GET": READ_BLOCKED}

    @extend_schema(responses={200: BlockedValueAnswer}, operation_id="blocked_values_get")
    def get(self, request: Request, block_id: int) -> Response:
        """Return one blocked value, lifted ones too."""
        return Response(BlockedValueAnswer(get_blocked(block_id)).data)


class RetireView(DeskView):
    """Lifting a block."""

    access: ClassVar = {"POST": BLOCK_VALUES}

    @extend_schema(
        request=RetireBody, responses={200: BlockedValueAnswer}, operation_id="blocked_values_retire"
    )
    @once
    def post(self, request: Request, block_id: int) -> Response:
        """Let a value be evidence again; links that ended stay ended until it is seen once more."""
        body = read(RetireBody, request.data)
        row = retire_block(block_id=block_id, reason=body.get("reason", ""), actor=actor_of(request))
        return Response(BlockedValueAnswer(row).data)
