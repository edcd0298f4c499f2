"""A small cast, each signed in at the admin site."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from tests.factories import UserFactory, auditor, lead, steward

SignIn = Callable[[User], Client]


@pytest.fixture
def sign_in() -> SignIn:
    def signed_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return signed_in


@pytest.fixture
def sara() -> User:
    return steward(username="sara")


@pytest.fixture
def lena() -> User:
    return lead(username="lena")


@pytest.fixture
def people(sara: User, lena: User) -> dict[str, User]:
    """One person a role."""
    ada = UserFactory(username="ada")
    ada.groups.add(Group.objects.get(name="admin"))
    nobody = UserFactory(username="nobody")
    return {"steward": sara, "lead": lena, "auditor": auditor(username="axel"), "admin": ada, "none": nobody}


@pytest.fixture
def as_steward(sign_in: SignIn, sara: User) -> Client:
    return sign_in(sara)


@pytest.fixture
def as_lead(sign_in: SignIn, lena: User) -> Client:
    return sign_in(lena)
