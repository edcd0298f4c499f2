"""The customer page as data."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from resolution.errors import UnknownCustomer
from resolution.selectors.customer_card import customer_card
from resolution.services import judge
from resolution.services.merge import merge_customers
from resolution.types import Actor
from tests.factories import (
    ConflictFactory,
    CustomerFactory,
    MappingFactory,
    MessageFactory,
    SourceRecordFactory,
)

pytestmark = pytest.mark.django_db
ACTOR = Actor(kind="user", name="lea")


class TestCustomerCard:
    def test_shows_each_value_with_where_it_was_seen(self) -> None:
        anna = CustomerFactory(city="Bonn", email="anna@x.org")
        SourceRecordFactory(customer=anna, data={"city": "Bonn"}, channel__name="Shop")
        MappingFactory(customer=anna, channel_identifier="anna@x.org", verified=True, channel__name="Post")
        fields = {row.field: row for row in customer_card(anna.pk).fields}
        assert (fields["city"].value, fields["city"].source, fields["city"].verified) == (
            "Bonn",
            "Shop",
            False,
        )
        assert (fields["email"].source, fields["email"].verified) == ("Post", True)

    def test_tells_identifiers_that_ended_from_those_it_has(self) -> None:
        anna = CustomerFactory()
        has, had = (MappingFactory(customer=anna, status=status) for status in ("active", "ended"))
        card = customer_card(anna.pk)
        assert [row.mapping_id for row in card.identifiers] == [str(has.pk)]
        assert [row.mapping_id for row in card.past_identifiers] == [str(had.pk)]

    def test_counts_rows_and_names_whom_it_was_built_from(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory(name="Ann")
        MessageFactory.create_batch(2, customer=ann)
        merge_customers(member_ids=[anna.pk, ann.pk], survivor_id=anna.pk, actor=ACTOR)
        card = customer_card(anna.pk)
        assert (card.messages, [row.name for row in card.absorbed]) == (2, ["Ann"])

    def test_p2_a_merged_customer_names_whom_its_id_stands_for(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        merge_customers(member_ids=[anna.pk, ann.pk], survivor_id=anna.pk, actor=ACTOR)
        card = customer_card(ann.pk)
        assert (card.status, card.canonical_id) == ("merged", str(anna.pk))

    def test_shows_open_conflicts_and_what_people_said(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory(name="Ann")
        conflict = ConflictFactory(members=[anna, CustomerFactory()])
        ConflictFactory(members=[anna, CustomerFactory()], state="done", outcome="related")
        judge.judge_pair(left_id=anna.pk, right_id=ann.pk, verdict="related", reason="sisters", actor=ACTOR)
        card = customer_card(anna.pk)
        assert [row.id for row in card.conflicts] == [conflict.pk]
        [verdict] = card.verdicts
        assert (verdict.other_name, verdict.verdict, verdict.reason) == ("Ann", "related", "sisters")

    def test_an_unknown_customer_is_named(self) -> None:
        stranger = uuid.uuid4()
        with pytest.raises(UnknownCustomer, match=str(stranger)):
            customer_card(stranger)

    def test_takes_as_many_queries_with_ten_identifiers_as_with_one(self) -> None:
        anna = CustomerFactory()

        def queries() -> int:
            with CaptureQueriesContext(connection) as seen:
                customer_card(anna.pk)
            return len(seen)

        MappingFactory(customer=anna)
        ConflictFactory(members=[anna, CustomerFactory()])
        few = queries()
        MappingFactory.create_batch(9, customer=anna)
        for _ in range(4):
            ConflictFactory(members=[anna, CustomerFactory()])
        assert queries() == few
