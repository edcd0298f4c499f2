"""Merge proposals: one person wants a merge, a second one allows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from customers.models import PROFILE_FIELDS
from resolution.api.authentication import actor_of
from resolution.api.filters import CustomerId, OneOf, RowNumber
from resolution.api.idempotency import once
from resolution.api.permissions import APPROVE, PROPOSE, SEE_PROPOSALS
from resolution.api.serializers import FIELD_RULES, VALUE_LENGTH, Body, Comment, Flag, Id, Text, Whole, read
from resolution.api.views import DeskDetailView, DeskListView, DeskView
from resolution.models import MergeProposal, ProposalMember
from resolution.services.approve import approve_proposal, propose_merge, reject_proposal, withdraw_proposal
from resolution.services.merge import preview_merge
from resolution.services.merge_plan import MOST_MEMBERS
from resolution.types import DifferenceFact, MergePlan

QUERYSET = MergeProposal.objects.select_related("proposer", "approver").prefetch_related("members")


class ProposalMemberAnswer(serializers.ModelSerializer[ProposalMember]):
    customer_id = serializers.UUIDField()

    class Meta:
        model = ProposalMember
        fields = ("customer_id", "seen_version")


class PickBody(Body):
    """Where a field's value comes from: one of the customers, or typed."""

    customer_id = Id(required=False)
    typed = Text(required=False, allow_blank=True, max_length=VALUE_LENGTH)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise serializers.ValidationError("Give either customer_id or typed.")
        return attrs


class PicksBody(Body):
    """Field → pick; fields left out are chosen by rule."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {name: PickBody(required=False) for name in PROFILE_FIELDS}


class MemberBody(Body):
    customer_id = Id()
    version = Whole(
        required=False, max_value=2**31 - 1, help_text="As you read it; without it as it stands now."
    )


class ProposalBody(Body):
    members = MemberBody(many=True, min_length=2, max_length=MOST_MEMBERS)
    survivor_id = Id(required=False, help_text="Whose id lives on; chosen by rule when left out.")
    picks = PicksBody(required=False)
    conflict_id = Whole(required=False, help_text="The conflict this answers; you must have claimed it.")
    comment = Comment()
    dry_run = Flag(required=False, help_text="Answer what the merge would come to, and write nothing.")


class CommentBody(Body):
    comment = Comment()


@extend_schema_field({"type": "object", "additionalProperties": True})
class PicksAnswer(serializers.JSONField):
    pass


class FieldChoiceAnswer(serializers.Serializer[Any]):
    """One field of a merge: the winning value, whose it is, by which rule, and what the survivor has now."""

    field = serializers.CharField()
    value = serializers.CharField()
    source = serializers.CharField(help_text="The customer the value is from, or “typed”.")
    rule = serializers.ChoiceField(choices=FIELD_RULES)
    before = serializers.CharField()


class AgainstAnswer(serializers.Serializer[Any]):
    """A live word “different” that forbids a merge; a later word on `customer_ids` withdraws it."""

    judgement_id = serializers.IntegerField(source="judgement")
    customer_ids = serializers.SerializerMethodField()
    judged_by = serializers.CharField(source="who")
    judged_at = serializers.DateTimeField(source="when")
    reason = serializers.CharField()

    @extend_schema_field(serializers.ListField(child=serializers.UUIDField()))
    def get_customer_ids(self, fact: DifferenceFact) -> list[str]:
        return [fact.left, fact.right]


class PlanMemberAnswer(serializers.Serializer[Any]):
    """One customer and the version that the plan was made of."""

    customer_id = serializers.CharField()
    version = serializers.IntegerField()


class MergePlanAnswer(serializers.Serializer[Any]):
    """What a merge would come to; `blockers` forbid it, and the proposal is then refused with them.

    `rows` counts by kind what moves to the survivor, `folded` the identifiers that fold into an equal one.
    """

    survivor_id = serializers.CharField(source="survivor")
    members = serializers.SerializerMethodField()
    fields = FieldChoiceAnswer(many=True)
    rows = serializers.DictField(source="rows_by_relation", child=serializers.IntegerField())
    folded = serializers.SerializerMethodField()
    warnings = serializers.ListField(child=serializers.CharField())
    blockers = serializers.ListField(child=serializers.CharField())
    against = AgainstAnswer(many=True)

    @extend_schema_field(PlanMemberAnswer(many=True))
    def get_members(self, plan: MergePlan) -> list[dict[str, Any]]:
        return [{"customer_id": key, "version": version} for key, version in plan.versions]

    @extend_schema_field(serializers.IntegerField())
    def get_folded(self, plan: MergePlan) -> int:
        return len(plan.collapses)


class ReasonAnswer(serializers.Serializer[Any]):
    """One rule that wants a second person."""

    rule = serializers.CharField()
    sentence = serializers.CharField()


class ProposalAnswer(serializers.ModelSerializer[MergeProposal]):
    """A proposed merge; `merge_id` names the merge once it is approved, or has passed at once.

    `reasons` say why a second person is needed; without any the merge passes at once. `withdrawn_judgements`
    are the words “different” that its merge withdraws when it is carried out; until then they stand.
    """

    survivor_id = serializers.UUIDField()
    members = ProposalMemberAnswer(many=True)
    picks = PicksAnswer()
    reasons = ReasonAnswer(many=True)
    withdrawn_judgements = serializers.ListField(source="overruled", child=serializers.IntegerField())
    batch_id = serializers.IntegerField(allow_null=True)
    conflict_id = serializers.IntegerField(allow_null=True)
    merge_id = serializers.IntegerField(allow_null=True)
    proposer = serializers.SlugRelatedField[MergeProposal](slug_field="username", read_only=True)
    approver = serializers.SlugRelatedField[MergeProposal](
        slug_field="username", read_only=True, allow_null=True
    )

    class Meta:
        model = MergeProposal
        fields = (
            "id", "state", "survivor_id", "members", "picks", "reasons", "withdrawn_judgements",
            "batch_id", "conflict_id", "comment", "answer", "proposer", "approver", "merge_id", "version",
            "created_at", "decided_at",
        )  # fmt: skip
        read_only_fields = fields


class ProposalFilter(filters.FilterSet):
    state = OneOf(choices=MergeProposal.State.choices)
    proposer = filters.CharFilter(field_name="proposer__username", max_length=150)
    customer = CustomerId(field_name="members__customer_id")
    batch = RowNumber(field_name="batch_id")

    class Meta:
        model = MergeProposal
        fields: ClassVar[list[str]] = []


class ProposalListView(DeskListView):
    """Proposals of merges."""

    access: ClassVar = {"GET": SEE_PROPOSALS, "POST": PROPOSE}
    queryset = QUERYSET
    serializer_class = ProposalAnswer
    filterset_class = ProposalFilter

    @extend_schema(
        request=ProposalBody,
        responses={200: MergePlanAnswer, 201: ProposalAnswer},
        operation_id="proposals_create",
    )
    @once
    def post(self, request: Request) -> Response:
        """Propose to merge customers; nothing moves until a second person approves, if a rule wants one."""
        body = read(ProposalBody, request.data)
        wanted: dict[str, Any] = {
            "member_ids": [member["customer_id"] for member in body["members"]],
            "survivor_id": body.get("survivor_id"),
            "picks": {name: _pick(pick) for name, pick in body.get("picks", {}).items()},
        }
        if body.get("dry_run"):
            return Response(MergePlanAnswer(preview_merge(**wanted)).data)
        proposal = propose_merge(
            conflict_id=body.get("conflict_id"),
            **wanted,
            comment=body.get("comment", ""),
            seen_versions=versions_seen(body["members"]),
            actor=actor_of(request),
        )
        headers = {"Location": reverse("api:proposal", args=[proposal.pk])}
        return Response(ProposalAnswer(proposal).data, status=201, headers=headers)


class ProposalView(DeskDetailView):
    """One proposal."""

    access: ClassVar = {"GET": SEE_PROPOSALS}
    queryset = QUERYSET
    serializer_class = ProposalAnswer
    lookup_url_kwarg = "proposal_id"
    noun = "proposal"

    @extend_schema(operation_id="proposals_get")
    def get(self, *args: Any, **kwargs: Any) -> Any:
        """Return one proposal."""
        return super().get(*args, **kwargs)


class ProposalDecisionView(DeskView):
    """A word on a proposal; each subclass names the service that speaks it."""

    decide: ClassVar[Callable[..., MergeProposal]]

    @once
    def post(self, request: Request, proposal_id: int) -> Response:
        comment = read(CommentBody, request.data).get("comment", "")
        proposal = type(self).decide(proposal_id=proposal_id, comment=comment, actor=actor_of(request))
        return Response(ProposalAnswer(proposal).data)


def _decision(operation: str) -> Any:
    return extend_schema_view(
        post=extend_schema(
            operation_id=f"proposals_{operation}", request=CommentBody, responses={200: ProposalAnswer}
        )
    )


@_decision("approve")
class ApproveView(ProposalDecisionView):
    """Carry out a proposed merge as its second person; the proposer is refused."""

    access: ClassVar = {"POST": APPROVE}
    decide = staticmethod(approve_proposal)


@_decision("reject")
class RejectView(ProposalDecisionView):
    """Turn a proposal down as its second person; its conflict goes back to the steward."""

    access: ClassVar = {"POST": APPROVE}
    decide = staticmethod(reject_proposal)


@_decision("withdraw")
class WithdrawView(ProposalDecisionView):
    """Take one's own proposal back."""

    access: ClassVar = {"POST": PROPOSE}
    decide = staticmethod(withdraw_proposal)


def _pick(pick: dict[str, Any]) -> str | dict[str, str]:
    return str(pick["customer_id"]) if "customer_id" in pick else {"typed": pick["typed"]}


def versions_seen(members: list[dict[str, Any]]) -> dict[Any, int]:
    """Customer id → version, of those MemberBody entries that give one."""
    return {member["customer_id"]: member["version"] for member in members if "version" in member}
