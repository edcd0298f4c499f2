"""Taking single members and branches out, and merges from under those that absorbed their survivor."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from customers.models import Customer, Mapping, Message
from customers.services import register
from resolution.errors import InvalidInput, MergeBlocked, Refused, StaleVersion
from resolution.models import AuditEntry, Conflict, Judgement, Merge, MergeMove, MergeProposal, OutboxEvent
from resolution.relations import MOVED
from resolution.selectors.proposals import proposal_card
from resolution.selectors.records import load_records
from resolution.services import approve, audit, claims, link
from resolution.services.conflict_evidence import evidence_of
from resolution.services.judge import judge_pair
from resolution.services.keys import rebuild_keys
from resolution.services.merge import merge_customers
from resolution.services.profiles import update_profile
from resolution.services.survivorship import ADDRESS
from resolution.services.unmerge import plan_unmerge
from resolution.types import PairScore
from tests.concurrency import all_at_once
from tests.factories import (
    ChannelFactory,
    ConflictFactory,
    CustomerFactory,
    MappingFactory,
    MessageFactory,
    SourceRecordFactory,
    TicketFactory,
    actor_for,
    steward,
)
from tests.resolution.services.register_state import register_state
from tests.resolution.services.test_merge import outcome
from tests.resolution.services.test_unmerge import ACTOR, ask_about, fates, fresh, keyed, merge, undo

pytestmark = pytest.mark.django_db


def owner(row: Any) -> Customer:
    row.refresh_from_db()
    found: Customer = row.customer
    return found


def whereabouts(customer: Customer) -> tuple[str, ...]:
    row = fresh(customer)
    return tuple(getattr(row, name) for name in ADDRESS)


def score(left: Customer, right: Customer) -> PairScore:
    return PairScore(left=str(left.pk), right=str(right.pk), weight=6.0, fields=())


class TestOneMember:
    def test_p4_only_that_member_leaves_and_the_merge_goes_on(self) -> None:
        anna, ann, eve = keyed(), keyed(email="ann@x.org"), keyed(phone="+4930123456")
        hers, others = MessageFactory(customer=ann), MessageFactory(customer=eve)
        made = merge(anna, ann, eve)
        undone = undo(made, member_ids=[ann.pk])
        assert (owner(hers), owner(others)) == (ann, anna)
        assert (fresh(ann).status, fresh(eve).merged_into_id) == ("active", anna.pk)
        assert (fresh(anna).email, fresh(anna).phone) == ("", "+4930123456")
        assert undone.undone_at is None
        assert dict(made.members.values_list("customer", "undone_by")) == {ann.pk: "lea", eve.pk: ""}

    def test_p4_the_rest_comes_back_later_as_it_was(self) -> None:
        people = [keyed(city=city, attributes={city: 1}) for city in ("", "Bonn", "Ulm", "Köln")]
        for row in people:
            MessageFactory(customer=row)
        before, records = register_state(), load_records([row.pk for row in people])
        made = merge(*people)
        undo(made, member_ids=[people[2].pk])
        assert load_records([row.pk for row in people]) == records
        undo(made)
        assert register_state() == before

    def test_p2_the_part_with_the_anchor_keeps_the_id_and_the_others_get_theirs_back(self) -> None:
        """The anchor is the survivor's own row: however many leave, it is never they who take its id."""
        anna, ann, eve, ida = CustomerFactory.create_batch(4)
        inner = merge(ann, eve)
        outer = merge(anna, ann, ida)
        undo(outer, member_ids=[ann.pk, ida.pk])
        standing = {row.pk: row.canonical_id for row in Customer.objects.all()}
        assert standing == {anna.pk: anna.pk, ann.pk: ann.pk, eve.pk: ann.pk, ida.pk: ida.pk}
        assert Merge.objects.get(pk=inner.pk).undone_at is None

    def test_the_last_one_out_ends_the_merge(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        made = merge(anna, ann, eve)
        undo(made, member_ids=[ann.pk])
        assert plan_unmerge(made.pk, member_ids=[eve.pk]).ends
        assert undo(made, member_ids=[eve.pk]).undone_by == "lea"

    def test_p3_only_who_left_is_judged_different(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        undo(merge(anna, ann, eve), member_ids=[ann.pk], judge_different=True)
        judged = Judgement.objects.get()
        assert ({judged.left_id, judged.right_id}, judged.verdict) == ({anna.pk, ann.pk}, "different")

    def test_a_value_that_left_gives_way_to_that_of_a_member_who_stays(self) -> None:
        anna, ann, eve = CustomerFactory(), CustomerFactory(city="Bonn"), CustomerFactory(city="Ulm")
        made = merge(anna, ann, eve, picks={"city": str(ann.pk)})
        [shown] = plan_unmerge(made.pk, member_ids=[ann.pk]).fields
        assert (shown.now, shown.before, shown.fate) == ("Bonn", "Ulm", "restored")
        undo(made, member_ids=[ann.pk])
        assert fresh(anna).city == "Ulm"
        undo(made)
        assert fresh(anna).city == ""

    def test_a_typed_value_stays_as_long_as_the_merge_does(self) -> None:
        anna, ann, eve = CustomerFactory(city="Bonn"), CustomerFactory(), CustomerFactory()
        made = merge(anna, ann, eve, picks={"city": {"typed": "Köln"}})
        undo(made, member_ids=[ann.pk])
        assert fresh(anna).city == "Köln"
        undo(made)
        assert fresh(anna).city == "Bonn"

    def test_an_address_that_left_gives_way_to_the_whole_one_of_a_member_who_stays(self) -> None:
        anna = CustomerFactory()
        ann = CustomerFactory(address="1 High Street", city="Bonn", postcode="53111")
        eve = CustomerFactory(address="2 Low Road", country="DE")
        made = merge(anna, ann, eve, picks={"address": str(ann.pk)})
        assert whereabouts(anna) == ("1 High Street", "53111", "Bonn", "", "")
        undo(made, member_ids=[ann.pk])
        assert whereabouts(anna) == ("2 Low Road", "", "", "", "DE")
        undo(made)
        assert whereabouts(anna) == ("", "", "", "", "")

    def test_a_later_merge_takes_the_address_it_would_have_taken_without_who_left(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory(address="1 High Street", city="Bonn")
        eve = CustomerFactory(city="Ulm", country="DE")
        first, later = merge(anna, ann), merge(anna, eve, picks={"address": str(anna.pk)})
        undo(first)
        assert whereabouts(anna) == ("", "", "Ulm", "", "DE")
        undo(later)
        assert whereabouts(anna) == ("", "", "", "", "")

    def test_a_part_of_the_address_that_was_edited_since_stays(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory(address="1 High Street", city="Bonn")
        made = merge(anna, ann)
        update_profile(
            customer_id=anna.pk, version=fresh(anna).version, changes={"city": "Köln"}, actor=ACTOR
        )
        assert fates(plan_unmerge(made.pk)) == {"address": "restored", "city": "kept"}
        undo(made)
        assert whereabouts(anna) == ("", "", "Köln", "", "")

    def test_what_arrived_for_another_member_stays(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        hers = MappingFactory(customer=eve)
        made = merge(anna, ann, eve)
        message = MessageFactory(customer=anna, mapping=hers)
        undo(made, member_ids=[ann.pk])
        assert owner(message) == anna
        undo(made)
        assert owner(message) == eve


class TestABranch:
    def test_p2_a_member_leaves_with_all_it_had_absorbed_before(self) -> None:
        top, anna, ann, eve = CustomerFactory.create_batch(4)
        hers = MessageFactory(customer=eve)
        merge(ann, eve)
        merge(anna, ann)
        outer = merge(top, anna)
        undo(outer, member_ids=[anna.pk])
        assert {fresh(row).merged_into_id for row in (ann, eve)} == {anna.pk}
        assert owner(hers) == anna

    def test_a_branch_leaves_a_merge_that_goes_on(self) -> None:
        top, anna, ann, eve = CustomerFactory.create_batch(4)
        inner = merge(anna, ann)
        outer = merge(top, anna, eve)
        undo(outer, member_ids=[anna.pk])
        assert fresh(ann).merged_into_id == anna.pk
        assert fresh(eve).merged_into_id == top.pk
        undo(inner)
        assert fresh(ann).status == "active"


class TestUnderTheMergeThatAbsorbedTheSurvivor:
    def test_p4_the_absorbed_comes_out_and_the_rest_stays(self) -> None:
        top, anna, ann = keyed(), keyed(city="Bonn"), keyed(email="ann@x.org")
        hers, annas = MessageFactory(customer=ann), MessageFactory(customer=anna)
        inner, outer = merge(anna, ann), merge(top, anna)
        undo(inner)
        assert (owner(hers), owner(annas)) == (ann, top)
        assert (fresh(ann).status, fresh(anna).merged_into_id) == ("active", top.pk)
        undo(outer)
        assert (owner(hers), owner(annas)) == (ann, anna)
        assert (fresh(anna).email, fresh(anna).city) == ("", "Bonn")

    def test_p4_a_value_goes_with_whom_it_came_through_however_many_merges(self) -> None:
        top, mid, anna = CustomerFactory(), CustomerFactory(email="mid@x.org"), CustomerFactory()
        ann = CustomerFactory(city="Ulm", email="ann@x.org", attributes={"size": "M"})
        inner = merge(anna, ann)
        merge(mid, anna)
        merge(top, mid)
        assert (fresh(top).city, fresh(top).attributes) == ("Ulm", {"size": "M"})
        assert fates(plan_unmerge(inner.pk))["city"] == "restored"
        undo(inner)
        assert (fresh(top).city, fresh(top).email, fresh(top).attributes) == ("", "mid@x.org", {})

    def test_p4_an_edit_in_between_stays_and_is_shown(self) -> None:
        top, anna, ann = CustomerFactory(), CustomerFactory(city="Bonn"), CustomerFactory()
        inner = merge(anna, ann, picks={"city": {"typed": "Köln"}})
        update_profile(customer_id=anna.pk, version=2, changes={"city": "Ulm"}, actor=ACTOR)
        outer = merge(top, anna)
        assert fates(plan_unmerge(inner.pk)) == {"city": "kept"}
        undo(inner)
        undo(outer)
        assert (fresh(anna).city, fresh(top).city) == ("Ulm", "")

    @pytest.mark.parametrize("order", list(permutations(range(4)))[::3])
    def test_p4_a_chain_of_five_is_what_it_was_in_whatever_order(self, order: tuple[int, ...]) -> None:
        people = [keyed(city=f"Town {number}") for number in range(5)]
        links = [MappingFactory(customer=row) for row in people]
        rebuild_keys([row.pk for row in people])
        before = register_state()
        made = []
        for upper, lower in zip(people[1:], people, strict=False):
            made.append(merge(upper, lower))
            register.store_message(arriving(upper, links[0]))
        for place in order:
            undo(made[place])
        assert {owner(row) for row in Message.objects.all()} == {people[0]}
        heard = Message.objects.latest("received_at").received_at
        assert fresh(people[0]).last_interaction_at == heard
        Customer.objects.filter(pk=people[0].pk).update(last_interaction_at=None)
        Message.objects.all().delete()
        assert register_state() == before

    @pytest.mark.parametrize("name", [relation.name for relation in MOVED])
    def test_p4_every_registered_table_gives_its_rows_back(self, name: str) -> None:
        factories = {
            "mappings": MappingFactory,
            "messages": MessageFactory,
            "tickets": TicketFactory,
            "source_records": SourceRecordFactory,
        }
        top, anna, ann = CustomerFactory.create_batch(3)
        hers, annas = factories[name](customer=ann), factories[name](customer=anna)
        inner, outer = merge(anna, ann), merge(top, anna)
        undo(inner)
        assert (owner(hers), owner(annas)) == (ann, top)
        undo(outer)
        assert (owner(hers), owner(annas)) == (ann, anna)

    def test_p4_the_outer_merge_no_longer_says_it_moved_what_has_left(self) -> None:
        top, anna, ann = CustomerFactory.create_batch(3)
        hers = MessageFactory(customer=ann)
        inner, outer = merge(anna, ann), merge(top, anna)
        undo(inner)
        merge(top, ann)
        undo(outer)
        assert owner(hers) == top
        assert not MergeMove.objects.filter(merge=outer, row_id=hers.pk, live=True).exists()

    def test_p4_what_came_to_the_outer_survivor_goes_by_its_identifier(self) -> None:
        top, anna, ann = CustomerFactory.create_batch(3)
        hers, annas, tops = (MappingFactory(customer=row) for row in (ann, anna, top))
        inner, outer = merge(anna, ann), merge(top, anna)
        rows = [MessageFactory(customer=top, mapping=entry) for entry in (hers, annas, tops)]
        undo(inner)
        assert [owner(row) for row in rows] == [ann, top, top]
        undo(outer)
        assert [owner(row) for row in rows] == [ann, anna, top]

    def test_p4_what_was_there_before_is_not_asked_about(self) -> None:
        top, anna, ann = CustomerFactory.create_batch(3)
        inner = merge(anna, ann)
        TicketFactory(customer=top)
        merge(top, anna)
        TicketFactory(customer=top)
        assert len(plan_unmerge(inner.pk).asks) == 1

    def test_p4_an_answer_may_name_whoever_absorbed_the_survivor(self) -> None:
        top, anna, ann = CustomerFactory.create_batch(3)
        inner = merge(anna, ann)
        merge(top, anna)
        ticket = TicketFactory(customer=top)
        undo(inner, assign={str(ticket.pk): str(top.pk)})
        assert owner(ticket) == top

    def test_p10_the_identifier_gets_another_owner_in_the_cache_too(self) -> None:
        top, anna, ann = CustomerFactory.create_batch(3)
        hers = MappingFactory(customer=ann)
        inner = merge(anna, ann)
        merge(top, anna)
        undo(inner)
        owned = claims.owner_of((hers.channel_id, hers.identifier_type, hers.normalised))
        assert owned == ann.pk

    def test_p3_no_machine_puts_who_left_into_whoever_absorbed_the_survivor(self) -> None:
        top, anna, ann = CustomerFactory.create_batch(3)
        inner = merge(anna, ann)
        merge(top, anna)
        undo(inner, judge_different=True)
        with pytest.raises(MergeBlocked, match="lea judged"):
            merge(top, ann)

    def test_p5_the_trail_names_the_later_merges_it_rewrote(self) -> None:
        top, anna, ann = CustomerFactory(), CustomerFactory(), CustomerFactory(city="Ulm")
        inner, outer = merge(anna, ann), merge(top, anna)
        undo(inner)
        entry = AuditEntry.objects.get(action="unmerge", customer=top)
        assert entry.metadata["rewritten"] == [outer.pk]

    def test_p5_everyone_it_touches_has_an_entry(self) -> None:
        top, anna, ann = CustomerFactory.create_batch(3)
        inner = merge(anna, ann)
        merge(top, anna)
        undo(inner)
        entries = AuditEntry.objects.filter(action="unmerge")
        assert {entry.customer_id for entry in entries} == {top.pk, anna.pk, ann.pk}
        assert audit.find_break() is None
        event = OutboxEvent.objects.get(kind="customer.unmerged")
        assert (event.customer_id, event.payload["returned"]) == (top.pk, [str(ann.pk)])


def arriving(customer: Customer, by: Mapping) -> Message:
    return Message(customer=customer, channel=by.channel, mapping=by, outcome=Message.Outcome.LINKED)


class TestIdentifiersOnBothSides:
    @pytest.mark.parametrize("first", ["inner", "outer"])
    def test_p4_what_collapsed_in_two_merges_parts_again(self, first: str) -> None:
        channel = ChannelFactory()
        top, anna, ann = CustomerFactory.create_batch(3)
        for customer, status in ((top, "shared"), (anna, "shared"), (ann, "active")):
            MappingFactory(customer=customer, channel=channel, channel_identifier="a@x.org", status=status)
        rebuild_keys([top.pk, anna.pk, ann.pk])
        before = register_state()
        inner, outer = merge(anna, ann), merge(top, anna)
        assert Mapping.objects.current().count() == 1
        for made in (inner, outer) if first == "inner" else (outer, inner):
            undo(made)
        assert register_state() == before

    def test_p1_who_stays_shares_what_left_with_its_owner(self) -> None:
        channel = ChannelFactory()
        top, anna, ann = CustomerFactory.create_batch(3)
        own = MappingFactory(customer=anna, channel=channel, channel_identifier="a@x.org", status="shared")
        hers = MappingFactory(customer=ann, channel=channel, channel_identifier="a@x.org")
        inner = merge(anna, ann)
        merge(top, anna)
        undo(inner)
        assert [(owner(row), row.status) for row in (own, hers)] == [(top, "shared"), (ann, "active")]

    def test_an_identifier_linked_to_somebody_else_since_stays_theirs(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        hers = MappingFactory(customer=ann)
        came = MessageFactory(customer=ann, mapping=hers)
        made = merge(anna, ann)
        with audit.change(ACTOR) as trail:
            moved = claims.move_identifier(trail, hers, eve)
        assert plan_unmerge(made.pk).left == ("1 identifier was taken off since and comes back as ended.",)
        undo(made)
        assert (owner(hers), hers.status) == (ann, "ended")
        assert (owner(moved), owner(came)) == (eve, ann)

    def test_an_identifier_taken_off_stays_off_when_another_member_leaves(self) -> None:
        channel = ChannelFactory()
        anna, ann, eve = CustomerFactory.create_batch(3)
        for customer, status in ((anna, "shared"), (ann, "active"), (eve, "shared")):
            MappingFactory(customer=customer, channel=channel, channel_identifier="a@x.org", status=status)
        made = merge(anna, ann, eve)
        owned = Mapping.objects.owned().get()
        link.unlink_customer_identifier(customer_id=anna.pk, mapping_id=owned.pk, actor=ACTOR)
        undo(made, member_ids=[eve.pk])
        assert [row.customer for row in Mapping.objects.current()] == [eve]

    def test_one_that_owned_before_it_was_taken_off_keeps_those_folded_that_it_folded(self) -> None:
        channel = ChannelFactory()
        value = {"channel": channel, "identifier_type": "phone", "channel_identifier": "+4930123456"}
        theirs = MappingFactory(customer=keyed(), **value)
        anna, ann, eve, eva = (keyed() for _ in range(4))
        shared, folded, _ = (
            MappingFactory(customer=row, status="shared", confidence_score=sure, **value)
            for row, sure in ((ann, "0.90"), (eve, "0.80"), (eva, "0.70"))
        )
        made = merge(anna, ann, eve, eva)
        link.unlink_customer_identifier(customer_id=theirs.customer_id, mapping_id=theirs.pk, actor=ACTOR)
        link.link_customer_identifier(
            customer_id=anna.pk, channel=channel, identifier_type="phone", value="+4930123456",
            confidence=Decimal("0.50"), actor=ACTOR,
        )  # fmt: skip
        link.unlink_customer_identifier(customer_id=anna.pk, mapping_id=shared.pk, actor=ACTOR)

        undo(made, member_ids=[eva.pk])

        shared.refresh_from_db()
        folded.refresh_from_db()
        assert (shared.status, folded.status) == ("ended", "collapsed")


class TestQuestions:
    def test_one_that_compared_who_left_is_about_them_again(self) -> None:
        top, anna, ann, eve = CustomerFactory.create_batch(4)
        asked = ConflictFactory(members=[ann, eve], evidence=evidence_of([score(ann, eve)]))
        inner = merge(anna, ann)
        merge(top, anna)
        undo(inner)
        assert set(asked.members.values_list("customer", flat=True)) == {ann.pk, eve.pk}

    def test_one_asked_of_the_whole_stays_and_is_no_longer_as_seen(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        made = merge(anna, ann)
        asked = ConflictFactory(members=[anna, eve], evidence=evidence_of([score(anna, eve)]))
        [shown] = plan_unmerge(made.pk).questions
        assert (shown.conflict_id, shown.goes_to) == (asked.pk, "")
        undo(made)
        version = asked.version
        asked.refresh_from_db()
        assert asked.version == version + 1
        assert set(asked.members.values_list("customer", flat=True)) == {anna.pk, eve.pk}

    def test_p6_one_that_is_asked_already_is_closed(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        hers = MappingFactory(customer=ann)
        made = merge(anna, ann)
        asked, again = ask_about(hers, anna, eve), ask_about(hers, ann, eve)
        undo(made)
        asked.refresh_from_db()
        again.refresh_from_db()
        assert (asked.state, asked.outcome, again.state) == ("done", Conflict.Outcome.CLOSED, "open")

    def test_a_proposal_that_answered_it_is_withdrawn(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        sara = steward(username="sara")
        asked = ConflictFactory(members=[ann, eve], evidence=evidence_of([score(ann, eve)]))
        made = merge(anna, ann)
        Conflict.objects.filter(pk=asked.pk).update(
            state="claimed", assignee=sara, leased_until=timezone.now()
        )
        asked.refresh_from_db()
        proposal = propose(sara, anna, eve, conflict=asked)
        undo(made)
        proposal.refresh_from_db()
        asked.refresh_from_db()
        assert (proposal.state, asked.state) == ("withdrawn", "returned")

    def test_any_other_is_stale_and_says_what_changed(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        made = merge(anna, ann)
        proposal = propose(steward(username="sara"), anna, eve)
        undo(made)
        assert "lea took a merge back" in " ".join(proposal_card(proposal.pk).stale)
        lead = actor_for(steward(username="lena"))
        with pytest.raises(StaleVersion, match="took a merge back"):
            approve.approve_proposal(proposal_id=proposal.pk, actor=lead)


def propose(who: User, *members: Customer, conflict: Conflict | None = None) -> MergeProposal:
    with audit.change(actor_for(who)) as trail:
        return approve.propose_locked(
            trail,
            {row.pk: fresh(row) for row in members},
            conflict=conflict,
            survivor_id=members[0].pk,
            picks=None,
            comment="",
        )


class TestRefusals:
    def test_somebody_the_merge_did_not_absorb_is_named(self) -> None:
        made, stranger = merge(CustomerFactory(), CustomerFactory()), CustomerFactory()
        with pytest.raises(InvalidInput, match=f"did not absorb customer {stranger.pk}"):
            undo(made, member_ids=[stranger.pk])

    def test_nobody_named_is_not_everybody(self) -> None:
        with pytest.raises(InvalidInput, match="name at least one"):
            undo(merge(CustomerFactory(), CustomerFactory()), member_ids=[])

    def test_who_was_taken_out_already_cannot_be_again(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        made = merge(anna, ann, eve)
        undo(made, member_ids=[ann.pk])
        with pytest.raises(Refused, match=f"{ann.pk}.* was taken out of merge {made.pk} .* by lea already"):
            undo(made, member_ids=[ann.pk])

    @pytest.mark.parametrize("place", [0, 1])
    def test_who_was_erased_cannot_come_back(self, place: int) -> None:
        people = CustomerFactory.create_batch(2)
        made = merge(*people)
        Customer.objects.filter(pk=people[1].pk).update(merged_into=None, status="active")
        Customer.objects.filter(pk=people[place].pk).update(status="erased")
        with pytest.raises(Refused, match=f"{people[place].pk} was erased"):
            undo(made)

    def test_another_undo_than_the_one_looked_at_is_not_done(self) -> None:
        anna, ann = CustomerFactory.create_batch(2)
        hers = MappingFactory(customer=ann)
        made = merge(anna, ann)
        seen = plan_unmerge(made.pk).fingerprint
        MessageFactory(customer=anna, mapping=hers)
        with pytest.raises(StaleVersion, match="Look at it again"):
            undo(made, fingerprint=seen)
        undo(made, fingerprint=plan_unmerge(made.pk).fingerprint)

    def test_answers_do_not_make_it_another_undo(self) -> None:
        anna, ann = CustomerFactory.create_batch(2)
        made = merge(anna, ann)
        ticket = TicketFactory(customer=anna)
        seen = plan_unmerge(made.pk).fingerprint
        undo(made, fingerprint=seen, assign={str(ticket.pk): str(ann.pk)})
        assert owner(ticket) == ann


@pytest.mark.django_db(transaction=True)
class TestAtTheSameTime:
    def test_two_members_leave_one_merge(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        made = merge(anna, ann, eve)
        results = all_at_once(
            [
                outcome(lambda: undo(made, member_ids=[ann.pk])),
                outcome(lambda: undo(made, member_ids=[eve.pk])),
            ]
        )
        assert [type(result) for result in results] == [Merge, Merge]
        assert {fresh(row).status for row in (anna, ann, eve)} == {"active"}
        assert Merge.objects.get().undone_at is not None

    def test_the_inner_and_the_outer_merge_are_undone(self) -> None:
        top, anna, ann = CustomerFactory.create_batch(3)
        hers = MessageFactory(customer=ann)
        inner, outer = merge(anna, ann), merge(top, anna)
        results = all_at_once([outcome(lambda: undo(inner)), outcome(lambda: undo(outer))])
        assert [type(result) for result in results] == [Merge, Merge]
        assert {fresh(row).status for row in (top, anna, ann)} == {"active"}
        assert owner(hers) == ann

    def test_the_same_member_leaves_once(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        made = merge(anna, ann, eve)
        results = all_at_once([outcome(lambda: undo(made, member_ids=[ann.pk])) for _ in range(3)])
        assert sorted(type(result).__name__ for result in results) == ["Merge", "Refused", "Refused"]

    def test_a_member_leaves_while_the_outer_survivor_is_absorbed(self) -> None:
        last, top, anna, ann = CustomerFactory.create_batch(4)
        hers = MessageFactory(customer=ann)
        inner = merge(anna, ann)
        merge(top, anna)
        results = all_at_once([outcome(lambda: undo(inner)), outcome(lambda: merge(last, top))])
        assert [type(result) for result in results] == [Merge, Merge]
        assert {fresh(row).merged_into_id for row in (top, anna)} == {last.pk}
        assert owner(hers) == ann


def test_a_long_ago_moment_is_no_arrival() -> None:
    """Rows are told apart by when they were stored, not by when they say they happened."""
    anna, ann = CustomerFactory.create_batch(2)
    made = merge(anna, ann)
    MessageFactory(customer=anna, received_at=datetime(2001, 1, 1, tzinfo=UTC))
    assert len(plan_unmerge(made.pk).asks) == 1


class TestNothingElseThanWasSeen:
    def test_p4_an_undo_that_would_write_another_value_is_refused(self) -> None:
        anna, eve = CustomerFactory(name="Anna"), CustomerFactory(city="Bonn")
        ann = CustomerFactory(city="Ulm")
        first = merge(anna, eve)
        second = merge_customers(
            member_ids=[anna.pk, ann.pk], survivor_id=anna.pk, picks={"city": str(ann.pk)}, actor=ACTOR
        )
        plan = plan_unmerge(second.pk)
        assert [(row.now, row.before) for row in plan.fields if row.field == "city"] == [("Ulm", "Bonn")]
        undo(first)
        with pytest.raises(StaleVersion, match="Something has changed since you looked"):
            undo(second, fingerprint=plan.fingerprint)
        assert fresh(anna).city == "Ulm"


class TestWordsOnTheWhole:
    def test_p3_go_with_who_leaves_and_the_preview_shows_them(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        made = merge(anna, ann)
        word = judge_pair(left_id=anna.pk, right_id=eve.pk, verdict="different", reason="phone", actor=ACTOR)
        [shown] = plan_unmerge(made.pk).kept_apart
        assert (shown.other, shown.who, shown.judgement) == (eve.pk, ACTOR.name, word.pk)
        undo(made)
        with pytest.raises(MergeBlocked, match="not the same"):
            merge(eve, ann)
        copied = Judgement.objects.get(verdict="different", reason__startswith="Said of the whole by")
        assert {copied.left_id, copied.right_id} == {ann.pk, eve.pk}

    def test_p4_a_later_merge_forgets_what_its_member_had_of_one_who_left_it(self) -> None:
        """Else that would be chosen once nobody else has a value."""
        carl, anna, ann, eve = keyed(), keyed(), keyed(phone="+4930111222"), keyed(phone="+4930333444")
        inner = merge(anna, ann)
        outer = merge(carl, anna, eve)
        undo(inner)
        assert fresh(carl).phone == "+4930333444"
        undo(outer, member_ids=[eve.pk])
        assert [fresh(row).phone for row in (carl, ann, eve)] == ["", "+4930111222", "+4930333444"]
        undo(outer)
        assert [fresh(row).phone for row in (carl, anna)] == ["", ""]

    def test_p3_also_what_was_said_of_who_absorbed_the_survivor(self) -> None:
        anna, ann, bob, eve = CustomerFactory.create_batch(4)
        made = merge(anna, ann)
        merge(bob, anna)
        judge_pair(left_id=bob.pk, right_id=eve.pk, verdict="different", reason="", actor=ACTOR)
        undo(made)
        with pytest.raises(MergeBlocked):
            merge(eve, ann)

    def test_but_not_what_was_said_before_they_were_one(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        judge_pair(left_id=anna.pk, right_id=eve.pk, verdict="different", reason="", actor=ACTOR)
        made = merge(anna, ann)
        assert plan_unmerge(made.pk).kept_apart == ()
        undo(made)
        assert merge(eve, ann).survivor_id == eve.pk

    def test_a_word_said_since_it_was_looked_at_makes_it_stale(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        made = merge(anna, ann)
        seen = plan_unmerge(made.pk).fingerprint
        judge_pair(left_id=anna.pk, right_id=eve.pk, verdict="different", reason="", actor=ACTOR)
        with pytest.raises(StaleVersion):
            undo(made, fingerprint=seen)
