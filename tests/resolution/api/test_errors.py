"""Every refusal is problem details with the right status, and leaves nothing half done."""

from __future__ import annotations

import uuid

import pytest
from django.db import IntegrityError, InterfaceError, OperationalError, connection
from rest_framework.test import APIClient

from customers.models import Customer, Mapping
from resolution import errors
from resolution.api.errors import problem_of
from resolution.models import AuditEntry
from tests.factories import ChannelFactory, CustomerFactory
from tests.resolution.api.answers import problem
from tests.resolution.api.elsewhere import held_elsewhere

pytestmark = pytest.mark.django_db
JUDGEMENTS = "/api/v1/judgements"


class TestStatusOfRefusals:
    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (errors.InvalidInput("No."), 422),
            (errors.UnusableIdentifier("email", "x", "no @"), 422),
            (errors.KeyReused("k"), 422),
            (errors.UnknownChannel("x", []), 404),
            (errors.UnknownCustomer("x"), 404),
            (errors.CustomerErased("x"), 410),
            (errors.MergeBlocked(["No."]), 409),
            (errors.RequestInFlight("k"), 409),
            (errors.FourEyes(), 403),
            (errors.StaleVersion("Old."), 412),
            (errors.CacheUnavailable(), 503),
            (OperationalError("gone"), 503),
            (InterfaceError("closed"), 503),
            (IntegrityError("twice"), 409),
        ],
    )
    def test_each_class_has_its_status(self, error: Exception, status: int) -> None:
        found = problem_of(error)
        assert found is not None
        assert found.status == status

    def test_what_passes_says_when_to_come_again(self) -> None:
        assert problem_of(errors.CacheUnavailable()).headers == {"Retry-After": "1"}  # type: ignore[union-attr]

    def test_a_database_error_does_not_quote_the_database(self) -> None:
        found = problem_of(OperationalError("connection to 10.0.0.7 failed: password"))
        assert "10.0.0.7" not in found.detail  # type: ignore[union-attr]

    def test_a_fault_of_ours_travels_on(self) -> None:
        assert problem_of(RuntimeError("oops")) is None


class TestRequestsThatCannotBeRead:
    def test_broken_json(self, steward: APIClient) -> None:
        response = steward.post(JUDGEMENTS, '{"left_id": ', content_type="application/json")
        assert "not JSON" in problem(response, 400, "malformed_request")["detail"]

    def test_text_that_is_not_utf_8(self, steward: APIClient) -> None:
        problem(
            steward.post(JUDGEMENTS, b'{"a": "\xff"}', content_type="application/json"),
            400,
            "malformed_request",
        )

    def test_json_nested_without_end(self, steward: APIClient) -> None:
        response = steward.post(JUDGEMENTS, "[" * 100_000, content_type="application/json")
        assert "nested" in problem(response, 400, "malformed_request")["detail"]

    def test_a_nul_byte_is_named_with_its_place(self, steward: APIClient) -> None:
        response = steward.post(JUDGEMENTS, {"reason": "a\0b"})
        assert "body.reason holds a NUL character" in problem(response, 400, "malformed_request")["detail"]

    def test_half_a_character(self, steward: APIClient) -> None:
        body = '{"reason": "\\ud800"}'
        response = steward.post(JUDGEMENTS, body, content_type="application/json")
        assert "surrogate" in problem(response, 400, "malformed_request")["detail"]

    def test_a_number_without_end(self, steward: APIClient) -> None:
        response = steward.post(JUDGEMENTS, '{"reason": 1e999}', content_type="application/json")
        assert "finite" in problem(response, 400, "malformed_request")["detail"]

    def test_a_number_of_more_digits_than_can_be_read(self, steward: APIClient) -> None:
        body = '{"reason": ' + "9" * 6_000 + "}"
        response = steward.post(JUDGEMENTS, body, content_type="application/json")
        detail = problem(response, 400, "malformed_request")["detail"]
        assert detail == "The body holds a number of 6,000 digits; 300 at most can be read."

    def test_a_name_given_twice(self, steward: APIClient) -> None:
        body = '{"reason": "a", "reason": "b"}'
        response = steward.post(JUDGEMENTS, body, content_type="application/json")
        assert "names “reason” twice" in problem(response, 400, "malformed_request")["detail"]

    def test_null_where_an_object_is_wanted(self, steward: APIClient) -> None:
        response = steward.post(JUDGEMENTS, "null", content_type="application/json")
        assert "this is null" in problem(response, 400, "malformed_request")["detail"]

    @pytest.mark.parametrize(
        ("address", "body", "sentence"),
        [
            ("judgements", {"left_id": "x" * 36}, f"this is “{'x' * 36}”"),
            ("merges/proposals", {"members": "x"}, "members: A list is wanted; this is text."),
            ("merges/proposals", {"members": []}, "members: 2 to 100 entries are wanted; this list has 0."),
            ("merges/proposals", {"conflict_id": 0}, "is wanted; this is 0."),
            (
                "merges/proposals/bulk",
                {"conflict_ids": 3},
                ": A list is wanted; this is a number.",
            ),
            (
                "duplicates/search",
                {"limit": 500},
                "A whole number from 1 to 100 is wanted; this is 500.",
            ),
            ("duplicates/search", {"threshold": 1e9}, "threshold: A number from -100 to 200 is wanted;"),
            ("duplicates/search", {"channel": ""}, "channel: Text is wanted; this is blank."),
        ],
    )
    def test_says_what_was_given_and_what_is_wanted(
        self, lead: APIClient, address: str, body: dict[str, object], sentence: str
    ) -> None:
        response = lead.post(f"/api/v1/{address}", body)
        assert sentence in problem(response, 400, "malformed_request")["detail"]

    @pytest.mark.parametrize(
        ("query", "sentence"),
        [
            ("merges?undone=maybe", "undone: true or false is wanted; this is “maybe”."),
            ("merges?survivor=1", "survivor: An id is wanted: a UUID as text, 36 characters; this is “1”."),
            ("merges/proposals?batch=x", "batch: A whole number from 1 to"),
            (
                "judgements?customer=x",
                "customer: An id is wanted: a UUID as text, 36 characters; this is “x”.",
            ),
            ("customers?name=ab", "name: At least 3 characters are wanted; this has 2."),
            (
                "merges/1/undo?member=x",
                "member: An id is wanted: a UUID as text, 36 characters; this is",
            ),
        ],
    )
    def test_says_what_a_parameter_wants(self, lead: APIClient, query: str, sentence: str) -> None:
        response = lead.get(f"/api/v1/{query}")
        assert sentence in problem(response, 400, "malformed_request")["detail"]

    @pytest.mark.parametrize("noun", ["conflict", "merge", "proposal"])
    def test_says_which_number_is_unknown(self, lead: APIClient, noun: str) -> None:
        address = {"conflict": "conflicts", "merge": "merges", "proposal": "merges/proposals"}[noun]
        body = problem(lead.get(f"/api/v1/{address}/99999999"), 404, "not_found")
        assert body["detail"] == f"There is no {noun} 99999999. Check the number."
        assert body["facts"] == {noun: 99999999}

    def test_an_address_with_a_line_break(self, lead: APIClient) -> None:
        problem(lead.get("/api/v1/customers/x%0a"), 404, "not_found")
        problem(lead.get("/api/v1/nowhere%0a"), 404, "not_found")

    def test_a_body_over_the_limit(self, steward: APIClient) -> None:
        body = '{"reason": "' + "x" * 1_100_000 + '"}'
        problem(steward.post(JUDGEMENTS, body, content_type="application/json"), 413, "request_too_large")

    def test_a_body_in_chunks(self, steward: APIClient) -> None:
        response = steward.post(JUDGEMENTS, HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="")
        problem(response, 411, "length_required")

    def test_a_list_where_an_object_is_wanted(self, steward: APIClient) -> None:
        problem(steward.post(JUDGEMENTS, [1, 2]), 400, "malformed_request")

    def test_another_content_type(self, steward: APIClient) -> None:
        response = steward.post(JUDGEMENTS, "<a/>", content_type="application/xml")
        assert "application/json" in problem(response, 415, "unsupported_media_type")["detail"]

    def test_an_answer_in_another_form(self, steward: APIClient) -> None:
        response = steward.get("/api/v1/channels", HTTP_ACCEPT="text/csv")
        assert "application/json" in problem(response, 406, "not_acceptable")["detail"]

    def test_every_field_at_fault_is_named(self, steward: APIClient) -> None:
        body = problem(
            steward.post(JUDGEMENTS, {"left_id": 7, "verdict": "perhaps"}), 400, "malformed_request"
        )
        assert set(body["facts"]["fields"]) == {"left_id", "right_id", "verdict"}
        assert "left_id: An id is wanted" in body["detail"]

    def test_a_name_it_does_not_know_is_refused_with_those_it_knows(self, steward: APIClient) -> None:
        body = problem(steward.post(JUDGEMENTS, {"verdikt": "same"}), 400, "malformed_request")
        assert "Known: left_id, right_id, verdict, relation, reason." in body["detail"]

    def test_a_value_of_another_type_is_not_rewritten(self, service: APIClient) -> None:
        customer, channel = CustomerFactory(), ChannelFactory()
        body = {
            "channel": channel.code,
            "type": "phone",
            "value": 491701234567,
            "verified": "yes",
            "confidence": "1",
        }
        response = service.post(f"/api/v1/customers/{customer.pk}/identifiers", body)
        told = problem(response, 400, "malformed_request")
        assert set(told["facts"]["fields"]) == {"value", "verified", "confidence"}
        assert "value: Text is wanted; this is a number." in told["detail"]

    def test_an_identifier_of_10_000_characters(self, service: APIClient) -> None:
        customer, channel = CustomerFactory(), ChannelFactory()
        body = {"channel": channel.code, "type": "email", "value": "a" * 9_990 + "@x.example"}
        response = service.post(f"/api/v1/customers/{customer.pk}/identifiers", body)
        assert "255" in problem(response, 400, "malformed_request")["detail"]
        assert not Mapping.objects.exists()


class TestSayingWhatIsWanted:
    def test_a_word_of_none_lists_those_there_are(self, steward: APIClient) -> None:
        told = problem(steward.post(JUDGEMENTS, {"verdict": "perhaps"}), 400, "malformed_request")
        assert (
            "verdict: One of same, different, related, unsure is wanted; this is “perhaps”." in told["detail"]
        )

    def test_a_list_for_a_word_is_named_as_one(self, steward: APIClient) -> None:
        told = problem(steward.post(JUDGEMENTS, {"verdict": ["same"]}), 400, "malformed_request")
        assert "is wanted; this is a list." in told["detail"]

    def test_too_long_a_text_is_told_with_its_length(self, steward: APIClient) -> None:
        told = problem(steward.post(JUDGEMENTS, {"reason": "x" * 501}), 400, "malformed_request")
        assert "reason: At most 500 characters are wanted; this has 501." in told["detail"]

    def test_a_plain_id_for_an_object_is_told_its_form(self, steward: APIClient) -> None:
        body = {"members": [str(uuid.uuid4()), str(uuid.uuid4())]}
        told = problem(steward.post("/api/v1/merges/proposals", body), 400, "malformed_request")
        assert 'members[0]: An object is wanted, {"customer_id": …}; this is text.' in told["detail"]

    def test_a_filter_lists_its_words(self, service: APIClient) -> None:
        told = problem(service.get("/api/v1/customers?status=zzz"), 400, "malformed_request")
        assert "status: “zzz” is not known here; give one of active, merged, erased." in told["detail"]

    def test_a_filter_shows_a_moment(self, service: APIClient) -> None:
        told = problem(service.get("/api/v1/customers?created_after=soon"), 400, "malformed_request")
        assert (
            "created_after: A date and time is wanted, such as 2026-01-31T09:30:00Z; this is “soon”."
            in told["detail"]
        )


class TestAddresses:
    def test_an_unknown_address(self, service: APIClient) -> None:
        problem(service.get("/api/v1/customer"), 404, "not_found")

    @pytest.mark.parametrize("rest", ["", "/history", "/identifiers"])
    def test_an_id_that_is_none_is_named(self, service: APIClient, rest: str) -> None:
        body = problem(service.get(f"/api/v1/customers/abc{rest}"), 404, "not_found")
        assert "“abc” is no customer id" in body["detail"]

    def test_a_number_beyond_any_column(self, service: APIClient) -> None:
        problem(service.get("/api/v1/merges/99999999999999999999"), 404, "not_found")

    def test_an_unknown_id(self, service: APIClient) -> None:
        body = problem(service.get(f"/api/v1/customers/{uuid.UUID(int=7)}"), 404, "unknown_customer")
        assert body["facts"] == {"customer": str(uuid.UUID(int=7))}

    def test_a_slash_too_many_leads_on_with_the_body(self, service: APIClient) -> None:
        response = service.post("/api/v1/judgements/?x=1", {})
        assert response.status_code == 308
        assert response["Location"] == "/api/v1/judgements?x=1"

    def test_a_method_it_does_not_have(self, service: APIClient) -> None:
        response = service.put("/api/v1/customers")
        problem(response, 405, "method_not_allowed")
        assert response["Allow"] == "GET, HEAD"


class TestFaultsOfOurs:
    def test_are_told_without_what_went_wrong(
        self, service: APIClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(customer_id: uuid.UUID) -> None:
            raise RuntimeError("secret detail")

        monkeypatch.setattr("resolution.api.customers.get_canonical", fail)
        service.raise_request_exception = False
        response = service.get(f"/api/v1/customers/{uuid.uuid4()}")
        assert "secret detail" not in problem(response, 500, "internal_error")["detail"]
        assert b"Traceback" not in response.content


class TestDatabaseInTrouble:
    @pytest.mark.django_db(transaction=True)
    def test_a_row_held_too_long_is_told_as_busy_and_changes_nothing(self, service: APIClient) -> None:
        customer = CustomerFactory(name="Anna")
        tag = service.get(f"/api/v1/customers/{customer.pk}")["ETag"]
        trail = AuditEntry.objects.count()
        with held_elsewhere(lambda: Customer.objects.select_for_update().get(pk=customer.pk)):
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '50ms'")
            response = service.patch(f"/api/v1/customers/{customer.pk}", {"name": "Ann"}, HTTP_IF_MATCH=tag)
        problem(response, 503, "database_unavailable")
        assert response["Retry-After"] == "1"
        customer.refresh_from_db()
        assert customer.name == "Anna"
        assert AuditEntry.objects.count() == trail
