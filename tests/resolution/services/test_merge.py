"""Merging, against the database: what moves, what stays, what is written down, who is refused."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from customers.models import Customer, Mapping
from resolution.errors import IdentityError, InvalidInput, MergeBlocked, StaleVersion, UnknownCustomer
from resolution.matching.key_numbers import key_number
from resolution.models import AuditEntry, BlockingKey, Conflict, Merge, MergeMember, MergeMove, OutboxEvent
from resolution.services import audit, cache, judge
from resolution.services.link import link_customer_identifier
from resolution.services.merge import (
    choose_primary_customer,
    merge_customers,
    merge_in_bulk,
    preview_merge,
    unify_customer_profile,
)
from resolution.services.unmerge import undo_merge
from resolution.types import Actor, Group, PairScore
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

pytestmark = pytest.mark.django_db
ACTOR = Actor(kind="user", name="ann")
MACHINE = Actor.machine("duplicate finding")


def merge(*customers: Customer, **options: object) -> Merge:
    ids = [row.pk for row in customers]
    survivor_id = options.pop("survivor_id", customers[0].pk)
    return merge_customers(member_ids=ids, survivor_id=survivor_id, actor=ACTOR, **options)


def fresh(customer: Customer) -> Customer:
    return Customer.objects.get(pk=customer.pk)


class TestMergeCustomers:
    def test_moves_every_message_ticket_identifier_and_record_to_the_survivor(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        rows = [
            factory(customer=ann)
            for factory in (MessageFactory, TicketFactory, MappingFactory, SourceRecordFactory)
        ]
        merge(anna, ann)
        for row in rows:
            row.refresh_from_db()
        assert {row.customer_id for row in rows} == {anna.pk}

    def test_p2_the_absorbed_answers_with_the_survivor(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        merge(anna, ann)
        assert (fresh(ann).status, fresh(ann).canonical_id) == ("merged", anna.pk)
        assert (fresh(anna).version, fresh(ann).version) == (2, 2)

    def test_takes_any_number_of_members(self) -> None:
        anna, *others = CustomerFactory.create_batch(5)
        merge(anna, *others)
        assert set(Customer.objects.filter(merged_into=anna)) == set(others)

    def test_writes_the_planned_fields(self) -> None:
        anna = CustomerFactory(given_name="Anna")
        ann = CustomerFactory(given_name="Ann", email="ann@x.org", birth_date=date(1980, 2, 1))
        merge(anna, ann, picks={"given_name": {"typed": "Annie"}})
        survivor = fresh(anna)
        assert (survivor.given_name, survivor.email, survivor.birth_date) == (
            "Annie", "ann@x.org", date(1980, 2, 1),
        )  # fmt: skip

    def test_does_exactly_what_the_preview_said(self) -> None:
        channel = ChannelFactory()
        anna, ann = CustomerFactory(name="Anna"), CustomerFactory(name="Ann Smith", phone="+4930123456")
        MappingFactory(customer=anna, channel=channel, channel_identifier="a@x.org")
        MappingFactory(customer=ann, channel=channel, channel_identifier="a@x.org", status="shared")
        MappingFactory(customer=ann, channel=channel)
        MessageFactory.create_batch(2, customer=ann)
        plan = preview_merge(member_ids=[anna.pk, ann.pk], survivor_id=anna.pk)
        done = merge(anna, ann)
        moved = {(row.relation, str(row.row_id)) for row in done.moves.all()}
        assert moved == {(row.relation, row.row_id) for row in (*plan.moves, *plan.collapses)}
        values = {choice.field: choice.value for choice in plan.fields}
        assert (fresh(anna).name, fresh(anna).phone) == (values["name"], values["phone"])

    def test_takes_one_address_whole_and_an_undo_gives_back_both(self) -> None:
        bonn = {"address": "Am Markt 1", "postcode": "53111", "city": "Bonn", "country": ""}
        koeln = {"address": "Domhof 2", "postcode": "", "city": "Köln", "country": "DE"}
        anna, ann = CustomerFactory(**bonn), CustomerFactory(**koeln)
        SourceRecordFactory(customer=ann, data={"city": "Köln"}, channel__trust=90)
        done = merge(anna, ann)
        assert {name: getattr(fresh(anna), name) for name in koeln} == koeln
        undo_merge(merge_id=done.pk, actor=ACTOR)
        assert [{name: getattr(fresh(one), name) for name in bonn} for one in (anna, ann)] == [bonn, koeln]

    def test_a_preview_changes_nothing(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        preview_merge(member_ids=[anna.pk, ann.pk])
        assert fresh(ann).status == "active"
        assert not Merge.objects.exists()

    def test_identifiers_of_both_sides_fold_into_the_owning_one(self) -> None:
        channel = ChannelFactory()
        anna, ann = CustomerFactory(), CustomerFactory()
        shared = MappingFactory(
            customer=anna, channel=channel, channel_identifier="family@x.org", status="shared"
        )
        owning = MappingFactory(customer=ann, channel=channel, channel_identifier="family@x.org")
        merge(anna, ann)
        shared.refresh_from_db()
        owning.refresh_from_db()
        assert (owning.customer_id, owning.status) == (anna.pk, "active")
        assert (shared.customer_id, shared.status) == (anna.pk, "collapsed")

    def test_p2_earlier_redirects_follow_in_one_hop(self) -> None:
        anna, ann, annie = CustomerFactory.create_batch(3)
        merge(ann, annie)
        merge(anna, ann)
        assert fresh(annie).merged_into_id == anna.pk

    def test_the_survivor_is_chosen_by_rule_when_nobody_is_named(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        MessageFactory(customer=ann)
        assert merge(anna, ann, survivor_id=None).survivor_id == ann.pk

    def test_the_keys_are_the_survivors_alone(self) -> None:
        anna = CustomerFactory(given_name="Anna", family_name="Smith", email="anna@x.org")
        ann = CustomerFactory(given_name="Ann", family_name="Smith", email="ann@y.org")
        merge(anna, ann)
        keys = BlockingKey.objects.filter(customer=anna).values_list("key", flat=True)
        assert key_number("em:ann@y.org") in keys
        assert not BlockingKey.objects.filter(customer=ann).exists()

    def test_a_conflict_that_asks_about_the_two_is_answered(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        conflict = ConflictFactory(members=[anna, ann])
        merge(anna, ann)
        conflict.refresh_from_db()
        assert (conflict.state, conflict.outcome) == (Conflict.State.DONE, Conflict.Outcome.MERGED)

    def test_a_conflict_with_a_third_goes_on_with_the_survivor(self) -> None:
        anna, ann, bob = CustomerFactory.create_batch(3)
        conflict = ConflictFactory(members=[ann, bob])
        merge(anna, ann)
        assert set(conflict.members.values_list("customer", flat=True)) == {anna.pk, bob.pk}

    def test_p5_leaves_one_chained_entry_for_each_customer(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        done = merge(anna, ann)
        entries = AuditEntry.objects.filter(action="merge")
        assert {entry.customer_id for entry in entries} == {anna.pk, ann.pk}
        assert {(entry.actor_name, entry.metadata["merge"]) for entry in entries} == {("ann", done.pk)}
        assert audit.find_break() is None

    def test_tells_other_systems(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        done = merge(anna, ann)
        event = OutboxEvent.objects.get(kind="customer.merged")
        assert (event.customer_id, event.payload["absorbed"], event.payload["merge"]) == (
            anna.pk, [str(ann.pk)], done.pk,
        )  # fmt: skip

    def test_writes_the_ledger(self) -> None:
        anna, ann = CustomerFactory(name="Anna"), CustomerFactory(name="Ann Smith")
        done = merge(anna, ann, picks={"name": str(ann.pk)}, weight=12.5, method="auto")
        assert (done.method, done.weight, done.actor_name) == ("auto", 12.5, "ann")
        assert done.pre_image["name"] == "Anna"
        assert done.plan["name"] == {"value": "Ann Smith", "source": str(ann.pk), "rule": "picked"}
        assert done.members.get().pre_image["name"] == "Ann Smith"


class TestRefusals:
    def test_an_unknown_customer_is_named(self) -> None:
        stranger = uuid.uuid4()
        with pytest.raises(UnknownCustomer, match=str(stranger)):
            merge_customers(member_ids=[CustomerFactory().pk, stranger], actor=ACTOR)

    def test_a_customer_with_itself_is_refused(self) -> None:
        anna = CustomerFactory()
        with pytest.raises(MergeBlocked, match="at least two different customers"):
            merge(anna, anna)

    def test_an_already_merged_one_is_refused_with_its_survivor(self) -> None:
        anna, ann, bob = CustomerFactory.create_batch(3)
        merge(anna, ann)
        with pytest.raises(MergeBlocked, match=f"already merged into {anna.pk}"):
            merge(bob, ann)

    def test_a_stale_version_is_refused_saying_what_changed(self) -> None:
        anna, ann, bob = CustomerFactory(name="Anna"), CustomerFactory(), CustomerFactory()
        merge(anna, bob)
        with pytest.raises(StaleVersion, match=r"Anna has changed since version 1 \(now 2\): ann merged"):
            merge(anna, ann, expected_versions={anna.pk: 1, ann.pk: 1})

    def test_p3_a_judged_pair_is_refused_also_through_members_merged_earlier(self) -> None:
        anna, ann, annie = CustomerFactory.create_batch(3)
        judge.judge_pair(left_id=anna.pk, right_id=annie.pk, verdict="different", reason="", actor=ACTOR)
        merge(ann, annie)
        with pytest.raises(MergeBlocked, match=r"ann judged .* not the same"):
            merge(anna, ann)
        assert fresh(ann).status == "active"

    def test_a_refused_merge_leaves_no_trace(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        with pytest.raises(MergeBlocked):
            merge(anna, ann, picks={"name": str(uuid.uuid4())})
        assert not Merge.objects.exists()
        assert not AuditEntry.objects.exists()

    def test_p5_a_failure_in_the_middle_moves_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        message = MessageFactory(customer=ann)

        def broken(*args: object) -> None:
            raise RuntimeError("the power went")

        monkeypatch.setattr("resolution.services.keys.rebuild_keys", broken)
        with pytest.raises(RuntimeError), transaction.atomic():
            merge(anna, ann)
        message.refresh_from_db()
        assert (message.customer_id, fresh(ann).status) == (ann.pk, "active")
        assert not any(table.objects.exists() for table in (Merge, MergeMove, AuditEntry))


class TestUnifyCustomerProfile:
    def test_merges_and_returns_whose_id_lives_on(self) -> None:
        anna, ann = CustomerFactory(name="Anna", email="a@x.org"), CustomerFactory(name="Ann")
        assert unify_customer_profile([ann.pk, anna.pk], ACTOR) == anna.pk
        assert fresh(ann).canonical_id == anna.pk

    def test_one_customer_is_its_own_answer(self) -> None:
        anna = CustomerFactory()
        assert unify_customer_profile([anna.pk], ACTOR) == anna.pk

    def test_no_customer_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="name at least one id"):
            unify_customer_profile([], ACTOR)


class TestChoosePrimaryCustomer:
    def test_counts_messages_and_tickets_apart(self) -> None:
        """A join over both would count two messages times two tickets as four of each."""
        busy, chatty = CustomerFactory(), CustomerFactory()
        MessageFactory.create_batch(2, customer=busy)
        TicketFactory.create_batch(2, customer=busy)
        MessageFactory.create_batch(5, customer=chatty)
        assert choose_primary_customer([busy.pk, chatty.pk]) == chatty.pk

    def test_no_customer_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="name at least one id"):
            choose_primary_customer([])


def group(*customers: Customer, weight: float = 20.0) -> Group:
    ids = [str(row.pk) for row in customers]
    edges = tuple(PairScore(ids[0], other, weight, ()) for other in ids[1:])
    return Group(tuple(ids), edges)


class TestMergeInBulk:
    def test_merges_every_group_by_rule(self) -> None:
        pairs = [CustomerFactory.create_batch(2) for _ in range(3)]
        for _, second in pairs:
            MessageFactory(customer=second)
        with audit.change(MACHINE) as trail:
            result = merge_in_bulk(trail, [group(*pair) for pair in pairs])
        assert (len(result.merges), result.absorbed, result.refused) == (3, 3, ())
        assert all(fresh(first).merged_into_id == second.pk for first, second in pairs)
        assert AuditEntry.objects.filter(action="merge").count() == 6

    def test_p3_a_group_with_a_judged_pair_is_left_alone_and_the_others_go_on(self) -> None:
        anna, ann, bob, rob = CustomerFactory.create_batch(4)
        judge.judge_pair(left_id=anna.pk, right_id=ann.pk, verdict="different", reason="", actor=ACTOR)
        with audit.change(MACHINE) as trail:
            result = merge_in_bulk(trail, [group(anna, ann), group(bob, rob)])
        [left] = result.refused
        assert left.group.members == (str(anna.pk), str(ann.pk))
        assert "not the same" in left.why[0]
        assert Customer.objects.active().count() == 3

    def test_a_customer_takes_part_in_one_merge_of_a_run(self) -> None:
        anna, ann, bob = CustomerFactory.create_batch(3)
        with audit.change(MACHINE) as trail:
            result = merge_in_bulk(trail, [group(anna, ann), group(ann, bob)])
        assert "another merge of the same run" in result.refused[0].why[0]
        assert fresh(bob).status == "active"

    def test_a_group_compared_before_a_member_changed_is_left_alone(self) -> None:
        anna, ann, bob, rob = CustomerFactory.create_batch(4)
        seen = {row.pk: row.version for row in (anna, ann, bob, rob)}
        link_customer_identifier(
            customer_id=ann.pk,
            channel=ChannelFactory(),
            identifier_type="email",
            value="ann@x.org",
            actor=ACTOR,
        )
        with audit.change(MACHINE) as trail:
            result = merge_in_bulk(trail, [group(anna, ann), group(bob, rob)], seen_versions=seen)
        [left] = result.overtaken
        assert left.group.members == (str(anna.pk), str(ann.pk))
        assert left.why == (
            f"Customer {ann.pk} has changed since it was compared (version 1, now 2); compare it again.",
        )
        assert result.absorbed == 1

    def test_keeps_the_weight_of_the_weakest_edge(self) -> None:
        anna, ann, annie = CustomerFactory.create_batch(3)
        ids = tuple(str(row.pk) for row in (anna, ann, annie))
        edges = (PairScore(ids[0], ids[1], 18.0, ()), PairScore(ids[1], ids[2], 15.0, ()))
        with audit.change(MACHINE) as trail:
            merge_in_bulk(trail, [Group(ids, edges)])
        assert Merge.objects.get().weight == 15.0
        assert AuditEntry.objects.filter(action="merge").first().confidence_score == Decimal("0.99")

    def test_takes_as_many_queries_for_thirty_groups_as_for_two(self) -> None:
        def queries_for(number: int) -> int:
            groups = [group(*CustomerFactory.create_batch(2)) for _ in range(number)]
            with (
                CaptureQueriesContext(
                    connection,
                ) as seen,
                audit.change(MACHINE) as trail,
            ):
                merge_in_bulk(trail, groups)
            return len(seen)

        assert queries_for(2) == queries_for(30)


def outcome(call: Callable[[], object]) -> Callable[[], object]:
    """Return a call that answers with the refusal instead of raising it."""

    def run() -> object:
        try:
            return call()
        except IdentityError as error:
            return error

    return run


@pytest.mark.django_db(transaction=True)
class TestConcurrentMerges:
    def test_the_second_of_two_overlapping_merges_is_refused(self) -> None:
        anna, ann, bob = CustomerFactory.create_batch(3)
        results = all_at_once([outcome(lambda: merge(anna, ann)), outcome(lambda: merge(bob, ann))])
        assert sorted(type(result).__name__ for result in results) == ["Merge", "MergeBlocked"]
        assert MergeMember.objects.filter(customer=ann, live=True).count() == 1

    def test_two_customers_merged_into_each_other_at_once_make_one(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        results = all_at_once([outcome(lambda: merge(anna, ann)), outcome(lambda: merge(ann, anna))])
        assert sorted(type(result).__name__ for result in results) == ["Merge", "MergeBlocked"]
        assert Customer.objects.active().count() == 1

    def test_p1_merges_around_one_shared_identifier_leave_one_owner(self) -> None:
        channel = ChannelFactory()
        customers = CustomerFactory.create_batch(4)
        for customer, status in zip(customers, ["active", "shared", "shared", "shared"], strict=True):
            MappingFactory(customer=customer, channel=channel, channel_identifier="all@x.org", status=status)
        first, second, third, fourth = customers
        all_at_once([outcome(lambda: merge(first, second)), outcome(lambda: merge(third, fourth))])
        merge(third, first)
        assert Mapping.objects.owned().get().customer_id == third.pk
        assert Mapping.objects.current().count() == 1

    def test_p10_the_cache_forgets_the_old_owner_of_what_moved(self) -> None:
        link = MappingFactory()
        key = (link.channel_id, link.identifier_type, link.normalised)
        missed = cache.look_up(key)
        assert isinstance(missed, cache.Miss)
        cache.fill(key, link.customer_id, missed.lease)
        merge(CustomerFactory(), link.customer)
        assert isinstance(cache.look_up(key), cache.Miss)
