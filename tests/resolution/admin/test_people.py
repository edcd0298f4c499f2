"""Accounts: an account that has acted keeps its name."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from resolution.services import audit
from tests.factories import UserFactory, actor_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def as_root(client: Client) -> Client:
    client.force_login(UserFactory(username="root", is_superuser=True))
    return client


def page_of(user: User) -> str:
    return reverse("admin:auth_user_change", args=[user.pk])


def form_of(user: User, name: str) -> dict[str, str]:
    return {
        "username": name, "first_name": "Ada", "is_active": "on", "is_staff": "on",
        "date_joined_0": f"{user.date_joined:%Y-%m-%d}", "date_joined_1": f"{user.date_joined:%H:%M:%S}",
    }  # fmt: skip


class TestNames:
    @pytest.mark.parametrize(("acted", "name"), [(True, "ada"), (False, "eve")])
    def test_one_that_the_trail_names_keeps_its_name_on_the_form(
        self, as_root: Client, acted: bool, name: str
    ) -> None:
        ada = UserFactory(username="ada")
        if acted:
            with audit.change(actor_for(ada)) as trail:
                trail.record("update")
        assert (b'name="username"' in as_root.get(page_of(ada)).content) is not acted
        assert as_root.post(page_of(ada), form_of(ada, "eve")).status_code == 302
        ada.refresh_from_db()
        assert (ada.username, ada.first_name) == (name, "Ada")
