"""Keys other services sign in with: made once, shown once, stored as a hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from resolution.errors import InvalidInput, NotFound, NotPermitted
from resolution.matching.normalise.text import clean_text
from resolution.models import ApiKey
from resolution.services import audit
from resolution.types import Actor

SCOPES = ("resolve", "read", "link", "conflicts", "merge", "approve", "erase")
LONGEST_DAYS = 3650
LONGEST_NAME = 100
_MARK = "idk"
_USE_NOTED_EVERY = timedelta(minutes=1)


def make_api_key(
    *, name: str, user: User, scopes: Collection[str], days: int, actor: Actor
) -> tuple[ApiKey, str]:
    """Make a key that acts as `user` within `scopes` for some days; return it and its text, shown only now.

    Raises InvalidInput for an empty or taken name, unknown scopes, days out of range, an account that is off.
    """
    name = clean_text(name)
    _check_key(name, user, scopes, days)
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    with audit.change(actor) as trail:
        key = _store_key(
            name=name,
            user=user,
            scopes=[scope for scope in SCOPES if scope in scopes],
            prefix=prefix,
            secret_hash=_hash(secret),
            expires_at=timezone.now() + timedelta(days=days),
        )
        trail.record("key", method="made", key=prefix, name=name, user=user.get_username(), scopes=key.scopes)
    return key, f"{_MARK}_{prefix}_{secret}"


def revoke_api_key(*, key_id: int, actor: Actor) -> ApiKey:
    """End a key at once; ending it again changes nothing. Raises NotFound."""
    with audit.change(actor) as trail:
        ended = ApiKey.objects.filter(pk=key_id, revoked_at__isnull=True).update(revoked_at=timezone.now())
        key = ApiKey.objects.filter(pk=key_id).first()
        if key is None:
            raise NotFound(f"There is no API key {key_id}.", key=key_id)
        if ended:
            trail.record("key", method="revoked", key=key.prefix, name=key.name)
    return key


def authenticate_key(text: str) -> ApiKey:
    """Return the key a text proves. Raises NotPermitted: not known, revoked, expired, its account is off."""
    mark, _, rest = text.partition("_")
    prefix, _, secret = rest.partition("_")
    key = _find_key(prefix) if mark == _MARK else None
    if key is None or not hmac.compare_digest(_hash(secret), key.secret_hash):
        raise NotPermitted("This API key is not known. Check that it was copied whole, or ask for a new one.")
    _check_in_force(key)
    _note_use(key)
    return key


def _check_key(name: str, user: User, scopes: Collection[str], days: int) -> None:
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        given = ", ".join(unknown) or "none"
        raise InvalidInput(
            f"Scopes given: {given}. Wanted: one or more of {', '.join(SCOPES)}.", scopes=unknown
        )
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidInput(
            f"The key's name has {len(name)} characters; name its service in 1 to {LONGEST_NAME} characters."
        )
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidInput(f"The key shall last {days} days; 1 to {LONGEST_DAYS} are possible.", days=days)
    if not user.is_active:
        raise InvalidInput(f"The account {user.get_username()} is off; a key needs one that may sign in.")


def _store_key(**columns: object) -> ApiKey:
    try:
        with transaction.atomic():
            return ApiKey.objects.create(**columns)
    except IntegrityError as error:
        raise InvalidInput(
            f"There is an API key named “{columns['name']}” already; choose another name."
        ) from error


def _find_key(prefix: str) -> ApiKey | None:
    if not prefix.isalnum() or not prefix.isascii():
        return None
    return ApiKey.objects.select_related("user").filter(prefix=prefix).first()


def _check_in_force(key: ApiKey) -> None:
    if key.revoked_at:
        raise NotPermitted(
            f"The API key “{key.name}” was revoked on {key.revoked_at:%d %B %Y}; ask for a new one."
        )
    if key.expires_at <= timezone.now():
        raise NotPermitted(
            f"The API key “{key.name}” expired on {key.expires_at:%d %B %Y}; ask for a new one."
        )
    if not key.user.is_active:
        raise NotPermitted(f"The account behind the API key “{key.name}” is off.")


def _note_use(key: ApiKey) -> None:
    """Note the use at most once a minute, so that a busy key is not a write a request."""
    now = timezone.now()
    if key.last_used_at is None or key.last_used_at < now - _USE_NOTED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
