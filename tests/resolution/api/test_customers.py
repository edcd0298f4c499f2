"""Customers over HTTP."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from customers.models import Customer
from resolution.models import AuditEntry
from resolution.services.link import link_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.profiles import create_customer
from resolution.types import Actor
from tests.factories import ChannelFactory, CustomerFactory, MessageFactory
from tests.resolution.api.answers import ids, problem

pytestmark = pytest.mark.django_db
CUSTOMERS = "/api/v1/customers"


def _address(customer: Customer) -> str:
    return f"{CUSTOMERS}/{customer.pk}"


def _merged() -> tuple[Customer, Customer]:
    """A survivor and the customer absorbed into it."""
    survivor, absorbed = CustomerFactory(name="Anna Smith"), CustomerFactory(name="Ann Smith")
    merge_customers(
        member_ids=[survivor.pk, absorbed.pk], survivor_id=survivor.pk, actor=Actor.machine("test")
    )
    survivor.refresh_from_db()
    return survivor, absorbed


class TestGetCustomer:
    def test_returns_what_is_known(self, service: APIClient) -> None:
        customer = CustomerFactory(name="Anna Smith", birth_date=date(1980, 2, 1), city="Köln")
        body = service.get(_address(customer)).json()
        assert (body["id"], body["requested_id"]) == (str(customer.pk), str(customer.pk))
        assert (body["name"], body["birth_date"], body["city"]) == ("Anna Smith", "1980-02-01", "Köln")

    def test_p2_a_merged_id_answers_with_the_survivor(self, service: APIClient) -> None:
        survivor, absorbed = _merged()
        response = service.get(_address(absorbed))
        assert response.status_code == 200
        body = response.json()
        assert (body["id"], body["requested_id"]) == (str(survivor.pk), str(absorbed.pk))
        assert response["Content-Location"] == _address(survivor)

    def test_p2_in_one_look_up(self, service: APIClient) -> None:
        _, absorbed = _merged()
        with CaptureQueriesContext(connection) as queries:
            service.get(_address(absorbed))
        assert len([query for query in queries if 'FROM "customers"' in query["sql"]]) == 1

    def test_an_erased_customer_is_gone(self, service: APIClient) -> None:
        customer = CustomerFactory(status=Customer.Status.ERASED)
        refusal = problem(service.get(_address(customer)), 410, "customer_erased")
        assert refusal["facts"]["customer"] == str(customer.pk)

    def test_what_the_caller_holds_is_not_sent_again(self, service: APIClient) -> None:
        customer = CustomerFactory(name="Anna")
        tag = service.get(_address(customer))["ETag"]
        response = service.get(_address(customer), HTTP_IF_NONE_MATCH=tag)
        assert (response.status_code, response.content) == (304, b"")

    def test_what_changed_is_sent_again(self, service: APIClient) -> None:
        customer = CustomerFactory(name="Anna")
        tag = service.get(_address(customer))["ETag"]
        Customer.objects.filter(pk=customer.pk).update(city="Köln")
        assert service.get(_address(customer), HTTP_IF_NONE_MATCH=tag).status_code == 200

    def test_a_merge_changes_the_tag_of_the_absorbed_id(self, service: APIClient) -> None:
        absorbed, survivor = CustomerFactory(name="Ann"), CustomerFactory(name="Anna")
        tag = service.get(_address(absorbed))["ETag"]
        merge_customers(
            member_ids=[survivor.pk, absorbed.pk], survivor_id=survivor.pk, actor=Actor.machine("test")
        )
        assert service.get(_address(absorbed), HTTP_IF_NONE_MATCH=tag).status_code == 200


class TestPatchCustomer:
    def test_changes_the_fields_named_and_leaves_a_trail(self, service: APIClient) -> None:
        customer = CustomerFactory(name="Anna", city="Köln")
        response = _patch(service, customer, {"name": "Anna Smith", "birth_date": "1980-02-01"})
        assert response.status_code == 200, response.content
        customer.refresh_from_db()
        assert (customer.name, customer.birth_date, customer.city) == ("Anna Smith", date(1980, 2, 1), "Köln")
        assert AuditEntry.objects.get(customer=customer, action="update").actor_kind == "service"

    def test_the_answer_carries_the_new_tag(self, service: APIClient) -> None:
        customer = CustomerFactory(name="Anna")
        tag = _patch(service, customer, {"name": "Ann"})["ETag"]
        assert tag == service.get(_address(customer))["ETag"]

    def test_null_takes_the_birth_date_away(self, service: APIClient) -> None:
        customer = CustomerFactory(name="Anna", birth_date=date(1980, 2, 1))
        assert _patch(service, customer, {"birth_date": None}).json()["birth_date"] is None

    @pytest.mark.parametrize("day", ["2999-01-01", "1849-12-31"])
    def test_a_day_nobody_is_born_on_is_refused_with_what_is_wanted(
        self, day: str, service: APIClient
    ) -> None:
        customer = CustomerFactory(name="Anna")
        body = problem(_patch(service, customer, {"birth_date": day}), 422, "invalid_input")
        assert f"birth_date is {day}; a day from 1850-01-01 to today" in body["detail"]

    def test_without_a_version_is_refused(self, service: APIClient) -> None:
        customer = CustomerFactory(name="Anna")
        problem(service.patch(_address(customer), {"name": "Ann"}), 428, "version_required")
        assert Customer.objects.get().name == "Anna"

    def test_an_older_version_is_refused_and_changes_nothing(self, service: APIClient) -> None:
        customer = CustomerFactory(name="Anna")
        tag = service.get(_address(customer))["ETag"]
        _patch(service, customer, {"name": "Ann"})
        response = service.patch(_address(customer), {"name": "Hans"}, HTTP_IF_MATCH=tag)
        problem(response, 412, "stale_version")
        customer.refresh_from_db()
        assert customer.name == "Ann"

    @pytest.mark.parametrize("tag", ["*", "1", '"1"', '"1-xyz"', 'W/"1-0123456789abcdef"', '"', "x" * 9000])
    def test_a_tag_it_never_gave_is_refused(self, tag: str, service: APIClient) -> None:
        customer = CustomerFactory(name="Anna")
        response = service.patch(_address(customer), {"name": "Ann"}, HTTP_IF_MATCH=tag)
        problem(response, 400, "malformed_request")
        assert Customer.objects.get().name == "Anna"

    def test_a_merged_customer_is_refused_with_its_survivor_named(self, service: APIClient) -> None:
        survivor, absorbed = _merged()
        body = problem(_patch(service, absorbed, {"name": "X"}), 409, "refused")
        assert body["facts"]["merged_into"] == str(survivor.pk)

    @pytest.mark.parametrize(
        "changes",
        [{}, {"nmae": "x"}, {"name": 5}, {"name": None}, {"name": "x" * 256}, {"birth_date": "31.12.1980"}],
    )
    def test_what_cannot_be_stored_is_refused(self, changes: dict[str, Any], service: APIClient) -> None:
        customer = CustomerFactory(name="Anna")
        problem(_patch(service, customer, changes), 400, "malformed_request")
        customer.refresh_from_db()
        assert customer.version == 1


class TestListCustomers:
    def test_finds_by_part_of_a_name_in_any_case(self, service: APIClient) -> None:
        anna, _ = CustomerFactory(name="Anna Smith"), CustomerFactory(name="Hans Maier")
        assert ids(service.get(CUSTOMERS, {"name": "SMIT"})) == [str(anna.pk)]

    def test_tells_active_from_merged(self, service: APIClient) -> None:
        survivor, absorbed = _merged()
        assert ids(service.get(CUSTOMERS, {"status": "active"})) == [str(survivor.pk)]
        [row] = service.get(CUSTOMERS, {"status": "merged"}).json()["results"]
        assert (row["id"], row["canonical_id"]) == (str(absorbed.pk), str(survivor.pk))

    def test_finds_by_time(self, service: APIClient) -> None:
        customer = CustomerFactory()
        assert ids(service.get(CUSTOMERS, {"created_after": "2000-01-01T00:00:00Z"})) == [str(customer.pk)]
        assert ids(service.get(CUSTOMERS, {"created_before": "2000-01-01T00:00:00Z"})) == []

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("status", "dead"),
            ("created_after", "yesterday"),
            ("name", "a\0b"),
            ("name", "ab"),
            ("email", "x" * 300),
        ],
    )
    def test_a_filter_it_cannot_read_is_refused_by_name(
        self, name: str, value: str, service: APIClient
    ) -> None:
        body = problem(service.get(CUSTOMERS, {name: value}), 400, "malformed_request")
        assert list(body["facts"]["fields"]) == [name]


class TestHistory:
    def test_tells_what_happened_newest_first(self, service: APIClient) -> None:
        customer = CustomerFactory(name="Anna")
        MessageFactory(customer=customer, subject="Where is my parcel?")
        _patch(service, customer, {"city": "Köln"})
        entries = service.get(f"{_address(customer)}/history").json()["entries"]
        assert [entry["kind"] for entry in entries] == ["update", "message"]
        assert "Where is my parcel?" in entries[1]["title"]

    def test_a_merged_id_tells_of_its_survivor(self, service: APIClient) -> None:
        survivor, absorbed = _merged()
        histories = [service.get(f"{_address(row)}/history").json() for row in (survivor, absorbed)]
        assert histories[0] == histories[1]
        assert histories[0]["entries"]

    def test_goes_on_where_the_page_before_ended(self, service: APIClient) -> None:
        customer = CustomerFactory(name="Anna")
        MessageFactory.create_batch(3, customer=customer)
        first = service.get(f"{_address(customer)}/history", {"limit": 2}).json()
        rest = service.get(f"{_address(customer)}/history", {"limit": 2, "before": first["older"]}).json()
        told = [entry["row_id"] for page in (first, rest) for entry in page["entries"]]
        assert len(set(told)) == len(told) == 3
        assert rest["older"] is None

    @pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "x"}, {"before": "now"}, {"after": "x"}])
    def test_a_query_it_cannot_read_is_refused(self, query: dict[str, str], service: APIClient) -> None:
        problem(service.get(f"{_address(CustomerFactory())}/history", query), 400, "malformed_request")

    def test_of_nobody_is_refused(self, service: APIClient) -> None:
        nobody = str(uuid.uuid4())
        refusal = problem(service.get(f"{CUSTOMERS}/{nobody}/history"), 404, "unknown_customer")
        assert nobody in refusal["detail"]


class TestProvenance:
    def test_names_whom_a_value_is_from_the_rule_and_the_merge(self, service: APIClient) -> None:
        anna, ann = CustomerFactory(name="Anna"), CustomerFactory(name="Anna", city="Ulm")
        made = merge_customers(member_ids=[anna.pk, ann.pk], survivor_id=anna.pk, actor=Actor.machine("test"))
        body = service.get(f"{_address(ann)}/provenance").json()
        assert body["customer_id"] == str(anna.pk)
        [city] = [entry for entry in body["fields"] if entry["field"] == "city"]
        assert (city["value"], city["edited"]) == ("Ulm", None)
        [step] = city["steps"]
        assert (step["merge_id"], step["source"], step["rule"], step["kept"]) == (
            made.pk,
            str(ann.pk),
            "only",
            False,
        )

    def test_names_who_wrote_a_value_since(self, service: APIClient) -> None:
        survivor, _ = _merged()
        _patch(service, survivor, {"name": "Anna Maria Smith"})
        body = service.get(f"{_address(survivor)}/provenance").json()
        [name] = [entry for entry in body["fields"] if entry["field"] == "name"]
        assert name["steps"] == []
        assert name["edited"]["who"]

    def test_of_nobody_is_refused(self, service: APIClient) -> None:
        nobody = str(uuid.uuid4())
        problem(service.get(f"{CUSTOMERS}/{nobody}/provenance"), 404, "unknown_customer")


def _patch(client: APIClient, customer: Customer, changes: dict[str, Any]) -> Any:
    tag = client.get(_address(customer))["ETag"]
    return client.patch(_address(customer), changes, HTTP_IF_MATCH=tag)


class TestCustomerAsOf:
    def test_tells_what_was_of_this_very_id(self, service: APIClient) -> None:
        channel = ChannelFactory(code="web")
        anna, ann = (
            create_customer(fields={"name": name, "birth_date": "1980-02-01"}, actor=Actor.machine("test"))
            for name in ("Anna Smith", "Ann Smith")
        )
        link_customer_identifier(
            customer_id=ann.pk,
            channel=channel,
            identifier_type="email",
            value="Ann@post.example",
            actor=Actor.machine("test"),
        )
        before = timezone.now()
        merge_customers(member_ids=[anna.pk, ann.pk], survivor_id=anna.pk, actor=Actor.machine("test"))

        then = service.get(f"{_address(ann)}/as-of", {"moment": before.isoformat()}).json()
        now = service.get(f"{_address(ann)}/as-of", {"moment": timezone.now().isoformat()}).json()

        assert (then["name"], then["birth_date"], then["status"]) == ("Ann Smith", "1980-02-01", "active")
        assert (then["id"], then["canonical_id"]) == (str(ann.pk), str(ann.pk))
        [identifier] = then["identifiers"]
        assert (identifier["channel"], identifier["value"]) == ("web", "Ann@post.example")
        assert (identifier["normalised"], identifier["owned"]) == ("ann@post.example", True)
        assert (now["status"], now["canonical_id"], now["identifiers"]) == ("merged", str(anna.pk), [])

    @pytest.mark.parametrize(
        ("moment", "status", "code"),
        [
            ("", 400, "malformed_request"),
            ("yesterday", 400, "malformed_request"),
            ("2020-01-01T00:00:00", 422, "invalid_input"),
            ("2999-01-01T00:00:00Z", 422, "invalid_input"),
            ("2020-01-01T00:00:00Z", 404, "past_unknown"),
        ],
    )
    def test_says_what_is_wrong_with_a_moment(
        self, service: APIClient, moment: str, status: int, code: str
    ) -> None:
        customer = create_customer(fields={"name": "Anna Smith"}, actor=Actor.machine("test"))
        answer = service.get(f"{_address(customer)}/as-of", {"moment": moment})
        problem(answer, status, code)

    def test_knows_no_stranger(self, service: APIClient) -> None:
        nobody = str(uuid.uuid4())
        answer = service.get(f"{CUSTOMERS}/{nobody}/as-of", {"moment": "2020-01-01T00:00:00Z"})
        assert nobody in problem(answer, 404, "unknown_customer")["detail"]


class TestAddress:
    def test_letters_of_an_id_may_be_capitals(self, service: APIClient) -> None:
        customer = CustomerFactory()
        answer = service.get(f"{CUSTOMERS}/{str(customer.pk).upper()}")
        assert (answer.status_code, answer.json()["id"]) == (200, str(customer.pk))


class TestWhatCannotBeRead:
    @pytest.mark.parametrize(
        ("query", "sentence"),
        [
            ("history?before=x", "before: A moment with its time zone is wanted"),
            ("history?limit=0", "limit: A whole number from 1 to 200 is wanted; this is 0."),
            ("history?limit=1.5", "limit: A whole number is wanted; this is “1.5”."),
            ("as-of?moment=x", "moment: A moment with its time zone is wanted"),
            ("as-of?moment=0001-01-01T00:00:00%2B14:00", "moment: No date can hold this moment in UTC."),
        ],
    )
    def test_is_named_with_what_is_wanted(self, service: APIClient, query: str, sentence: str) -> None:
        answer = service.get(f"{CUSTOMERS}/{CustomerFactory().pk}/{query}")
        assert answer.status_code == 400
        assert sentence in answer.json()["detail"]

    def test_a_date_is_named_with_what_is_wanted(self, lead: APIClient) -> None:
        address = f"{CUSTOMERS}/{CustomerFactory().pk}"
        seen = lead.get(address)["ETag"]
        answer = lead.patch(address, {"birth_date": "1980-02-30"}, HTTP_IF_MATCH=seen)
        assert answer.json()["detail"] == (
            "birth_date: A date is wanted, such as 1980-02-01; this is “1980-02-30”."
        )
