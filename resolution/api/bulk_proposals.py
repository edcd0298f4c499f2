"""Likely duplicates proposed in one go, and answered in one go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from resolution.api.authentication import actor_of
from resolution.api.idempotency import once
from resolution.api.permissions import APPROVE, PROPOSE
from resolution.api.proposals import (
    MOST_MEMBERS,
    AgainstAnswer,
    FieldChoiceAnswer,
    MemberBody,
    ReasonAnswer,
    versions_seen,
)
from resolution.api.serializers import Body, Comment, Flag, Several, Text, Whole, read
from resolution.api.views import DeskView
from resolution.errors import MergeBlocked, Refused, StaleVersion
from resolution.services.bulk_proposals import (
    MOST_TOGETHER,
    BulkAnswer,
    BulkDraft,
    Seen,
    approve_in_bulk,
    preview_in_bulk,
    propose_in_bulk,
    reject_in_bulk,
)

HASH_LENGTH = 64


class SeenBody(Body):
    """One conflict's plan as a dry run answered it; its `members` tell who changed, should somebody have."""

    conflict_id = Whole()
    plan_hash = Text(max_length=HASH_LENGTH)
    members = MemberBody(many=True, required=False, max_length=MOST_MEMBERS)


class BulkBody(Body):
    conflict_ids = Several(child=Whole(), min_length=1, max_length=MOST_TOGETHER)
    seen = SeenBody(
        many=True,
        required=False,
        max_length=MOST_TOGETHER,
        help_text="What a dry run answered for each conflict; left out only by a dry run.",
    )
    comment = Comment()
    dry_run = Flag(required=False, help_text="Answer what would be proposed and write nothing.")


class SeenMemberAnswer(serializers.Serializer[Any]):
    """One customer and the version that the plan was made of."""

    customer_id = serializers.UUIDField(source="pk")
    version = serializers.IntegerField()


class BulkRowAnswer(serializers.Serializer[Any]):
    """One conflict: what its merge would come to, or why it is left out, a sentence each.

    `code` is the refusal it would meet alone, empty when it goes along: `stale_version` when it would come to
    something else than was seen, `merge_blocked`, or `refused`. `plan_hash` binds a proposal to this plan.
    """

    conflict_id = serializers.IntegerField(source="conflict.pk")
    customer_ids = serializers.SerializerMethodField()
    members = SeenMemberAnswer(many=True)
    survivor_id = serializers.UUIDField(source="survivor.pk")
    plan_hash = serializers.CharField()
    fields = FieldChoiceAnswer(source="draft.act.plan.fields", many=True)
    warnings = serializers.ListField(source="draft.act.plan.warnings", child=serializers.CharField())
    left_out = serializers.ListField(source="why", child=serializers.CharField())
    against = AgainstAnswer(source="draft.act.plan.against", many=True)
    code = serializers.ChoiceField(choices=["", StaleVersion.code, MergeBlocked.code, Refused.code])
    reasons = ReasonAnswer(source="draft.reasons", many=True)

    @extend_schema_field(serializers.ListField(child=serializers.UUIDField()))
    def get_customer_ids(self, row: Any) -> list[str]:
        return [str(member.pk) for member in row.members]


class BulkProposedAnswer(serializers.Serializer[Any]):
    """What was, or would be, proposed together; `batch_id` is null on a dry run or when nothing goes."""

    batch_id = serializers.IntegerField(allow_null=True)
    proposal_ids = serializers.ListField(child=serializers.IntegerField())
    rows = BulkRowAnswer(many=True)


class BulkDecisionBody(Body):
    proposal_ids = Several(
        child=Whole(),
        required=False,
        min_length=1,
        max_length=MOST_TOGETHER,
        help_text="All of the batch when left out.",
    )
    comment = Comment()


class LeftAnswer(serializers.Serializer[Any]):
    """One proposal left as it is, and why."""

    proposal_id = serializers.IntegerField()
    why = serializers.CharField()


class BulkDecisionAnswer(serializers.Serializer[Any]):
    """What was answered, and what was left."""

    answered = serializers.ListField(child=serializers.IntegerField())
    left = LeftAnswer(many=True)


class BulkView(DeskView):
    """Merges proposed together."""

    access: ClassVar = {"POST": PROPOSE}

    @extend_schema(request=BulkBody, responses={200: BulkProposedAnswer}, operation_id="proposals_bulk")
    @once
    def post(self, request: Request) -> Response:
        """Propose a merge for each likely duplicate named, all of one band, as the dry run showed it.

        What cannot go along, or would come to something else than was seen, is named and left.
        """
        body = read(BulkBody, request.data)
        actor = actor_of(request)
        if body.get("dry_run"):
            draft = preview_in_bulk(conflict_ids=body["conflict_ids"], actor=actor)
            return _shown(None, [], draft)
        done = propose_in_bulk(
            conflict_ids=body["conflict_ids"],
            seen=_seen(body.get("seen", [])),
            comment=body.get("comment", ""),
            actor=actor,
        )
        return _shown(
            done.batch.pk if done.batch else None, [proposal.pk for proposal in done.proposals], done.draft
        )


def _seen(entries: list[dict[str, Any]]) -> Seen:
    members = [member for entry in entries for member in entry.get("members", [])]
    return Seen(
        plans={entry["conflict_id"]: entry["plan_hash"] for entry in entries},
        versions=versions_seen(members),
    )


def _shown(batch_id: int | None, proposal_ids: list[int], draft: BulkDraft) -> Response:
    told = {"batch_id": batch_id, "proposal_ids": proposal_ids, "rows": draft.rows}
    return Response(BulkProposedAnswer(told).data)


class BulkDecisionView(DeskView):
    """A word on proposals of one batch; each subclass names the service that speaks it."""

    access: ClassVar = {"POST": APPROVE}
    decide: ClassVar[Callable[..., BulkAnswer]]

    @once
    def post(self, request: Request, batch_id: int) -> Response:
        body = read(BulkDecisionBody, request.data)
        done = type(self).decide(
            batch_id=batch_id,
            proposal_ids=body.get("proposal_ids", []),
            comment=body.get("comment", ""),
            actor=actor_of(request),
        )
        told = {"answered": [proposal.pk for proposal in done.answered], "left": done.left}
        return Response(BulkDecisionAnswer(told).data)


def _decision(operation: str) -> Any:
    return extend_schema_view(
        post=extend_schema(
            operation_id=f"proposals_bulk_{operation}",
            request=BulkDecisionBody,
            responses={200: BulkDecisionAnswer},
        )
    )


@_decision("approve")
class BulkApproveView(BulkDecisionView):
    """Carry out proposals of a batch as their second person; stale ones are named and left."""

    decide = staticmethod(approve_in_bulk)


@_decision("reject")
class BulkRejectView(BulkDecisionView):
    """Turn proposals of a batch down as their second person."""

    decide = staticmethod(reject_in_bulk)
