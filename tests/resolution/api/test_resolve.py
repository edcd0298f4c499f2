"""Resolving over HTTP."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from rest_framework.test import APIClient

from customers.models import Channel, Customer, Mapping, Message
from resolution.models import AuditEntry, Conflict
from resolution.services.keys import rebuild_keys
from resolution.services.merge import merge_customers
from resolution.types import Actor
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory
from tests.resolution.api.answers import problem

pytestmark = pytest.mark.django_db
RESOLVE = "/api/v1/resolve"
ANNA = {
    "given_name": "Anneliese",
    "family_name": "Wolkenstein",
    "birth_date": "1980-02-01",
    "postcode": "50667",
    "city": "Köln",
}


@pytest.fixture
def channel(db: None) -> Channel:
    return ChannelFactory(code="shop")


def _ask(client: APIClient, **body: Any) -> Any:
    return client.post(RESOLVE, {"channel": "shop", **body})


def _email(value: str) -> list[dict[str, str]]:
    return [{"type": "email", "value": value}]


@pytest.mark.usefixtures("channel")
class TestResolve:
    def test_a_known_identifier_is_matched(self, service: APIClient, channel: Channel) -> None:
        mapping = MappingFactory(channel=channel, channel_identifier="anna@shop.example.com")
        body = _ask(service, identifiers=_email("Anna@Shop.Example.com")).json()
        assert (body["status"], body["customer_id"]) == ("matched", str(mapping.customer_id))
        assert (body["band"], body["confidence"]) == ("auto", 1.0)
        assert "anna@shop.example.com" in body["reasons"][0].lower()

    def test_p2_a_merged_owner_is_answered_by_its_survivor(
        self, service: APIClient, channel: Channel
    ) -> None:
        mapping = MappingFactory(channel=channel, channel_identifier="anna@shop.example.com")
        survivor = CustomerFactory(name="Anna")
        members = [survivor.pk, mapping.customer_id]
        assert _ask(service, identifiers=_email("anna@shop.example.com")).status_code == 200
        merge_customers(member_ids=members, survivor_id=survivor.pk, actor=Actor.machine("test"))
        body = _ask(service, identifiers=_email("anna@shop.example.com")).json()
        assert body["customer_id"] == str(survivor.pk)

    def test_somebody_new_is_created(self, service: APIClient) -> None:
        body = _ask(service, identifiers=_email("anna@shop.example.com"), fields=ANNA).json()
        customer = Customer.objects.get()
        assert (body["status"], body["customer_id"]) == ("created", str(customer.pk))
        assert (customer.family_name, customer.email) == ("Wolkenstein", "anna@shop.example.com")

    def test_a_dry_run_writes_nothing(self, service: APIClient) -> None:
        trail = AuditEntry.objects.count()
        body = _ask(service, identifiers=_email("anna@shop.example.com"), fields=ANNA, dry_run=True).json()
        assert (body["status"], body["customer_id"]) == ("unknown", None)
        assert not Customer.objects.exists()
        assert AuditEntry.objects.count() == trail

    def test_an_unclear_case_is_answered_and_queued(self, service: APIClient, channel: Channel) -> None:
        one = MappingFactory(channel=channel, channel_identifier="anna@shop.example.com")
        MappingFactory(channel=channel, identifier_type="phone", channel_identifier="+4922112345678")
        body = _ask(
            service,
            identifiers=[*_email("anna@shop.example.com"), {"type": "phone", "value": "+49 221 12345678"}],
        ).json()
        assert (body["status"], body["customer_id"]) == ("review", str(one.customer_id))
        assert body["conflict_id"] == Conflict.objects.get().pk

    def test_a_message_is_kept_with_what_became_of_it(self, service: APIClient) -> None:
        message = {
            "message_id": "m1",
            "sender_id": "anna@shop.example.com",
            "content": "Hello",
            "mood": [1, {}],
        }
        body = _ask(service, message=message).json()
        kept = Message.objects.get()
        assert (body["message_id"], body["status"]) == (str(kept.pk), "created")
        assert (kept.external_id, kept.outcome, kept.content) == ("m1", "created", "Hello")

    def test_p6_the_same_message_twice_is_one(self, service: APIClient) -> None:
        message = {"message_id": "m1", "sender_id": "anna@shop.example.com"}
        first, second = (_ask(service, message=message).json() for _ in range(2))
        assert (first["customer_id"], first["message_id"]) == (second["customer_id"], second["message_id"])
        assert (Customer.objects.count(), Message.objects.count()) == (1, 1)

    def test_an_unknown_channel_is_refused(self, service: APIClient) -> None:
        problem(_ask(service, channel="fax", identifiers=_email("a@b.example")), 404, "unknown_channel")

    def test_identifiers_that_tell_nothing_are_refused(self, service: APIClient) -> None:
        problem(_ask(service, identifiers=_email("test@test.com")), 422, "unusable_identifier")
        assert not Customer.objects.exists()

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"message": {}},
            {"message": []},
            {"message": "hello"},
            {"message": {"a": 1}, "identifiers": [{"type": "email", "value": "a@b.example"}]},
            {"identifiers": {}},
            {"identifiers": ["anna@shop.example.com"]},
            {"identifiers": [{"type": "email"}]},
            {"identifiers": [{"type": "email", "value": "x" * 10_000}]},
            {"identifiers": [{"type": "email", "value": "a@b.example"}] * 51},
            {"identifiers": [{"type": "email", "value": "a@b.example"}], "fields": {"nmae": "x"}},
            {"identifiers": [{"type": "email", "value": "a@b.example"}], "dryrun": True},
            {"identifiers": [{"type": "email", "value": "a@b.example"}], "dry_run": "yes"},
        ],
    )
    def test_what_cannot_be_read_is_refused_and_creates_nobody(
        self, body: dict[str, Any], service: APIClient
    ) -> None:
        problem(_ask(service, **body), 400, "malformed_request")
        assert not Customer.objects.exists()

    def test_a_message_with_an_endless_sender_creates_nobody(self, service: APIClient) -> None:
        body = _ask(service, message={"sender_id": "a" * 10_000}).json()
        assert (body["status"], body["customer_id"]) == ("unknown", None)
        assert Message.objects.get().outcome == Message.Outcome.REFUSED


class TestSearchDuplicates:
    ADDRESS = "/api/v1/duplicates/search"

    def test_finds_who_is_alike_and_says_why(self, service: APIClient) -> None:
        anna = _known(**ANNA)
        _known(given_name="Hans", family_name="Maier")
        [found] = service.post(self.ADDRESS, {"fields": ANNA}).json()["candidates"]
        assert found["customer_id"] == str(anna.pk)
        assert found["weight"] == pytest.approx(sum(entry["weight"] for entry in found["evidence"]), abs=0.01)
        assert {"birth_date"} <= {entry["field"] for entry in found["evidence"]}

    def test_writes_nothing(self, service: APIClient) -> None:
        service.post(self.ADDRESS, {"fields": ANNA})
        assert not Customer.objects.exists()

    def test_a_threshold_leaves_the_less_likely_out(self, service: APIClient) -> None:
        _known(**ANNA)
        body = service.post(self.ADDRESS, {"fields": ANNA, "threshold": 199}).json()
        assert body == {"candidates": []}

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"fields": "Anna"},
            {"fields": {"shoe_size": "40"}},
            {"fields": ANNA, "limit": 0},
            {"fields": ANNA, "limit": "5"},
            {"fields": ANNA, "threshold": "high"},
        ],
    )
    def test_what_cannot_be_read_is_refused(self, body: dict[str, Any], service: APIClient) -> None:
        problem(service.post(self.ADDRESS, body), 400, "malformed_request")


class TestExplain:
    ADDRESS = "/api/v1/explain"

    def test_tells_the_weight_and_each_reason(self, service: APIClient) -> None:
        one, other = _known(**ANNA), _known(**{**ANNA, "given_name": "Anna"})
        body = service.get(self.ADDRESS, {"a": one.pk, "b": other.pk}).json()
        assert (body["a"], body["b"]) == (str(one.pk), str(other.pk))
        assert body["weight"] == pytest.approx(sum(entry["weight"] for entry in body["evidence"]), abs=0.01)
        assert all(entry["detail"] for entry in body["evidence"])
        assert body["verdict"] == ""

    def test_p7_is_the_same_from_either_side(self, service: APIClient) -> None:
        one, other = _known(**ANNA), _known(**{**ANNA, "birth_date": "1980-01-02"})
        there = service.get(self.ADDRESS, {"a": one.pk, "b": other.pk}).json()
        back = service.get(self.ADDRESS, {"a": other.pk, "b": one.pk}).json()
        assert there["weight"] == back["weight"]
        assert [entry["level"] for entry in there["evidence"]] == [
            entry["level"] for entry in back["evidence"]
        ]

    def test_tells_what_a_person_said(self, service: APIClient, steward: APIClient) -> None:
        one, other = _known(**ANNA), _known(**ANNA)
        verdict = {"left_id": str(one.pk), "right_id": str(other.pk), "verdict": "different"}
        assert steward.post("/api/v1/judgements", verdict).status_code == 201
        body = service.get(self.ADDRESS, {"a": one.pk, "b": other.pk}).json()
        assert (body["verdict"], body["verdict_fresh"]) == ("different", True)

    def test_one_customer_twice_is_refused(self, service: APIClient) -> None:
        customer = _known(**ANNA)
        problem(service.get(self.ADDRESS, {"a": customer.pk, "b": customer.pk}), 422, "invalid_input")

    def test_an_unknown_customer_is_refused(self, service: APIClient) -> None:
        response = service.get(self.ADDRESS, {"a": _known(**ANNA).pk, "b": uuid.uuid4()})
        problem(response, 404, "unknown_customer")

    @pytest.mark.parametrize("query", [{}, {"a": "1"}, {"a": "x", "b": "y"}, {"c": "1"}])
    def test_what_cannot_be_read_is_refused(self, query: dict[str, str], service: APIClient) -> None:
        problem(service.get(self.ADDRESS, query), 400, "malformed_request")


def _known(**fields: Any) -> Customer:
    customer: Customer = CustomerFactory(**fields)
    customer.refresh_from_db()
    rebuild_keys([customer.pk])
    return customer


class TestAsOf:
    """Who had an identifier at a moment that is past."""

    @pytest.fixture
    def former(self, channel: Channel) -> Mapping:
        """Anna had the address for January 2024; somebody else has it since May."""
        link = {"channel": channel, "channel_identifier": "anna@shop.example.com"}
        january = {
            "valid_from": datetime(2024, 1, 1, tzinfo=UTC),
            "valid_to": datetime(2024, 2, 1, tzinfo=UTC),
        }
        MappingFactory(**link, valid_from=datetime(2024, 5, 1, tzinfo=UTC))
        return MappingFactory(**link, **january, status="ended")

    def test_is_answered_by_the_owner_then(self, service: APIClient, former: Mapping) -> None:
        body = _ask(
            service, identifiers=_email("anna@shop.example.com"), as_of="2024-01-15T12:00:00+01:00"
        ).json()
        assert (body["status"], body["customer_id"]) == ("matched", str(former.customer_id))
        assert (body["as_of"], body["cached"]) == ("2024-01-15T11:00:00Z", False)
        assert body["owners"] == [
            {
                "type": "email",
                "value": "anna@shop.example.com",
                "customer_id": str(former.customer_id),
                "canonical_id": str(former.customer_id),
                "confidence": 1.0,
                "valid_from": "2024-01-01T00:00:00Z",
                "valid_to": "2024-02-01T00:00:00Z",
            }
        ]

    def test_p2_names_the_customer_it_is_now_beside_the_one_it_was(
        self, service: APIClient, former: Mapping
    ) -> None:
        survivor = CustomerFactory(name="Anna")
        members = [survivor.pk, former.customer_id]
        merge_customers(member_ids=members, survivor_id=survivor.pk, actor=Actor.machine("test"))
        body = _ask(service, identifiers=_email("anna@shop.example.com"), as_of="2024-01-15T12:00:00Z").json()
        assert body["customer_id"] == body["owners"][0]["canonical_id"] == str(survivor.pk)
        assert body["owners"][0]["customer_id"] == str(former.customer_id)

    def test_nobody_is_created_for_a_moment_nothing_is_known_of(
        self, service: APIClient, former: Mapping
    ) -> None:
        before = Customer.objects.count(), AuditEntry.objects.count()
        body = _ask(service, identifiers=_email("anna@shop.example.com"), as_of="2023-01-15T12:00:00Z").json()
        assert (body["status"], body["customer_id"], body["owners"]) == ("unknown", None, [])
        assert "its first known owner had it from 2024-01-01 00:00:00 UTC on" in body["reasons"][0]
        assert (Customer.objects.count(), AuditEntry.objects.count()) == before

    @pytest.mark.usefixtures("channel")
    @pytest.mark.parametrize(
        ("moment", "sentence"),
        [
            ("2100-01-01T00:00:00Z", "as_of is 2100-01-01 00:00:00 UTC, which is still to come"),
            ("2024-01-15T12:00:00", "without a time zone; write it as 2024-01-15T12:00:00Z"),
            ("2024-01-15", "without a time zone"),
        ],
    )
    def test_a_moment_that_cannot_be_asked_of_is_refused(
        self, moment: str, sentence: str, service: APIClient
    ) -> None:
        body = problem(
            _ask(service, identifiers=_email("anna@shop.example.com"), as_of=moment), 422, "invalid_input"
        )
        assert sentence in body["detail"]
        assert body["facts"] == {"field": "as_of"}

    @pytest.mark.usefixtures("channel")
    @pytest.mark.parametrize(
        ("moment", "sentence"),
        [
            ("2024-02-31T12:00:00Z", "such as 2026-01-31T09:30:00Z; this is “2024-02-31T12:00:00Z”"),
            ("yesterday", "this is “yesterday”"),
            ("0001-01-01T00:00:00+14:00", "No date can hold this moment in UTC."),
            ("", "this is “”"),
            (1705312800, "this is a number"),
            (None, "null"),
        ],
    )
    def test_what_is_no_moment_is_refused_with_what_is_wanted(
        self, moment: object, sentence: str, service: APIClient
    ) -> None:
        body = problem(
            _ask(service, identifiers=_email("anna@shop.example.com"), as_of=moment), 400, "malformed_request"
        )
        assert list(body["facts"]["fields"]) == ["as_of"]
        assert sentence in str(body["facts"]["fields"])

    @pytest.mark.usefixtures("channel")
    @pytest.mark.parametrize(
        "given",
        [
            {"fields": ANNA},
            {"message": {"sender_id": "anna@shop.example.com"}},
            {"identifiers": _email("anna@shop.example.com"), "fields": ANNA},
        ],
    )
    def test_only_identifiers_are_asked_of_a_moment(self, given: dict[str, Any], service: APIClient) -> None:
        body = problem(_ask(service, as_of="2024-01-15T12:00:00Z", **given), 400, "malformed_request")
        assert "no message and no fields" in str(body)
        assert not Customer.objects.exists()

    @pytest.mark.usefixtures("channel")
    def test_an_unusable_identifier_is_refused(self, service: APIClient) -> None:
        asked = _ask(service, identifiers=_email("no address"), as_of="2024-01-15T12:00:00Z")
        problem(asked, 422, "unusable_identifier")
