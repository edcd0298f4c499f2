"""Questions about limits follow what they count."""

from __future__ import annotations

import pytest

from customers.models import Customer, Mapping
from resolution.models import AuditEntry, Conflict
from resolution.services.blocks import block_value
from resolution.services.link import unlink_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.resolve import create_or_resolve_customer
from resolution.services.rules import set_rule
from resolution.services.split import split_customer
from resolution.services.unmerge import undo_merge
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory
from tests.resolution.services.test_limits import ACTOR, SHARED, link, rule, shared_by

pytestmark = pytest.mark.django_db


def asked() -> list[tuple[str, str]]:
    return list(Conflict.objects.order_by("pk").values_list("state", "reason"))


class TestQuestionsFollow:
    """What is asked about a limit tells what there is, and is asked no more once nothing is past it."""

    MANY = "This customer has {} identifiers of the type e-mail; up to 1 is usual."

    def with_values(self, number: int) -> Customer:
        rule(values_soft=1)
        customer, channel = CustomerFactory(name="Anna"), ChannelFactory()
        for place in range(number):
            link(customer, f"a{place}@factory.example.com", channel=channel)
        assert asked() == [("open", self.MANY.format(number))]
        return customer

    def take_off(self, customer: Customer, value: str) -> None:
        found = Mapping.objects.current().get(customer=customer, normalised=value)
        unlink_customer_identifier(customer_id=customer.pk, mapping_id=found.pk, actor=ACTOR)

    def test_an_undone_merge_asks_no_more_of_its_survivor(self) -> None:
        rule(values_soft=1)
        pair = [MappingFactory().customer.pk for _ in range(2)]
        merge = merge_customers(member_ids=pair, actor=ACTOR)
        assert Conflict.objects.get().state == "open"

        undo_merge(merge_id=merge.pk, judge_different=False, actor=ACTOR)

        closed = Conflict.objects.get()
        assert (closed.state, closed.outcome) == ("done", "closed")
        told = AuditEntry.objects.get(action="decide", metadata__conflict=closed.pk)
        assert told.metadata["reason"].startswith(f"Merge {merge.pk} was taken back.")

    def test_with_each_identifier_taken_off_it_tells_what_is_left(self) -> None:
        customer = self.with_values(3)

        self.take_off(customer, "a0@factory.example.com")

        assert asked() == [("open", self.MANY.format(2))]
        told = AuditEntry.objects.filter(action="conflict").latest("sequence")
        assert (told.metadata["why"], told.metadata["reason"]) == (
            "a0@factory.example.com was taken off.",
            self.MANY.format(2),
        )
        self.take_off(customer, "a1@factory.example.com")
        assert [state for state, _ in asked()] == ["done"]

    def split(self, customer: Customer) -> None:
        moving = Mapping.objects.filter(customer=customer).latest("pk")
        split_customer(
            customer_id=customer.pk, mapping_ids=[moving.pk], fields={"name": "Ann"}, actor=ACTOR,
            judge_different=False,
        )  # fmt: skip

    def block(self, customer: Customer) -> None:
        block_value(value="a0@factory.example.com", type="email", actor=ACTOR)

    def allow_more(self, customer: Customer) -> None:
        set_rule(identifier_type="email", version=1, changes={"values_soft": 2}, actor=ACTOR)

    @pytest.mark.parametrize("act", ["split", "block", "allow_more"])
    def test_a_customer_within_its_limit_again_is_asked_about_no_more(self, act: str) -> None:
        customer = self.with_values(2)
        getattr(self, act)(customer)
        assert [state for state, _ in asked()] == ["done"]

    def test_a_lower_limit_is_told_by_what_stands_asked(self) -> None:
        self.with_values(3)
        set_rule(
            identifier_type="email", version=1, changes={"values_hard": 2}, accept_existing=True, actor=ACTOR
        )
        assert asked() == [
            ("open", "This customer has already 3 identifiers of the type e-mail; 2 is the most allowed.")
        ]

    def test_who_has_a_shared_value_no_more_is_not_named_and_others_are(self) -> None:
        rule(customers_soft=1)
        people = shared_by(11)
        link(CustomerFactory())
        conflict = Conflict.objects.get()
        named = [member.customer_id for member in conflict.members.order_by("pk")]
        assert (len(named), conflict.version) == (10, 1)
        leaving, left_out = people[0], {row.pk for row in people} - set(named)

        self.take_off(leaving, SHARED)

        conflict.refresh_from_db()
        now = {member.customer_id for member in conflict.members.all()}
        assert (conflict.reason.split()[0], conflict.version) == ("11", 2)
        assert leaving.pk not in now
        assert len(now) == 10
        assert now - set(named) <= left_out

    def test_a_value_that_fewer_have_than_is_asked_about_is_asked_no_more(self) -> None:
        rule(customers_soft=1)
        [first] = shared_by(1)
        link(CustomerFactory())

        self.take_off(first, SHARED)

        assert [state for state, _ in asked()] == ["done"]

    def test_what_a_hard_limit_refused_stands_until_there_is_room(self) -> None:
        rule(customers_hard=1)
        [owner] = shared_by(1)
        other = MappingFactory(customer=owner, channel_identifier="other@factory.example.com")
        create_or_resolve_customer(
            channel=ChannelFactory(),
            message={"sender_id": SHARED, "sender_name": "Zoe Xu", "customer_phone": "+49 176 12345678"},
            actor=ACTOR,
        )
        before = asked()

        self.take_off(owner, other.normalised)
        assert asked() == before
        self.take_off(owner, SHARED)

        assert [state for state, _ in asked()] == ["done"]

    def test_a_value_that_passes_to_another_customer_is_told_of_both(self) -> None:
        customer = self.with_values(2)
        moving = Mapping.objects.filter(customer=customer).earliest("pk")
        Mapping.objects.filter(pk=moving.pk).update(confidence_score="0.50")

        assert link(CustomerFactory(), moving.normalised, channel=moving.channel).action == "updated"

        assert [state for state, _ in asked()] == ["done"]
