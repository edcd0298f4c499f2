"""API keys made and revoked from their screens."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from resolution.errors import IdentityError
from resolution.models import ApiKey
from resolution.services.api_keys import authenticate_key
from tests.factories import service_user
from tests.resolution.admin.conftest import SignIn

pytestmark = pytest.mark.django_db

MAKE = reverse("resolution:make-key")


@pytest.fixture
def as_admin(sign_in: SignIn, people: dict[str, User]) -> Client:
    return sign_in(people["admin"])


def form(**fields: object) -> dict[str, object]:
    return {
        "name": "Help desk",
        "user": service_user().pk,
        "scopes": ["resolve", "read"],
        "days": 30,
    } | fields


class TestMake:
    def test_shows_a_secret_that_works_and_is_not_stored(self, as_admin: Client) -> None:
        answer = as_admin.post(MAKE, form())

        secret = answer.context["secret"]
        assert secret in answer.content.decode()
        assert authenticate_key(secret).name == "Help desk"
        assert secret not in str(ApiKey.objects.values().get())

    def test_the_list_never_shows_the_hash(self, as_admin: Client) -> None:
        as_admin.post(MAKE, form())
        key = ApiKey.objects.get()

        page = as_admin.get(reverse("admin:resolution_apikey_change", args=[key.pk]))

        assert key.secret_hash not in page.content.decode()

    @pytest.mark.parametrize("wrong", [{"scopes": []}, {"scopes": ["fly"]}, {"days": 0}, {"name": ""}])
    def test_a_wrong_form_makes_no_key(self, as_admin: Client, wrong: dict[str, object]) -> None:
        answer = as_admin.post(MAKE, form(**wrong))

        assert answer.context["form"].errors
        assert not ApiKey.objects.exists()

    def test_a_name_that_is_taken_is_refused_with_a_sentence(self, as_admin: Client) -> None:
        as_admin.post(MAKE, form())

        answer = as_admin.post(MAKE, form())

        assert answer.context["form"].non_field_errors()
        assert ApiKey.objects.count() == 1


class TestRevoke:
    def test_refuses_the_key_from_then_on(self, as_admin: Client) -> None:
        secret = as_admin.post(MAKE, form()).context["secret"]

        as_admin.post(reverse("resolution:revoke-key", args=[ApiKey.objects.get().pk]))

        with pytest.raises(IdentityError, match="revoked"):
            authenticate_key(secret)
