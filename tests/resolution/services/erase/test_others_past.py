"""What an erasure leaves of others who had something of the person: they stay known, the person does not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from customers.models import Channel, Customer, Mapping
from resolution.errors import CustomerErased, PastUnknown
from resolution.matching.kernel import score_pairs
from resolution.models import AuditEntry, Conflict, Judgement, Merge, MergeProposal
from resolution.selectors.customer_as_of import CustomerThen, customer_as_of
from resolution.selectors.erasure import find_person
from resolution.selectors.judgements import different_pairs, verdicts_on_pairs
from resolution.selectors.match_model import live_model
from resolution.selectors.profiles import load_profiles
from resolution.services import audit
from resolution.services.approve import propose_merge
from resolution.services.conflicts import open_conflict
from resolution.services.decide import decide_conflict
from resolution.services.idempotency import Answer, answer_once
from resolution.services.judge import judge_pair
from resolution.services.link import link_customer_identifier, unlink_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.profiles import create_customer, update_profile
from resolution.services.queue import claim
from resolution.services.split import split_customer
from resolution.services.unmerge import undo_merge
from resolution.types import Actor
from tests.factories import ChannelFactory, MessageFactory, SourceRecordFactory, actor_for, steward
from tests.resolution.services.erase.scene import ADA, PLANTED, erase, pair, planted_person, traces
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

    def test_nobody_is_told_wrongly_while_an_emptied_merge_stood(self, shop: Channel) -> None:
        bob, rob = two_in_one(shop), create_customer(fields={"country": "DE"}, actor=ADA)
        cid = create_customer(fields={"city": "Ulm"}, actor=ADA)
        made = merge_customers(member_ids=[bob.pk, rob.pk, cid.pk], survivor_id=rob.pk, actor=ADA)
        merged = timezone.now()
        undo_merge(merge_id=made.pk, judge_different=False, actor=ADA)
        erase(split_off(bob))
        with pytest.raises(PastUnknown):
            customer_as_of(cid.pk, merged)
        assert now(cid).status == "active"


def asked_about(bob: Customer, other: Customer, **fields: Any) -> Conflict:
    """A question about the two as they are, with what speaks for it."""
    profiles = load_profiles([bob.pk, other.pk])
    scores = list(score_pairs(live_model(), [(profiles[bob.pk], profiles[other.pk])]))
    with audit.change(ADA) as trail:
        return open_conflict(
            trail, kind="likely_duplicate", members={row.pk: "member" for row in (bob, other)},
            scores=scores, **{"reason": "Quorlanda Vexmoor twice.", **fields},
        )  # fmt: skip


def decided(conflict: Conflict, worker: Actor, **word: Any) -> Conflict:
    claimed = claim(conflict_id=conflict.pk, actor=worker)
    return decide_conflict(conflict_id=conflict.pk, version=claimed.version, actor=worker, **word)


class TestWhatWasDecidedBeforeTheSplit:
    """Rows about others, from when both were one: they never named who was split off."""

    @pytest.fixture
    def worker(self) -> Actor:
        return actor_for(steward())

    @pytest.fixture
    def other(self) -> Customer:
        return create_customer(fields={"name": "Carl Ordinary", "phone": "+4930111222"}, actor=ADA)

    def test_a_decided_question_keeps_its_outcome_and_none_of_their_values(
        self, shop: Channel, worker: Actor, other: Customer
    ) -> None:
        bob = two_in_one(shop)
        conflict = asked_about(bob, other)
        decided(conflict, worker, decision="different", reason="Quorlanda is not Carl.")
        erase(split_off(bob))
        conflict.refresh_from_db()
        assert (conflict.state, conflict.outcome, conflict.evidence) == ("done", "different", [])
        assert traces() == {}
        assert audit.find_break() is None

    def test_a_question_that_waits_still_asks_and_tells_nothing_of_them(
        self, shop: Channel, other: Customer
    ) -> None:
        bob = two_in_one(shop)
        conflict = asked_about(bob, other)
        erase(split_off(bob))
        conflict.refresh_from_db()
        assert (conflict.state, conflict.evidence) == ("open", [])
        assert traces() == {}

    def test_a_claim_on_their_identifier_names_it_no_more(
        self, shop: Channel, worker: Actor, other: Customer
    ) -> None:
        bob = two_in_one(shop)
        Mapping.objects.filter(customer=bob, identifier_type="phone").update(verified=True)
        asked = link_customer_identifier(
            customer_id=other.pk, channel=shop, identifier_type="phone", value="+4915199887766", actor=ADA
        )
        assert asked.conflict_id
        decided(Conflict.objects.get(), worker, decision="keep_owner")
        erase(split_off(bob))
        assert (Conflict.objects.get().outcome, Conflict.objects.get().identifier_value) == ("kept", "")
        assert traces() == {}

    def test_a_word_keeps_its_edge_and_neither_reason_nor_what_was_compared(
        self, shop: Channel, other: Customer
    ) -> None:
        bob = two_in_one(shop)
        for reason in ("Quorlanda is no Carl", ""):
            judge_pair(left_id=bob.pk, right_id=other.pk, verdict="different", reason=reason, actor=ADA)
        erase(split_off(bob))
        for word in Judgement.objects.filter(left__in=[bob, other], right__in=[bob, other]):
            assert (word.verdict, word.reason, word.fingerprint, word.compared) == ("different", "", "", {})
        assert different_pairs([bob.pk, other.pk])
        assert traces() == {}

    def test_a_word_on_what_they_are_today_keeps_what_was_compared(
        self, shop: Channel, other: Customer
    ) -> None:
        bob = two_in_one(shop)
        person = split_off(bob)
        judge_pair(left_id=bob.pk, right_id=other.pk, verdict="different", reason="seen", actor=ADA)
        erase(person)
        both = frozenset({bob.pk, other.pk})
        assert verdicts_on_pairs(both)[both].fresh
        assert Judgement.objects.latest("pk").reason == "seen"

    def test_a_proposal_keeps_nothing_that_was_typed_of_them(
        self, shop: Channel, worker: Actor, other: Customer
    ) -> None:
        bob = two_in_one(shop)
        propose_merge(
            member_ids=[bob.pk, other.pk], picks={"company": {"typed": "Plumbost"}},
            comment="Surely Quorlanda", actor=worker,
        )  # fmt: skip
        erase(split_off(bob))
        proposal = MergeProposal.objects.get()
        assert (proposal.picks, proposal.comment, proposal.proposer_id) == ({}, "", worker.user_id)
        assert traces() == {}

    def test_an_answer_that_was_stored_for_a_service_is_told_no_more(self, shop: Channel) -> None:
        bob = two_in_one(shop)

        def ask(key: str, body: object) -> Answer:
            return answer_once(caller="shop", key=key, request_hash="h", act=lambda: Answer(200, body))

        ask("of both", {"customer_id": str(bob.pk), "email": PLANTED[2]})
        ask("of bob", {"customer_id": str(bob.pk), "email": BOB})
        erase(split_off(bob))
        with pytest.raises(CustomerErased):
            ask("of both", {})
        assert ask("of bob", {}).body == {"customer_id": str(bob.pk), "email": BOB}
        assert traces() == {}

    def test_a_candidate_that_an_answer_named_is_told_no_more(self, shop: Channel, other: Customer) -> None:
        bob = two_in_one(shop)
        told, kept = pair(other, bob), pair(bob, other) | {"fields": []}
        message = MessageFactory(customer=other, payload={"answer": {"candidates": [told, kept]}})
        erase(split_off(bob))
        message.refresh_from_db()
        assert message.payload["answer"]["candidates"] == [kept]
        assert traces() == {}

    def test_a_message_of_their_own_that_named_who_stays_is_emptied_as_all_of_theirs(
        self, shop: Channel
    ) -> None:
        bob = two_in_one(shop)
        person = split_off(bob)
        MessageFactory(customer=person, payload={"answer": {"candidates": [pair(person, bob)]}})
        erase(person)
        assert traces() == {}

    def test_what_tells_of_others_alone_stays(self, shop: Channel, worker: Actor, other: Customer) -> None:
        bob = two_in_one(shop)
        update_profile(
            customer_id=bob.pk,
            version=Customer.objects.get(pk=bob.pk).version,
            changes={"company": "Ordinary Ltd"},
            actor=ADA,
        )
        conflict = asked_about(bob, other, reason="Carl Ordinary twice.")
        Conflict.objects.update(
            evidence=[pair(bob, other)]
        )  # what it tells of the person stands on Carl's side
        decided(conflict, worker, decision="unsure", reason="Of Ordinary Ltd, both.")
        erase(split_off(bob))
        conflict.refresh_from_db()
        assert conflict.reason == "Carl Ordinary twice."
        assert conflict.comment == "Of Ordinary Ltd, both."
        assert len(conflict.evidence) == 1
        assert AuditEntry.objects.get(action="decide").metadata["reason"] == "Of Ordinary Ltd, both."

    def test_why_somebody_was_split_is_told_no_more(self, shop: Channel) -> None:
        bob = two_in_one(shop)
        chosen = bob.mappings.exclude(channel_identifier=BOB).values_list("pk", flat=True)
        done = split_customer(
            customer_id=bob.pk, mapping_ids=list(chosen), reason="Quorlanda Vexmoor is not Bob.", actor=ADA
        )
        erase(done.customer)
        assert AuditEntry.objects.get(action="split").erased_by
        assert traces() == {}

    def test_a_value_that_named_them_and_was_typed_over_since_is_told_no_more(self, shop: Channel) -> None:
        bob = two_in_one(shop)
        for company in ("Quorlanda & Sons", "Ordinary Ltd"):
            version = Customer.objects.get(pk=bob.pk).version
            update_profile(customer_id=bob.pk, version=version, changes={"company": company}, actor=ADA)
        erase(split_off(bob))
        assert traces() == {}
        assert now(bob).fields["company"] == "Ordinary Ltd"
        assert audit.find_break() is None

    def test_so_it_is_for_who_came_back_from_a_merge(
        self, shop: Channel, worker: Actor, other: Customer
    ) -> None:
        bob, person = create_customer(fields={"name": "Bob"}, actor=ADA), planted_person()
        made = merge_customers(member_ids=[bob.pk, person.pk], survivor_id=bob.pk, actor=ADA)
        conflict = asked_about(bob, other)
        decided(conflict, worker, decision="different", reason="Quorlanda is not Carl.")
        undo_merge(merge_id=made.pk, actor=ADA)
        erase(person)
        assert traces() == {}
        assert audit.find_break() is None


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
