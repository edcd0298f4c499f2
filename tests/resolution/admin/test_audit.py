"""The audit list and the check of its chain."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from resolution.models import AuditEntry, MatchRun
from resolution.services import audit
from resolution.services.check_trail import check_trail
from resolution.services.profiles import create_customer
from resolution.types import Actor
from tests.factories import actor_for
from tests.resolution.worker import work

pytestmark = pytest.mark.django_db

LIST = reverse("admin:resolution_auditentry_changelist")
CHECK = reverse("resolution:check-trail")


def shown(client: Client, **query: str) -> list[AuditEntry]:
    return list(client.get(LIST, query).context["cl"].result_list)


class TestList:
    def test_says_who_did_what(self, as_lead: Client, sara: User) -> None:
        create_customer(fields={"name": "Anna"}, actor=actor_for(sara))

        text = as_lead.get(LIST).content.decode()

        assert "created the customer" in text
        assert "sara (Person)" in text

    def test_finds_by_customer_request_and_actor(self, as_lead: Client, sara: User) -> None:
        wanted = create_customer(
            fields={"name": "Anna"}, actor=Actor(kind="service", name="help desk", request_id="req-1")
        )
        create_customer(fields={"name": "Bob"}, actor=actor_for(sara))

        for term in (str(wanted.pk), "req-1", "help desk"):
            assert [entry.customer_id for entry in shown(as_lead, q=term)] == [wanted.pk]

    def test_filters_by_action(self, as_lead: Client, sara: User) -> None:
        create_customer(fields={"name": "Anna"}, actor=actor_for(sara))

        assert len(shown(as_lead, action="create")) == 1
        assert shown(as_lead, action="merge") == []


class TestCheck:
    def test_asks_the_worker_and_says_that_the_chain_holds(self, as_lead: Client, sara: User) -> None:
        create_customer(fields={"name": "Anna"}, actor=actor_for(sara))

        assert "The check of the chain is on its way" in as_lead.post(CHECK, follow=True).content.decode()
        work()

        text = " ".join(as_lead.get(LIST).content.decode().split())
        assert "Last check, by lena" in text
        assert "the chain holds: 1 entry, none missing or altered" in text
        assert "Check of the audit trail" in as_lead.get(reverse("resolution:runs")).content.decode()

    def test_refuses_a_second_while_one_waits(self, as_lead: Client) -> None:
        as_lead.post(CHECK)

        assert as_lead.post(CHECK).status_code == 409

    def test_tells_how_far_it_is(self, as_lead: Client, sara: User, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(audit, "_TOLD_EVERY", 1)
        for name in ("Anna", "Bob"):
            create_customer(fields={"name": name}, actor=actor_for(sara))
        seen: list[tuple[str, int, int]] = []

        check_trail(actor=actor_for(sara), watch=lambda *told: seen.append(told))

        assert seen == [("checking", done, 2) for done in (0, 1, 2)]

    def test_p5_names_the_entry_that_was_altered(self, as_lead: Client, sara: User) -> None:
        create_customer(fields={"name": "Anna"}, actor=actor_for(sara))
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("UPDATE customer_identity_audit SET actor_name = 'somebody else'")

        as_lead.post(CHECK)
        work()

        assert "The chain breaks at entry 1" in as_lead.get(LIST).content.decode()
        assert MatchRun.objects.get().state == "failed"
