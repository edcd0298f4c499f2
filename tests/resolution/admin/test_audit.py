"""The audit list and the check of its chain."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from resolution.models import AuditEntry
from resolution.services.profiles import create_customer
from resolution.types import Actor
from tests.factories import actor_for

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
    def test_says_that_the_chain_holds(self, as_lead: Client, sara: User) -> None:
        create_customer(fields={"name": "Anna"}, actor=actor_for(sara))

        assert "The chain holds" in as_lead.post(CHECK, follow=True).content.decode()

    def test_p5_names_the_entry_that_was_altered(self, as_lead: Client, sara: User) -> None:
        create_customer(fields={"name": "Anna"}, actor=actor_for(sara))
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("UPDATE customer_identity_audit SET actor_name = 'somebody else'")

        assert "The chain breaks at entry 1" in as_lead.post(CHECK, follow=True).content.decode()
