"""What speaks for a customer's values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import Customer, SourceRecord
from resolution.selectors.merge_facts import field_limits, load_differences, load_facts, where_seen
from resolution.services import judge
from resolution.services.merge import merge_customers
from resolution.services.merge_plan import CustomerFacts, ValueFact
from resolution.types import Actor
from tests.factories import (
    ChannelFactory,
    CustomerFactory,
    MappingFactory,
    MessageFactory,
    SourceRecordFactory,
    TicketFactory,
)

pytestmark = pytest.mark.django_db
ACTOR = Actor(kind="user", name="lea")
OLD, NEW = datetime(2020, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)


def facts_of(customer: Customer) -> CustomerFacts:
    return load_facts([customer])[str(customer.pk)]


def record(customer: Customer, seen_at: datetime, trust: int, **data: Any) -> None:
    row = SourceRecordFactory(customer=customer, data=data, channel__trust=trust)
    SourceRecord.objects.filter(pk=row.pk).update(updated_at=seen_at)


class TestLoadFacts:
    def test_a_value_is_as_trusted_and_recent_as_the_best_place_that_shows_it(self) -> None:
        anna = CustomerFactory(city="Bonn")
        record(anna, NEW, 30, city=" BONN ")
        record(anna, OLD, 70, city="Bonn")
        record(anna, datetime(2025, 1, 1, tzinfo=UTC), 90, city="Ulm")
        assert facts_of(anna).values["city"] == ValueFact("Bonn", verified=False, trust=70, seen_at=NEW)

    def test_a_verified_identifier_proves_the_e_mail_it_shows(self) -> None:
        anna = CustomerFactory(email="Anna@x.org")
        MappingFactory(customer=anna, channel_identifier="anna@x.org", verified=True)
        assert facts_of(anna).values["email"].verified

    def test_a_verified_identifier_proves_no_other_e_mail(self) -> None:
        anna = CustomerFactory(email="other@x.org")
        MappingFactory(customer=anna, channel_identifier="anna@x.org", verified=True)
        assert not facts_of(anna).values["email"].verified

    def test_an_identifier_that_ended_proves_nothing(self) -> None:
        anna = CustomerFactory(email="anna@x.org")
        MappingFactory(customer=anna, channel_identifier="anna@x.org", verified=True, status="ended")
        assert facts_of(anna).values["email"] == ValueFact("anna@x.org", False, 0, anna.updated_at)

    def test_for_a_value_nobody_shows_all_the_customers_channels_stand(self) -> None:
        anna = CustomerFactory(name="Anna")
        record(anna, OLD, 70, city="Bonn")
        assert facts_of(anna).values["name"] == ValueFact("Anna", False, 70, OLD)

    def test_a_missing_value_is_not_trusted(self) -> None:
        anna = CustomerFactory()
        record(anna, OLD, 70, city="")
        assert facts_of(anna).values["city"] == ValueFact("")

    def test_counts_interactions_and_lists_the_rows(self) -> None:
        anna = CustomerFactory()
        messages, ticket = MessageFactory.create_batch(2, customer=anna), TicketFactory(customer=anna)
        facts = facts_of(anna)
        assert facts.interactions == 3
        assert facts.rows == {
            "messages": tuple(str(row.pk) for row in messages), "tickets": (str(ticket.pk),),
        }  # fmt: skip

    def test_takes_as_many_queries_for_ten_customers_as_for_one(self) -> None:
        channel = ChannelFactory()

        def queries(number: int) -> int:
            members = CustomerFactory.create_batch(number)
            for member in members:
                MappingFactory(customer=member, channel=channel)
                SourceRecordFactory(customer=member, channel=channel)
            with CaptureQueriesContext(connection) as seen:
                load_facts(members)
            return len(seen)

        assert queries(1) == queries(10)


class TestWhereSeen:
    def test_names_each_channel_once(self) -> None:
        anna = CustomerFactory(email="anna@x.org", city="Bonn")
        shop = ChannelFactory(name="Shop")
        SourceRecordFactory(customer=anna, channel=shop, data={"email": "anna@x.org"})
        MappingFactory(customer=anna, channel=shop, channel_identifier="anna@x.org")
        seen = where_seen([anna])
        assert (seen[str(anna.pk), "email"], seen[str(anna.pk), "city"]) == ("Shop", "")


class TestLoadDifferences:
    def test_p3_speaks_for_whom_the_judged_stand_for_now(self) -> None:
        anna, ann, annie = CustomerFactory.create_batch(3)
        judge.judge_pair(left_id=anna.pk, right_id=annie.pk, verdict="different", reason="", actor=ACTOR)
        merge_customers(member_ids=[ann.pk, annie.pk], survivor_id=ann.pk, actor=ACTOR)
        [word] = load_differences([anna.pk, ann.pk])
        assert ({word.left, word.right}, word.who) == ({str(anna.pk), str(ann.pk)}, "lea")

    def test_names_the_very_edge_where_one_of_the_judged_was_absorbed_since(self) -> None:
        anna, ann, annie = (CustomerFactory(name=name) for name in ("Anna", "Ann", "Annie"))
        said = judge.judge_pair(
            left_id=anna.pk, right_id=annie.pk, verdict="different", reason="sisters", actor=ACTOR
        )
        merge_customers(member_ids=[ann.pk, annie.pk], survivor_id=ann.pk, actor=ACTOR)
        [word] = load_differences([anna.pk, ann.pk])
        sentence = word.said({str(anna.pk): "Anna", str(ann.pk): "Ann"})
        assert sentence.startswith("lea judged ")
        assert sentence.endswith(f"(judgement {said.pk}, “sisters”, said of Annie, merged since)")

    def test_other_words_do_not_forbid(self) -> None:
        anna, ann = CustomerFactory.create_batch(2)
        judge.judge_pair(left_id=anna.pk, right_id=ann.pk, verdict="related", reason="", actor=ACTOR)
        assert load_differences([anna.pk, ann.pk]) == []


class TestFieldLimits:
    def test_follow_the_columns(self) -> None:
        assert (field_limits()["postcode"], field_limits()["birth_date"]) == (20, 10)
