"""Blocked values over the API."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from customers.models import Mapping
from resolution.models import BlockedValue, Conflict
from resolution.services.merge import merge_customers
from resolution.services.resolve import resolve_identifiers
from resolution.types import Actor
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory
from tests.resolution.api.answers import ids, problem

pytestmark = pytest.mark.django_db

BLOCKED = "/api/v1/blocked-values"
TILL = "+4930123456789"


def block(client: APIClient, **body: Any) -> Any:
    return client.post(BLOCKED, {"type": "phone", "value": TILL, **body}, format="json")


@pytest.fixture
def held() -> Any:
    """A customer that a telephone alone holds together."""
    names = (("Anna", "Smithers"), ("Boris", "Okonkwo"))
    people = [CustomerFactory(given_name=given, family_name=family) for given, family in names]
    for row in people:
        MappingFactory(customer=row, identifier_type="phone", channel_identifier=TILL)
    return merge_customers(member_ids=[row.pk for row in people], actor=Actor.machine("test"))


class TestBlocking:
    def test_a_dry_run_says_what_is_then_done(self, lead: APIClient, held: Any) -> None:
        shown = block(lead, dry_run=True)
        assert (shown.status_code, shown.json()["blocked"]) == (200, None)
        assert not BlockedValue.objects.exists()

        done = block(lead, reason="the till")

        assert done.status_code == 201
        assert done.json()["reach"] == shown.json()["reach"]
        [entry] = done.json()["reach"]["over_merged"]
        assert (entry["customer_id"], entry["merges"]) == (str(held.survivor_id), [held.pk])
        assert not Mapping.objects.current().exists()
        assert Conflict.objects.get().kind == "over_merge"

    def test_links_made_one_by_one_are_named_as_a_split_takes_them(self, lead: APIClient) -> None:
        shop = ChannelFactory()
        for email in ("anna@x.org", "ben@y.org"):
            resolve_identifiers(
                channel=shop, identifiers=[("email", email), ("phone", TILL)], actor=Actor.machine("test")
            )
        links = Mapping.objects.filter(identifier_type="email").order_by("created_at")

        [entry] = block(lead, dry_run=True).json()["reach"]["over_merged"]

        assert (entry["merges"], entry["parts"]) == ([], [])
        assert entry["identifiers"] == [[str(link.pk)] for link in links]

    def test_the_same_request_twice_is_answered_once(self, lead: APIClient) -> None:
        first, second = (
            lead.post(BLOCKED, {"type": "phone", "value": TILL}, format="json", HTTP_IDEMPOTENCY_KEY="one")
            for _ in range(2)
        )
        assert first.json() == second.json()
        assert BlockedValue.objects.count() == 1

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({"value": ""}, 400, "malformed_request"),
            ({"value": "ab*"}, 422, "invalid_input"),
            ({"type": "fax"}, 400, "malformed_request"),
            ({"value": "12"}, 422, "invalid_input"),
            ({"colour": "red"}, 400, "malformed_request"),
        ],
    )
    def test_what_cannot_be_blocked_is_told(
        self, lead: APIClient, body: dict[str, Any], status: int, code: str
    ) -> None:
        problem(block(lead, **body), status, code)
        assert not BlockedValue.objects.exists()

    def test_twice_is_refused(self, lead: APIClient) -> None:
        block(lead)
        assert "blocked already" in problem(block(lead), 409, "refused")["detail"]
        assert BlockedValue.objects.count() == 1

    def test_a_steward_may_look_only(self, steward: APIClient) -> None:
        assert ids(steward.get(BLOCKED)) == []
        problem(block(steward), 403, "not_permitted")

    def test_a_claim_on_it_is_refused_by_name(self, lead: APIClient) -> None:
        block(lead, reason="the till")
        answer = lead.post(
            f"/api/v1/customers/{CustomerFactory().pk}/identifiers",
            {"type": "phone", "value": TILL, "channel": MappingFactory().channel.code},
            format="json",
        )
        assert "the till" in problem(answer, 422, "blocked_identifier")["detail"]


class TestLists:
    def test_lists_by_state_and_lifts(self, lead: APIClient) -> None:
        row = block(lead).json()["blocked"]

        lifted = lead.post(f"{BLOCKED}/{row['id']}/retire", {"reason": "hers"}, format="json")

        assert (lifted.status_code, lifted.json()["state"]) == (200, "retired")
        assert ids(lead.get(BLOCKED, {"state": "retired"})) == [row["id"]]
        assert ids(lead.get(BLOCKED, {"state": "live"})) == []
        assert lead.get(f"{BLOCKED}/{row['id']}").json()["retired_by"]
        problem(lead.post(f"{BLOCKED}/{row['id']}/retire", {}, format="json"), 409, "refused")

    def test_tells_what_was_shipped(self, service: APIClient) -> None:
        shipped = service.get(f"{BLOCKED}/shipped").json()["results"]
        assert {"type": "email", "value": "noreply@*", "why": "a mailbox nobody reads"} in shipped

    def test_an_unknown_one_is_not_found(self, lead: APIClient) -> None:
        assert "99" in problem(lead.get(f"{BLOCKED}/99"), 404, "not_found")["detail"]
