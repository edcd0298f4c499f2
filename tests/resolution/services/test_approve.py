"""Proposals and four eyes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from customers.models import Customer
from resolution.conf import policy
from resolution.errors import (
    ClaimLost,
    FourEyes,
    IllegalTransition,
    InvalidInput,
    MergeBlocked,
    NotFound,
    NotPermitted,
    Refused,
    StaleVersion,
)
from resolution.models import AuditEntry, Conflict, Merge, MergeProposal
from resolution.services import audit, judge
from resolution.services.approve import approve_proposal, propose_merge, reject_proposal, withdraw_proposal
from resolution.services.link import unlink_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.profiles import update_profile
from resolution.services.queue import claim
from resolution.types import Actor
from tests.concurrency import all_at_once
from tests.factories import (
    ConflictFactory,
    CustomerFactory,
    MappingFactory,
    MessageFactory,
    SourceRecordFactory,
    actor_for,
    lead,
    steward,
)
from tests.resolution.services.test_merge import outcome

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> Actor:
    return actor_for(steward(username="ann"))


@pytest.fixture
def lea() -> Actor:
    return actor_for(lead(username="lea"))


def propose(actor: Actor, *members: Customer, **form: Any) -> MergeProposal:
    rows = members or CustomerFactory.create_batch(2)
    form = {"survivor_id": rows[0].pk} | form
    return propose_merge(member_ids=[row.pk for row in rows], actor=actor, **form)


def claimed(actor: Actor, *members: Customer) -> Conflict:
    return claim(conflict_id=ConflictFactory(members=list(members)).pk, actor=actor)


def fresh(row: Any) -> Any:
    return type(row).objects.get(pk=row.pk)


class TestProposeMerge:
    def test_keeps_what_was_proposed_with_the_versions_seen(self, ann: Actor) -> None:
        anna, eve = CustomerFactory(version=4), CustomerFactory()
        proposal = propose(ann, anna, eve, picks={"city": {"typed": "Ulm"}}, comment="same shop account")
        assert (proposal.state, proposal.survivor, proposal.comment) == ("pending", anna, "same shop account")
        assert dict(proposal.members.values_list("customer", "seen_version")) == {anna.pk: 4, eve.pk: 1}
        assert AuditEntry.objects.get().action == "propose"

    def test_moves_nothing(self, ann: Actor) -> None:
        propose(ann)
        assert Customer.objects.active().count() == 2

    def test_its_conflict_awaits_approval(self, ann: Actor) -> None:
        members = CustomerFactory.create_batch(2)
        conflict = claimed(ann, *members)
        propose(ann, *members, conflict_id=conflict.pk)
        waiting = fresh(conflict)
        assert (waiting.state, waiting.leased_until, waiting.decided_by_id) == ("decided", None, ann.user_id)

    def test_a_conflict_one_does_not_hold_is_refused(self, ann: Actor) -> None:
        conflict = ConflictFactory()
        members = [row.customer for row in conflict.members.all()]
        with pytest.raises(ClaimLost, match="Claim it again"):
            propose(ann, *members, conflict_id=conflict.pk)

    def test_a_member_the_conflict_does_not_ask_about_is_refused(self, ann: Actor) -> None:
        anna, eve, stranger = CustomerFactory.create_batch(3)
        conflict = claimed(ann, anna, eve)
        with pytest.raises(InvalidInput, match=f"does not ask about {stranger.pk}"):
            propose(ann, anna, stranger, conflict_id=conflict.pk)

    def test_a_stale_screen_is_refused(self, ann: Actor) -> None:
        anna, eve = CustomerFactory(name="Anna", version=2), CustomerFactory()
        with pytest.raises(StaleVersion, match="Anna has changed since version 1"):
            propose(ann, anna, eve, seen_versions={anna.pk: 1, eve.pk: 1})

    @pytest.mark.parametrize("second", ["the same", "the other way round", "with a third"])
    def test_a_customer_waits_in_one_proposal_at_a_time(self, ann: Actor, second: str) -> None:
        anna, eve, bob = CustomerFactory(name="Anna"), CustomerFactory(), CustomerFactory()
        first = propose(ann, anna, eve)
        members = {"the same": (anna, eve), "the other way round": (eve, anna), "with a third": (bob, anna)}
        with pytest.raises(Refused, match=f"Proposal {first.pk} would merge .* already; wait") as refusal:
            propose(ann, *members[second])
        assert refusal.value.facts == {"proposal": first.pk}
        assert MergeProposal.objects.count() == 1

    def test_more_than_a_second_person_can_look_at_are_refused(self, ann: Actor) -> None:
        with pytest.raises(InvalidInput, match="101 customers were given; at most 100"):
            propose(ann, *CustomerFactory.create_batch(101))

    def test_a_blocked_merge_is_not_proposed(self, ann: Actor) -> None:
        with pytest.raises(MergeBlocked, match="“shoe_size”"):
            propose(ann, picks={"shoe_size": {"typed": "42"}})

    def test_a_machine_proposes_nothing(self) -> None:
        with pytest.raises(NotPermitted):
            propose(Actor.machine("night run"))


class TestApproveProposal:
    def test_carries_the_merge_out_as_proposed(self, ann: Actor, lea: Actor) -> None:
        anna, eve = CustomerFactory(), CustomerFactory(city="Bonn")
        proposal = propose(ann, anna, eve, picks={"city": {"typed": "Ulm"}})
        done = approve_proposal(proposal_id=proposal.pk, comment="yes", actor=lea)
        assert (done.state, done.answer, done.approver_id) == ("approved", "yes", lea.user_id)
        assert (done.merge, done.merge and done.merge.actor_name) == (Merge.objects.get(), "lea")
        assert (fresh(anna).city, fresh(eve).merged_into) == ("Ulm", anna)

    def test_its_conflict_is_done(self, ann: Actor, lea: Actor) -> None:
        members = CustomerFactory.create_batch(2)
        conflict = claimed(ann, *members)
        proposal = propose(ann, *members, conflict_id=conflict.pk)
        approve_proposal(proposal_id=proposal.pk, actor=lea)
        assert (fresh(conflict).state, fresh(conflict).outcome) == ("done", "merged")

    def test_a_conflict_that_still_asks_about_others_goes_back_to_its_steward(
        self, ann: Actor, lea: Actor
    ) -> None:
        anna, eve, bob = CustomerFactory.create_batch(3)
        conflict = claimed(ann, anna, eve, bob)
        proposal = propose(ann, anna, eve, conflict_id=conflict.pk)
        approve_proposal(proposal_id=proposal.pk, actor=lea)
        assert (fresh(conflict).state, fresh(conflict).assignee_id) == ("returned", ann.user_id)
        assert set(conflict.members.values_list("customer", flat=True)) == {anna.pk, bob.pk}

    def test_p5_leaves_a_trail(self, ann: Actor, lea: Actor) -> None:
        approve_proposal(proposal_id=propose(ann).pk, actor=lea)
        trail = AuditEntry.objects.order_by("sequence").values_list("action", "actor_name")
        assert list(trail) == [("propose", "ann"), ("merge", "lea"), ("merge", "lea"), ("approve", "lea")]
        assert audit.find_break() is None

    def test_a_message_that_arrived_meanwhile_does_not_make_it_stale(self, ann: Actor, lea: Actor) -> None:
        anna, eve = CustomerFactory.create_batch(2)
        proposal = propose(ann, anna, eve)
        message = MessageFactory(customer=eve)
        approve_proposal(proposal_id=proposal.pk, actor=lea)
        assert fresh(message).customer == anna


class TestFourEyes:
    def test_p9_who_proposes_does_not_approve(self, ann: Actor) -> None:
        proposal = propose(ann)
        with pytest.raises(FourEyes, match="a second person"):
            approve_proposal(proposal_id=proposal.pk, actor=ann)
        assert not Merge.objects.exists()

    def test_p9_who_proposes_does_not_reject(self, ann: Actor) -> None:
        with pytest.raises(FourEyes):
            reject_proposal(proposal_id=propose(ann).pk, actor=ann)

    def test_p9_a_second_name_of_one_account_is_no_second_person(self, ann: Actor) -> None:
        renamed = Actor(kind="user", name="somebody else", user_id=ann.user_id)
        with pytest.raises(FourEyes):
            approve_proposal(proposal_id=propose(ann).pk, actor=renamed)

    def test_p9_a_machine_is_no_second_person(self, ann: Actor) -> None:
        with pytest.raises(NotPermitted):
            approve_proposal(proposal_id=propose(ann).pk, actor=Actor.machine("night run"))

    def test_p9_the_database_refuses_one_person_too(self, ann: Actor) -> None:
        proposal = propose(ann)
        with pytest.raises(IntegrityError, match="p9_two_people"), transaction.atomic():
            MergeProposal.objects.filter(pk=proposal.pk).update(approver=ann.user_id)


class TestStaleProposals:
    def test_a_changed_member_is_named_with_what_changed(self, ann: Actor, lea: Actor) -> None:
        anna, eve = CustomerFactory(name="Anna"), CustomerFactory()
        proposal = propose(ann, anna, eve)
        update_profile(customer_id=anna.pk, version=1, changes={"city": "Ulm"}, actor=lea)
        with pytest.raises(StaleVersion, match=r"Anna has changed .* lea changed the profile"):
            approve_proposal(proposal_id=proposal.pk, actor=lea)
        assert fresh(proposal).state == "pending"

    def test_an_identifier_taken_off_meanwhile_is_not_passed_unseen(self, ann: Actor, lea: Actor) -> None:
        anna, eve = CustomerFactory(name="Anna"), CustomerFactory()
        only = MappingFactory(customer=anna)
        proposal = propose(ann, anna, eve)
        unlink_customer_identifier(customer_id=anna.pk, mapping_id=only.pk, actor=lea)
        with pytest.raises(StaleVersion, match=r"Anna has changed .* lea took an identifier off"):
            approve_proposal(proposal_id=proposal.pk, actor=lea)
        assert not Merge.objects.exists()

    def test_another_winner_by_newer_sightings_is_not_passed_unseen(self, ann: Actor, lea: Actor) -> None:
        anna, eve = CustomerFactory(city="Bonn"), CustomerFactory(city="Ulm")
        proposal = propose(ann, anna, eve)
        SourceRecordFactory(customer=anna, data={"city": "Bonn"}, channel__trust=100)
        with pytest.raises(StaleVersion, match="no longer give what its proposer saw"):
            approve_proposal(proposal_id=proposal.pk, actor=lea)

    def test_p3_a_judgement_meanwhile_blocks_it(self, ann: Actor, lea: Actor) -> None:
        anna, eve = CustomerFactory.create_batch(2)
        proposal = propose(ann, anna, eve)
        judge.judge_pair(left_id=anna.pk, right_id=eve.pk, verdict="different", reason="", actor=lea)
        with pytest.raises(MergeBlocked, match="lea judged"):
            approve_proposal(proposal_id=proposal.pk, actor=lea)

    def test_another_merge_withdraws_it_and_gives_its_conflict_back(self, ann: Actor, lea: Actor) -> None:
        anna, eve, bob = CustomerFactory.create_batch(3)
        conflict = claimed(ann, anna, eve)
        proposal = propose(ann, anna, eve, conflict_id=conflict.pk)
        merge_customers(member_ids=[bob.pk, eve.pk], survivor_id=bob.pk, actor=lea)
        assert (fresh(proposal).state, fresh(conflict).state) == ("withdrawn", "returned")
        assert set(conflict.members.values_list("customer", flat=True)) == {anna.pk, bob.pk}


class TestRejectAndWithdraw:
    @pytest.fixture
    def members(self) -> list[Customer]:
        return CustomerFactory.create_batch(2)

    @pytest.fixture
    def conflict(self, ann: Actor, members: list[Customer]) -> Conflict:
        return claimed(ann, *members)

    @pytest.fixture
    def proposal(self, ann: Actor, members: list[Customer], conflict: Conflict) -> MergeProposal:
        return propose(ann, *members, conflict_id=conflict.pk)

    def test_a_rejected_one_goes_back_to_its_steward_with_the_comment(
        self, ann: Actor, lea: Actor, proposal: MergeProposal, conflict: Conflict
    ) -> None:
        done = reject_proposal(proposal_id=proposal.pk, comment="father and son", actor=lea)
        assert (done.state, done.approver_id) == ("rejected", lea.user_id)
        returned = fresh(conflict)
        assert (returned.state, returned.assignee_id, returned.comment) == (
            "returned", ann.user_id, "father and son",
        )  # fmt: skip
        assert returned.leased_until is not None
        assert returned.leased_until > timezone.now() + timedelta(days=policy().review_days - 1)

    def test_a_withdrawn_one_returns_its_conflict(
        self, ann: Actor, proposal: MergeProposal, conflict: Conflict
    ) -> None:
        assert withdraw_proposal(proposal_id=proposal.pk, actor=ann).state == "withdrawn"
        assert fresh(conflict).state == "returned"

    def test_only_its_proposer_withdraws_it(self, lea: Actor, proposal: MergeProposal) -> None:
        with pytest.raises(NotPermitted, match="is not yours"):
            withdraw_proposal(proposal_id=proposal.pk, actor=lea)

    def test_what_was_rejected_may_be_proposed_again(
        self, ann: Actor, lea: Actor, proposal: MergeProposal, conflict: Conflict, members: list[Customer]
    ) -> None:
        reject_proposal(proposal_id=proposal.pk, actor=lea)
        claim(conflict_id=conflict.pk, actor=ann)
        assert propose(ann, *members, conflict_id=conflict.pk).pk != proposal.pk

    @pytest.mark.parametrize("step", [approve_proposal, reject_proposal, withdraw_proposal])
    def test_an_answered_one_is_not_answered_again(
        self, ann: Actor, lea: Actor, proposal: MergeProposal, step: Any
    ) -> None:
        reject_proposal(proposal_id=proposal.pk, actor=lea)
        with pytest.raises(IllegalTransition, match="is rejected"):
            step(proposal_id=proposal.pk, actor=lea)

    @pytest.mark.parametrize("step", [approve_proposal, reject_proposal, withdraw_proposal])
    def test_an_unknown_one_is_named(self, lea: Actor, step: Any) -> None:
        with pytest.raises(NotFound, match="no proposal 41"):
            step(proposal_id=41, actor=lea)


@pytest.mark.django_db(transaction=True)
class TestConcurrentApprovals:
    def test_two_leads_approving_at_once_merge_once(self) -> None:
        proposal = propose(actor_for(steward()))
        leads = [actor_for(lead()) for _ in range(2)]
        results = all_at_once(
            [
                outcome(lambda actor=actor: approve_proposal(proposal_id=proposal.pk, actor=actor))
                for actor in leads
            ]
        )
        assert sorted(type(result).__name__ for result in results) == ["IllegalTransition", "MergeProposal"]
        assert Merge.objects.count() == 1

    def test_an_approval_and_a_rejection_at_once_leave_one_answer(self) -> None:
        members = CustomerFactory.create_batch(2)
        ann = actor_for(steward())
        proposal = propose(ann, *members, conflict_id=claimed(ann, *members).pk)
        lea, leo = actor_for(lead()), actor_for(lead())
        results = all_at_once(
            [
                outcome(lambda: approve_proposal(proposal_id=proposal.pk, actor=lea)),
                outcome(lambda: reject_proposal(proposal_id=proposal.pk, actor=leo)),
            ]
        )
        assert sorted(type(result).__name__ for result in results) == ["IllegalTransition", "MergeProposal"]
        assert Merge.objects.count() == (fresh(proposal).state == "approved")

    def test_two_proposals_of_one_customer_at_once_leave_one_that_waits(self) -> None:
        anna, eve, bob = CustomerFactory.create_batch(3)
        one, other = actor_for(steward()), actor_for(steward())
        results = all_at_once(
            [
                outcome(lambda: propose(one, anna, eve)),
                outcome(lambda: propose(other, bob, anna)),
            ]
        )
        assert sorted(type(result).__name__ for result in results) == ["MergeProposal", "Refused"]
        assert MergeProposal.objects.count() == 1
