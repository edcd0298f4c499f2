"""Who may call: keys with scopes, people with sessions, each within their role."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from resolution.api.urls import urlpatterns
from resolution.models import ApiKey, AuditEntry
from resolution.services.api_keys import SCOPES, revoke_api_key
from tests.factories import (
    ChannelFactory,
    CustomerFactory,
    UserFactory,
    actor_for,
    auditor,
    lead,
    service_user,
    steward,
)
from tests.resolution.api.answers import problem
from tests.resolution.api.conftest import MakeClient

pytestmark = pytest.mark.django_db
CUSTOMERS = "/api/v1/customers"
SOME_ID = "00000000-0000-7000-8000-000000000000"


def _operations() -> Iterator[tuple[str, str, Any]]:
    """Every method of every address, with what it asks for."""
    for pattern in urlpatterns:
        table = getattr(pattern.callback.cls, "access", {})  # type: ignore[union-attr]
        numbered = re.sub("<(?:number|version|slug):[a-z_]+>", "1", str(pattern.pattern))
        address = re.sub("<id:[a-z_]+>", SOME_ID, numbered)
        for method, access in table.items():
            yield method, f"/api/v1/{address}", access


OPERATIONS = list(_operations())


class TestEveryAddress:
    @pytest.mark.parametrize(("method", "address", "access"), OPERATIONS)
    def test_wants_a_caller(self, method: str, address: str, access: Any) -> None:
        response = APIClient().generic(method, address)
        problem(response, 401, "not_authenticated")
        assert response["WWW-Authenticate"] == 'Bearer realm="Identity Desk"'

    @pytest.mark.parametrize(("method", "address", "access"), OPERATIONS)
    def test_wants_the_scope(self, method: str, address: str, access: Any, client_for: MakeClient) -> None:
        client = client_for(lead(), *(scope for scope in SCOPES if scope != access.scope))
        body = problem(client.generic(method, address), 403, "not_permitted")
        assert body["facts"] == {"scope": access.scope}

    @pytest.mark.parametrize(("method", "address", "access"), OPERATIONS)
    def test_wants_the_permission_of_the_account(
        self, method: str, address: str, access: Any, client_for: MakeClient
    ) -> None:
        body = problem(client_for(UserFactory()).generic(method, address), 403, "not_permitted")
        assert body["facts"] == {"permission": access.permission}

    def test_names_a_scope_that_exists(self) -> None:
        assert len(OPERATIONS) > 20
        assert {access.scope for _, _, access in OPERATIONS} == set(SCOPES)


class TestKeys:
    def test_a_key_may_be_used(self, service: APIClient) -> None:
        assert service.get(CUSTOMERS).status_code == 200

    @pytest.mark.parametrize(
        "text", ["Bearer", "Bearer idk_x_y", "Bearer ", "Bearer idk_é_ü", "Bearer " + "x" * 9000]
    )
    def test_a_text_that_is_no_key_is_refused(self, text: str) -> None:
        response = APIClient().get(CUSTOMERS, HTTP_AUTHORIZATION=text)
        problem(response, 401, "authentication_failed")
        assert "WWW-Authenticate" in response

    def test_an_expired_key_is_refused(self, service: APIClient) -> None:
        ApiKey.objects.update(expires_at=timezone.now() - timedelta(days=1))
        assert "expired" in problem(service.get(CUSTOMERS), 401, "authentication_failed")["detail"]

    def test_a_revoked_key_is_refused(self, service: APIClient) -> None:
        revoke_api_key(key_id=ApiKey.objects.get().pk, actor=actor_for(lead()))
        assert "revoked" in problem(service.get(CUSTOMERS), 401, "authentication_failed")["detail"]

    def test_a_key_of_a_switched_off_account_is_refused(self, service: APIClient) -> None:
        assert service.get(CUSTOMERS).status_code == 200
        User.objects.update(is_active=False)
        assert "is off" in problem(service.get(CUSTOMERS), 401, "authentication_failed")["detail"]

    def test_a_key_cannot_do_more_than_its_account(self, client_for: MakeClient) -> None:
        client = client_for(service_user(), "approve")
        refused = problem(client.post("/api/v1/merges/proposals/1/approve"), 403, "not_permitted")
        assert refused["detail"].endswith("it needs the permission resolution.approve_merge.")

    def test_an_auditor_reads_the_trail_and_a_service_does_not(
        self, client_for: MakeClient, service: APIClient
    ) -> None:
        assert client_for(auditor()).get("/api/v1/audit").status_code == 200
        problem(service.get("/api/v1/audit"), 403, "not_permitted")


class TestPeople:
    def test_a_session_serves_as_well(self) -> None:
        client = APIClient()
        client.force_login(steward())
        assert client.get(CUSTOMERS).status_code == 200

    def test_a_session_writes_with_a_csrf_token_only(self) -> None:
        client = APIClient(enforce_csrf_checks=True)
        client.force_login(steward())
        body = problem(client.post("/api/v1/judgements", {}), 403, "permission_denied")
        assert "CSRF" in body["detail"]


class TestTheTrailOfACall:
    def test_names_the_key_and_the_request(self, service: APIClient) -> None:
        _link(service, HTTP_X_REQUEST_ID="order-4711")
        entry = AuditEntry.objects.get(action="link")
        assert (entry.actor_kind, entry.actor_name) == ("service", ApiKey.objects.get().name)
        assert entry.request_id == "order-4711"

    def test_names_the_person_of_a_session(self) -> None:
        client, person = APIClient(), steward()
        client.force_login(person)
        _link(client)
        entry = AuditEntry.objects.get(action="link")
        assert (entry.actor_kind, entry.actor_name) == ("user", person.username)

    def test_the_request_id_comes_back(self, service: APIClient) -> None:
        response = service.get(CUSTOMERS, HTTP_X_REQUEST_ID="order-4711")
        assert response["X-Request-ID"] == "order-4711"

    @pytest.mark.parametrize("given", ["x" * 200, "a b", "<script>", "é"])
    def test_an_unfit_request_id_is_replaced(self, given: str, service: APIClient) -> None:
        answered = _link(service, HTTP_X_REQUEST_ID=given)["X-Request-ID"]
        assert answered
        assert answered != given
        assert AuditEntry.objects.get(action="link").request_id == answered


def _link(client: APIClient, **headers: str) -> Any:
    body = {"channel": ChannelFactory().code, "type": "email", "value": "anna@shop.example.com"}
    response = client.post(f"{CUSTOMERS}/{CustomerFactory().pk}/identifiers", body, **headers)
    assert response.status_code == 200, response.content
    return response
