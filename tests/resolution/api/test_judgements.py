"""Judgements over HTTP."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from rest_framework.test import APIClient

from customers.models import Customer
from resolution.models import Judgement
from resolution.services.merge import merge_customers
from resolution.types import Actor
from tests.factories import CustomerFactory
from tests.resolution.api.answers import problem

pytestmark = pytest.mark.django_db
JUDGEMENTS = "/api/v1/judgements"


@pytest.fixture
def pair(db: None) -> tuple[Customer, Customer]:
    left, right = sorted((CustomerFactory(name="Anna"), CustomerFactory(name="Hans")), key=lambda row: row.pk)
    return left, right


def _judge(
    client: APIClient, left: Customer, right: Customer, verdict: str = "different", **more: Any
) -> Any:
    body = {"left_id": str(left.pk), "right_id": str(right.pk), "verdict": verdict, **more}
    return client.post(JUDGEMENTS, body)


class TestJudge:
    def test_writes_the_verdict_on_the_ordered_pair(
        self, steward: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        response = _judge(steward, pair[1], pair[0], reason="Other birth date.")
        body = response.json()
        assert response.status_code == 201
        assert (body["left_id"], body["right_id"]) == (str(pair[0].pk), str(pair[1].pk))
        assert (body["verdict"], body["reason"]) == ("different", "Other birth date.")

    def test_the_related_may_say_how(self, steward: APIClient, pair: tuple[Customer, Customer]) -> None:
        response = _judge(steward, *pair, verdict="related", relation="household")
        assert (response.status_code, response.json()["relation"]) == (201, "household")

    def test_a_relation_without_the_related_is_refused(
        self, steward: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        problem(_judge(steward, *pair, relation="household"), 422, "invalid_input")

    def test_a_merged_customer_names_who_to_judge_instead(
        self, steward: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        merge_customers(member_ids=[row.pk for row in pair], survivor_id=pair[0].pk, actor=Actor.machine("x"))
        body = problem(_judge(steward, pair[1], CustomerFactory()), 409, "refused")
        assert body["facts"] == {"customer": str(pair[1].pk), "merged_into": str(pair[0].pk)}

    def test_a_later_word_supersedes(self, steward: APIClient, pair: tuple[Customer, Customer]) -> None:
        _judge(steward, *pair)
        _judge(steward, *pair, verdict="related")
        assert Judgement.objects.get(superseded_at__isnull=True).verdict == "related"

    def test_different_of_one_customer_is_refused(
        self, steward: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        merge_customers(member_ids=[row.pk for row in pair], actor=Actor.machine("test"))
        problem(_judge(steward, *pair), 409, "refused")

    def test_a_customer_with_itself_is_refused(
        self, steward: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        problem(_judge(steward, pair[0], pair[0]), 422, "invalid_input")

    def test_an_unknown_customer_is_refused(
        self, steward: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        problem(_judge(steward, pair[0], Customer(pk=uuid.uuid4())), 404, "unknown_customer")

    def test_an_erased_customer_is_refused(self, steward: APIClient, pair: tuple[Customer, Customer]) -> None:
        erased = CustomerFactory(status=Customer.Status.ERASED)
        problem(_judge(steward, pair[0], erased), 410, "customer_erased")

    def test_a_service_may_not_judge(self, service: APIClient, pair: tuple[Customer, Customer]) -> None:
        problem(_judge(service, *pair), 403, "not_permitted")
        assert not Judgement.objects.exists()
