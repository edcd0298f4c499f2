"""The rules on which merges need a second person."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from resolution.api.authentication import actor_of
from resolution.api.etags import etag_of, is_held, version_seen
from resolution.api.permissions import CHANGE_POLICIES, READ_POLICIES
from resolution.api.schema import IF_MATCH, IF_NONE_MATCH
from resolution.api.serializers import Body, Flag, Text, Whole, read
from resolution.api.views import DeskListView, DeskView
from resolution.models import MergePolicy
from resolution.selectors.merge_policy import find_policy
from resolution.services.merge_policies import MOST_RECORDS, PolicyChange, change_policies


class PolicyAnswer(serializers.ModelSerializer[MergePolicy]):
    """One rule; `number` belongs to many_records, `attribute` to vip."""

    label = serializers.CharField(source="get_rule_display")
    changed_by = serializers.SlugRelatedField[MergePolicy](
        slug_field="username", read_only=True, allow_null=True
    )

    class Meta:
        model = MergePolicy
        fields = (
            "rule", "label", "enabled", "number", "attribute", "version", "changed_by", "changed_at",
        )  # fmt: skip
        read_only_fields = fields


class PolicyBody(Body):
    """What to change; parts left out stay."""

    enabled = Flag(required=False)
    number = Whole(required=False, max_value=MOST_RECORDS, help_text="Of many_records alone.")
    attribute = Text(required=False, max_length=60, help_text="Of vip alone.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError("Give at least one of enabled, number, attribute.")
        return attrs


class PolicyListView(DeskListView):
    """List the rules; a merge waits for a second person when any that is enabled applies."""

    access: ClassVar = {"GET": READ_POLICIES}
    queryset = MergePolicy.objects.select_related("changed_by")
    serializer_class = PolicyAnswer


class PolicyView(DeskView):
    """One rule."""

    access: ClassVar = {"GET": READ_POLICIES, "PATCH": CHANGE_POLICIES}

    @extend_schema(
        parameters=[IF_NONE_MATCH], responses={200: PolicyAnswer, 304: None}, operation_id="merge_policy_get"
    )
    def get(self, request: Request, rule: str) -> Response:
        """Return one rule."""
        return _shown(request, find_policy(rule))

    @extend_schema(
        parameters=[IF_MATCH],
        request=PolicyBody,
        responses=PolicyAnswer,
        operation_id="merge_policy_update",
    )
    def patch(self, request: Request, rule: str) -> Response:
        """Change one rule as you saw it; it is in force from the next merge on."""
        change = PolicyChange(rule, version_seen(request), **read(PolicyBody, request.data))
        change_policies(changes=[change], actor=actor_of(request))
        return _shown(request, find_policy(rule))


def _shown(request: Request, policy: MergePolicy) -> Response:
    body = PolicyAnswer(policy).data
    headers = {"ETag": etag_of(policy.version, body), "Cache-Control": "private, no-cache"}
    if request.method == "GET" and is_held(request, headers["ETag"]):
        return Response(status=304, headers=headers)
    return Response(body, headers=headers)
