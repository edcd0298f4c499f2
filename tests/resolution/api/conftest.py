"""Callers of the API: real keys of real accounts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from resolution.services.api_keys import SCOPES, make_api_key
from tests import factories

_numbers = count(1)
MakeClient = Callable[..., APIClient]


@pytest.fixture
def client_for(db: None) -> MakeClient:
    """Make a client that signs in with a new key of an account; without scopes named it has them all."""

    def make(user: User, *scopes: str) -> APIClient:
        _, text = make_api_key(
            name=f"key {next(_numbers)}",
            user=user,
            scopes=scopes or SCOPES,
            days=1,
            actor=factories.actor_for(user),
        )
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
        return client

    return make


@pytest.fixture
def service(client_for: MakeClient) -> APIClient:
    """Another program, as the service role lets it."""
    return client_for(factories.service_user())


@pytest.fixture
def steward(client_for: MakeClient) -> APIClient:
    return client_for(factories.steward())


@pytest.fixture
def lead(client_for: MakeClient) -> APIClient:
    return client_for(factories.lead())
