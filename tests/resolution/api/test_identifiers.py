"""Identifiers over HTTP."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from customers.models import Channel, Customer, Mapping
from resolution.models import AuditEntry, Conflict
from resolution.services.merge import merge_customers
from resolution.types import Actor
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory
from tests.resolution.api.answers import ids, problem

pytestmark = pytest.mark.django_db
EMAIL = "anna@shop.example.com"


@pytest.fixture
def channel(db: None) -> Channel:
    return ChannelFactory(code="shop")


def _link(client: APIClient, customer: Customer, **body: Any) -> Any:
    given = {"channel": "shop", "type": "email", "value": EMAIL, **body}
    return client.post(f"/api/v1/customers/{customer.pk}/identifiers", given)


def _address(mapping: Mapping) -> str:
    return f"/api/v1/customers/{mapping.customer_id}/identifiers/{mapping.pk}"


@pytest.mark.usefixtures("channel")
class TestLink:
    def test_links_what_nobody_owns(self, service: APIClient) -> None:
        customer = CustomerFactory()
        body = _link(service, customer, value=" ANNA@shop.example.com ", verified=True, confidence=0.9).json()
        assert (body["action"], body["customer_id"]) == ("linked", str(customer.pk))
        assert body["resolution_needed"] is False
        mapping = Mapping.objects.get()
        assert (mapping.normalised, mapping.verified) == (EMAIL, True)
        assert mapping.confidence_score == Decimal("0.90")

    def test_twice_is_unchanged(self, service: APIClient) -> None:
        customer = CustomerFactory()
        actions = [_link(service, customer).json()["action"] for _ in range(2)]
        assert actions == ["linked", "unchanged"]

    def test_a_weak_link_gives_way(self, service: APIClient, channel: Channel) -> None:
        old = MappingFactory(channel=channel, channel_identifier=EMAIL, confidence_score=Decimal("0.50"))
        body = _link(service, CustomerFactory()).json()
        assert (body["action"], body["existing_customer_id"]) == ("updated", str(old.customer_id))

    @pytest.mark.parametrize(
        ("verified", "action"), [(True, "conflict_verified"), (False, "conflict_high_confidence")]
    )
    def test_a_strong_link_stays_and_a_person_is_asked(
        self, verified: bool, action: str, service: APIClient, channel: Channel
    ) -> None:
        owned = MappingFactory(channel=channel, channel_identifier=EMAIL, verified=verified)
        body = _link(service, CustomerFactory()).json()
        assert (body["action"], body["resolution_needed"]) == (action, True)
        assert body["conflict_id"] == Conflict.objects.get().pk
        assert Mapping.objects.owned().get(normalised=EMAIL).customer_id == owned.customer_id

    def test_what_a_person_decided_of_the_same_claim_is_told(
        self, service: APIClient, channel: Channel
    ) -> None:
        MappingFactory(channel=channel, channel_identifier=EMAIL, verified=True)
        claimant = CustomerFactory()
        first = _link(service, claimant).json()
        assert first["decided"] == ""
        Conflict.objects.update(state="done", outcome="kept", decided_at=timezone.now())

        again = _link(service, claimant).json()

        assert (again["decided"], again["resolution_needed"]) == ("kept", False)
        assert again["conflict_id"] == first["conflict_id"]

    def test_a_recycled_value_is_linked_from_the_moment_it_passed(
        self, service: APIClient, channel: Channel
    ) -> None:
        since, until = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC)
        former = MappingFactory(
            channel=channel, channel_identifier=EMAIL, status="ended", valid_from=since, valid_to=until
        )
        body = _link(service, CustomerFactory(), valid_from="2024-05-01T00:00:00Z").json()
        assert body["action"] == "linked"
        former.refresh_from_db()
        assert former.valid_to == Mapping.objects.owned().get().valid_from == datetime(2024, 5, 1, tzinfo=UTC)

    def test_before_its_last_owner_began_is_refused(self, service: APIClient, channel: Channel) -> None:
        since, until = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC)
        former = MappingFactory(
            channel=channel, channel_identifier=EMAIL, status="ended", valid_from=since, valid_to=until
        )
        answer = _link(service, CustomerFactory(), valid_from="2023-12-31T00:00:00Z")
        body = problem(answer, 422, "invalid_input")
        assert "2024-01-01 00:00:00 UTC" in body["detail"]
        assert list(Mapping.objects.all()) == [former]

    def test_p2_a_merged_id_links_to_its_survivor(self, service: APIClient) -> None:
        survivor, absorbed = CustomerFactory(name="Anna"), CustomerFactory(name="Ann")
        merge_customers(
            member_ids=[survivor.pk, absorbed.pk], survivor_id=survivor.pk, actor=Actor.machine("test")
        )
        assert _link(service, absorbed).json()["customer_id"] == str(survivor.pk)

    def test_an_unknown_channel_is_refused_with_those_there_are(self, service: APIClient) -> None:
        body = problem(_link(service, CustomerFactory(), channel="fax"), 404, "unknown_channel")
        assert "shop" in body["detail"]

    @pytest.mark.parametrize("value", ["not an address", "test@test.com"])
    def test_a_value_that_identifies_nobody_is_refused(self, value: str, service: APIClient) -> None:
        problem(_link(service, CustomerFactory(), value=value), 422, "unusable_identifier")
        assert not Mapping.objects.exists()

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("type", "shoe_size"),
            ("type", ["email"]),
            ("value", ""),
            ("value", None),
            ("value", "x" * 10_000),
            ("channel", 5),
            ("confidence", 1.5),
            ("confidence", True),
            ("verified", 1),
            ("valid_from", "soon"),
            ("valid_from", None),
            ("colour", "red"),
        ],
    )
    def test_a_field_that_cannot_be_read_is_named(self, field: str, value: Any, service: APIClient) -> None:
        body = problem(_link(service, CustomerFactory(), **{field: value}), 400, "malformed_request")
        assert list(body["facts"]["fields"]) == [field]
        assert not Mapping.objects.exists()

    @pytest.mark.parametrize("moment", ["2100-01-01T00:00:00Z", "2024-01-01T00:00:00"])
    def test_a_moment_to_come_or_without_its_zone_is_refused(self, moment: str, service: APIClient) -> None:
        body = problem(_link(service, CustomerFactory(), valid_from=moment), 422, "invalid_input")
        assert body["facts"] == {"field": "valid_from"}
        assert not Mapping.objects.exists()

    def test_to_nobody_is_refused(self, service: APIClient) -> None:
        problem(_link(service, Customer(pk=uuid.uuid4())), 404, "unknown_customer")

    def test_to_an_erased_customer_is_refused(self, service: APIClient) -> None:
        erased = CustomerFactory(status=Customer.Status.ERASED)
        problem(_link(service, erased), 410, "customer_erased")


class TestUnlink:
    def test_ends_the_link_and_leaves_a_trail(self, service: APIClient) -> None:
        mapping = MappingFactory()
        response = service.delete(f"{_address(mapping)}?reason=recycled%20number")
        assert (response.status_code, response.content) == (204, b"")
        mapping.refresh_from_db()
        assert mapping.status == Mapping.Status.ENDED
        assert AuditEntry.objects.get(action="unlink").metadata["reason"] == "recycled number"

    def test_twice_is_refused(self, service: APIClient) -> None:
        mapping = MappingFactory()
        service.delete(_address(mapping))
        problem(service.delete(_address(mapping)), 404, "not_found")

    def test_somebody_elses_identifier_is_refused(self, service: APIClient) -> None:
        mapping, other = MappingFactory(), CustomerFactory()
        response = service.delete(f"/api/v1/customers/{other.pk}/identifiers/{mapping.pk}")
        problem(response, 404, "not_found")
        assert Mapping.objects.get().status == Mapping.Status.ACTIVE

    def test_an_unknown_parameter_is_refused(self, service: APIClient) -> None:
        mapping = MappingFactory()
        problem(service.delete(f"{_address(mapping)}?raeson=x"), 400, "malformed_request")
        assert Mapping.objects.get().status == Mapping.Status.ACTIVE


class TestList:
    def test_shows_the_identifiers_of_one_customer(self, service: APIClient) -> None:
        mapping, _ = MappingFactory(channel_identifier="Anna@Shop.Example.com"), MappingFactory()
        [row] = service.get(f"/api/v1/customers/{mapping.customer_id}/identifiers").json()["results"]
        assert (row["type"], row["value"]) == ("email", "Anna@Shop.Example.com")
        assert (row["normalised"], row["confidence"]) == (EMAIL, 1.0)
        assert row["channel"] == mapping.channel.code

    def test_tells_ended_from_active(self, service: APIClient) -> None:
        customer = CustomerFactory()
        active, _ = MappingFactory(customer=customer), MappingFactory(customer=customer, status="ended")
        response = service.get(f"/api/v1/customers/{customer.pk}/identifiers", {"status": "active"})
        assert ids(response) == [str(active.pk)]

    def test_of_nobody_is_refused(self, service: APIClient) -> None:
        problem(service.get(f"/api/v1/customers/{uuid.uuid4()}/identifiers"), 404, "unknown_customer")
