"""A steward's word on a conflict, and what it does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from customers.models import Customer, Mapping
from resolution.errors import (
    ClaimLost,
    IllegalTransition,
    InvalidInput,
    MergeBlocked,
    NotFound,
    Refused,
    StaleVersion,
)
from resolution.models import AuditEntry, Conflict, Judgement, MergePolicy, MergeProposal
from resolution.selectors.proposals import proposal_card
from resolution.services import audit
from resolution.services.approve import approve_proposal
from resolution.services.decide import decide_conflict
from resolution.services.judge import judge_pair
from resolution.services.link import link_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.queue import claim
from resolution.types import Actor
from tests.factories import ConflictFactory, CustomerFactory, MappingFactory, actor_for, lead, steward

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> User:
    return steward(username="ann")


@pytest.fixture
def actor(ann: User) -> Actor:
    return actor_for(ann)


def claimed(actor: Actor, *members: Customer, **fields: Any) -> Conflict:
    made = ConflictFactory(**({"members": list(members)} if members else {}), **fields)
    return claim(conflict_id=made.pk, actor=actor)


def decide(conflict: Conflict, decision: str, actor: Actor, **form: Any) -> Conflict:
    form = {"version": conflict.version, "reason": "as they said"} | form
    return decide_conflict(conflict_id=conflict.pk, decision=decision, actor=actor, **form)


def said(left: Customer, right: Customer, verdict: str) -> Judgement:
    bob = Actor(kind="user", name="bob")
    return judge_pair(left_id=left.pk, right_id=right.pk, verdict=verdict, reason="", actor=bob)


def contested(actor: Actor) -> tuple[Conflict, Mapping, Customer]:
    """A verified identifier of one customer that is claimed for another; claimed by the steward."""
    owned = MappingFactory(verified=True)
    claimant = CustomerFactory()
    asked = link_customer_identifier(
        customer_id=claimant.pk,
        channel=owned.channel,
        identifier_type="email",
        value=owned.normalised,
        actor=actor,
    )
    assert asked.conflict_id is not None
    return claim(conflict_id=asked.conflict_id, actor=actor), owned, claimant


class TestVerdicts:
    @pytest.mark.parametrize("word", ["different", "related", "unsure"])
    def test_a_word_settles_the_conflict_and_is_kept_as_a_judgement(self, actor: Actor, word: str) -> None:
        done = decide(claimed(actor), word, actor)
        assert (done.state, done.outcome, done.decided_by_id) == ("done", word, actor.user_id)
        judgement = Judgement.objects.get()
        assert (judgement.verdict, judgement.reason, judgement.conflict) == (word, "as they said", done)

    def test_related_may_say_how(self, actor: Actor) -> None:
        decide(claimed(actor), "related", actor, relation="household")
        assert Judgement.objects.get().relation == "household"

    def test_p3_different_is_said_of_every_pair(self, actor: Actor) -> None:
        members = CustomerFactory.create_batch(3)
        decide(claimed(actor, *members), "different", actor)
        pairs = {frozenset(pair) for pair in Judgement.objects.values_list("left", "right")}
        assert len(pairs) == 3
        assert frozenset().union(*pairs) == {row.pk for row in members}

    def test_a_word_on_a_group_leaves_a_colleagues_same_and_tells_so(self, actor: Actor) -> None:
        anna, ann, _ = members = [CustomerFactory(name=name) for name in ("Anna", "Ann", "Eve")]
        word = said(anna, ann, "same")

        done = decide(claimed(actor, *members), "different", actor)

        word.refresh_from_db()
        assert word.superseded_at is None
        assert Judgement.objects.filter(verdict="different").count() == 2
        assert done.comment == "Left as judged before: Anna and Ann (bob: the same). as they said"
        entry = AuditEntry.objects.get(action="decide", metadata__conflict=done.pk)
        assert entry.metadata["left_standing"] == [sorted((str(anna.pk), str(ann.pk)))]

    def test_p3_unsure_of_a_group_withdraws_no_different(self, actor: Actor) -> None:
        members = CustomerFactory.create_batch(3)
        said(*members[:2], "different")
        decide(claimed(actor, *members), "unsure", actor)
        words = Judgement.objects.filter(superseded_at__isnull=True).values_list("verdict", flat=True)
        assert sorted(words) == ["different", "unsure", "unsure"]

    def test_different_of_a_group_takes_the_place_of_unsure(self, actor: Actor) -> None:
        members = CustomerFactory.create_batch(3)
        said(*members[:2], "unsure")
        decide(claimed(actor, *members), "different", actor)
        assert Judgement.objects.filter(superseded_at__isnull=True, verdict="different").count() == 3

    def test_of_two_the_word_takes_the_place_of_the_one_before(self, actor: Actor) -> None:
        members = CustomerFactory.create_batch(2)
        said(*members, "same")
        decide(claimed(actor, *members), "different", actor)
        assert Judgement.objects.get(superseded_at__isnull=True).verdict == "different"

    def test_p5_leaves_a_trail(self, actor: Actor) -> None:
        done = decide(claimed(actor), "different", actor)
        actions = AuditEntry.objects.filter(metadata__conflict=done.pk).values_list("action", flat=True)
        assert list(actions) == ["decide"]
        assert AuditEntry.objects.filter(action="judge").exists()
        assert audit.find_break() is None


class TestSame:
    def test_proposes_the_merge_and_waits_for_a_second_person(self, actor: Actor) -> None:
        anna, ann = CustomerFactory(name="Anna"), CustomerFactory()
        waiting = decide(claimed(actor, anna, ann), "same", actor)
        assert waiting.state == Conflict.State.DECIDED
        proposal = MergeProposal.objects.get(conflict=waiting)
        assert (proposal.proposer_id, proposal.survivor, proposal.state) == (actor.user_id, anna, "pending")
        assert Customer.objects.active().count() == 2

    def test_takes_the_survivor_the_picks_and_some_of_the_members(self, actor: Actor) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        picks = {"city": {"typed": "Ulm"}}
        decide(
            claimed(actor, anna, ann, eve), "same", actor,
            member_ids=[anna.pk, eve.pk], survivor_id=eve.pk, picks=picks,
        )  # fmt: skip
        proposal = MergeProposal.objects.get()
        assert (proposal.survivor, proposal.picks) == (eve, picks)
        assert set(proposal.members.values_list("customer", flat=True)) == {anna.pk, eve.pk}

    def test_a_customer_the_conflict_does_not_ask_about_is_refused(self, actor: Actor) -> None:
        conflict, stranger = claimed(actor), CustomerFactory()
        with pytest.raises(InvalidInput, match=str(stranger.pk)):
            decide(conflict, "same", actor, member_ids=[stranger.pk])


class TestSameAfterDifferent:
    @pytest.fixture
    def pair(self) -> list[Customer]:
        return [CustomerFactory(name=name) for name in ("Anna", "Ann")]

    @pytest.fixture
    def word(self, pair: list[Customer]) -> Judgement:
        return said(*pair, "different")

    def test_p9_the_word_stands_until_a_second_person_approves(
        self, actor: Actor, pair: list[Customer], word: Judgement
    ) -> None:
        waiting = decide(claimed(actor, *pair), "same", actor)
        assert waiting.state == Conflict.State.DECIDED
        word.refresh_from_db()
        assert word.superseded_at is None

        approve_proposal(proposal_id=waiting.proposals.get().pk, actor=actor_for(lead()))

        word.refresh_from_db()
        assert word.superseded_by == Judgement.objects.get(verdict="same", conflict=waiting)
        entry = AuditEntry.objects.get(action="judge", resolution_method="same")
        assert entry.metadata["superseded"] == [word.pk]
        assert AuditEntry.objects.get(action="propose").metadata["overruled"] == [word.pk]

    @pytest.mark.usefixtures("word")
    def test_the_second_person_sees_what_is_overruled_and_may_approve(
        self, actor: Actor, pair: list[Customer]
    ) -> None:
        proposal = decide(claimed(actor, *pair), "same", actor).proposals.get()
        card = proposal_card(proposal.pk)
        [sentence] = card.overruled
        assert sentence.startswith("bob judged Anna and Ann not the same on ")
        assert sentence.endswith("; approving the merge withdraws that.")
        assert not card.workbench.plan.blockers

        approve_proposal(proposal_id=proposal.pk, actor=actor_for(lead()))

        assert Customer.objects.active().count() == 1
        [sentence] = proposal_card(proposal.pk).overruled
        assert sentence.endswith("; the merge withdrew that.")

    def test_p3_a_word_on_those_they_absorbed_is_withdrawn_too(self, actor: Actor) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        word = said(ann, eve, "different")
        merge_customers(member_ids=[anna.pk, ann.pk], survivor_id=anna.pk, actor=actor)
        proposal = decide(claimed(actor, anna, eve), "same", actor).proposals.get()

        approve_proposal(proposal_id=proposal.pk, actor=actor_for(lead()))

        word.refresh_from_db()
        assert word.superseded_at is not None
        assert Customer.objects.active().count() == 1

    @pytest.mark.usefixtures("word")
    def test_p3_a_word_said_while_it_waits_forbids_the_merge(
        self, actor: Actor, pair: list[Customer]
    ) -> None:
        proposal = decide(claimed(actor, *pair), "same", actor).proposals.get()
        said(*pair, "different")

        assert "bob judged" in proposal_card(proposal.pk).workbench.plan.blockers[0]
        with pytest.raises(MergeBlocked, match="bob judged"):
            approve_proposal(proposal_id=proposal.pk, actor=actor_for(lead()))
        assert Customer.objects.active().count() == 2

    def test_passing_at_once_withdraws_the_word(
        self, actor: Actor, pair: list[Customer], word: Judgement
    ) -> None:
        MergePolicy.objects.update(enabled=False)
        proposal = decide(claimed(actor, *pair), "same", actor).proposals.get()
        word.refresh_from_db()
        assert proposal.state == "passed"
        assert word.superseded_by == Judgement.objects.get(verdict="same", judged_by=actor.user_id)

    @pytest.mark.usefixtures("word")
    def test_p9_it_needs_a_second_person_as_what_contradicts_it_does(
        self, actor: Actor, pair: list[Customer]
    ) -> None:
        MergePolicy.objects.filter(rule="everything").update(enabled=False)
        proposal = decide(claimed(actor, *pair), "same", actor).proposals.get()
        assert [reason["rule"] for reason in proposal.reasons] == ["hard_conflict"]

    @pytest.mark.usefixtures("word")
    def test_a_merge_that_is_refused_withdraws_nothing(self, actor: Actor, pair: list[Customer]) -> None:
        with pytest.raises(MergeBlocked):
            decide(claimed(actor, *pair), "same", actor, picks={"city": {"typed": "x" * 500}})
        assert Judgement.objects.get().superseded_at is None

    def test_p3_a_word_said_after_the_form_was_opened_is_not_withdrawn(self, actor: Actor) -> None:
        people = CustomerFactory.create_batch(3)
        opened = claimed(actor, *people)
        said(*people[:2], "different")
        with pytest.raises(StaleVersion, match="changed since you opened it"):
            decide(opened, "same", actor)


class TestContestedIdentifiers:
    def test_keeping_the_owner_moves_nothing(self, actor: Actor) -> None:
        conflict, owned, _ = contested(actor)
        done = decide(conflict, "keep_owner", actor)
        assert done.outcome == "kept"
        assert Mapping.objects.owned().get() == owned

    def test_p1_moving_it_makes_the_claimant_its_one_owner(self, actor: Actor) -> None:
        conflict, owned, claimant = contested(actor)
        done = decide(conflict, "move_identifier", actor)
        assert done.outcome == "moved"
        assert Mapping.objects.owned().get().customer == claimant
        assert AuditEntry.objects.get(action="move").old_value == str(owned.customer_id)

    def test_moving_what_the_owner_has_lost_is_refused(self, actor: Actor) -> None:
        conflict, owned, _ = contested(actor)
        Mapping.objects.filter(pk=owned.pk).update(status="ended", valid_to=timezone.now())
        with pytest.raises(Refused, match="no longer belongs to the owner"):
            decide(conflict, "move_identifier", actor)

    def test_a_likely_duplicate_has_no_identifier_to_move(self, actor: Actor) -> None:
        with pytest.raises(InvalidInput, match="use one of: same, different, related, unsure"):
            decide(claimed(actor), "move_identifier", actor)


class TestRefusals:
    def test_an_unknown_word_is_refused_naming_the_known(self, actor: Actor) -> None:
        with pytest.raises(InvalidInput, match="“perhaps” does not decide"):
            decide(claimed(actor), "perhaps", actor)

    def test_an_unknown_conflict_is_named(self, actor: Actor) -> None:
        with pytest.raises(NotFound, match="no conflict 41"):
            decide_conflict(conflict_id=41, decision="unsure", version=1, actor=actor)

    def test_a_conflict_nobody_claimed_is_refused(self, actor: Actor) -> None:
        with pytest.raises(ClaimLost, match="it is open"):
            decide(ConflictFactory(), "unsure", actor)

    def test_another_stewards_conflict_is_refused(self, actor: Actor) -> None:
        conflict = claimed(actor_for(steward(username="bob")))
        with pytest.raises(ClaimLost, match="bob has it until"):
            decide(conflict, "unsure", actor)

    def test_an_expired_claim_is_refused(self, actor: Actor) -> None:
        conflict = claimed(actor)
        Conflict.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
        with pytest.raises(ClaimLost, match="ann had it until"):
            decide(conflict, "different", actor)
        assert not Judgement.objects.exists()

    def test_a_decided_conflict_is_refused(self, actor: Actor) -> None:
        conflict = decide(claimed(actor), "unsure", actor)
        with pytest.raises(IllegalTransition, match="is done"):
            decide(conflict, "different", actor)

    def test_a_stale_form_is_refused(self, actor: Actor) -> None:
        conflict = claimed(actor)
        with pytest.raises(StaleVersion, match=r"version 1, now 2"):
            decide(conflict, "different", actor, version=1)

    def test_a_merge_meanwhile_makes_the_form_stale(self, actor: Actor) -> None:
        anna, ann, eve, bob = CustomerFactory.create_batch(4)
        conflict = claimed(actor, ann, eve)
        merge_customers(member_ids=[anna.pk, bob.pk, ann.pk], survivor_id=anna.pk, actor=actor)
        with pytest.raises(StaleVersion, match="Look at it again"):
            decide(conflict, "different", actor)

    def test_a_member_changed_since_it_was_seen_is_named(self, actor: Actor) -> None:
        anna, ann = CustomerFactory(name="Anna", version=3), CustomerFactory()
        conflict = claimed(actor, anna, ann)
        with pytest.raises(StaleVersion, match=r"Anna has changed since version 2 \(now 3\)"):
            decide(conflict, "same", actor, seen_versions={anna.pk: 2, ann.pk: 1})
