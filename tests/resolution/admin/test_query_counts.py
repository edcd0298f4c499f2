"""Lists do not ask the database once a row: as many queries for fifty as for two."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from resolution.models import BlockedValue, StoredModel
from resolution.services import approve, queue
from resolution.services.judge import judge_pair
from resolution.services.merge import merge_customers
from resolution.services.profiles import create_customer
from tests.factories import (
    ConflictFactory,
    CustomerFactory,
    MappingFactory,
    MessageFactory,
    SourceRecordFactory,
    TicketFactory,
    actor_for,
    draft,
    steward,
)

pytestmark = pytest.mark.django_db

MANY = 50


def queries(client: Client, url: str) -> int:
    client.get(url)  # what the first visit alone asks for, such as content types
    with CaptureQueriesContext(
        connection,
    ) as captured:
        answer = client.get(url)
    assert answer.status_code == 200
    return len(captured)


def assert_flat(client: Client, url: str, make: Callable[[], object]) -> None:
    """Count the queries of a page over two rows, then over fifty."""
    for _ in range(2):
        make()
    few = queries(client, url)
    for _ in range(MANY - 2):
        make()
    assert queries(client, url) == few, f"{url} asks more for {MANY} rows than for 2"


MAKERS: dict[str, Callable[[], object]] = {
    "admin:customers_customer_changelist": lambda: CustomerFactory(name="Anna"),
    "admin:customers_mapping_changelist": lambda: MappingFactory(),
    "admin:customers_message_changelist": lambda: MessageFactory(),
    "admin:customers_ticket_changelist": lambda: TicketFactory(),
    "admin:customers_sourcerecord_changelist": lambda: SourceRecordFactory(),
    "resolution:queue": lambda: ConflictFactory(),
    "admin:index": lambda: ConflictFactory(),
    "resolution:blocked-values": lambda: BlockedValue.objects.create(
        value=f"till_{BlockedValue.objects.count()}", made_by="ada"
    ),
    "resolution:models": lambda: draft(f"2.{StoredModel.objects.count()}"),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_list_asks_the_same_for_fifty_rows(as_lead: Client, name: str) -> None:
    # Filters name the channels: one channel for all keeps them apart from the rows.
    assert_flat(as_lead, reverse(name), MAKERS[name])


def test_my_work_asks_the_same_for_fifty_claims(as_steward: Client, sara: User) -> None:
    assert_flat(
        as_steward,
        reverse("admin:index"),
        lambda: queue.claim(conflict_id=ConflictFactory().pk, actor=actor_for(sara)),
    )


def test_approvals_ask_the_same_for_fifty_proposals(as_lead: Client) -> None:
    tom = actor_for(steward(username="tom"))

    def propose() -> object:
        pair = [CustomerFactory(name="Ann").pk, CustomerFactory(name="Anna").pk]
        return approve.propose_merge(member_ids=pair, actor=tom)

    assert_flat(as_lead, reverse("resolution:approvals"), propose)


def test_the_audit_asks_the_same_for_fifty_entries(as_lead: Client, sara: User) -> None:
    assert_flat(
        as_lead,
        reverse("admin:resolution_auditentry_changelist"),
        lambda: create_customer(fields={"name": "Anna"}, actor=actor_for(sara)),
    )


def test_merges_and_judgements_ask_the_same_for_fifty(as_lead: Client, lena: User) -> None:
    def merge() -> object:
        pair = [CustomerFactory(name="Ann").pk, CustomerFactory(name="Anna").pk]
        return merge_customers(member_ids=pair, actor=actor_for(lena))

    def judge() -> object:
        left, right = sorted([CustomerFactory(name="Ann").pk, CustomerFactory(name="Anna").pk])
        return judge_pair(left_id=left, right_id=right, verdict="different", reason="", actor=actor_for(lena))

    assert_flat(as_lead, reverse("admin:resolution_merge_changelist"), merge)
    assert_flat(as_lead, reverse("admin:resolution_judgement_changelist"), judge)


def test_a_customer_page_asks_the_same_for_fifty_messages(as_steward: Client) -> None:
    customer = CustomerFactory(name="Anna")
    assert_flat(
        as_steward,
        reverse("resolution:customer", args=[customer.pk]),
        lambda: MappingFactory(customer=customer) and MessageFactory(customer=customer),
    )


def test_a_customer_page_asks_the_same_for_fifty_past_identifiers(as_steward: Client) -> None:
    customer = CustomerFactory(name="Anna")

    def make() -> None:
        had = MappingFactory(customer=customer, status="ended")
        MappingFactory(channel=had.channel, channel_identifier=had.channel_identifier)

    assert_flat(as_steward, reverse("resolution:customer", args=[customer.pk]), make)


def test_a_workbench_asks_the_same_for_two_customers_as_for_ten(as_steward: Client, sara: User) -> None:
    pair = ConflictFactory(members=CustomerFactory.create_batch(2, name="Ann"))
    many = ConflictFactory(members=CustomerFactory.create_batch(10, name="Ann"))
    for conflict in (pair, many):
        queue.claim(conflict_id=conflict.pk, actor=actor_for(sara))

    few, more = (queries(as_steward, reverse("resolution:workbench", args=[row.pk])) for row in (pair, many))

    assert more == few
