"""Where a merged customer's values come from, as the ledger tells it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import Customer
from resolution.models import Merge
from resolution.selectors.provenance import provenance_of
from resolution.services.merge import merge_customers
from resolution.services.merge_plan import Picks
from resolution.services.profiles import update_profile
from resolution.services.unmerge import undo_merge
from resolution.types import Actor
from tests.factories import CustomerFactory, MappingFactory

pytestmark = pytest.mark.django_db
ACTOR = Actor(kind="user", name="lea")


def merge(*customers: Customer, picks: Picks | None = None) -> Merge:
    ids = [row.pk for row in customers]
    return merge_customers(member_ids=ids, survivor_id=customers[0].pk, picks=picks, actor=ACTOR)


def fresh(customer: Customer) -> Customer:
    return Customer.objects.get(pk=customer.pk)


def told(customer: Customer, field: str) -> list[tuple[int, str, str, bool]]:
    """Merge, whose value, rule and whether it was the survivor's own, the newest choice first."""
    steps = provenance_of(fresh(customer))[field].steps
    return [(step.merge_id, step.source_id, step.rule, step.kept) for step in steps]


class TestSteps:
    def test_an_absorbed_customers_value_names_it_the_rule_and_the_merge(self) -> None:
        anna, ann = CustomerFactory(name="Anna"), CustomerFactory(name="Ann", city="Ulm")
        made = merge(anna, ann)
        assert provenance_of(fresh(anna))["city"].steps[0].source_name == "Ann"
        assert told(anna, "city") == [(made.pk, str(ann.pk), "only", False)]

    def test_a_verified_value_wins_by_that_rule(self) -> None:
        anna, ann = CustomerFactory(email="anna@x.org"), CustomerFactory(name="Ann", email="ann@x.org")
        MappingFactory(customer=ann, channel_identifier="ann@x.org", verified=True)
        made = merge(anna, ann)
        assert told(anna, "email") == [(made.pk, str(ann.pk), "verified", False)]

    def test_a_picked_and_a_typed_value_say_so(self) -> None:
        anna, ann = CustomerFactory(name="Anna", city="Bonn"), CustomerFactory(name="Ann", city="Ulm")
        made = merge(anna, ann, picks={"city": str(ann.pk), "country": {"typed": "DE"}})
        assert told(anna, "city") == [(made.pk, str(ann.pk), "picked", False)]
        [typed] = provenance_of(fresh(anna))["country"].steps
        assert (typed.source_id, typed.rule, typed.merge_id) == ("typed", "picked", made.pk)

    def test_it_is_told_right_after_a_later_merge_that_let_it_be(self) -> None:
        anna, ann, eve = CustomerFactory(), CustomerFactory(name="Ann", city="Ulm"), CustomerFactory()
        first = merge(anna, ann)
        merge(anna, eve)
        assert told(anna, "city") == [(first.pk, str(ann.pk), "only", False)]

    def test_a_later_merge_that_decided_for_it_comes_first(self) -> None:
        anna, ann = CustomerFactory(name="Anna"), CustomerFactory(name="Ann", city="Ulm")
        eve = CustomerFactory(city="Bonn")
        first = merge(anna, ann)
        later = merge(anna, eve, picks={"city": str(anna.pk)})
        assert told(anna, "city") == [
            (later.pk, str(anna.pk), "picked", True),
            (first.pk, str(ann.pk), "only", False),
        ]

    def test_it_is_followed_into_what_the_absorbed_had_absorbed(self) -> None:
        anna, ann, eve = (
            CustomerFactory(),
            CustomerFactory(name="Ann"),
            CustomerFactory(name="Eve", city="Ulm"),
        )
        inner = merge(ann, eve)
        outer = merge(anna, ann)
        assert told(anna, "city") == [
            (outer.pk, str(ann.pk), "only", False),
            (inner.pk, str(eve.pk), "only", False),
        ]

    def test_an_attribute_names_whom_it_was_joined_from(self) -> None:
        anna = CustomerFactory(attributes={"vip": True})
        ann = CustomerFactory(name="Ann", attributes={"vip": False, "size": "L"})
        made = merge(anna, ann)
        assert told(anna, "attributes.size") == [(made.pk, str(ann.pk), "joined", False)]
        assert [step[3] for step in told(anna, "attributes.vip")] == [True]


class TestTakenBack:
    def test_after_its_merge_was_undone_nothing_is_told_of_it(self) -> None:
        anna, ann, eve = (
            CustomerFactory(),
            CustomerFactory(city="Ulm"),
            CustomerFactory(name="Eve", country="DE"),
        )
        first, second = merge(anna, ann), merge(anna, eve)
        undo_merge(merge_id=first.pk, actor=ACTOR)
        assert told(anna, "country") == [(second.pk, str(eve.pk), "only", False)]
        assert "city" not in provenance_of(fresh(anna))

    def test_of_two_with_the_same_value_the_one_that_stays_is_named(self) -> None:
        anna, ann, eve = (
            CustomerFactory(),
            CustomerFactory(city="Ulm"),
            CustomerFactory(city="Ulm"),
        )
        made = merge(anna, ann, eve)
        [(_, gone, _, _)] = told(anna, "city")
        leaving, staying = (ann, eve) if gone == str(ann.pk) else (eve, ann)
        undo_merge(merge_id=made.pk, member_ids=[leaving.pk], actor=ACTOR)
        assert [source for _, source, _, _ in told(anna, "city")] == [str(staying.pk)]

    def test_a_value_written_since_names_its_writer_and_no_merge(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory(city="Ulm", country="DE")
        merge(anna, ann)
        update_profile(
            customer_id=anna.pk, version=fresh(anna).version, changes={"city": "Bonn"}, actor=ACTOR
        )
        provenance = provenance_of(fresh(anna))["city"]
        assert provenance.edit is not None
        assert (provenance.steps, provenance.edit.who) == ((), "lea")

    def test_who_was_never_merged_has_nothing_to_tell(self) -> None:
        assert provenance_of(CustomerFactory(city="Ulm")) == {}

    def test_takes_as_many_queries_for_six_merges_as_for_one(self) -> None:
        anna = CustomerFactory(city="Ulm")

        def queries() -> int:
            customer = fresh(anna)
            with CaptureQueriesContext(connection) as seen:
                provenance_of(customer)
            return len(seen)

        merge(anna, CustomerFactory(country="DE"))
        few = queries()
        for _ in range(5):
            merge(anna, CustomerFactory(city="Bonn", country="FR"))
        assert queries() == few
