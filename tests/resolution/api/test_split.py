"""Splitting a customer over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from customers.models import Customer, Mapping
from resolution.models import Judgement
from tests.factories import MessageFactory
from tests.resolution.api.answers import problem
from tests.resolution.services.test_split import ANNA, EVE, both, link_of, shop

__all__ = ["both", "shop"]

pytestmark = pytest.mark.django_db


def split(client: APIClient, customer: Customer, *values: str, **body: Any) -> Any:
    ids = [str(link_of(customer, value).pk) for value in values]
    return client.post(f"/api/v1/customers/{customer.pk}/split", {"mapping_ids": ids, **body})


class TestSplit:
    def test_a_dry_run_tells_the_plan_and_writes_nothing(self, lead: APIClient, both: Customer) -> None:
        MessageFactory(customer=both, mapping=link_of(both, EVE))
        plan = split(lead, both, EVE, dry_run=True).json()
        assert (plan["new_customer_id"], plan["messages"], plan["blockers"]) == (None, 1, [])
        email = {part["field"]: part for part in plan["fields"]}["email"]
        assert (email["now"], email["stays"], email["goes"]) == (ANNA, ANNA, EVE)
        assert Customer.objects.count() == 1

    def test_moves_what_was_named_to_a_new_customer(self, lead: APIClient, both: Customer) -> None:
        seen = split(lead, both, EVE, dry_run=True).json()["fingerprint"]
        answer = split(lead, both, EVE, fingerprint=seen, fields={"name": "Eve Brown"}, reason="sisters")
        assert answer.status_code == 201
        new = Customer.objects.exclude(pk=both.pk).get()
        assert answer.json()["new_customer_id"] == str(new.pk)
        assert answer["Location"] == f"/api/v1/customers/{new.pk}"
        assert (new.name, Mapping.objects.get(channel_identifier=EVE, status="active").customer_id) == (
            "Eve Brown",
            new.pk,
        )
        assert Judgement.objects.get().verdict == "different"

    def test_what_changed_since_is_refused(self, lead: APIClient, both: Customer) -> None:
        seen = split(lead, both, EVE, dry_run=True).json()["fingerprint"]
        MessageFactory(customer=both, mapping=link_of(both, EVE))
        problem(split(lead, both, EVE, fingerprint=seen), 412, "stale_version")
        assert Customer.objects.count() == 1

    def test_all_of_them_is_refused_and_told_by_the_dry_run(self, lead: APIClient, both: Customer) -> None:
        [blocker] = split(lead, both, ANNA, EVE, dry_run=True).json()["blockers"]
        refused = problem(split(lead, both, ANNA, EVE), 409, "refused")
        assert refused["detail"] == blocker

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_a_typed_value_that_is_too_long_is_refused_with_its_length_and_the_limit(
        self, lead: APIClient, both: Customer, dry_run: bool
    ) -> None:
        answer = split(lead, both, EVE, fields={"city": "x" * 200}, dry_run=dry_run)
        told = problem(answer, 422, "invalid_input")["detail"]
        assert "city has 200 characters; at most 120 fit" in told
        assert Customer.objects.count() == 1

    def test_a_steward_splits_nobody(self, steward: APIClient, both: Customer) -> None:
        problem(split(steward, both, EVE), 403, "not_permitted")
        assert Customer.objects.count() == 1

    @pytest.mark.parametrize(
        "body", [{}, {"mapping_ids": []}, {"mapping_ids": ["x"]}, {"mapping_ids": [], "parts": 2}]
    )
    def test_what_cannot_be_read_is_refused(
        self, lead: APIClient, both: Customer, body: dict[str, Any]
    ) -> None:
        problem(lead.post(f"/api/v1/customers/{both.pk}/split", body), 400, "malformed_request")
