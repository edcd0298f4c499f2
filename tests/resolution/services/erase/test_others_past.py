"""What an erasure leaves of others who had something of the person: they stay known, the person does not."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.utils import timezone

from customers.models import Channel, Customer, Mapping
from resolution.models import AuditEntry, Merge
from resolution.selectors.customer_as_of import CustomerThen, customer_as_of
from resolution.selectors.erasure import find_person
from resolution.services import audit
from resolution.services.link import link_customer_identifier, unlink_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.profiles import create_customer, update_profile
from resolution.services.split import split_customer
from resolution.services.unmerge import undo_merge
from tests.factories import ChannelFactory, SourceRecordFactory
from tests.resolution.services.erase.scene import ADA, PLANTED, erase, planted_person, traces
from tests.resolution.services.promises import broken_promises
from tests.resolution.services.waiting import met_by

pytestmark = pytest.mark.django_db
BOB = "bob@x.org"
# What a source says of the person who is split off.
SAID = {
    "name": "Quorlanda Vexmoor", "given_name": "Quorlanda", "family_name": "Vexmoor", "email": PLANTED[2],
    "phone": "+4915199887766", "address": "Zwirngasse 77", "company": "Plumbost", "birth_date": "1980-02-01",
}  # fmt: skip


@pytest.fixture
def shop(db: None) -> Channel:
    return ChannelFactory(code="shop")


def link(customer: Customer, shop: Channel, value: str, *, kind: str = "email", sure: str = "0.9") -> None:
    link_customer_identifier(
        customer_id=customer.pk, channel=shop, identifier_type=kind, value=value,
        confidence=Decimal(sure), actor=ADA,
    )  # fmt: skip


def two_in_one(shop: Channel) -> Customer:
    """Bob, whose row says of him what is the person's."""
    bob = planted_person()
    for kind, value in (("email", BOB), ("email", PLANTED[2]), ("phone", "+4915199887766")):
        link(bob, shop, value, kind=kind)
    SourceRecordFactory(customer=bob, channel=shop, data=SAID)
    return bob


def split_off(bob: Customer) -> Customer:
    chosen = bob.mappings.exclude(channel_identifier=BOB).values_list("pk", flat=True)
    return split_customer(customer_id=bob.pk, mapping_ids=list(chosen), actor=ADA).customer


def now(customer: Customer) -> CustomerThen:
    return customer_as_of(customer.pk, timezone.now())


class TestWhoWasSplit:
    def test_nothing_of_who_was_split_off_is_left_with_who_stays(self, shop: Channel) -> None:
        bob = two_in_one(shop)
        person = split_off(bob)
        assert traces().keys() >= {"customers", "customer_identity_audit", "source_records"}
        erase(person)
        assert traces() == {}
        assert audit.find_break() is None

    def test_who_stays_is_known_from_then_on(self, shop: Channel) -> None:
        bob = two_in_one(shop)
        erase(split_off(bob))
        then = now(bob)
        assert [entry.value for entry in then.identifiers] == [BOB]
        assert (then.status, then.fields["email"], then.fields["name"]) == ("active", BOB, "")

    def test_entries_that_tell_of_who_stays_alone_stay(self, shop: Channel) -> None:
        bob = two_in_one(shop)
        update_profile(
            customer_id=bob.pk,
            version=Customer.objects.get(pk=bob.pk).version,
            changes={"city": "Ulm"},
            actor=ADA,
        )
        erase(split_off(bob))
        kept = AuditEntry.objects.filter(customer=bob, erased_by__isnull=True, action="update")
        assert [entry.metadata["after"] for entry in kept] == [{"city": "Ulm"}]

    def test_who_stays_is_erased_without_a_word_of_who_was_split_off_going(self, shop: Channel) -> None:
        bob = two_in_one(shop)
        person = split_off(bob)
        erase(bob)
        assert now(person).fields["name"] == "Quorlanda Vexmoor"
        assert Mapping.objects.filter(customer=person, status="active").count() == 2

    def test_nor_is_anything_left_of_merges_taken_back_before(self, shop: Channel) -> None:
        bob, rob = two_in_one(shop), create_customer(fields={"city": "Ulm"}, actor=ADA)
        for survivor in (rob, bob):
            made = merge_customers(member_ids=[bob.pk, rob.pk], survivor_id=survivor.pk, actor=ADA)
            undo_merge(merge_id=made.pk, judge_different=False, actor=ADA)
        erase(split_off(bob))
        assert traces() == {}
        assert now(rob).fields["city"] == "Ulm"
        assert now(bob).fields["email"] == BOB


class TestWhoHadAnIdentifierBefore:
    def test_is_known_when_its_new_owner_is_erased(self, shop: Channel) -> None:
        bob, person = create_customer(fields={"name": "Bob"}, actor=ADA), planted_person()
        link(bob, shop, PLANTED[2], sure="0.5")
        link(person, shop, PLANTED[2])
        erase(person)
        assert (now(bob).fields["name"], now(bob).identifiers) == ("Bob", ())
        assert traces() == {}

    def test_is_known_when_it_has_passed_on_from_the_erased(self, shop: Channel) -> None:
        bob, carl = (create_customer(fields={"name": name}, actor=ADA) for name in ("Bob", "Carl"))
        person = planted_person()
        link(bob, shop, BOB, sure="0.5")
        link(person, shop, BOB, sure="0.5")
        Mapping.objects.filter(customer=person).update(confidence_score=Decimal("0.5"))
        link(carl, shop, BOB, sure="0.5")
        erase(person)
        assert [entry.status for entry in now(bob).identifiers] == ["ended"]
        assert [entry.status for entry in now(carl).identifiers] == ["active"]

    def test_and_so_is_who_was_one_with_that_one_for_a_while(self, shop: Channel) -> None:
        bob, carl = (create_customer(fields={"name": name}, actor=ADA) for name in ("Bob", "Carl"))
        link(bob, shop, PLANTED[2], sure="0.5")
        made = merge_customers(member_ids=[bob.pk, carl.pk], survivor_id=carl.pk, actor=ADA)
        undo_merge(merge_id=made.pk, judge_different=False, actor=ADA)
        person = planted_person()
        link(person, shop, PLANTED[2])
        erase(person)
        assert [now(row).fields["name"] for row in (bob, carl)] == ["Bob", "Carl"]


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_p4_an_undo_waits_for_an_erasure_that_takes_links_of_its_members(self) -> None:
        shop = ChannelFactory(code="shop")
        bob, carl = (create_customer(fields={"name": name}, actor=ADA) for name in ("Bob", "Carl"))
        link(bob, shop, PLANTED[2], sure="0.5")
        unlink_customer_identifier(customer_id=bob.pk, mapping_id=bob.mappings.get().pk, actor=ADA)
        made = merge_customers(member_ids=[bob.pk, carl.pk], survivor_id=carl.pk, actor=ADA)
        person = planted_person()
        link(person, shop, PLANTED[2])
        assert find_person(person.pk).met == {bob.pk, carl.pk}

        met_by(
            lambda: undo_merge(merge_id=made.pk, actor=ADA), first=lambda: erase(person), then=lambda: None
        )

        assert Merge.objects.get().undone_at
        assert now(bob).identifiers == ()
        assert traces() == {}
        assert broken_promises() == []
