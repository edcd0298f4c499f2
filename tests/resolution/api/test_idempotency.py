"""The same keyed request twice has the effect of one (P6)."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from customers.models import Customer, Mapping
from resolution.api.urls import urlpatterns
from resolution.models import AuditEntry, IdempotencyRecord, Judgement, MergeProposal
from resolution.services.idempotency import forget_old_answers
from resolution.services.locks import try_lock_request
from tests.factories import ChannelFactory, CustomerFactory, service_user
from tests.resolution.api.answers import problem
from tests.resolution.api.conftest import MakeClient
from tests.resolution.api.elsewhere import held_elsewhere

pytestmark = pytest.mark.django_db
JUDGEMENTS = "/api/v1/judgements"


def _verdict() -> dict[str, str]:
    return {
        "left_id": str(CustomerFactory(name="Anna").pk),
        "right_id": str(CustomerFactory(name="Hans").pk),
        "verdict": "different",
    }


class TestKeyedRequests:
    def test_p6_the_same_request_twice_has_the_effect_of_one(self, steward: APIClient) -> None:
        body = _verdict()
        first, second = (steward.post(JUDGEMENTS, body, HTTP_IDEMPOTENCY_KEY="k1") for _ in range(2))
        assert (first.status_code, second.status_code) == (201, 201)
        assert second.json() == first.json()
        assert Judgement.objects.count() == 1
        assert AuditEntry.objects.filter(action="judge").count() == 1

    def test_only_the_repeated_answer_is_marked(self, steward: APIClient) -> None:
        body = _verdict()
        first, second = (steward.post(JUDGEMENTS, body, HTTP_IDEMPOTENCY_KEY="k1") for _ in range(2))
        assert "Idempotent-Replay" not in first
        assert second["Idempotent-Replay"] == "true"

    def test_a_repeated_answer_names_the_same_address(self, service: APIClient) -> None:
        members = [{"customer_id": str(CustomerFactory(name="Anna").pk)} for _ in range(2)]
        first, second = (
            service.post("/api/v1/merges/proposals", {"members": members}, HTTP_IDEMPOTENCY_KEY="k1")
            for _ in range(2)
        )
        assert first.status_code == 201, first.content
        assert second["Location"] == first["Location"]
        assert MergeProposal.objects.count() == 1

    def test_the_order_of_names_and_the_spacing_do_not_matter(self, steward: APIClient) -> None:
        body = _verdict()
        steward.post(JUDGEMENTS, body, HTTP_IDEMPOTENCY_KEY="k1")
        again = dict(reversed(body.items()))
        assert "Idempotent-Replay" in steward.post(JUDGEMENTS, again, HTTP_IDEMPOTENCY_KEY="k1")

    def test_the_key_with_another_body_is_refused(self, steward: APIClient) -> None:
        body = _verdict()
        steward.post(JUDGEMENTS, body, HTTP_IDEMPOTENCY_KEY="k1")
        response = steward.post(JUDGEMENTS, {**body, "verdict": "related"}, HTTP_IDEMPOTENCY_KEY="k1")
        problem(response, 422, "idempotency_key_reused")
        assert Judgement.objects.get().verdict == "different"

    def test_the_key_at_another_address_is_refused(self, steward: APIClient) -> None:
        steward.post(JUDGEMENTS, _verdict(), HTTP_IDEMPOTENCY_KEY="k1")
        response = steward.post("/api/v1/merges/proposals", {}, HTTP_IDEMPOTENCY_KEY="k1")
        problem(response, 422, "idempotency_key_reused")

    def test_two_callers_may_use_the_same_key(self, client_for: MakeClient, steward: APIClient) -> None:
        other = client_for(service_user())
        search = {"fields": {"name": "Anna Smith"}}
        for client in (steward, other):
            response = client.post("/api/v1/duplicates/search", search, HTTP_IDEMPOTENCY_KEY="k1")
            assert response.status_code == 200
            assert "Idempotent-Replay" not in response

    def test_a_refused_request_is_judged_anew(self, steward: APIClient) -> None:
        body = {**_verdict(), "left_id": "00000000-0000-7000-8000-000000000000"}
        for _ in range(2):
            response = steward.post(JUDGEMENTS, body, HTTP_IDEMPOTENCY_KEY="k1")
            problem(response, 404, "unknown_customer")
        assert not IdempotencyRecord.objects.exists()

    @pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ä"])
    def test_an_unfit_key_is_refused(self, key: str, steward: APIClient) -> None:
        problem(steward.post(JUDGEMENTS, _verdict(), HTTP_IDEMPOTENCY_KEY=key), 400, "malformed_request")
        assert not Judgement.objects.exists()

    def test_every_post_takes_a_key(self) -> None:
        classes = [getattr(pattern.callback, "cls", None) for pattern in urlpatterns]  # type: ignore[union-attr]
        posts = [cls.post for cls in classes if hasattr(cls, "post")]
        assert len(posts) >= 8
        assert all(hasattr(post, "__wrapped__") for post in posts)


class TestCrashInBetween:
    @pytest.mark.django_db(transaction=True)
    def test_p6_leaves_neither_effect_nor_answer(
        self, steward: APIClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def crash(*_args: Any, **_options: Any) -> None:
            raise SystemExit

        body = _verdict()
        with monkeypatch.context() as patch:
            patch.setattr(IdempotencyRecord.objects, "create", crash)
            with pytest.raises(SystemExit):
                steward.post(JUDGEMENTS, body, HTTP_IDEMPOTENCY_KEY="k1")
        assert not Judgement.objects.exists()
        assert steward.post(JUDGEMENTS, body, HTTP_IDEMPOTENCY_KEY="k1").status_code == 201


@pytest.mark.django_db(transaction=True)
class TestKeyedRequestsAtOnce:
    def test_one_in_flight_refuses_the_other(self, steward: APIClient) -> None:
        caller = _caller_of(steward)
        with held_elsewhere(lambda: try_lock_request(caller, "k1")):
            problem(steward.post(JUDGEMENTS, _verdict(), HTTP_IDEMPOTENCY_KEY="k1"), 409, "request_in_flight")
        assert not Judgement.objects.exists()

    def test_p6_twenty_at_once_have_the_effect_of_one(self, service: APIClient) -> None:
        channel = ChannelFactory()
        body = {"channel": channel.code, "identifiers": [{"type": "email", "value": "anna@one.example.com"}]}
        statuses: list[int] = []
        start = threading.Barrier(20)

        def ask() -> None:
            client = APIClient()
            client.credentials(**service._credentials)
            start.wait(30)
            statuses.append(client.post("/api/v1/resolve", body, HTTP_IDEMPOTENCY_KEY="k1").status_code)
            connection.close()

        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(statuses) == 20
        assert set(statuses) <= {200, 409}
        assert 200 in statuses
        assert Customer.objects.count() == 1
        assert Mapping.objects.count() == 1


class TestForgetting:
    def test_an_answer_is_kept_for_a_day_and_then_the_key_is_new(self, steward: APIClient) -> None:
        body = _verdict()
        steward.post(JUDGEMENTS, body, HTTP_IDEMPOTENCY_KEY="k1")
        IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(hours=25))
        response = steward.post(JUDGEMENTS, {**body, "verdict": "related"}, HTTP_IDEMPOTENCY_KEY="k1")
        assert response.status_code == 201, response.content

    def test_old_answers_are_deleted_and_young_ones_kept(self) -> None:
        common: dict[str, Any] = {"caller": "key:a", "request_hash": "0" * 64, "status": 200, "response": {}}
        IdempotencyRecord.objects.create(key="young", **common)
        old = IdempotencyRecord.objects.create(key="old", **common)
        IdempotencyRecord.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(hours=25))
        assert forget_old_answers() == 1
        assert IdempotencyRecord.objects.get().key == "young"


def _caller_of(client: APIClient) -> str:
    prefix = client._credentials["HTTP_AUTHORIZATION"].split("_")[1]
    return f"key:{prefix}"
