"""The rules on second persons over HTTP."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from customers.models import Customer
from resolution.models import AuditEntry, MergePolicy
from tests.factories import CustomerFactory
from tests.resolution.api.answers import problem

pytestmark = pytest.mark.django_db
POLICIES = "/api/v1/merges/policies"


class TestRead:
    def test_lists_every_rule(self, service: APIClient) -> None:
        rows = service.get(POLICIES).json()["results"]
        assert {row["rule"] for row in rows} == set(MergePolicy.Rule.values)

    def test_gives_one_with_its_tag(self, service: APIClient) -> None:
        response = service.get(f"{POLICIES}/many_records")
        assert (response.json()["number"], response.json()["changed_by"]) == (50, None)
        again = service.get(f"{POLICIES}/many_records", headers={"If-None-Match": response["ETag"]})
        assert again.status_code == 304

    def test_an_unknown_rule_is_named(self, service: APIClient) -> None:
        problem(service.get(f"{POLICIES}/weather"), 404, "not_found")


class TestChange:
    def change(self, client: APIClient, rule: str, tag: str | None = None, **body: object) -> object:
        tag = client.get(f"{POLICIES}/{rule}")["ETag"] if tag is None else tag
        return client.patch(f"{POLICIES}/{rule}", body, headers={"If-Match": tag} if tag else {})

    def test_a_lead_changes_a_rule_and_the_next_merge_follows(
        self, lead: APIClient, service: APIClient
    ) -> None:
        response = self.change(lead, "everything", enabled=False)
        assert (response.status_code, response.json()["version"]) == (200, 2)  # type: ignore[attr-defined]
        assert AuditEntry.objects.filter(action="policy").count() == 1
        pair: list[Customer] = CustomerFactory.create_batch(2)
        members = [{"customer_id": str(row.pk)} for row in pair]
        body = service.post("/api/v1/merges/proposals", {"members": members}).json()
        assert (body["state"], body["reasons"], body["merge_id"] is None) == ("passed", [], False)

    def test_an_old_tag_is_refused(self, lead: APIClient) -> None:
        tag = lead.get(f"{POLICIES}/vip")["ETag"]
        self.change(lead, "vip", enabled=False)
        problem(self.change(lead, "vip", tag, enabled=True), 412, "stale_version")

    def test_without_a_tag_it_is_refused(self, lead: APIClient) -> None:
        problem(self.change(lead, "vip", "", enabled=True), 428, "version_required")

    def test_nothing_to_change_is_refused(self, lead: APIClient) -> None:
        problem(self.change(lead, "vip"), 400, "malformed_request")

    def test_a_steward_changes_nothing(self, steward: APIClient) -> None:
        problem(self.change(steward, "vip", enabled=False), 403, "not_permitted")
