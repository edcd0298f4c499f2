"""Locks by plan: a plan overtaken is made again, its act taken back, and in the end given up."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from psycopg import errors as postgres

from customers.ids import uuid7
from customers.models import Customer
from resolution.errors import TryAgain, UnknownCustomer
from resolution.models import AuditEntry, Merge, MergePolicy, ProposalBatch
from resolution.services import audit, locks
from resolution.services.approve import approve_proposal, propose_merge
from resolution.services.audit import Trail
from resolution.services.bulk_proposals import approve_in_bulk
from resolution.services.decide import decide_conflict
from resolution.services.erase import erase_customer
from resolution.services.merge import merge_customers, merge_in_bulk
from resolution.services.queue import claim
from resolution.services.rules import set_rule
from resolution.types import Actor, Group
from tests.concurrency import all_at_once
from tests.factories import (
    ChannelFactory,
    ConflictFactory,
    CustomerFactory,
    MappingFactory,
    MessageFactory,
    SourceRecordFactory,
    actor_for,
    lead,
    steward,
)
from tests.resolution.services.waiting import met_by

pytestmark = pytest.mark.django_db
ACTOR = Actor(kind="service", name="shop")


@dataclass(frozen=True)
class Overtaken:
    """A plan that never holds by the time its customers are locked."""

    customer: uuid.UUID
    sound: bool = False

    def touched(self) -> Collection[uuid.UUID]:
        return [self.customer]

    def holds(self, locked: Mapping[uuid.UUID, Customer]) -> bool:
        return self.sound


class TestLockAsPlanned:
    def test_gives_up_a_plan_that_is_overtaken_every_time(self) -> None:
        customer = CustomerFactory()
        with pytest.raises(TryAgain, match="nothing was done"):
            locks.lock_as_planned(lambda: Overtaken(customer.pk))

    def test_takes_the_first_plan_that_holds(self) -> None:
        customer = CustomerFactory()
        plans = iter([Overtaken(customer.pk), Overtaken(customer.pk, sound=True)])
        plan, locked = locks.lock_as_planned(lambda: next(plans))
        assert (plan.sound, set(locked)) == (True, {customer.pk})


class TestActAsPlanned:
    def test_takes_back_what_an_act_did_and_noted_before_it_was_overtaken(self) -> None:
        owned = MappingFactory()
        tries: list[int] = []

        def act(trail: Trail) -> str:
            tries.append(len(tries))
            name = f"made by try {len(tries)}"
            made = CustomerFactory(name=name)
            trail.record("create", customer_id=made.pk)
            trail.reown(owned.channel_id, owned.identifier_type, owned.normalised)
            if len(tries) == 1:
                MappingFactory(channel=owned.channel, channel_identifier=owned.channel_identifier)
            trail.reowned.clear()
            return name

        with audit.change(ACTOR) as trail:
            plan = Overtaken(owned.customer_id, sound=True)
            assert locks.act_as_planned(trail, lambda: plan, lambda *_: act(trail)) == "made by try 2"
        assert list(Customer.objects.exclude(name="").values_list("name", flat=True)) == ["made by try 2"]
        assert AuditEntry.objects.filter(action="create").count() == 1

    def test_lets_any_other_broken_constraint_through(self) -> None:
        customer = CustomerFactory()

        def act(*_: object) -> None:
            Customer.objects.filter(pk=customer.pk).update(status="lost")

        with (
            pytest.raises(IntegrityError, match="customer_status_known"),
            audit.change(ACTOR) as trail,
        ):
            locks.act_as_planned(trail, lambda: Overtaken(customer.pk, sound=True), act)


LOCKS = "FOR NO KEY UPDATE"


def ready_to_merge(way: str, survivor: Customer, other: Customer) -> Callable[[], object]:
    """Prepare a merge of two customers that is made in this way, and return the last act of it."""
    members, approver = [survivor.pk, other.pk], actor_for(lead())
    if way == "merged":
        return partial(merge_customers, member_ids=members, survivor_id=survivor.pk, actor=ACTOR)
    if way == "merged by a run":
        MessageFactory(customer=survivor)
        return partial(merge_groups, [Group((str(survivor.pk), str(other.pk)), ())])
    if way in ("passed at once", "decided"):
        MergePolicy.objects.update(enabled=False)
    if way == "passed at once":
        return partial(propose_merge, member_ids=members, survivor_id=survivor.pk, actor=actor_for(steward()))
    if way == "decided":
        actor = actor_for(steward())
        conflict = claim(conflict_id=ConflictFactory(members=[survivor, other]).pk, actor=actor)
        return partial(
            decide_conflict, conflict_id=conflict.pk, decision="same", version=conflict.version, actor=actor,
            survivor_id=survivor.pk,
        )  # fmt: skip
    proposal = propose_merge(member_ids=members, survivor_id=survivor.pk, actor=actor_for(steward()))
    if way == "approved":
        return partial(approve_proposal, proposal_id=proposal.pk, actor=approver)
    proposal.batch = ProposalBatch.objects.create(proposer=proposal.proposer)
    proposal.save()
    return partial(approve_in_bulk, batch_id=proposal.batch.pk, proposal_ids=[proposal.pk], actor=approver)


def merge_groups(groups: list[Group]) -> None:
    with audit.change(ACTOR) as trail:
        merge_in_bulk(trail, groups)


class TestLockRows:
    def test_source_records_come_by_id(self) -> None:
        records = SourceRecordFactory.create_batch(2)
        wanted = [row.pk for row in records]
        assert set(locks.lock_source_records([*wanted, uuid.uuid4()])) == set(wanted)

    def test_customers_are_locked_in_the_order_of_their_ids_however_they_lie_and_are_named(self) -> None:
        rising = sorted(uuid7() for _ in range(20))
        for key in reversed(rising):
            CustomerFactory(pk=key)
        with CaptureQueriesContext(connection) as asked:
            locked = locks.lock_customers(rising[::-1])
        assert list(locked) == rising
        [taken] = [query["sql"] for query in asked if "FOR NO KEY UPDATE" in query["sql"]]
        assert 'ORDER BY "customers"."id" ASC FOR NO KEY UPDATE' in taken

    def test_identifiers_are_held_in_one_order_however_they_are_named(self) -> None:
        identifiers = [("email", f"{number}@post.example") for number in range(20)]
        taken = []
        for named in (identifiers, identifiers[::-1]):
            with CaptureQueriesContext(connection) as asked:
                locks.lock_identifiers(named)
            taken.append([query["sql"] for query in asked if "pg_advisory_xact_lock(" in query["sql"]])
        assert taken[0] == taken[1]
        numbers = [int(sql.partition("(")[2].rstrip(")")) for sql in taken[0]]
        assert numbers == sorted(numbers)
        assert len(set(numbers)) == 20

    def test_the_absorbed_are_locked_along_but_not_named(self) -> None:
        anna = CustomerFactory()
        CustomerFactory(status="merged", merged_into=anna)
        assert set(locks.lock_with_absorbed([anna.pk])) == {anna.pk}

    @pytest.mark.parametrize(
        "way", ["merged", "merged by a run", "approved", "approved with others", "passed at once", "decided"]
    )
    def test_whoever_merges_locks_the_absorbed_along_before_their_redirects_change(self, way: str) -> None:
        anna, ann, annie = CustomerFactory.create_batch(3)
        merge_customers(member_ids=[ann.pk, annie.pk], survivor_id=ann.pk, actor=ACTOR)
        act = ready_to_merge(way, anna, ann)

        with CaptureQueriesContext(connection) as asked:
            act()

        taken = " ".join(
            query["sql"] for query in asked if 'FROM "customers"' in query["sql"] and LOCKS in query["sql"]
        )
        assert Customer.objects.get(pk=annie.pk).merged_into_id == anna.pk
        assert annie.pk.hex in taken

    def test_an_unknown_customer_is_named(self) -> None:
        missing = uuid.uuid4()
        with pytest.raises(UnknownCustomer, match=str(missing)):
            locks.lock_with_absorbed([missing])


@pytest.mark.django_db(transaction=True)
class TestNamingALockedCustomer:
    def test_a_row_that_names_one_waits_for_nobody(self) -> None:
        """Else the last to write to the trail would wait for who has the customer and waits for it."""
        customer = CustomerFactory()

        def name_it() -> None:
            with transaction.atomic():
                connection.cursor().execute("SET LOCAL lock_timeout = '1s'")
                MessageFactory(customer=customer, channel=channel)

        channel = ChannelFactory()
        with transaction.atomic():
            locks.lock_customers([customer.pk])
            all_at_once([name_it])

        assert customer.messages.count() == 1


@pytest.mark.django_db(transaction=True)
class TestLockWithAbsorbed:
    def test_who_is_absorbed_while_the_lock_is_waited_for_is_locked_too(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()

        def lock() -> list[str]:
            with CaptureQueriesContext(connection) as asked, transaction.atomic():
                locks.lock_with_absorbed([anna.pk])
            return [entry["sql"] for entry in asked if "FOR NO KEY UPDATE" in entry["sql"]]

        statements = met_by(
            lock,
            first=lambda: locks.lock_customers([anna.pk]),
            then=lambda: merge_customers(member_ids=[anna.pk, ann.pk], survivor_id=anna.pk, actor=ACTOR),
        )
        assert ann.pk.hex not in statements[0]
        assert ann.pk.hex in statements[-1]


def ended_by(cause: Exception) -> Callable[[], None]:
    """An act that the database ends each time."""

    def act() -> None:
        raise OperationalError(str(cause)) from cause

    return act


@pytest.mark.django_db(transaction=True)
class TestAgainAfterDeadlock:
    def test_a_merge_that_the_database_took_back_is_made_after_all(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()

        def hold_the_second_patiently() -> None:
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL deadlock_timeout = '60s'")
            locks.lock_customers([ann.pk])

        merge = met_by(
            lambda: merge_customers(member_ids=[anna.pk, ann.pk], actor=ACTOR),
            first=hold_the_second_patiently,
            then=lambda: locks.lock_customers([anna.pk]),
        )
        assert Merge.objects.get() == merge
        assert AuditEntry.objects.filter(action="merge").count() == 2

    def test_a_rule_and_an_erasure_begin_anew_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        anna, real = CustomerFactory(), audit.change
        broken = iter([True, False, True, False])

        def change(actor: Actor) -> AbstractContextManager[audit.Trail]:
            if next(broken):
                ended_by(postgres.DeadlockDetected("deadlock detected"))()
            return real(actor)

        monkeypatch.setattr(audit, "change", change)
        set_rule(identifier_type="email", version=1, changes={"rank": 7}, actor=ACTOR)
        erase_customer(customer_id=anna.pk, reason="Request 12", actor=ACTOR)
        assert set(AuditEntry.objects.values_list("action", flat=True)) == {"rule", "erase"}

    def test_gives_up_with_a_sentence_when_it_happens_every_time(self) -> None:
        act = locks.again_after_deadlock(ended_by(postgres.DeadlockDetected("deadlock detected")))
        with pytest.raises(TryAgain, match="waited for each other 5 times; nothing was done"):
            act()

    def test_lets_another_failure_of_the_database_through(self) -> None:
        act = locks.again_after_deadlock(ended_by(postgres.AdminShutdown("shut down")))
        with pytest.raises(OperationalError, match="shut down"):
            act()

    def test_within_a_larger_change_that_one_hears_of_it(self) -> None:
        act = locks.again_after_deadlock(ended_by(postgres.DeadlockDetected("deadlock detected")))
        with pytest.raises(OperationalError, match="deadlock detected"), transaction.atomic():
            act()


class TestRetried:
    def failing(self, times: int, error: Exception) -> Callable[[], str]:
        left = iter([error] * times)

        def step() -> str:
            for found in left:
                raise found
            return "done"

        return step

    def test_a_step_whose_customers_were_busy_is_done_again(self) -> None:
        forgotten: list[bool] = []
        step = self.failing(2, TryAgain("Others came first."))
        assert locks.retried(step, lambda: forgotten.append(True)) == "done"
        assert len(forgotten) == 2

    def test_it_is_given_up_when_they_are_every_time(self) -> None:
        with pytest.raises(TryAgain):
            locks.retried(self.failing(5, TryAgain("Others came first.")))
