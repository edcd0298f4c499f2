"""Customers as they first came, whatever was merged since."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import Customer
from resolution.selectors import records
from resolution.selectors.profiles import load_profiles
from resolution.selectors.records import count_merged, load_records, walk_merged_by_machine, walk_records
from resolution.services.find_duplicates import find_duplicates
from resolution.services.link import link_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.profiles import create_customer
from resolution.services.unmerge import undo_merge
from resolution.types import Actor
from tests.factories import ChannelFactory, MappingFactory

pytestmark = pytest.mark.django_db

ACTOR = Actor.machine("test")


def make(email: str = "", **fields: str) -> Customer:
    customer = create_customer(fields=fields, actor=ACTOR)
    if email:
        channel = ChannelFactory()
        link_customer_identifier(
            customer_id=customer.pk, channel=channel, identifier_type="email", value=email, actor=ACTOR
        )
    return customer


@pytest.fixture
def three() -> list[Customer]:
    return [
        make("anna@one.example", name="Anna Smith", city="Leeds"),
        make("ann@two.example", name="Ann Smith", phone="+44 20 7946 0018"),
        make("annie@three.example", name="Annie Smith", birth_date="1980-02-13"),
    ]


class TestLoadRecords:
    def test_gives_back_what_each_was_before_it_was_merged(self, three: list[Customer]) -> None:
        ids = [row.pk for row in three]
        before = load_profiles(ids)

        merge_customers(member_ids=ids[:2], survivor_id=ids[1], actor=ACTOR)
        merge_customers(member_ids=ids[1:], survivor_id=ids[2], actor=ACTOR)

        assert load_records(ids) == before

    def test_a_merge_that_was_undone_does_not_count(self, three: list[Customer]) -> None:
        ids = [row.pk for row in three]
        merge = merge_customers(member_ids=ids[:2], actor=ACTOR)
        undo_merge(merge_id=merge.pk, actor=ACTOR)

        assert load_records(ids) == load_profiles(ids)

    def test_an_identifier_of_both_sides_is_given_to_both(self) -> None:
        channel = ChannelFactory()
        pair = [create_customer(fields={"name": name}, actor=ACTOR) for name in ("Ann", "Anna")]
        for row, status in zip(pair, ("active", "shared"), strict=True):
            MappingFactory(customer=row, channel=channel, channel_identifier="a@home.example", status=status)
        ids = [row.pk for row in pair]
        before = load_profiles(ids)

        merge_customers(member_ids=ids, actor=ACTOR)

        assert load_records(ids) == before

    def test_takes_three_queries_however_many(self, three: list[Customer]) -> None:
        with CaptureQueriesContext(connection) as captured:
            load_records([row.pk for row in three])
        assert len(captured) == 3


class TestWalks:
    def test_every_customer_comes_once_the_erased_left_out(
        self, three: list[Customer], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(records, "RECORDS_A_CHUNK", 2)
        merge_customers(member_ids=[row.pk for row in three[:2]], actor=ACTOR)
        Customer.objects.filter(pk=three[2].pk).update(status="erased")

        found = [key for some in walk_records() for key in some]

        assert found == sorted(row.pk for row in three[:2])

    def test_tells_what_the_machine_merged_and_leaves_out_what_people_did(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(records, "MERGED_A_CHUNK", 1)
        sure = {
            "given_name": "Anna",
            "family_name": "Smithers",
            "email": "anna@smithers.example",
            "city": "York",
        }
        anna = [make(**sure), make(**sure)]
        bea = [make(**sure | {"given_name": "Bea", "email": "bea@smithers.example"}) for _ in range(2)]
        find_duplicates(actor=ACTOR)
        merge_customers(member_ids=[make(name="X").pk, make(name="Y").pk], actor=ACTOR)

        found = [set(members) for some in walk_merged_by_machine() for members in some.values()]

        assert count_merged() == 3
        assert found == [{row.pk for row in anna}, {row.pk for row in bea}]
