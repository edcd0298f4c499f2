"""What asked about an erased person, and the merges it was once part of."""

from __future__ import annotations

import pytest
from django.utils import timezone

from customers.models import Customer
from resolution.models import Judgement, Merge, MergeProposal
from resolution.selectors.customer_as_of import customer_as_of
from resolution.services import audit
from resolution.services.approve import propose_merge
from resolution.services.conflicts import Question
from resolution.services.judge import judge_pair
from resolution.services.merge import merge_customers
from resolution.services.note import note_untold
from resolution.services.profiles import create_customer
from resolution.services.questions import on_living_customers
from resolution.services.queue import claim
from resolution.services.unmerge import undo_merge
from tests.factories import ConflictFactory, CustomerFactory, actor_for, steward
from tests.resolution.services.erase.scene import (
    ADA,
    check_as_a_commit_would,
    erase,
    pair,
    planted_person,
    traces,
)

pytestmark = pytest.mark.django_db


class TestWhatAsksAboutIt:
    def test_a_question_about_it_alone_is_closed_and_its_proposal_withdrawn(self) -> None:
        person, twin, worker = planted_person(), CustomerFactory(), steward()
        conflict = ConflictFactory(members=[person, twin], evidence=[pair(person, twin)])
        claim(conflict_id=conflict.pk, actor=actor_for(worker))
        propose_merge(
            conflict_id=conflict.pk, member_ids=[person.pk, twin.pk], comment="Q", actor=actor_for(worker)
        )
        erase(person)
        conflict.refresh_from_db()
        assert (conflict.state, conflict.outcome, conflict.evidence) == ("done", "closed", [])
        proposal = MergeProposal.objects.get()
        assert (proposal.state, proposal.comment) == ("withdrawn", "")
        assert proposal.answer == "One of its customers was erased."

    def test_a_question_that_others_still_raise_goes_on_without_it(self) -> None:
        person, one, other = planted_person(), CustomerFactory(), CustomerFactory()
        conflict = ConflictFactory(
            members=[person, one, other], kind="several_candidates",
            evidence=[pair(person, one), pair(one, other)], reason="Quorlanda or two others",
        )  # fmt: skip
        erase(person)
        conflict.refresh_from_db()
        assert conflict.state == "open"
        assert [entry["right"] for entry in conflict.evidence] == [str(other.pk)]
        assert set(conflict.members.values_list("customer", flat=True)) == {one.pk, other.pk}
        assert conflict.reason == "One of the customers was erased."

    def test_a_shared_value_is_still_asked_about_among_the_others(self) -> None:
        person, one = planted_person(), CustomerFactory()
        conflict = ConflictFactory(
            members=[person, one], kind="shared_value", identifier_type="phone", identifier_value="+4930123"
        )
        erase(person)
        conflict.refresh_from_db()
        assert (conflict.state, conflict.identifier_value) == ("open", "+4930123")

    def test_what_a_run_scored_before_the_erasure_is_not_asked_afterwards(self) -> None:
        person, one, other = planted_person(), CustomerFactory(), CustomerFactory()
        asked = Question("likely_duplicate", dict.fromkeys((person.pk, one.pk, other.pk), "member"), "Alike.")
        two = Question("likely_duplicate", dict.fromkeys((one.pk, other.pk), "member"), "Alike.")
        erase(person)
        assert on_living_customers([asked, two]) == [two]

    def test_a_judgement_keeps_its_edge_and_loses_its_words(self) -> None:
        person, other = planted_person(), CustomerFactory()
        judged = judge_pair(
            left_id=person.pk, right_id=other.pk, verdict="different", reason="Quorlanda is older", actor=ADA
        )
        erase(person)
        check_as_a_commit_would()
        row = Judgement.objects.get(pk=judged.pk)
        assert (row.verdict, {row.left_id, row.right_id}) == ("different", {person.pk, other.pk})
        assert (row.reason, row.compared, row.fingerprint) == ("", {}, "")

    def test_an_undone_merge_with_it_keeps_none_of_its_values(self) -> None:
        keeper, person = CustomerFactory(name="Bob"), planted_person()
        merge = merge_customers(member_ids=[keeper.pk, person.pk], survivor_id=keeper.pk, actor=ADA)
        undo_merge(merge_id=merge.pk, actor=ADA)
        erase(person)
        assert traces() == {}
        assert Merge.objects.get().pre_image["name"] == "Bob"

    def test_others_it_was_once_merged_with_keep_what_is_theirs(self) -> None:
        keeper, person, third = CustomerFactory(name="Bob"), planted_person(), CustomerFactory(company="Bobs")
        merge = merge_customers(member_ids=[keeper.pk, person.pk, third.pk], survivor_id=keeper.pk, actor=ADA)
        undo_merge(merge_id=merge.pk, member_ids=[person.pk], actor=ADA, judge_different=False)
        erase(person)
        assert Customer.objects.get(pk=keeper.pk).name == "Bob"
        undo_merge(merge_id=merge.pk, actor=ADA)
        assert Customer.objects.get(pk=third.pk).company == "Bobs"
        assert traces() == {}

    def test_the_past_of_those_it_was_once_merged_with_begins_anew_without_it(self) -> None:
        """While they were one, the other was written down with all the person had."""
        person = planted_person()
        other = create_customer(fields={"name": "Otto Nym"}, actor=ADA)
        merge = merge_customers(member_ids=[person.pk, other.pk], survivor_id=other.pk, actor=ADA)
        note_untold(actor=ADA, everybody=True)
        undo_merge(merge_id=merge.pk, actor=ADA)

        erase(person)

        assert traces() == {}
        assert customer_as_of(other.pk, timezone.now()).fields["name"] == "Otto Nym"
        assert audit.find_break() is None
