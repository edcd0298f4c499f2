"""Likely duplicates proposed in one go and answered in one go; what cannot go along is named and left."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import Customer
from resolution.errors import FourEyes, InvalidInput, NotFound, NotPermitted
from resolution.models import AuditEntry, Conflict, Merge, MergePolicy, MergeProposal
from resolution.services import audit, queue
from resolution.services.approve import propose_merge
from resolution.services.bulk_proposals import (
    BulkProposed,
    Seen,
    approve_in_bulk,
    preview_in_bulk,
    propose_in_bulk,
    reject_in_bulk,
)
from resolution.services.judge import judge_pair
from resolution.services.merge import preview_merge
from resolution.services.profiles import update_profile
from resolution.types import Actor
from tests.concurrency import all_at_once
from tests.factories import (
    ConflictFactory,
    CustomerFactory,
    MappingFactory,
    SourceRecordFactory,
    actor_for,
    lead,
    steward,
)
from tests.resolution.services.test_limits import rule
from tests.resolution.services.test_merge import outcome

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> Actor:
    return actor_for(steward(username="ann"))


@pytest.fixture
def lea() -> Actor:
    return actor_for(lead(username="lea"))


def likely(*members: Customer, **fields: Any) -> Conflict:
    rows = list(members) or CustomerFactory.create_batch(2, name="Anna")
    return ConflictFactory(members=rows, band="review", **fields)


def customers_with_an_email(number: int, **link: Any) -> list[Customer]:
    return [MappingFactory(**link).customer for _ in range(number)]


def look(actor: Actor, *conflicts: Conflict) -> Seen:
    return look_at([row.pk for row in conflicts], actor)


def look_at(conflict_ids: Collection[int], actor: Actor) -> Seen:
    """See the preview of these conflicts, and remember it."""
    rows = preview_in_bulk(conflict_ids=conflict_ids, actor=actor).rows
    return Seen(
        plans={row.conflict.pk: row.plan_hash for row in rows},
        versions={member.pk: member.version for row in rows for member in row.members},
    )


def propose(actor: Actor, *conflicts: Conflict, comment: str = "") -> BulkProposed:
    """Propose what the preview shows just now."""
    return propose_seen([row.pk for row in conflicts], actor, comment=comment)


def propose_seen(conflict_ids: Collection[int], actor: Actor, comment: str = "") -> BulkProposed:
    seen = look_at(conflict_ids, actor)
    return propose_in_bulk(conflict_ids=conflict_ids, seen=seen, comment=comment, actor=actor)


def reasons(done: BulkProposed) -> dict[int, str]:
    return {row.conflict.pk: " ".join(row.why) for row in done.draft.left_out}


def batch_of(done: BulkProposed) -> int:
    assert done.batch is not None
    return done.batch.pk


class TestProposing:
    def test_proposes_each_and_lets_the_conflicts_wait(self, ann: Actor) -> None:
        conflicts = [likely(), likely(), likely()]
        done = propose(ann, *conflicts, comment="same shop")
        assert [row.state for row in done.proposals] == ["pending"] * 3
        assert set(MergeProposal.objects.values_list("batch", "comment")) == {(batch_of(done), "same shop")}
        states = Conflict.objects.values_list("state", "assignee", "decided_by")
        assert set(states) == {("decided", ann.user_id, ann.user_id)}

    def test_p5_leaves_a_row_for_each_in_the_trail(self, ann: Actor) -> None:
        propose(ann, likely(), likely())
        assert AuditEntry.objects.filter(action="propose").count() == 2
        assert audit.find_break() is None

    def test_p9_of_whom_one_took_a_different_back_wait(self, ann: Actor, lea: Actor) -> None:
        MergePolicy.objects.filter(rule__in=["everything", "bulk"]).update(enabled=False)
        anna, eve = CustomerFactory.create_batch(2)
        for word, who in (("different", lea), ("same", ann)):
            judge_pair(left_id=anna.pk, right_id=eve.pk, verdict=word, reason="", actor=who)
        asked, other = likely(anna, eve), likely()
        done = propose(ann, asked, other)
        states = {row.conflict_id: (row.state, len(row.reasons)) for row in done.proposals}
        assert states == {asked.pk: ("pending", 1), other.pk: ("passed", 0)}

    def test_each_says_that_it_was_proposed_with_others(self, ann: Actor) -> None:
        [proposal] = propose(ann, likely()).proposals
        assert [reason["rule"] for reason in proposal.reasons] == ["everything", "bulk"]

    def test_p9_where_no_rule_wants_a_second_person_they_pass(self, ann: Actor) -> None:
        MergePolicy.objects.filter(rule__in=["everything", "bulk"]).update(enabled=False)
        done = propose(ann, likely(), likely())
        assert [row.state for row in done.proposals] == ["passed"] * 2
        assert Merge.objects.count() == 2
        assert set(Conflict.objects.values_list("state", "outcome")) == {("done", "merged")}

    def test_a_preview_names_the_same_and_writes_nothing(self, ann: Actor) -> None:
        conflict, other = likely(), likely(kind="several_candidates")
        draft = preview_in_bulk(conflict_ids=[conflict.pk, other.pk], actor=ann)
        assert [row.conflict for row in draft.going] == [conflict]
        assert draft.left_out[0].why == (
            "It is about “several candidates”; only likely duplicates are proposed together.",
        )
        assert not MergeProposal.objects.exists()

    def test_a_group_too_large_for_one_proposal_is_left(self, ann: Actor) -> None:
        conflict = likely(*CustomerFactory.create_batch(101))
        done = propose(ann, conflict, likely())
        assert reasons(done)[conflict.pk].startswith("101 customers were given; at most 100")
        assert len(done.proposals) == 1

    def test_takes_the_same_statements_for_ten_as_for_three(self, ann: Actor) -> None:
        def statements(number: int) -> int:
            conflicts = [likely() for _ in range(number)]
            with CaptureQueriesContext(connection) as seen:
                propose(ann, *conflicts)
            return len(seen)

        assert statements(3) == statements(10)


class TestLeftOut:
    def test_p3_a_judged_pair_is_left_and_the_others_go(self, ann: Actor) -> None:
        anna, eve = CustomerFactory.create_batch(2)
        told_apart, fine = likely(anna, eve), likely()
        judge_pair(
            left_id=anna.pk, right_id=eve.pk, verdict="different", reason="", actor=ann, conflict=told_apart
        )
        done = propose(ann, told_apart, fine)
        assert [row.conflict_id for row in done.proposals] == [fine.pk]
        assert "ann judged" in reasons(done)[told_apart.pk]
        assert Conflict.objects.get(pk=told_apart.pk).state == "open"

    def test_what_a_hard_limit_forbids_is_left_and_the_others_go(self, ann: Actor) -> None:
        many, fine = likely(*customers_with_an_email(2)), likely()
        rule(values_hard=1)
        done = propose(ann, many, fine)
        assert [row.conflict_id for row in done.proposals] == [fine.pk]
        assert "1 is the most allowed" in reasons(done)[many.pk]

    def test_past_a_soft_limit_it_goes_with_the_warning(self, ann: Actor) -> None:
        many = likely(*customers_with_an_email(2))
        rule(values_soft=1)
        [row] = preview_in_bulk(conflict_ids=[many.pk], actor=ann).going
        assert row.draft.act.plan.warnings == (
            "This customer has 2 identifiers of the type e-mail; up to 1 is usual.",
        )

    def test_of_two_verified_values_of_an_exclusive_type_it_warns(self, ann: Actor) -> None:
        rule(exclusive=True)
        many = likely(*customers_with_an_email(2, verified=True))
        [row] = preview_in_bulk(conflict_ids=[many.pk], actor=ann).going
        assert "one verified e-mail" in " ".join(row.draft.act.plan.warnings)

    def test_what_another_steward_holds_is_left(self, ann: Actor) -> None:
        held = likely()
        queue.claim(conflict_id=held.pk, actor=actor_for(steward(username="bob")))
        assert "bob has it until" in reasons(propose(ann, held))[held.pk]

    def test_what_one_holds_oneself_goes_along(self, ann: Actor) -> None:
        mine = likely()
        queue.claim(conflict_id=mine.pk, actor=ann)
        assert len(propose(ann, mine).proposals) == 1

    def test_a_customer_that_waits_in_another_proposal_is_left_naming_it(self, ann: Actor) -> None:
        anna, eve, bob = CustomerFactory.create_batch(3)
        waiting = propose_merge(member_ids=[eve.pk, anna.pk], actor=ann)
        conflict = likely(anna, bob)
        assert f"Proposal {waiting.pk} would merge" in reasons(propose(ann, conflict))[conflict.pk]

    def test_a_customer_chosen_twice_goes_along_once(self, ann: Actor) -> None:
        anna, eve, bob = CustomerFactory.create_batch(3)
        first, second = likely(anna, eve), likely(anna, bob)
        done = propose(ann, first, second)
        assert [row.conflict_id for row in done.proposals] == [first.pk]
        assert f"takes part in conflict {first.pk} of this selection" in reasons(done)[second.pk]

    def test_what_changed_since_it_was_seen_is_left_naming_who_and_the_others_go(self, ann: Actor) -> None:
        conflict, fine = likely(), likely()
        seen = look(ann, conflict, fine)
        anna = conflict.members.earliest("customer").customer
        update_profile(customer_id=anna.pk, version=1, changes={"city": "Ulm"}, actor=ann)
        done = propose_in_bulk(conflict_ids=[conflict.pk, fine.pk], seen=seen, actor=ann)
        assert [row.conflict_id for row in done.proposals] == [fine.pk]
        [left] = done.draft.left_out
        assert (left.stale, left.code) == (True, "stale_version")
        assert left.why[0].startswith("Anna has changed since version 1 (now 2): ann changed the profile")
        assert "look at it again" in left.why[1]
        assert Conflict.objects.get(pk=conflict.pk).state == "open"

    def test_newer_sightings_change_what_was_seen_though_nobody_changed(self, ann: Actor) -> None:
        anna, eve = CustomerFactory(city="Bonn"), CustomerFactory(city="Ulm")
        conflict = likely(anna, eve)
        seen = look(ann, conflict)
        before = preview_in_bulk(conflict_ids=[conflict.pk], actor=ann).going[0].draft.act.plan
        loser = eve if {row.field: row.value for row in before.fields}["city"] == "Bonn" else anna
        SourceRecordFactory(customer=loser, data={"city": loser.city}, channel__trust=100)
        done = propose_in_bulk(conflict_ids=[conflict.pk], seen=seen, actor=ann)
        assert (done.batch, [row.code for row in done.draft.rows]) == (None, ["stale_version"])

    def test_the_preview_tells_each_value_with_its_source_and_rule(self, ann: Actor) -> None:
        anna, eve = CustomerFactory(name="Anna"), CustomerFactory(name="Anna", city="Ulm")
        [row] = preview_in_bulk(conflict_ids=[likely(anna, eve).pk], actor=ann).going
        [city] = [field for field in row.fields if field.field == "city"]
        single = {choice.field: choice for choice in preview_merge(member_ids=[anna.pk, eve.pk]).fields}[
            "city"
        ]
        assert (city.result, city.source, city.rule) == (single.value, single.source, single.rule)
        assert (city.result, city.rule) == ("Ulm", "only")


class TestRefusals:
    def test_several_bands_at_once(self, ann: Actor) -> None:
        with pytest.raises(InvalidInput, match=r"several bands \(auto, review\); choose those of one"):
            propose(ann, likely(), ConflictFactory(band="auto"))

    def test_none_or_too_many(self, ann: Actor) -> None:
        with pytest.raises(InvalidInput, match="0 conflicts were chosen; 1 to 100"):
            propose(ann)
        with pytest.raises(InvalidInput, match="101 conflicts were chosen"):
            propose_in_bulk(conflict_ids=range(1, 102), seen=Seen({}), actor=ann)

    def test_an_unknown_conflict(self, ann: Actor) -> None:
        with pytest.raises(NotFound, match="no conflict 41"):
            propose_in_bulk(conflict_ids=[41], seen=Seen({}), actor=ann)

    def test_what_nobody_looked_at(self, ann: Actor) -> None:
        seen, unseen = likely(), likely()
        with pytest.raises(InvalidInput, match=f"Nobody looked at what conflict {unseen.pk} would be"):
            propose_in_bulk(conflict_ids=[seen.pk, unseen.pk], seen=look(ann, seen), actor=ann)
        assert not MergeProposal.objects.exists()

    def test_a_machine(self) -> None:
        with pytest.raises(NotPermitted):
            propose(Actor.machine("night run"), likely())


class TestAnswering:
    @pytest.fixture
    def done(self, ann: Actor) -> BulkProposed:
        return propose(ann, likely(), likely(), likely())

    def test_a_lead_approves_all_in_one_go(self, lea: Actor, done: BulkProposed) -> None:
        answer = approve_in_bulk(batch_id=batch_of(done), comment="fine", actor=lea)
        assert (len(answer.answered), answer.left) == (3, ())
        assert set(MergeProposal.objects.values_list("state", "answer", "approver")) == {
            ("approved", "fine", lea.user_id)
        }
        assert (Merge.objects.count(), Customer.objects.active().count()) == (3, 3)
        assert set(Conflict.objects.values_list("state", "outcome")) == {("done", "merged")}
        assert audit.find_break() is None

    def test_or_some_of_them(self, lea: Actor, done: BulkProposed) -> None:
        approve_in_bulk(batch_id=batch_of(done), proposal_ids=[done.proposals[1].pk], actor=lea)
        states = MergeProposal.objects.order_by("pk").values_list("state", flat=True)
        assert list(states) == ["pending", "approved", "pending"]

    def test_a_stale_one_is_named_with_what_changed_and_left(self, lea: Actor, done: BulkProposed) -> None:
        changed = done.proposals[0]
        update_profile(customer_id=changed.survivor_id, version=1, changes={"city": "Ulm"}, actor=lea)
        answer = approve_in_bulk(batch_id=batch_of(done), actor=lea)
        [left] = answer.left
        assert (left.proposal_id, "lea changed the profile" in left.why) == (changed.pk, True)
        assert MergeProposal.objects.get(pk=changed.pk).state == "pending"
        assert len(answer.answered) == 2

    def test_p3_one_that_was_judged_meanwhile_is_left(self, lea: Actor, done: BulkProposed) -> None:
        pair = done.proposals[0].members.values_list("customer", flat=True)
        judge_pair(left_id=pair[0], right_id=pair[1], verdict="different", reason="", actor=lea)
        [left] = approve_in_bulk(batch_id=batch_of(done), actor=lea).left
        assert "lea judged" in left.why

    def test_one_that_a_hard_limit_forbids_by_now_is_left(self, ann: Actor, lea: Actor) -> None:
        done = propose(ann, likely(*customers_with_an_email(2)), likely())
        rule(values_hard=1)
        answer = approve_in_bulk(batch_id=batch_of(done), actor=lea)
        assert [left.proposal_id for left in answer.left] == [done.proposals[0].pk]
        assert "1 is the most allowed" in answer.left[0].why
        assert Merge.objects.count() == len(answer.answered) == 1

    def test_rejecting_gives_the_conflicts_back_with_the_word(
        self, ann: Actor, lea: Actor, done: BulkProposed
    ) -> None:
        reject_in_bulk(batch_id=batch_of(done), comment="father and son", actor=lea)
        returned = Conflict.objects.values_list("state", "assignee", "comment")
        assert set(returned) == {("returned", ann.user_id, "father and son")}

    def test_what_was_answered_already_is_named(self, lea: Actor, done: BulkProposed) -> None:
        reject_in_bulk(batch_id=batch_of(done), comment="no", actor=lea)
        answer = approve_in_bulk(batch_id=batch_of(done), actor=lea)
        assert [left.why.endswith("is rejected already.") for left in answer.left] == [True] * 3
        assert not Merge.objects.exists()

    @pytest.mark.parametrize("answer", [approve_in_bulk, reject_in_bulk])
    def test_p9_who_proposed_them_does_not_answer(self, ann: Actor, done: BulkProposed, answer: Any) -> None:
        with pytest.raises(FourEyes):
            answer(batch_id=batch_of(done), actor=ann)

    def test_a_proposal_of_another_batch_is_refused(self, ann: Actor, lea: Actor, done: BulkProposed) -> None:
        other = propose(ann, likely()).proposals[0].pk
        with pytest.raises(InvalidInput, match=f"Proposal {other} is not of batch"):
            approve_in_bulk(batch_id=batch_of(done), proposal_ids=[other], actor=lea)

    def test_an_unknown_batch_is_named(self, lea: Actor) -> None:
        with pytest.raises(NotFound, match="no batch 41"):
            approve_in_bulk(batch_id=41, actor=lea)


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_two_leads_approving_a_batch_merge_each_once(self) -> None:
        done = propose(actor_for(steward()), likely(), likely())
        leads = [actor_for(lead()) for _ in range(2)]
        answers = all_at_once(
            [lambda actor=actor: approve_in_bulk(batch_id=batch_of(done), actor=actor) for actor in leads]  # type: ignore[misc]
        )
        assert sorted(len(answer.answered) for answer in answers) == [0, 2]
        assert Merge.objects.count() == 2

    def test_two_stewards_proposing_the_same_conflicts_propose_each_once(self) -> None:
        conflicts = [likely(), likely()]
        stewards = [actor_for(steward()) for _ in range(2)]
        results = all_at_once([outcome(lambda actor=actor: propose(actor, *conflicts)) for actor in stewards])
        assert all(isinstance(result, BulkProposed) for result in results)
        assert MergeProposal.objects.count() == 2
