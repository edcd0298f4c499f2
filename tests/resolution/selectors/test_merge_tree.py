"""How a customer was built, as a tree."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import Customer
from resolution.errors import UnknownCustomer
from resolution.models import Merge
from resolution.selectors.merge_tree import merge_tree
from resolution.services.merge import merge_customers
from resolution.services.unmerge import undo_merge
from resolution.types import Actor
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db
ACTOR = Actor(kind="user", name="lea")


def merge(*customers: Customer) -> Merge:
    ids = [row.pk for row in customers]
    return merge_customers(member_ids=ids, survivor_id=customers[0].pk, actor=ACTOR)


class TestMergeTree:
    def test_shows_under_each_member_what_it_had_absorbed_before(self) -> None:
        top, anna, ann, eve = CustomerFactory.create_batch(4)
        inner, outer = merge(anna, ann), merge(top, anna, eve)
        [shown] = merge_tree(top.pk).merges
        branch = next(entry for entry in shown.members if entry.row.customer_id == str(anna.pk))
        assert (shown.row.id, shown.depth) == (outer.pk, 0)
        assert [(entry.row.id, entry.depth) for entry in branch.merges] == [(inner.pk, 1)]
        assert [entry.row.id for entry in merge_tree(top.pk).flat()] == [outer.pk, inner.pk]

    def test_of_a_merged_customer_shows_its_own_branch(self) -> None:
        top, anna, ann = CustomerFactory.create_batch(3)
        inner = merge(anna, ann)
        merge(top, anna)
        assert [entry.row.id for entry in merge_tree(anna.pk).flat()] == [inner.pk]

    def test_newest_first_and_undone_ones_too(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        first, second = merge(anna, ann), merge(anna, eve)
        undo_merge(merge_id=first.pk, actor=ACTOR)
        shown = merge_tree(anna.pk).merges
        assert [(entry.row.id, entry.row.undone_by) for entry in shown] == [
            (second.pk, ""),
            (first.pk, "lea"),
        ]

    def test_what_left_has_its_merges_on_its_own_page_only(self) -> None:
        top, anna, ann, eve = CustomerFactory.create_batch(4)
        inner = merge(anna, ann)
        outer = merge(top, anna, eve)
        undo_merge(merge_id=outer.pk, member_ids=[anna.pk], actor=ACTOR)
        assert [entry.row.id for entry in merge_tree(top.pk).flat()] == [outer.pk]
        assert [entry.row.id for entry in merge_tree(anna.pk).flat()] == [inner.pk]

    def test_a_customer_never_merged_has_none(self) -> None:
        assert merge_tree(CustomerFactory().pk).merges == ()

    def test_an_unknown_customer_is_named(self) -> None:
        stranger = uuid.uuid4()
        with pytest.raises(UnknownCustomer, match=str(stranger)):
            merge_tree(stranger)

    def test_says_when_there_are_more_than_it_shows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        anna = CustomerFactory()
        merge(anna, CustomerFactory())
        merge(anna, CustomerFactory())
        monkeypatch.setattr("resolution.selectors.merge_tree.MOST_MERGES", 1)
        tree = merge_tree(anna.pk)
        assert (len(tree.merges), tree.cut) == (1, True)

    def test_takes_as_many_queries_for_six_merges_as_for_one(self) -> None:
        anna = CustomerFactory()

        def queries() -> int:
            with CaptureQueriesContext(connection) as seen:
                merge_tree(anna.pk)
            return len(seen)

        merge(anna, CustomerFactory())
        few = queries()
        for _ in range(5):
            merge(anna, CustomerFactory())
        assert queries() == few
