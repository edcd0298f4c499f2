"""Who calls: a service with its key, or a person with a session; either becomes the actor of the trail."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from resolution.api.request_id import request_id_of
from resolution.errors import IdentityError
from resolution.models import ApiKey
from resolution.services.api_keys import authenticate_key
from resolution.types import Actor


class ApiKeyAuthentication(BaseAuthentication):
    """Reads `Authorization: Bearer idk_<prefix>_<secret>`; the caller acts as the key's user."""

    scheme = "Bearer"

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, ApiKey] | None:
        scheme, _, text = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != self.scheme.lower():
            return None
        try:
            key = authenticate_key(text.strip())
        except IdentityError as error:
            raise AuthenticationFailed(str(error)) from error
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        return f'{self.scheme} realm="Identity Desk"'


def actor_of(request: Request) -> Actor:
    """Who acts by this request, as the trail names it."""
    user, key = request.user, request.auth
    if isinstance(key, ApiKey):
        return Actor(kind="service", name=key.name, user_id=user.pk, request_id=request_id_of(request))
    return Actor(kind="user", name=user.get_username(), user_id=user.pk, request_id=request_id_of(request))


def caller_of(request: Request) -> str:
    """The name one caller's idempotency keys and rate limit are kept under."""
    key = request.auth
    return f"key:{key.prefix}" if isinstance(key, ApiKey) else f"user:{request.user.pk}"
