"""rebuild_keys: whatever keys there were, afterwards they are those of today's rules."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from resolution.models import BlockingKey
from resolution.services import keys
from resolution.services.profiles import create_customer
from resolution.types import Actor

ACTOR = Actor.machine("test")


def keys_held() -> set[tuple[int, str]]:
    return {(key, str(owner)) for key, owner in BlockingKey.objects.values_list("key", "customer")}


@pytest.mark.django_db
class TestRebuildKeys:
    def test_makes_old_keys_those_of_today(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(keys, "CUSTOMERS_A_CHANGE", 2)
        for name in ("Anna", "Boris", "Clara"):
            create_customer(fields={"given_name": name, "family_name": "Smithers"}, actor=ACTOR)
        wanted = keys_held()
        with connection.cursor() as cursor:
            cursor.execute("UPDATE blocking_keys SET key = key # 2")
        said = StringIO()

        call_command("rebuild_keys", stdout=said)

        assert keys_held() == wanted
        assert "3 customers" in said.getvalue()

    def test_an_empty_register_is_done_at_once(self) -> None:
        said = StringIO()
        call_command("rebuild_keys", stdout=said)
        assert "0 customers" in said.getvalue()
