"""Splitting a customer whom no merge made two."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from customers.models import PROFILE_FIELDS
from resolution.api.authentication import actor_of
from resolution.api.idempotency import once
from resolution.api.merges import KeptApartAnswer
from resolution.api.permissions import UNDO
from resolution.api.serializers import VALUE_LENGTH, Body, Comment, Flag, Id, Several, Text, read
from resolution.api.views import DeskView
from resolution.services.split import preview_split, split_customer
from resolution.services.split_plan import SplitPlan, SplitQuestion

MOST_IDENTIFIERS = 200


class NewProfileBody(Body):
    """What the new customer's profile has besides what goes along; an empty text takes a value away."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {
            name: Text(required=False, allow_blank=True, max_length=VALUE_LENGTH) for name in PROFILE_FIELDS
        }


class SplitBody(Body):
    mapping_ids = Several(
        child=Id(), min_length=1, max_length=MOST_IDENTIFIERS, help_text="The identifiers that leave."
    )
    fields = NewProfileBody(required=False)
    judge_different = Flag(
        required=False, default=True, help_text="Whether to note that both are different people."
    )
    reason = Comment()
    fingerprint = Text(
        required=False, allow_blank=True, max_length=64, help_text="The dry run's; refused if it is another."
    )
    dry_run = Flag(required=False, default=False, help_text="Answer with the plan, but write nothing.")


class FieldPartAnswer(serializers.Serializer[Any]):
    """One profile field: what it is now, and afterwards of who stays and of who goes."""

    field = serializers.CharField()
    now = serializers.CharField()
    stays = serializers.CharField()
    goes = serializers.CharField()


class SplitQuestionAnswer(serializers.Serializer[Any]):
    """One open conflict; `goes` when it asks about the new customer afterwards.

    `look_again` when it stays, though what leaves is part of what it shows.
    """

    conflict_id = serializers.IntegerField(source="id")
    reason = serializers.CharField()
    goes = serializers.SerializerMethodField()
    look_again = serializers.SerializerMethodField()

    def get_goes(self, question: SplitQuestion) -> bool:
        return question in self.context["plan"].handed

    def get_look_again(self, question: SplitQuestion) -> bool:
        return question in self.context["plan"].shaken


class SplitAnswer(serializers.Serializer[Any]):
    """What a split does: the part that stays keeps the id. `new_customer_id` is null on a dry run."""

    customer_id = serializers.UUIDField()
    new_customer_id = serializers.SerializerMethodField()
    mapping_ids = serializers.SerializerMethodField()
    fields = FieldPartAnswer(many=True)
    messages = serializers.IntegerField()
    tickets = serializers.IntegerField()
    source_records = serializers.SerializerMethodField()
    questions = SplitQuestionAnswer(many=True)
    kept_apart = KeptApartAnswer(many=True, help_text="From whom the new customer is kept apart, too.")
    blockers = serializers.ListField(child=serializers.CharField())
    fingerprint = serializers.CharField(help_text="Send it along, and nothing else than this will be done.")

    def get_new_customer_id(self, plan: SplitPlan) -> uuid.UUID | None:
        return self.context["new"]

    def get_mapping_ids(self, plan: SplitPlan) -> list[uuid.UUID]:
        return [link.id for link in plan.moving]

    def get_source_records(self, plan: SplitPlan) -> int:
        return len(plan.records)


class SplitView(DeskView):
    """Splitting a customer."""

    access: ClassVar = {"POST": UNDO}

    @extend_schema(
        request=SplitBody, responses={200: SplitAnswer, 201: SplitAnswer}, operation_id="customer_split"
    )
    @once
    def post(self, request: Request, customer_id: uuid.UUID) -> Response:
        """Move identifiers of a customer, with what came by them, to a new customer."""
        body = read(SplitBody, request.data)
        wanted: dict[str, Any] = {
            "customer_id": customer_id,
            "mapping_ids": body["mapping_ids"],
            "fields": body.get("fields", {}),
        }
        if body["dry_run"]:
            return Response(_told(preview_split(**wanted), None))
        done = split_customer(
            **wanted,
            judge_different=body["judge_different"],
            reason=body.get("reason", ""),
            fingerprint=body.get("fingerprint", ""),
            actor=actor_of(request),
        )
        headers = {"Location": reverse("api:customer", args=[done.customer.pk])}
        return Response(_told(done.plan, done.customer.pk), status=201, headers=headers)


def _told(plan: SplitPlan, new: uuid.UUID | None) -> Any:
    return SplitAnswer(plan, context={"plan": plan, "new": new}).data
