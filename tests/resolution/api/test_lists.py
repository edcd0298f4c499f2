"""Conflicts, audit, channels; and every list costs the same queries for two rows as for many."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from customers.models import Customer
from resolution.models import AuditEntry, Conflict
from resolution.services.approve import propose_merge
from resolution.services.merge import merge_customers
from resolution.services.profiles import create_customer
from resolution.types import Actor
from tests.factories import (
    ChannelFactory,
    ConflictFactory,
    CustomerFactory,
    MappingFactory,
    actor_for,
)
from tests.factories import steward as make_steward
from tests.resolution.api.answers import ids, problem

pytestmark = pytest.mark.django_db
CONFLICTS = "/api/v1/conflicts"
AUDIT = "/api/v1/audit"


class TestConflicts:
    def test_are_told_with_their_members(self, service: APIClient) -> None:
        conflict = ConflictFactory(weight=7.5, band="review", evidence=[{"weight": 7.5}])
        [row] = service.get(CONFLICTS).json()["results"]
        members = {member["customer_id"] for member in row["members"]}
        assert members == {str(member.customer_id) for member in conflict.members.all()}
        assert (row["kind"], row["state"], row["weight"]) == ("likely_duplicate", "open", 7.5)
        assert "evidence" not in row

    def test_one_is_told_with_its_evidence(self, service: APIClient) -> None:
        conflict = ConflictFactory(evidence=[{"weight": 7.5}])
        assert service.get(f"{CONFLICTS}/{conflict.pk}").json()["evidence"] == [{"weight": 7.5}]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("kind", "several_candidates"),
            ("state", "claimed"),
            ("band", "review"),
            ("assignee", "sue"),
            ("created_after", "2999-01-01T00:00:00+00:00"),
        ],
    )
    def test_are_narrowed_by_each_filter(self, name: str, value: str, service: APIClient) -> None:
        ConflictFactory()
        wanted = ConflictFactory(
            kind="several_candidates",
            state="claimed",
            band="review",
            assignee=make_steward(username="sue"),
            leased_until=timezone.now(),
        )
        Conflict.objects.filter(pk=wanted.pk).update(created_at=datetime(2999, 6, 1, tzinfo=UTC))
        assert ids(service.get(CONFLICTS, {name: value})) == [wanted.pk]

    def test_of_one_customer(self, service: APIClient) -> None:
        wanted, _ = ConflictFactory(), ConflictFactory()
        customer = wanted.members.all()[0].customer_id
        assert ids(service.get(CONFLICTS, {"customer": customer})) == [wanted.pk]

    @pytest.mark.parametrize("query", [{"kind": "x"}, {"band": "x"}, {"customer": "x"}, {"states": "open"}])
    def test_a_filter_it_cannot_read_is_refused(self, query: dict[str, str], service: APIClient) -> None:
        problem(service.get(CONFLICTS, query), 400, "malformed_request")

    def test_an_unknown_one_is_refused(self, service: APIClient) -> None:
        problem(service.get(f"{CONFLICTS}/4711"), 404, "not_found")


class TestAudit:
    def test_is_told_newest_first_and_chained(self, lead: APIClient) -> None:
        for name in ("Anna", "Hans"):
            create_customer(fields={"name": name}, actor=Actor.machine("test"))
        rows = lead.get(AUDIT, {"action": "create"}).json()["results"]
        assert [row["metadata"]["after"]["name"] for row in rows] == ["Hans", "Anna"]
        assert rows[0]["previous_hash"] == rows[1]["hash"]

    def test_of_one_customer(self, lead: APIClient) -> None:
        anna, _ = (
            create_customer(fields={"name": name}, actor=Actor.machine("test")) for name in ("Anna", "Hans")
        )
        rows = lead.get(AUDIT, {"customer": anna.pk}).json()["results"]
        assert [row["customer_id"] for row in rows] == [str(anna.pk)]

    def test_pages_by_sequence(self, lead: APIClient) -> None:
        for name in ("Anna", "Hans", "Eva"):
            create_customer(fields={"name": name}, actor=Actor.machine("test"))
        address, seen = f"{AUDIT}?limit=2", []
        while address:
            page = lead.get(address).json()
            seen += [row["sequence"] for row in page["results"]]
            address = page["next"]
        assert seen == list(AuditEntry.objects.order_by("-sequence").values_list("sequence", flat=True))

    @pytest.mark.parametrize(
        "query", [{"action": "x"}, {"customer": "x"}, {"created_after": "x"}, {"cursor": "eA"}]
    )
    def test_a_filter_it_cannot_read_is_refused(self, query: dict[str, str], lead: APIClient) -> None:
        problem(lead.get(AUDIT, query), 400, "malformed_request")

    @pytest.mark.parametrize(
        ("moment", "status"),
        [("0686-02-15T07:28:05-23:34", 200), ("0001-01-01T00:00:00+23:59", 400)],
        ids=["an offset no clock has", "before the calendar in UTC"],
    )
    def test_a_moment_the_database_could_not_hold_never_reaches_it(
        self, moment: str, status: int, lead: APIClient
    ) -> None:
        assert lead.get(AUDIT, {"created_after": moment}).status_code == status


class TestChannels:
    def test_are_told(self, service: APIClient) -> None:
        ChannelFactory(code="shop", trust=80)
        rows = {row["code"]: row for row in service.get("/api/v1/channels").json()["results"]}
        assert rows["shop"]["trust"] == 80


def _merge() -> None:
    members = [CustomerFactory(name="Anna").pk, CustomerFactory(name="Anna").pk]
    merge_customers(member_ids=members, actor=Actor.machine("test"))


def _propose() -> None:
    members = [CustomerFactory(name="Anna").pk, CustomerFactory(name="Anna").pk]
    propose_merge(member_ids=members, actor=actor_for(make_steward()))


def _audit() -> None:
    create_customer(fields={"name": "Anna"}, actor=Actor.machine("test"))


class TestQueriesOfLists:
    @pytest.mark.parametrize(
        ("address", "make"),
        [
            ("/api/v1/customers", CustomerFactory),
            ("/api/v1/conflicts", ConflictFactory),
            ("/api/v1/merges", _merge),
            ("/api/v1/merges/proposals", _propose),
            ("/api/v1/audit", _audit),
            ("/api/v1/channels", ChannelFactory),
        ],
    )
    def test_do_not_grow_with_the_rows(self, address: str, make: Callable[[], Any], lead: APIClient) -> None:
        make()
        few = _queries(lead, address)
        for _ in range(9):
            make()
        assert _queries(lead, address) == few

    def test_do_not_grow_with_the_identifiers(self, service: APIClient) -> None:
        customer: Customer = CustomerFactory()
        address = f"/api/v1/customers/{customer.pk}/identifiers"
        MappingFactory(customer=customer)
        few = _queries(service, address)
        MappingFactory.create_batch(9, customer=customer)
        assert _queries(service, address) == few


def _queries(client: APIClient, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as queries:
        response = client.get(address)
    assert response.status_code == 200
    return len(queries)
