"""Questions about limits follow what they count."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import Customer, Mapping
from resolution.models import AuditEntry, Conflict, Merge, MergeProposal
from resolution.services.approve import approve_proposal
from resolution.services.blocks import block_value
from resolution.services.decide import decide_conflict
from resolution.services.erase import erase_customer
from resolution.services.link import unlink_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.queue import claim
from resolution.services.resolve import create_or_resolve_customer
from resolution.services.rules import set_rule
from resolution.services.split import split_customer
from resolution.services.unmerge import undo_merge
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory, actor_for, lead, steward
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


class TestMerged:
    """Two who share a value become one customer, and two again."""

    ASKED = f"2 customers have the e-mail {SHARED}; up to 1 is usual."

    @pytest.fixture
    def pair(self) -> list[Customer]:
        rule(customers_soft=1)
        pair = [*shared_by(1), CustomerFactory()]
        link(pair[1])
        assert asked() == [("open", self.ASKED)]
        return pair

    @staticmethod
    def merged(*customers: Customer) -> Merge:
        return merge_customers(
            member_ids=[row.pk for row in customers], survivor_id=customers[0].pk, actor=ACTOR
        )

    def test_a_value_of_one_customer_alone_is_asked_about_no_more_and_the_trail_says_why(
        self, pair: list[Customer]
    ) -> None:
        self.merged(*pair)

        closed = Conflict.objects.get()
        assert (closed.state, closed.outcome) == ("done", "merged")
        told = AuditEntry.objects.get(action="decide", metadata__conflict=closed.pk)
        assert told.metadata["reason"] == "all who have its value are one customer now"

    def test_it_is_asked_again_once_the_merge_is_taken_back(self, pair: list[Customer]) -> None:
        made = self.merged(*pair)

        undo_merge(merge_id=made.pk, judge_different=False, actor=ACTOR)

        assert asked() == [("done", self.ASKED), ("open", self.ASKED)]
        named = Conflict.objects.latest("pk").members.values_list("customer", flat=True)
        assert set(named) == {row.pk for row in pair}

    def test_so_it_is_when_an_inner_merge_is_taken_back_under_a_later_one(self, pair: list[Customer]) -> None:
        made = self.merged(*pair)
        self.merged(CustomerFactory(), pair[0])

        undo_merge(merge_id=made.pk, judge_different=False, actor=ACTOR)

        assert asked()[1:] == [("open", self.ASKED)]

    def test_merged_and_parted_twice_it_is_asked_once(self, pair: list[Customer]) -> None:
        for _ in range(2):
            made = self.merged(*pair)
            undo_merge(merge_id=made.pk, judge_different=False, actor=ACTOR)

        assert [state for state, _ in asked()] == ["done", "done", "open"]

    def test_it_stays_while_a_third_has_the_value(self, pair: list[Customer]) -> None:
        shared_by(1)

        self.merged(*pair)

        assert [state for state, _ in asked()] == ["open"]

    def test_what_a_person_called_right_is_not_asked_again(self, pair: list[Customer]) -> None:
        worker = actor_for(steward())
        held = claim(conflict_id=Conflict.objects.get().pk, actor=worker)
        decide_conflict(conflict_id=held.pk, decision="accept", version=held.version, actor=worker)
        made = self.merged(*pair)

        undo_merge(merge_id=made.pk, judge_different=False, actor=ACTOR)

        assert [state for state, _ in asked()] == ["done"]

    def test_a_link_that_was_refused_is_asked_about_again(self) -> None:
        rule(customers_hard=1)
        [owner] = shared_by(1)
        create_or_resolve_customer(
            channel=ChannelFactory(),
            message={"sender_id": SHARED, "sender_name": "Zoe Xu", "customer_phone": "+49 176 12345678"},
            actor=ACTOR,
        )
        [(_, before)] = asked()
        other = Customer.objects.exclude(pk=owner.pk).get()
        made = self.merged(owner, other)

        undo_merge(merge_id=made.pk, judge_different=False, actor=ACTOR)

        assert asked() == [("done", before), ("open", before)]

    def test_a_steward_may_answer_it_by_a_merge(self, pair: list[Customer]) -> None:
        worker = actor_for(steward())
        held = claim(conflict_id=Conflict.objects.get().pk, actor=worker)
        decide_conflict(conflict_id=held.pk, decision="same", version=held.version, actor=worker)

        approve_proposal(proposal_id=MergeProposal.objects.get().pk, actor=actor_for(lead()))

        assert (Conflict.objects.get().state, Conflict.objects.get().outcome) == ("done", "merged")

    def test_merging_takes_as_many_statements_for_many_such_questions_as_for_few(self) -> None:
        rule(customers_soft=1)
        counts = []
        for number in (1, 6):
            pair = CustomerFactory.create_batch(2)
            for place in range(number):
                for customer in pair:
                    link(customer, f"{number}of{place}@factory.example.com", channel=ChannelFactory())
            with CaptureQueriesContext(connection) as queries:
                self.merged(*pair)
            counts.append(len(queries))
        assert counts[0] == counts[1]
        assert {state for state, _ in asked()} == {"done"}


class TestErased:
    def test_who_is_erased_counts_no_more(self) -> None:
        rule(customers_soft=2)
        people = [*shared_by(3), CustomerFactory()]
        link(people[3])
        assert asked()[0][1].startswith("4 customers have")

        erase_customer(customer_id=people[0].pk, actor=ACTOR, reason="Request 4711")

        assert asked() == [("open", f"3 customers have the e-mail {SHARED}; up to 2 is usual.")]
        named = Conflict.objects.get().members.values_list("customer", flat=True)
        assert set(named) == {row.pk for row in people[1:]}

    def test_a_value_that_few_have_then_is_asked_about_no_more(self) -> None:
        rule(customers_soft=2)
        people = shared_by(2)
        link(CustomerFactory())

        erase_customer(customer_id=people[0].pk, actor=ACTOR, reason="Request 4711")

        assert [state for state, _ in asked()] == ["done"]
        told = AuditEntry.objects.filter(action="decide").latest("sequence")
        assert told.metadata["reason"] == "Somebody who had it was erased. It is past no limit any more"

    def test_one_who_was_not_named_is_counted_off_too(self) -> None:
        rule(customers_soft=1)
        shared_by(11)
        link(CustomerFactory())
        conflict = Conflict.objects.get()
        named = set(conflict.members.values_list("customer", flat=True))
        [unnamed, *_] = Customer.objects.exclude(pk__in=named).order_by("pk")

        erase_customer(customer_id=unnamed.pk, actor=ACTOR, reason="Request 4711")

        conflict.refresh_from_db()
        assert conflict.reason.startswith("11 customers have")
        assert set(conflict.members.values_list("customer", flat=True)) == named

    def test_what_a_hard_limit_refused_stands_without_who_was_erased(self) -> None:
        rule(customers_hard=1)
        [owner] = shared_by(1)
        create_or_resolve_customer(
            channel=ChannelFactory(),
            message={"sender_id": SHARED, "sender_name": "Zoe Xu", "customer_phone": "+49 176 12345678"},
            actor=ACTOR,
        )
        [(_, before)] = asked()
        other = Customer.objects.exclude(pk=owner.pk).get()

        erase_customer(customer_id=other.pk, actor=ACTOR, reason="Request 4711")

        assert asked() == [("open", before)]
        assert Conflict.objects.get().members.get().customer_id == owner.pk

    def test_a_value_that_goes_with_them_is_named_no_more(self) -> None:
        rule(customers_hard=1)
        [owner] = shared_by(1)
        create_or_resolve_customer(
            channel=ChannelFactory(),
            message={"sender_id": SHARED, "sender_name": "Zoe Xu", "customer_phone": "+49 176 12345678"},
            actor=ACTOR,
        )

        erase_customer(customer_id=owner.pk, actor=ACTOR, reason="Request 4711")

        conflict = Conflict.objects.get()
        assert (conflict.state, conflict.identifier_value) == ("done", "")
