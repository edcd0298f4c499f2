"""Erasing a person over the API."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from rest_framework.test import APIClient

from customers.models import Customer
from resolution.models import AuditEntry
from resolution.services.merge import merge_customers
from resolution.types import Actor
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory, lead
from tests.resolution.api.answers import problem
from tests.resolution.api.conftest import MakeClient

pytestmark = pytest.mark.django_db
REASON = {"reason": "Request 4711"}


@pytest.fixture
def anna() -> Customer:
    return CustomerFactory(name="Anna Planted")


def address(customer: Customer) -> str:
    return f"/api/v1/customers/{customer.pk}/erase"


def post(client: APIClient, customer: Customer, **body: Any) -> Any:
    return client.post(address(customer), body or REASON, format="json")


class TestErase:
    def test_says_what_it_did_and_the_ids_answer_gone(self, lead: APIClient, anna: Customer) -> None:
        other = CustomerFactory(name="A. Planted")
        merge_customers(member_ids=[anna.pk, other.pk], survivor_id=anna.pk, actor=Actor.machine("test"))

        answer = post(lead, other)

        assert answer.status_code == 200
        body = answer.json()
        assert (body["erased"], body["canonical_id"]) == (True, str(anna.pk))
        assert set(body["customer_ids"]) == {str(anna.pk), str(other.pk)}
        assert {"label": "Customers emptied", "number": 2} in body["goes"]
        assert AuditEntry.objects.filter(action="erase", customer=anna).exists()
        for customer in (anna, other):
            problem(lead.get(f"/api/v1/customers/{customer.pk}"), 410, "customer_erased")

    def test_a_dry_run_says_the_same_and_writes_nothing(self, lead: APIClient, anna: Customer) -> None:
        seen = post(lead, anna, dry_run=True).json()

        assert seen["erased"] is False
        assert Customer.objects.get(pk=anna.pk).status == "active"
        done = post(lead, anna, **REASON, fingerprint=seen["fingerprint"]).json()
        assert done == seen | {"erased": True}

    def test_resolving_never_answers_with_it(self, lead: APIClient) -> None:
        link = MappingFactory(channel=ChannelFactory(code="web"))
        asked = {"channel": "web", "identifiers": [{"type": "email", "value": link.channel_identifier}]}
        assert lead.post("/api/v1/resolve", asked, format="json").json()["customer_id"] == str(
            link.customer_id
        )

        post(lead, link.customer)

        answer = lead.post("/api/v1/resolve", asked, format="json").json()
        assert (answer["status"], answer["customer_id"] == str(link.customer_id)) == ("created", False)

    def test_the_same_keyed_request_is_done_once_and_then_gone(self, lead: APIClient, anna: Customer) -> None:
        lead.credentials(**lead._credentials, HTTP_IDEMPOTENCY_KEY="k-1")

        first, second = post(lead, anna), post(lead, anna)

        assert first.json() == second.json()
        assert second["Idempotent-Replay"] == "true"
        assert AuditEntry.objects.filter(action="erase").count() == 1

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"reason": ""}, 422, "invalid_input"),
            ({"reason": "Anna Planted asked"}, 422, "invalid_input"),
            ({"reason": 7}, 400, "malformed_request"),
            ({**REASON, "fingerprint": "another"}, 412, "stale_version"),
            ({"why": "x"}, 400, "malformed_request"),
        ],
    )
    def test_is_refused(
        self, lead: APIClient, anna: Customer, body: dict[str, Any], status: int, code: str
    ) -> None:
        problem(post(lead, anna, **body), status, code)
        assert Customer.objects.get(pk=anna.pk).status == "active"

    def test_an_erased_and_an_unknown_one_are_refused(self, lead: APIClient, anna: Customer) -> None:
        post(lead, anna)
        problem(post(lead, anna), 410, "customer_erased")
        problem(post(lead, Customer(pk=uuid.uuid4())), 404, "unknown_customer")


class TestWhoMay:
    def test_a_steward_and_a_service_may_not(
        self, steward: APIClient, service: APIClient, anna: Customer
    ) -> None:
        for client in (steward, service):
            problem(post(client, anna), 403, "not_permitted")
        assert Customer.objects.get(pk=anna.pk).status == "active"

    def test_a_key_needs_the_scope(self, client_for: MakeClient, anna: Customer) -> None:
        found = problem(post(client_for(lead(), "approve", "merge"), anna), 403, "not_permitted")
        assert "scope erase" in found["detail"]
