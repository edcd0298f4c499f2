"""Taking a merge back: exactly, under later merges too, and never guessing where new rows go."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from customers.models import Channel, Customer, Mapping, Message
from customers.services import register
from resolution.errors import InvalidInput, MergeBlocked, NotFound, Refused
from resolution.matching.key_numbers import key_number
from resolution.models import AuditEntry, BlockingKey, Conflict, Judgement, Merge, OutboxEvent
from resolution.services import audit, cache, conflicts, link, locks
from resolution.services.keys import rebuild_keys
from resolution.services.merge import merge_customers
from resolution.services.profiles import update_profile
from resolution.services.unmerge import UnmergePlan, plan_unmerge, undo_merge
from resolution.types import Actor
from tests.concurrency import all_at_once
from tests.factories import (
    ChannelFactory,
    ConflictFactory,
    CustomerFactory,
    MappingFactory,
    MessageFactory,
    SourceRecordFactory,
    TicketFactory,
)
from tests.resolution.services.register_state import register_state
from tests.resolution.services.test_merge import outcome
from tests.resolution.services.waiting import met_by

pytestmark = pytest.mark.django_db
ACTOR = Actor(kind="user", name="lea")


def merge(*customers: Customer, **options: Any) -> Merge:
    ids = [row.pk for row in customers]
    return merge_customers(member_ids=ids, survivor_id=customers[0].pk, actor=ACTOR, **options)


def undo(merge: Merge, **options: Any) -> Merge:
    return undo_merge(merge_id=merge.pk, actor=ACTOR, **{"judge_different": False, **options})


def keyed(**fields: Any) -> Customer:
    customer = CustomerFactory(**fields)
    rebuild_keys([customer.pk])
    return customer


def fresh(customer: Customer) -> Customer:
    return Customer.objects.get(pk=customer.pk)


def fates(plan: UnmergePlan) -> dict[str, str]:
    return {row.field: row.fate for row in plan.fields}


class TestUndoMerge:
    def test_p4_gives_back_every_row_exactly(self) -> None:
        channel = ChannelFactory()
        anna = keyed(given_name="Anna", attributes={"vip": True})
        ann = keyed(
            given_name="Ann", email="ann@x.org", birth_date=date(1980, 2, 1), attributes={"size": "M"}
        )
        eve = keyed(last_interaction_at=datetime(2024, 5, 1, tzinfo=UTC))
        MappingFactory(customer=anna, channel=channel, channel_identifier="all@x.org", status="shared")
        came_by = MappingFactory(customer=ann, channel=channel, channel_identifier="all@x.org")
        MappingFactory(customer=eve, channel=channel, channel_identifier="all@x.org", status="shared")
        MappingFactory(customer=eve, channel=channel, status="ended")
        MessageFactory.create_batch(2, customer=ann, mapping=came_by)
        TicketFactory(customer=eve)
        SourceRecordFactory(customer=ann)
        rebuild_keys([anna.pk, ann.pk, eve.pk])
        before = register_state()
        made = merge(anna, ann, eve, picks={"given_name": {"typed": "Annie"}})
        assert register_state() != before
        undo(made)
        assert register_state() == before

    def test_both_sides_count_the_change(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        undo(merge(anna, ann))
        assert (fresh(anna).version, fresh(ann).version) == (3, 3)

    def test_redirects_of_the_absorbed_go_with_it(self) -> None:
        anna, ann, annie = CustomerFactory.create_batch(3)
        merge(ann, annie)
        undo(merge(anna, ann))
        assert fresh(annie).merged_into_id == ann.pk

    def test_writes_down_who_undid_it(self) -> None:
        made = merge(CustomerFactory(), CustomerFactory())
        done = undo(made)
        assert (done.undone_by, done.undone_at is not None) == ("lea", True)
        assert not done.members.filter(live=True).exists()

    def test_p5_leaves_one_chained_entry_for_each_customer(self) -> None:
        anna, ann, annie = CustomerFactory.create_batch(3)
        undo(merge(anna, ann, annie))
        entries = AuditEntry.objects.filter(action="unmerge")
        assert {entry.customer_id for entry in entries} == {anna.pk, ann.pk, annie.pk}
        assert audit.find_break() is None

    def test_p5_tells_of_everyone_in_between_whose_value_goes_with_those_who_leave(self) -> None:
        top, anna, ann, eve = (
            CustomerFactory(), CustomerFactory(), CustomerFactory(), CustomerFactory(city="Ulm")
        )  # fmt: skip
        inner = merge(ann, eve)
        merge(anna, ann)
        merge(top, anna)
        undo(inner)
        assert [fresh(row).city for row in (top, anna, ann)] == ["", "", ""]
        entries = AuditEntry.objects.filter(action="unmerge")
        assert {entry.customer_id for entry in entries} == {row.pk for row in (top, anna, ann, eve)}

    def test_tells_other_systems(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        undo(merge(anna, ann))
        event = OutboxEvent.objects.get(kind="customer.unmerged")
        assert (event.customer_id, event.payload["returned"]) == (anna.pk, [str(ann.pk)])

    def test_p3_judges_the_sides_different_so_that_nobody_joins_them_again(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        undo(merge(anna, ann), judge_different=True)
        assert Judgement.objects.get().verdict == "different"
        with pytest.raises(MergeBlocked, match="lea judged"):
            merge(anna, ann)

    def test_judges_nothing_when_told_so(self) -> None:
        undo(merge(CustomerFactory(), CustomerFactory()), judge_different=False)
        assert not Judgement.objects.exists()

    def test_a_merge_may_be_made_again_after_it_was_undone(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        undo(merge(anna, ann))
        assert merge(anna, ann).members.get().live

    def test_p10_the_cache_forgets_the_survivor_as_owner(self) -> None:
        made = merge(CustomerFactory(), MappingFactory().customer)
        owned = Mapping.objects.owned().get()
        key = (owned.channel_id, owned.identifier_type, owned.normalised)
        with transaction.atomic():
            missed = cache.look_up(key)
            assert isinstance(missed, cache.Miss)
            cache.fill(key, owned.customer_id, missed.lease)
        undo(made)
        assert isinstance(cache.look_up(key), cache.Miss)

    def test_a_failure_in_the_middle_gives_nothing_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        made = merge(anna, ann)

        def broken(*args: object) -> None:
            raise RuntimeError("the power went")

        monkeypatch.setattr("resolution.services.keys.rebuild_keys", broken)
        with pytest.raises(RuntimeError), transaction.atomic():
            undo(made)
        assert fresh(ann).status == "merged"
        assert Merge.objects.get().undone_at is None


class TestUnderLaterMerges:
    def test_p4_the_first_of_two_merges_comes_back_and_the_second_stands(self) -> None:
        anna, ann, eve = keyed(), keyed(email="ann@x.org"), keyed(phone="+4930123456")
        message = MessageFactory(customer=ann)
        first = merge(anna, ann)
        merge(anna, eve)
        undo(first)
        message.refresh_from_db()
        assert message.customer_id == ann.pk
        assert fresh(ann).status == "active"
        assert fresh(eve).merged_into_id == anna.pk
        assert (fresh(anna).email, fresh(anna).phone) == ("", "+4930123456")

    def test_p4_a_field_written_again_is_inherited_by_the_later_merge(self) -> None:
        anna = CustomerFactory(city="Bonn")
        first = merge(anna, CustomerFactory(), picks={"city": {"typed": "Köln"}})
        second = merge(anna, CustomerFactory(), picks={"city": {"typed": "Ulm"}})
        assert fates(plan_unmerge(first.pk)) == {"city": "inherited"}
        undo(first)
        assert fresh(anna).city == "Ulm"
        undo(second)
        assert fresh(anna).city == "Bonn"

    def test_a_field_edited_since_stays_and_is_shown(self) -> None:
        anna = CustomerFactory(city="Bonn")
        made = merge(anna, CustomerFactory(), picks={"city": {"typed": "Köln"}})
        update_profile(customer_id=anna.pk, version=2, changes={"city": "Ulm"}, actor=ACTOR)
        [shown] = plan_unmerge(made.pk).fields
        assert (shown.field, shown.now, shown.before, shown.fate) == ("city", "Ulm", "Bonn", "kept")
        undo(made)
        assert fresh(anna).city == "Ulm"

    @pytest.mark.parametrize("status", ["active", "shared", "ended", "collapsed"])
    def test_an_identifier_a_later_merge_brought_is_not_asked_about(self, status: str) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        first = merge(anna, ann)
        brought = MappingFactory(customer=eve, status=status)
        merge(anna, eve)
        assert plan_unmerge(first.pk).arrivals == ()
        undo(first)
        brought.refresh_from_db()
        assert (brought.customer_id, brought.status) == (anna.pk, status)

    def test_p4_an_identifier_folded_by_a_later_merge_comes_back_in_use(self) -> None:
        channel = ChannelFactory()
        anna, ann, eve = CustomerFactory.create_batch(3)
        shared = MappingFactory(customer=ann, channel=channel, channel_identifier="a@x.org", status="shared")
        MappingFactory(customer=eve, channel=channel, channel_identifier="a@x.org")
        first = merge(anna, ann)
        merge(anna, eve)
        shared.refresh_from_db()
        assert shared.status == "collapsed"
        undo(first)
        shared.refresh_from_db()
        assert (shared.customer_id, shared.status) == (ann.pk, "shared")

    def test_p4_what_folded_into_a_link_that_leaves_stands_for_the_survivor_again(self) -> None:
        channel = ChannelFactory()
        anna, ann, eve = CustomerFactory.create_batch(3)
        owning = MappingFactory(customer=ann, channel=channel, channel_identifier="a@x.org")
        shared = MappingFactory(customer=eve, channel=channel, channel_identifier="a@x.org", status="shared")
        first = merge(anna, ann)
        second = merge(anna, eve)
        undo(first)
        shared.refresh_from_db()
        owning.refresh_from_db()
        assert (owning.customer_id, owning.status) == (ann.pk, "active")
        assert (shared.customer_id, shared.status) == (anna.pk, "shared")
        undo(second)
        shared.refresh_from_db()
        assert (shared.customer_id, shared.status) == (eve.pk, "shared")

    @pytest.mark.parametrize("seed", range(12))
    def test_p4_merges_undone_in_any_order_leave_the_register_as_it_was(self, seed: int) -> None:
        chance = random.Random(seed)
        customers = small_town(chance)
        before = register_state()
        for _ in range(5):
            active = [row for row in map(fresh, customers) if row.status == "active"]
            if len(active) > 1:
                merge(*chance.sample(active, k=min(len(active), chance.choice((2, 2, 3)))))
        while standing := list(Merge.objects.filter(undone_at__isnull=True)):
            undo(chance.choice(standing))
        assert register_state() == before


def small_town(chance: random.Random) -> list[Customer]:
    """Six customers who share names, cities, identifiers and channels as it happens."""
    channels = ChannelFactory.create_batch(2)
    town = [
        CustomerFactory(
            given_name=chance.choice(["", "Anna", "Ann"]),
            city=chance.choice(["", "Bonn", "Köln"]),
            attributes=chance.choice([{}, {"a": 1}, {"b": 2}]),
            last_interaction_at=chance.choice([None, datetime(2024, 1, chance.randint(1, 28), tzinfo=UTC)]),
        )
        for _ in range(6)
    ]
    for channel in channels:
        for value in ("one@x.org", "two@x.org"):
            holders = chance.sample(town, k=chance.randint(1, 4))
            for place, holder in enumerate(holders):
                status = "shared" if place else chance.choice(["active", "ended"])
                link = MappingFactory(
                    customer=holder, channel=channel, channel_identifier=value, status=status
                )
                MessageFactory(customer=holder, channel=channel, mapping=link)
    rebuild_keys([row.pk for row in town])
    return town


class TestArrivals:
    @pytest.fixture
    def channel(self) -> Channel:
        return ChannelFactory()

    @pytest.fixture
    def anna(self) -> Customer:
        return CustomerFactory(name="Anna")

    @pytest.fixture
    def ann(self) -> Customer:
        return CustomerFactory(name="Ann")

    def test_p4_a_new_message_goes_by_the_identifier_it_came_with(
        self, anna: Customer, ann: Customer, channel: Channel
    ) -> None:
        hers = MappingFactory(customer=ann, channel=channel)
        made = merge(anna, ann)
        message = MessageFactory(customer=anna, channel=channel, mapping=hers)
        [arrival] = plan_unmerge(made.pk).arrivals
        assert (arrival.row_id, arrival.goes_to, arrival.asked) == (str(message.pk), str(ann.pk), False)
        undo(made)
        message.refresh_from_db()
        assert message.customer_id == ann.pk
        assert fresh(ann).last_interaction_at == message.received_at

    def test_p4_who_stays_was_heard_of_by_messages_no_later_than_what_the_leaving_knew(
        self, channel: Channel
    ) -> None:
        moment = datetime(2024, 5, 1, tzinfo=UTC)
        anna = CustomerFactory(last_interaction_at=datetime(2022, 5, 1, tzinfo=UTC))
        ann = CustomerFactory(last_interaction_at=moment)
        hers = MappingFactory(customer=anna, channel=channel)
        made = merge(anna, ann)
        register.store_message(
            Message(customer=anna, channel=channel, mapping=hers, outcome="linked", received_at=moment)
        )
        undo(made)
        assert (fresh(anna).last_interaction_at, fresh(ann).last_interaction_at) == (moment, moment)

    def test_p4_a_message_sent_long_ago_does_not_make_its_customer_heard_of_earlier(
        self, ann: Customer, channel: Channel
    ) -> None:
        anna = CustomerFactory(last_interaction_at=datetime(2024, 5, 1, tzinfo=UTC))
        hers = MappingFactory(customer=anna, channel=channel)
        made = merge(ann, anna)
        sent = datetime(2020, 5, 1, tzinfo=UTC)
        MessageFactory(customer=ann, channel=channel, mapping=hers, received_at=sent)
        undo(made)
        assert fresh(anna).last_interaction_at == datetime(2024, 5, 1, tzinfo=UTC)

    def test_p4_a_new_message_of_the_survivors_identifier_stays(
        self, anna: Customer, ann: Customer, channel: Channel
    ) -> None:
        own = MappingFactory(customer=anna, channel=channel)
        made = merge(anna, ann)
        message = MessageFactory(customer=anna, channel=channel, mapping=own)
        undo(made)
        message.refresh_from_db()
        assert message.customer_id == anna.pk

    def test_a_new_source_record_goes_by_an_identifier_it_shows(
        self, anna: Customer, ann: Customer, channel: Channel
    ) -> None:
        MappingFactory(customer=ann, channel=channel, channel_identifier="Ann@x.org")
        made = merge(anna, ann)
        record = SourceRecordFactory(customer=anna, channel=channel, data={"mail": " ann@X.org"})
        undo(made)
        record.refresh_from_db()
        assert record.customer_id == ann.pk

    def test_p4_a_row_nothing_tells_about_is_asked_not_guessed(self, anna: Customer, ann: Customer) -> None:
        made = merge(anna, ann)
        ticket = TicketFactory(customer=anna)
        assert [row.row_id for row in plan_unmerge(made.pk).asks] == [str(ticket.pk)]
        with pytest.raises(InvalidInput, match=str(ticket.pk)):
            undo(made)
        assert fresh(ann).status == "merged"

    def test_p4_a_row_goes_where_a_person_says(self, anna: Customer, ann: Customer) -> None:
        made = merge(anna, ann)
        to_ann, to_anna = TicketFactory(customer=anna), TicketFactory(customer=anna)
        undo(made, assign={str(to_ann.pk): str(ann.pk), str(to_anna.pk): str(anna.pk)})
        to_ann.refresh_from_db()
        to_anna.refresh_from_db()
        assert (to_ann.customer_id, to_anna.customer_id) == (ann.pk, anna.pk)

    def test_messages_follow_a_new_identifier_wherever_a_person_sends_it(
        self, anna: Customer, ann: Customer, channel: Channel
    ) -> None:
        made = merge(anna, ann)
        new = MappingFactory(customer=anna, channel=channel)
        message = MessageFactory(customer=anna, channel=channel, mapping=new)
        assert [row.row_id for row in plan_unmerge(made.pk).asks] == [str(new.pk)]
        undo(made, assign={str(new.pk): str(ann.pk)})
        message.refresh_from_db()
        new.refresh_from_db()
        assert (new.customer_id, message.customer_id) == (ann.pk, ann.pk)
        key = key_number(f"em:{new.normalised}")
        assert BlockingKey.objects.filter(customer=ann, key=key).exists()

    def test_what_a_later_merge_brought_is_no_arrival(self, anna: Customer, ann: Customer) -> None:
        made = merge(anna, ann)
        eve = CustomerFactory()
        MessageFactory(customer=eve)
        merge(anna, eve)
        assert plan_unmerge(made.pk).arrivals == ()

    @pytest.mark.parametrize(
        ("row", "customer", "expected"),
        [
            ("0190a000-0000-7000-8000-000000000000", "survivor", "did not arrive since merge"),
            ("ticket", "0190a000-0000-7000-8000-000000000000", "it goes to one of"),
        ],
    )
    def test_an_answer_that_makes_no_sense_is_refused(
        self, anna: Customer, ann: Customer, row: str, customer: str, expected: str
    ) -> None:
        made = merge(anna, ann)
        ticket = TicketFactory(customer=anna)
        assign = {str(ticket.pk): str(anna.pk)} | {
            str(ticket.pk) if row == "ticket" else row: str(anna.pk) if customer == "survivor" else customer
        }
        with pytest.raises(InvalidInput, match=expected):
            undo(made, assign=assign)


class TestWhatStays:
    def test_a_row_that_moved_on_stays_there_and_is_shown(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        message = MessageFactory(customer=ann)
        made = merge(anna, ann)
        Message.objects.filter(pk=message.pk).update(customer=eve)
        assert plan_unmerge(made.pk).left == ("1 message was moved on since and stays where it is.",)
        undo(made)
        message.refresh_from_db()
        assert message.customer_id == eve.pk

    def test_an_identifier_taken_off_since_comes_back_as_ended(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        hers = MappingFactory(customer=ann)
        made = merge(anna, ann)
        link.unlink_customer_identifier(customer_id=anna.pk, mapping_id=hers.pk, actor=ACTOR)
        undo(made)
        hers.refresh_from_db()
        assert (hers.customer_id, hers.status) == (ann.pk, "ended")

    def test_p1_an_identifier_linked_anew_keeps_one_owner(self) -> None:
        channel = ChannelFactory()
        anna, ann = CustomerFactory(), CustomerFactory()
        own = MappingFactory(customer=anna, channel=channel, channel_identifier="a@x.org", status="shared")
        hers = MappingFactory(customer=ann, channel=channel, channel_identifier="a@x.org")
        made = merge(anna, ann)
        link.unlink_customer_identifier(customer_id=anna.pk, mapping_id=hers.pk, actor=ACTOR)
        new = MappingFactory(customer=anna, channel=channel, channel_identifier="a@x.org")
        undo(made, assign={str(new.pk): str(anna.pk)})
        own.refresh_from_db()
        assert (own.status, Mapping.objects.current().get()) == ("collapsed", new)


class TestQuestions:
    def test_an_open_conflict_names_the_identifiers_owner_of_now(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        hers = MappingFactory(customer=ann)
        made = merge(anna, ann)
        asked = ask_about(hers, anna, eve)
        undo(made)
        roles = dict(asked.members.values_list("role", "customer"))
        assert roles == {"owner": ann.pk, "claimant": eve.pk}

    def test_a_conflict_the_merge_answered_stays_answered(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        conflict = ConflictFactory(members=[anna, ann])
        undo(merge(anna, ann), judge_different=True)
        conflict.refresh_from_db()
        assert conflict.state == Conflict.State.DONE
        assert Conflict.objects.count() == 1


class TestRefusals:
    def test_an_unknown_merge_is_named(self) -> None:
        with pytest.raises(NotFound, match="no merge 41"):
            undo_merge(merge_id=41, actor=ACTOR)

    def test_a_second_undo_is_refused(self) -> None:
        made = merge(CustomerFactory(), CustomerFactory())
        undo(made)
        with pytest.raises(Refused, match="by lea already"):
            undo(made)

    def test_a_plan_changes_nothing(self) -> None:
        made = merge(CustomerFactory(), CustomerFactory())
        before = register_state()
        plan_unmerge(made.pk)
        assert register_state() == before


@pytest.mark.django_db(transaction=True)
class TestConcurrentUndo:
    def test_the_second_of_two_undos_is_refused(self) -> None:
        made = merge(CustomerFactory(), CustomerFactory())
        results = all_at_once([outcome(lambda: undo(made)), outcome(lambda: undo(made))])
        assert sorted(type(result).__name__ for result in results) == ["Merge", "Refused"]

    def test_an_undo_and_a_merge_of_the_survivor_take_turns(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        made = merge(anna, ann)
        results = all_at_once([outcome(lambda: undo(made)), outcome(lambda: merge(eve, anna))])
        assert [type(result).__name__ for result in results] == ["Merge", "Merge"]
        assert fresh(ann).status == "active"
        assert fresh(anna).merged_into_id == eve.pk

    @pytest.mark.django_db(transaction=True)
    def test_an_undo_and_a_merge_of_its_survivor_do_not_wait_for_each_other(self) -> None:
        ann, anna, eve = CustomerFactory.create_batch(3)
        merge(anna, ann)
        made = met_by(
            lambda: merge(eve, anna),
            first=lambda: locks.lock_customers([ann.pk]),  # where an undo begins: the lowest id
            then=lambda: locks.lock_customers([anna.pk]),
        )
        assert (made.survivor_id, fresh(ann).merged_into_id) == (eve.pk, eve.pk)

    def test_all_questions_handed_over_are_locked_at_once(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        links = MappingFactory.create_batch(4, customer=ann)
        made = merge(anna, ann)
        for hers in links:
            ask_about(hers, anna, eve)
        with CaptureQueriesContext(connection) as seen:
            undo(made)
        locking = [entry["sql"] for entry in seen if "FOR NO KEY UPDATE" in entry["sql"]]
        assert len([text for text in locking if 'FROM "conflicts"' in text]) == 1
        named = Conflict.objects.filter(members__customer=ann, members__role="owner")
        assert named.count() == len(links)


def ask_about(hers: Mapping, owner: Customer, claimant: Customer) -> Conflict:
    with audit.change(ACTOR) as trail:
        return conflicts.open_conflict(
            trail,
            kind="verified_identifier",
            members={owner.pk: "owner", claimant.pk: "claimant"},
            reason="?",
            channel=hers.channel,
            identifier=link.read_identifier(hers.channel, "email", hers.normalised),
        )
