"""API keys: shown once, stored as a hash, good for their scopes and their time."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from resolution.errors import InvalidInput, NotFound, NotPermitted
from resolution.models import ApiKey, AuditEntry
from resolution.services.api_keys import SCOPES, authenticate_key, make_api_key, revoke_api_key
from resolution.types import Actor
from tests.concurrency import all_at_once
from tests.factories import UserFactory, service_user

pytestmark = pytest.mark.django_db
ADMIN = Actor(kind="user", name="root")


def make(**fields: object) -> tuple[ApiKey, str]:
    fields.setdefault("user", service_user())
    given = {"name": "shop", "scopes": ["read", "resolve"], "days": 30, "actor": ADMIN}
    return make_api_key(**{**given, **fields})  # type: ignore[arg-type]


class TestMakeApiKey:
    def test_stores_a_hash_and_never_the_secret(self) -> None:
        key, text = make()
        secret = text.split("_", 2)[2]
        key.refresh_from_db()
        assert key.secret_hash == hashlib.sha256(secret.encode()).hexdigest()
        assert secret not in str(ApiKey.objects.values().get())
        assert text.startswith(f"idk_{key.prefix}_")

    def test_lasts_as_long_as_was_said(self) -> None:
        key, _ = make(days=30)
        assert timedelta(days=29) < key.expires_at - timezone.now() <= timedelta(days=30)

    def test_is_audited_without_its_secret(self) -> None:
        key, text = make()
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.resolution_method, entry.metadata["key"]) == ("key", "made", key.prefix)
        assert text.split("_", 2)[2] not in str(entry.metadata)

    @pytest.mark.parametrize(
        ("fields", "match"),
        [
            ({"scopes": []}, "Scopes given: none"),
            (
                {"scopes": ["read", "everything"]},
                "Scopes given: everything. Wanted: one or more of resolve, read",
            ),
            ({"days": 0}, "shall last 0 days; 1 to 3650 are possible"),
            ({"days": 4000}, "shall last 4000 days"),
            ({"name": " \0 "}, "name has 0 characters"),
            ({"name": "x" * 101}, "name has 101 characters"),
        ],
    )
    def test_refuses_what_makes_no_key(self, fields: dict[str, object], match: str) -> None:
        with pytest.raises(InvalidInput, match=match):
            make(**fields)
        assert not ApiKey.objects.exists()

    def test_refuses_an_account_that_is_off(self) -> None:
        with pytest.raises(InvalidInput, match="is off; a key needs one that may sign in"):
            make(user=UserFactory(is_active=False))

    def test_refuses_a_name_that_is_taken_and_leaves_no_trail_of_it(self) -> None:
        make()
        with pytest.raises(InvalidInput, match="named “shop” already; choose another name"):
            make()
        assert AuditEntry.objects.count() == 1


class TestAuthenticateKey:
    def test_returns_the_key_with_its_account_and_scopes(self) -> None:
        key, text = make()
        found = authenticate_key(text)
        assert (found, found.user, found.scopes) == (key, key.user, ["resolve", "read"])

    def test_a_secret_may_hold_the_mark_that_parts_it(self) -> None:
        key, _ = make()
        ApiKey.objects.filter(pk=key.pk).update(secret_hash=hashlib.sha256(b"a_b_c").hexdigest())
        assert authenticate_key(f"idk_{key.prefix}_a_b_c") == key

    def test_refuses_what_is_no_key(self) -> None:
        key, text = make()
        wrong = [
            "",
            "idk_",
            text[:-1],
            text + "x",
            text.replace("idk_", "key_"),
            f"idk_{key.prefix}_",
            "idk_\0_x",
        ]
        for given in [
            *wrong,
            f"idk_{'0' * 12}_{text.split('_', 2)[2]}",
            "x" * 10_000,
            f"idk_{key.prefix}_\ud800",
        ]:
            with pytest.raises(NotPermitted, match="This API key is not known"):
                authenticate_key(given)

    def test_refuses_an_expired_key(self) -> None:
        key, text = make()
        ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now())
        with pytest.raises(NotPermitted, match="“shop” expired on"):
            authenticate_key(text)

    def test_refuses_a_key_whose_account_was_turned_off(self) -> None:
        key, text = make()
        key.user.is_active = False
        key.user.save()
        with pytest.raises(NotPermitted, match="The account behind the API key “shop” is off"):
            authenticate_key(text)

    def test_a_wrong_secret_does_not_tell_that_a_key_was_revoked(self) -> None:
        key, _ = make()
        revoke_api_key(key_id=key.pk, actor=ADMIN)
        with pytest.raises(NotPermitted, match="not known"):
            authenticate_key(f"idk_{key.prefix}_guess")

    def test_notes_its_use_at_most_once_a_minute(self) -> None:
        key, text = make()
        authenticate_key(text)
        key.refresh_from_db()
        first = key.last_used_at
        authenticate_key(text)
        key.refresh_from_db()
        assert key.last_used_at == first is not None
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now() - timedelta(minutes=2))
        authenticate_key(text)
        key.refresh_from_db()
        assert key.last_used_at > first


class TestRevokeApiKey:
    def test_ends_a_key_at_once(self) -> None:
        key, text = make()
        revoke_api_key(key_id=key.pk, actor=ADMIN)
        with pytest.raises(NotPermitted, match="“shop” was revoked on"):
            authenticate_key(text)

    def test_a_second_time_changes_nothing(self) -> None:
        key, _ = make()
        first = revoke_api_key(key_id=key.pk, actor=ADMIN)
        assert revoke_api_key(key_id=key.pk, actor=ADMIN).revoked_at == first.revoked_at
        assert AuditEntry.objects.filter(resolution_method="revoked").count() == 1

    def test_refuses_one_that_does_not_exist(self) -> None:
        with pytest.raises(NotFound, match="There is no API key 999"):
            revoke_api_key(key_id=999, actor=ADMIN)


class TestCreateApiKeyCommand:
    def test_prints_a_key_that_works(self, capsys: pytest.CaptureFixture[str]) -> None:
        service_user(username="shop-service")
        call_command("create_api_key", "shop", "--user", "shop-service", "--scopes", ",".join(SCOPES))
        printed = capsys.readouterr()
        assert authenticate_key(printed.out.strip()).scopes == list(SCOPES)
        assert "not shown again" in printed.err

    def test_refuses_in_one_sentence(self) -> None:
        service_user(username="shop-service")
        with pytest.raises(CommandError, match="There is no account 'nobody'"):
            call_command("create_api_key", "shop", "--user", "nobody")
        with pytest.raises(CommandError, match="Scopes given: all"):
            call_command("create_api_key", "shop", "--user", "shop-service", "--scopes", "all")


@pytest.mark.django_db(transaction=True)
class TestConcurrentUse:
    def test_a_key_used_by_many_at_once_serves_them_all(self) -> None:
        key, text = make()
        assert all_at_once([lambda: authenticate_key(text).pk] * 12) == [key.pk] * 12
