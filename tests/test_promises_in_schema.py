"""What the database itself refuses, whoever writes to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, IntegrityError, connection, transaction

from customers.models import Channel, Customer, Mapping
from resolution.models import AuditEntry, Judgement, MergeProposal
from resolution.services import audit
from resolution.types import Actor
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory, UserFactory

pytestmark = pytest.mark.django_db
MACHINE = Actor.machine("test")


@contextmanager
def refused_at_commit(match: str) -> Iterator[None]:
    """What stood before is settled; the block's deferred constraints are checked as a commit would."""
    check_as_a_commit_would()
    with pytest.raises(IntegrityError, match=match), transaction.atomic():
        yield
        check_as_a_commit_would()


def check_as_a_commit_would() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def absorb(customer: Customer, into: Customer) -> None:
    Customer.objects.filter(pk=customer.pk).update(status="merged", merged_into=into)


def judge_different(one: Customer, other: Customer) -> Judgement:
    left, right = sorted((one, other), key=lambda customer: customer.pk)
    return Judgement.objects.create(
        left=left, right=right, verdict="different", fingerprint="f", actor_name="Ada"
    )


def set_time(mapping: Mapping, status: str, since: str, until: str | None) -> None:
    run(
        "UPDATE customer_identity_mapping SET status = %s, valid_from = %s, valid_to = %s WHERE id = %s",
        status, since, until, mapping.pk,
    )  # fmt: skip


def insert_like(mapping: Mapping, status: str, since: str, until: str | None) -> None:
    """Give another customer the same identifier for a time, behind the back of every service."""
    run(
        """
        INSERT INTO customer_identity_mapping
        SELECT (jsonb_populate_record(link, jsonb_build_object(
            'id', gen_random_uuid(), 'customer_id', %s, 'status', %s, 'valid_from', %s, 'valid_to', %s
        ))).*
        FROM customer_identity_mapping AS link WHERE id = %s
        """,
        str(CustomerFactory().pk), status, since, until, mapping.pk,
    )  # fmt: skip


def run(statement: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


@contextmanager
def refused_if(refused: bool, match: str) -> Iterator[None]:
    with ExitStack() as stack:
        if refused:
            stack.enter_context(pytest.raises(IntegrityError, match=match))
        stack.enter_context(transaction.atomic())
        yield


def write_one_entry() -> AuditEntry:
    with audit.change(MACHINE) as trail:
        trail.record("resolve", method="exact_match")
    return AuditEntry.objects.latest("sequence")


class TestOneOwner:
    def test_p1_an_active_identifier_has_one_owner_on_a_channel(self) -> None:
        mapping = MappingFactory()
        with pytest.raises(IntegrityError, match="p1_one_owner"), transaction.atomic():
            MappingFactory(
                channel=mapping.channel,
                identifier_type=mapping.identifier_type,
                normalised=mapping.normalised,
            )

    @pytest.mark.parametrize(
        ("status", "since", "until", "refused"),
        [
            ("active", "2024-02-01", None, True),
            ("active", "2024-03-01", None, False),
            ("ended", "2024-02-01", "2024-04-01", True),
            ("ended", "2023-12-01", "2024-01-02", True),
            ("ended", "2024-03-01", "2024-04-01", False),
            ("ended", "2024-02-01", "2024-02-01", False),
            ("shared", "2024-02-01", None, False),
        ],
    )
    def test_p1_no_moment_has_two_owners(
        self, status: str, since: str, until: str | None, refused: bool
    ) -> None:
        first = MappingFactory()
        set_time(first, "ended", "2024-01-01", "2024-03-01")
        with refused_if(refused, "p1_one_owner_at_a_time|two owners at one moment"):
            insert_like(first, status, since, until)

    @pytest.mark.parametrize(
        ("statement", "refused"),
        [
            ("UPDATE customer_identity_mapping SET valid_to = '2024-04-01' WHERE status = 'ended'", True),
            ("UPDATE customer_identity_mapping SET valid_from = '2024-02-29' WHERE status = 'active'", True),
            ("UPDATE customer_identity_mapping SET valid_from = '2024-03-01' WHERE status = 'active'", False),
            ("UPDATE customer_identity_mapping SET status = 'active', valid_to = NULL", True),
            ("UPDATE customer_identity_mapping SET status = 'ended' WHERE status = 'active'", True),
            ("UPDATE customer_identity_mapping SET valid_to = '2024-04-01' WHERE status = 'active'", True),
            ("UPDATE customer_identity_mapping SET valid_to = NULL WHERE status = 'ended'", True),
        ],
    )
    def test_p1_a_time_cannot_be_stretched_over_anothers(self, statement: str, refused: bool) -> None:
        first = MappingFactory()
        set_time(first, "ended", "2024-01-01", "2024-03-01")
        insert_like(first, "active", "2024-03-15", None)
        with refused_if(refused, "p1_one_owner|two owners at one moment|mapping_ends_once"):
            run(statement)

    def test_p1_others_may_share_a_value_they_do_not_own(self) -> None:
        mapping = MappingFactory()
        shared = MappingFactory(
            channel=mapping.channel,
            identifier_type=mapping.identifier_type,
            normalised=mapping.normalised,
            status=Mapping.Status.SHARED,
        )
        assert list(Mapping.objects.owned()) == [mapping]
        assert set(Mapping.objects.current()) == {mapping, shared}

    def test_p8_a_blank_is_no_identifier(self) -> None:
        with pytest.raises(IntegrityError, match="p8_blank"), transaction.atomic():
            MappingFactory(normalised="")


class TestIdsAnswerForEver:
    def test_p2_a_customer_is_never_deleted(self) -> None:
        customer = CustomerFactory()
        with pytest.raises(DatabaseError, match="Cannot delete"), transaction.atomic():
            Customer.objects.filter(pk=customer.pk).delete()

    def test_p2_a_merged_customer_names_its_survivor(self) -> None:
        customer = CustomerFactory()
        with pytest.raises(IntegrityError, match="p2_merged_customer"), transaction.atomic():
            Customer.objects.filter(pk=customer.pk).update(status="merged")

    def test_p2_a_redirect_never_takes_two_hops(self) -> None:
        first, second, third = CustomerFactory.create_batch(3)
        absorb(first, second)
        with refused_at_commit("cannot be retired"):
            absorb(second, third)

    def test_p2_a_redirect_never_points_at_a_merged_customer(self) -> None:
        first, second, third = CustomerFactory.create_batch(3)
        absorb(first, second)
        with refused_at_commit("not active"):
            absorb(third, first)

    def test_p2_a_chain_may_be_shortened_within_one_transaction(self) -> None:
        first, second, third = CustomerFactory.create_batch(3)
        absorb(first, second)
        with transaction.atomic():
            absorb(second, third)
            absorb(first, third)
            check_as_a_commit_would()
        assert set(third.absorbed.all()) == {first, second}


class TestHumanDifferent:
    def test_p3_two_customers_judged_different_cannot_become_one(self) -> None:
        one, other = CustomerFactory.create_batch(2)
        judge_different(one, other)
        with refused_at_commit("judged different"):
            absorb(one, other)

    def test_p3_nor_can_they_meet_inside_a_third(self) -> None:
        one, other, third = CustomerFactory.create_batch(3)
        judge_different(one, other)
        absorb(one, third)
        with refused_at_commit("judged different"):
            absorb(other, third)

    def test_p3_one_customer_cannot_be_judged_different_from_itself(self) -> None:
        one, other = CustomerFactory.create_batch(2)
        absorb(one, other)
        with refused_at_commit("undo their merge"):
            judge_different(one, other)

    def test_p3_a_pair_has_one_live_judgement(self) -> None:
        one, other = CustomerFactory.create_batch(2)
        judge_different(one, other)
        with pytest.raises(IntegrityError, match="p3_one_live"), transaction.atomic():
            judge_different(one, other)


class TestTrail:
    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE customer_identity_audit SET actor_name = 'nobody'",
            "DELETE FROM customer_identity_audit",
            "TRUNCATE customer_identity_audit",
        ],
    )
    def test_p5_a_written_row_cannot_be_changed_or_removed(self, statement: str) -> None:
        write_one_entry()
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
        assert AuditEntry.objects.count() == 1

    def test_p5_a_whole_chain_verifies(self) -> None:
        for _ in range(3):
            write_one_entry()
        assert audit.find_break() is None

    @pytest.mark.parametrize(
        ("tampering", "complaint"),
        [
            ("UPDATE customer_identity_audit SET actor_name = 'nobody' WHERE sequence = 2", "was altered"),
            ("DELETE FROM customer_identity_audit WHERE sequence = 2", "is missing"),
        ],
    )
    def test_p5_tampering_behind_the_triggers_shows(self, tampering: str, complaint: str) -> None:
        for _ in range(3):
            write_one_entry()
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(tampering)
            cursor.execute("SET LOCAL session_replication_role = DEFAULT")
        broken = audit.find_break()
        assert broken is not None
        assert broken[0] == 2
        assert complaint in broken[1]

    def test_p5_a_change_that_fails_leaves_neither_change_nor_trail(self) -> None:
        with pytest.raises(RuntimeError), audit.change(MACHINE) as trail:
            CustomerFactory()
            trail.record("create")
            raise RuntimeError
        assert (Customer.objects.count(), AuditEntry.objects.count()) == (0, 0)

    def test_p5_an_unregistered_action_is_refused(self) -> None:
        with pytest.raises(KeyError, match="vanish"), audit.change(MACHINE) as trail:
            trail.record("vanish")


class TestTwoPeople:
    def test_p9_the_database_refuses_a_proposer_as_approver(self) -> None:
        user, survivor = UserFactory(), CustomerFactory()
        with pytest.raises(IntegrityError, match="p9_two_people"), transaction.atomic():
            MergeProposal.objects.create(survivor=survivor, plan_hash="h", proposer=user, approver=user)


class TestChannels:
    def test_a_region_that_is_no_country_is_refused(self) -> None:
        with pytest.raises(IntegrityError, match="channel_region_is_iso"), transaction.atomic():
            ChannelFactory(default_region="de")
        assert not Channel.objects.exists()


class TestAccounts:
    def test_p5_one_that_the_trail_names_keeps_its_name(self) -> None:
        ada, bob = UserFactory(username="ada"), UserFactory(username="bob")
        with audit.change(Actor(kind="user", name="ada", user_id=ada.pk)) as trail:
            trail.record("update")
        with pytest.raises(IntegrityError, match="the trail knows this account as ada"), transaction.atomic():
            User.objects.filter(pk=ada.pk).update(username="eve")
        User.objects.filter(pk=bob.pk).update(username="rob")
        User.objects.filter(pk=ada.pk).update(username="ada", is_active=False)
        assert set(User.objects.values_list("username", flat=True)) == {"ada", "rob"}
