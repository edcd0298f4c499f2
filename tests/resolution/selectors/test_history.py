"""A customer's past."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Customer
from resolution.errors import NotFound, UnknownCustomer
from resolution.models import Merge
from resolution.selectors.history import TimelineEntry, customer_history, merge_row
from resolution.services import audit
from resolution.services.merge import merge_customers
from resolution.services.unmerge import undo_merge
from resolution.types import Actor
from tests.factories import CustomerFactory, MessageFactory, TicketFactory

pytestmark = pytest.mark.django_db
ACTOR = Actor(kind="user", name="lea")


def merge(*customers: Customer) -> Merge:
    ids = [row.pk for row in customers]
    return merge_customers(member_ids=ids, survivor_id=customers[0].pk, actor=ACTOR)


def told(customer: Customer, limit: int) -> list[TimelineEntry]:
    """Turn the pages of a timeline to its end."""
    page = customer_history(customer.pk, limit=limit)
    entries = list(page.entries)
    while page.older:
        page = customer_history(customer.pk, before=page.older, limit=limit)
        entries += page.entries
    return entries


class TestCustomerHistory:
    def test_joins_messages_tickets_and_the_trail_newest_first(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        old = datetime(2024, 1, 1, tzinfo=UTC)
        MessageFactory(customer=anna, subject="Where is it?", received_at=old)
        TicketFactory(customer=anna, subject="Lost parcel", opened_at=old + timedelta(days=1))
        merge(anna, ann)
        kinds = [entry.kind for entry in customer_history(anna.pk).entries]
        assert kinds == ["merge", "ticket", "message"]

    def test_tells_what_a_change_was_about(self) -> None:
        anna, ann = CustomerFactory(name="Ann"), CustomerFactory(name="Ann", email="ann@x.org")
        made = merge(anna, ann)
        [entry] = customer_history(anna.pk).entries
        assert entry.detail == f"Ann · merge {made.pk} · E-mail"

    def test_shows_a_merge_once_naming_all_it_absorbed(self) -> None:
        anna, ann, eve = CustomerFactory(), CustomerFactory(name="Ann"), CustomerFactory(name="Eve")
        made = merge(anna, ann, eve)
        [entry] = customer_history(anna.pk).entries
        assert (entry.customer_id, entry.detail) == (str(anna.pk), f"Ann, Eve · merge {made.pk} · Name")

    def test_names_the_first_five_of_many_and_counts_the_others(self) -> None:
        many = CustomerFactory.create_batch(7, name="Ann")
        merge(CustomerFactory(name="Ann"), *many)
        everybody = customer_history(Merge.objects.get().survivor_id).entries[0].detail
        assert everybody.startswith("Ann, Ann, Ann, Ann, Ann and 2 more · merge")

    def test_an_absorbed_customers_own_page_says_into_whom_it_went(self) -> None:
        anna, ann = CustomerFactory(name="Anna"), CustomerFactory()
        made = merge(anna, ann)
        [entry] = customer_history(ann.pk).entries
        assert entry.detail == f"into Anna · merge {made.pk}"

    def test_shows_a_merge_taken_back_once_on_each_page(self) -> None:
        anna, ann, eve = CustomerFactory(), CustomerFactory(name="Ann"), CustomerFactory()
        inner = merge(anna, ann)
        merge(eve, anna)
        undo_merge(merge_id=inner.pk, actor=ACTOR)
        for page in (eve, ann):
            kinds = [entry.kind for entry in customer_history(page.pk).entries if entry.kind != "judge"]
            assert kinds.count("unmerge") == 1, page
        told = [entry.detail for entry in customer_history(eve.pk).entries if entry.kind == "unmerge"]
        assert told[0].startswith("Ann · merge")
        assert [entry.kind for entry in customer_history(ann.pk).entries].count("merge") == 1

    def test_pages_cover_everything_once(self) -> None:
        anna = CustomerFactory()
        for day in range(7):
            MessageFactory(customer=anna, received_at=timezone.now() - timedelta(days=day))
        seen = [entry.row_id for entry in told(anna, 3)]
        assert len(seen) == len(set(seen)) == 7

    @pytest.mark.parametrize("limit", [1, 2, 3, 5])
    def test_what_shares_a_moment_is_neither_lost_nor_told_twice(self, limit: int) -> None:
        anna, now = CustomerFactory(), timezone.now()
        for day in range(3):
            moment = now - timedelta(days=day)
            MessageFactory.create_batch(4, customer=anna, received_at=moment)
            TicketFactory.create_batch(2, customer=anna, opened_at=moment)
        seen = [entry.row_id for entry in told(anna, limit)]
        assert len(seen) == len(set(seen)) == 18

    def test_one_change_with_more_rows_than_a_page_does_not_end_it(self) -> None:
        anna = CustomerFactory()
        MessageFactory(customer=anna, received_at=timezone.now() - timedelta(days=1))
        with audit.change(ACTOR) as trail:
            for _ in range(5):
                trail.record("update", customer_id=anna.pk)
        page = customer_history(anna.pk, limit=3)
        assert [entry.kind for entry in page.entries] == ["update"] * 5
        assert page.older is not None
        assert [entry.kind for entry in told(anna, 3)] == ["update"] * 5 + ["message"]

    def test_a_page_that_is_just_full_is_the_last(self) -> None:
        anna = CustomerFactory()
        MessageFactory.create_batch(3, customer=anna, received_at=timezone.now())
        assert customer_history(anna.pk, limit=3).older is None

    def test_an_unknown_customer_is_named(self) -> None:
        stranger = uuid.uuid4()
        with pytest.raises(UnknownCustomer, match=str(stranger)):
            customer_history(stranger)

    def test_takes_as_many_queries_for_six_merges_as_for_one(self) -> None:
        anna = CustomerFactory()

        def queries() -> int:
            with CaptureQueriesContext(connection) as seen:
                customer_history(anna.pk)
            return len(seen)

        merge(anna, CustomerFactory())
        few = queries()
        for _ in range(5):
            merge(anna, CustomerFactory())
        assert queries() == few


class TestMergeRow:
    def test_says_what_was_merged_by_whom(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory(name="Ann")
        MessageFactory.create_batch(2, customer=ann)
        row = merge_row(merge(anna, ann).pk)
        assert (row.survivor_id, row.by, row.rows_moved, row.undo_possible) == (str(anna.pk), "lea", 2, True)
        assert [entry.name for entry in row.absorbed] == ["Ann"]

    def test_an_undone_one_cannot_be_undone(self) -> None:
        made = merge(CustomerFactory(), CustomerFactory())
        undo_merge(merge_id=made.pk, actor=ACTOR)
        row = merge_row(made.pk)
        assert (row.undo_possible, row.undone_by) == (False, "lea")
        assert row.why_not.startswith("Undone by lea")

    def test_one_under_a_later_merge_can_be_undone(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        inner = merge(ann, eve)
        merge(anna, ann)
        assert merge_row(inner.pk).undo_possible

    def test_a_member_taken_out_is_told_apart_from_those_left(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        made = merge(anna, ann, eve)
        undo_merge(merge_id=made.pk, member_ids=[ann.pk], actor=ACTOR)
        row = merge_row(made.pk)
        assert (row.undo_possible, row.members_left) == (True, 1)
        assert {entry.customer_id: (entry.live, entry.undone_by) for entry in row.absorbed} == {
            str(ann.pk): (False, "lea"),
            str(eve.pk): (True, ""),
        }

    def test_an_unknown_merge_is_named(self) -> None:
        with pytest.raises(NotFound, match="no merge 41"):
            merge_row(41)
