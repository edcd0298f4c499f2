"""Erasing a person on their request."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from resolution.api.authentication import actor_of
from resolution.api.idempotency import once
from resolution.api.merges import RowCountAnswer
from resolution.api.permissions import ERASE
from resolution.api.serializers import Body, Flag, Text, read
from resolution.api.views import DeskView
from resolution.services.erase import LONGEST_REASON, ErasurePlan, erase_customer, plan_erasure


class ErasureAnswer(serializers.Serializer[Any]):
    """What an erasure takes and leaves; `customer_ids` are all ids of the person, which answer 410 then."""

    canonical_id = serializers.UUIDField(source="canonical")
    customer_ids = serializers.ListField(source="people", child=serializers.UUIDField())
    goes = serializers.SerializerMethodField()
    stays = serializers.SerializerMethodField()
    fingerprint = serializers.CharField(help_text="Send it along, and nobody else than these will be erased.")
    erased = serializers.SerializerMethodField(help_text="False on a dry run.")

    @extend_schema_field(RowCountAnswer(many=True))
    def get_goes(self, plan: ErasurePlan) -> list[dict[str, Any]]:
        return _counts(plan.goes())

    @extend_schema_field(RowCountAnswer(many=True))
    def get_stays(self, plan: ErasurePlan) -> list[dict[str, Any]]:
        return _counts(plan.stays())

    def get_erased(self, plan: ErasurePlan) -> bool:
        return bool(self.context["erased"])


class EraseBody(Body):
    reason = Text(
        required=False,
        allow_blank=True,
        max_length=LONGEST_REASON,
        help_text="Why, without any of the person's data; it stays in the trail. Wanted unless dry_run.",
    )
    fingerprint = Text(
        required=False, allow_blank=True, max_length=64, help_text="The dry run's; refused if it is another."
    )
    dry_run = Flag(required=False, default=False, help_text="Answer with the plan, but write nothing.")


class EraseView(DeskView):
    """Erasing a person."""

    access: ClassVar = {"POST": ERASE}

    @extend_schema(request=EraseBody, responses={200: ErasureAnswer}, operation_id="customer_erase")
    @once
    def post(self, request: Request, customer_id: uuid.UUID) -> Response:
        """Erase the person an id stands for, with everything merged into them. It cannot be taken back."""
        body = read(EraseBody, request.data)
        if body["dry_run"]:
            return _shown(plan_erasure(customer_id), erased=False)
        plan = erase_customer(
            customer_id=customer_id,
            actor=actor_of(request),
            reason=body.get("reason", ""),
            fingerprint=body.get("fingerprint", ""),
        )
        return _shown(plan, erased=True)


def _shown(plan: ErasurePlan, *, erased: bool) -> Response:
    return Response(ErasureAnswer(plan, context={"erased": erased}).data)


def _counts(rows: tuple[tuple[str, int], ...]) -> list[dict[str, Any]]:
    return [{"label": label, "number": number} for label, number in rows]
