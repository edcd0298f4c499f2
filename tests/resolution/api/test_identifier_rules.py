"""Rules of identifiers over the API."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from resolution.models import IdentifierRule
from tests.factories import CustomerFactory, MappingFactory
from tests.resolution.api.answers import problem

pytestmark = pytest.mark.django_db

RULES = "/api/v1/identifier-rules"
EMAIL = f"{RULES}/email"
SHARED = "family@factory.example.com"


def patch(client: APIClient, body: dict[str, Any], tag: str = "") -> Any:
    tag = tag or client.get(EMAIL)["ETag"]
    return client.patch(EMAIL, body, format="json", HTTP_IF_MATCH=tag)


class TestReading:
    def test_lists_the_rule_of_every_type(self, service: APIClient) -> None:
        rows = service.get(RULES).json()["results"]

        assert {row["type"] for row in rows} == {"email", "phone", "handle", "external_id"}
        assert {"values_soft", "customers_hard", "valid_days", "exclusive", "rank"} <= rows[0].keys()

    def test_an_unknown_type_is_not_found(self, service: APIClient) -> None:
        problem(service.get(f"{RULES}/fax"), 404, "not_found")

    def test_what_one_holds_already_is_not_sent_again(self, service: APIClient) -> None:
        tag = service.get(EMAIL)["ETag"]
        assert service.get(EMAIL, HTTP_IF_NONE_MATCH=tag).status_code == 304


class TestSetting:
    def test_a_lead_sets_a_rule_as_it_was_seen(self, lead: APIClient) -> None:
        tag = lead.get(EMAIL)["ETag"]

        answer = patch(lead, {"customers_soft": 4, "valid_days": None}, tag)

        assert (answer.status_code, answer.json()["customers_soft"], answer.json()["version"]) == (200, 4, 2)
        problem(patch(lead, {"customers_soft": 5}, tag), 412, "stale_version")

    def test_without_a_version_or_with_a_wrong_value_it_is_refused(self, lead: APIClient) -> None:
        problem(lead.patch(EMAIL, {"customers_soft": 4}, format="json"), 428, "version_required")
        problem(patch(lead, {"customers_soft": 0}), 400, "malformed_request")
        problem(patch(lead, {"customers_soft": 900}), 422, "invalid_input")

    @pytest.mark.parametrize("body", [{}, {"reason": "tidying"}, {"accept_existing": True}])
    def test_nothing_to_change_is_refused_with_what_could_be(
        self, body: dict[str, object], lead: APIClient
    ) -> None:
        told = problem(patch(lead, body), 400, "malformed_request")["detail"]
        assert "Give at least one field to change: values_soft, values_hard" in told

    def test_a_preview_of_no_change_is_refused(self, lead: APIClient) -> None:
        problem(lead.post(f"{EMAIL}/preview", {}, format="json"), 400, "malformed_request")

    def test_a_limit_below_what_exists_is_shown_first(self, lead: APIClient) -> None:
        MappingFactory.create_batch(3, channel_identifier=SHARED)

        told = problem(patch(lead, {"customers_soft": 2}), 409, "limit_below_existing")
        shown = lead.post(f"{EMAIL}/preview", {"customers_soft": 2}, format="json").json()

        assert told["facts"]["past"]["customers_soft"]["first"] == [{"subject": SHARED, "number": 3}]
        assert shown["past"][0]["first"] == [{"subject": SHARED, "number": 3}]
        assert IdentifierRule.objects.get(identifier_type="email").customers_soft == 10
        assert patch(lead, {"customers_soft": 2, "accept_existing": True}).status_code == 200

    def test_a_steward_and_a_service_may_look_only(self, steward: APIClient, service: APIClient) -> None:
        for client in (steward, service):
            assert client.get(EMAIL).status_code == 200
            problem(patch(client, {"customers_soft": 4}), 403, "not_permitted")


class TestWriters:
    def test_a_link_past_the_hard_limit_is_refused_with_the_facts(self, service: APIClient) -> None:
        IdentifierRule.objects.filter(identifier_type="email").update(customers_soft=1, customers_hard=1)
        owned = MappingFactory(channel_identifier=SHARED)

        answer = service.post(
            f"/api/v1/customers/{CustomerFactory().pk}/identifiers",
            {"type": "email", "value": SHARED, "channel": MappingFactory().channel.code},
            format="json",
        )

        told = problem(answer, 409, "limit_reached")
        assert (told["facts"]["limit"], told["facts"]["count"]) == (1, 2)
        assert owned.channel.mappings.count() == 1
