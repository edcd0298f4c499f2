"""Rules of identifier types: the limits, what they would be below, and setting them."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from resolution.api.authentication import actor_of
from resolution.api.etags import etag_of, is_held, version_seen
from resolution.api.idempotency import once
from resolution.api.permissions import READ_RULES, SET_RULES
from resolution.api.schema import IF_MATCH, IF_NONE_MATCH
from resolution.api.serializers import Body, Comment, Flag, Whole, read
from resolution.api.views import DeskListView, DeskView
from resolution.models import IdentifierRule
from resolution.selectors.identifier_rules import get_rule
from resolution.services.rules import LARGEST, LARGEST_RANK, LONGEST_WINDOW, SETTABLE, preview_rule, set_rule


class RuleAnswer(serializers.ModelSerializer[IdentifierRule]):
    """The limits of one type; null is no limit. Past a soft one a person is asked, a hard one refuses."""

    type = serializers.CharField(source="identifier_type")

    class Meta:
        model = IdentifierRule
        fields: ClassVar[tuple[str, ...]] = (
            "type", "values_soft", "values_hard", "customers_soft", "customers_hard", "valid_days",
            "exclusive", "rank", "version", "changed_by", "changed_at",
        )  # fmt: skip
        read_only_fields = fields


class SubjectAnswer(serializers.Serializer[Any]):
    subject = serializers.CharField(help_text="The value, or the customer's id.")
    number = serializers.IntegerField()


class PastAnswer(serializers.Serializer[Any]):
    """What of the register is past one new limit: all are counted in `number`, the first are named."""

    limit_name = serializers.CharField()
    limit = serializers.IntegerField()
    number = serializers.IntegerField()
    first = SubjectAnswer(many=True, source="shown")


class RulePreviewAnswer(serializers.Serializer[Any]):
    """What setting a rule would do; everything listed stays as it is and is asked about."""

    past = PastAnswer(many=True)


class Limit(Whole):
    """A limit; null is none."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"required": False, "allow_null": True, "max_value": LARGEST, **options})


class RuleChanges(Body):
    values_soft = Limit(help_text="Values a customer before a person is asked.")
    values_hard = Limit(help_text="Values a customer at most.")
    customers_soft = Limit(help_text="Customers a value before a person is asked.")
    customers_hard = Limit(help_text="Customers a value at most.")
    valid_days = Limit(
        max_value=LONGEST_WINDOW, help_text="Days after which a link not seen answers no look-up."
    )
    exclusive = Flag(required=False, help_text="One verified value a customer.")
    rank = Whole(required=False, max_value=LARGEST_RANK, help_text="1 is believed first.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.keys() & set(SETTABLE):
            raise serializers.ValidationError(f"Give at least one field to change: {', '.join(SETTABLE)}.")
        return attrs


class RuleBody(RuleChanges):
    accept_existing = Flag(
        required=False, default=False, help_text="You have seen what is past the new limits."
    )
    reason = Comment()


class RuleListView(DeskListView):
    """List the rules."""

    access: ClassVar = {"GET": READ_RULES}
    queryset = IdentifierRule.objects.all()
    serializer_class = RuleAnswer


class RuleView(DeskView):
    """The rule of one type."""

    access: ClassVar = {"GET": READ_RULES, "PATCH": SET_RULES}

    @extend_schema(
        parameters=[IF_NONE_MATCH],
        responses={200: RuleAnswer, 304: None},
        operation_id="identifier_rules_get",
    )
    def get(self, request: Request, identifier_type: str) -> Response:
        """Return the rule of a type."""
        return _shown(request, get_rule(identifier_type))

    @extend_schema(
        parameters=[IF_MATCH],
        request=RuleBody,
        responses=RuleAnswer,
        operation_id="identifier_rules_update",
    )
    def patch(self, request: Request, identifier_type: str) -> Response:
        """Set limits as you saw them; one below what exists is refused with the facts until accepted."""
        body = read(RuleBody, request.data)
        rule = set_rule(
            identifier_type=identifier_type,
            version=version_seen(request),
            accept_existing=body.pop("accept_existing"),
            reason=body.pop("reason", ""),
            changes=body,
            actor=actor_of(request),
        )
        return _shown(request, rule)


class RulePreviewView(DeskView):
    """What a rule would be below."""

    access: ClassVar = {"POST": READ_RULES}

    @extend_schema(
        request=RuleChanges, responses={200: RulePreviewAnswer}, operation_id="identifier_rules_preview"
    )
    @once
    def post(self, request: Request, identifier_type: str) -> Response:
        """Count what is past new limits; changes nothing."""
        preview = preview_rule(identifier_type=identifier_type, changes=read(RuleChanges, request.data))
        return Response(RulePreviewAnswer(preview).data)


def _shown(request: Request, rule: IdentifierRule) -> Response:
    body = RuleAnswer(rule).data
    tag = etag_of(rule.version, body)
    if request.method == "GET" and is_held(request, tag):
        return Response(status=304, headers={"ETag": tag})
    return Response(body, headers={"ETag": tag})
