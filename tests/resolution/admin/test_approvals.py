"""The inbox of the second person, and the page on which they answer."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from customers.models import Customer
from resolution.models import Merge, MergeProposal
from resolution.services.approve import propose_merge
from resolution.services.profiles import update_profile
from tests.factories import CustomerFactory, MessageFactory, actor_for, steward
from tests.resolution.admin.conftest import SignIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair() -> list[Customer]:
    return [CustomerFactory(name="Anna Smith", city="Leeds"), CustomerFactory(name="Ann Smith", city="York")]


@pytest.fixture
def proposal(pair: list[Customer], sara: User) -> MergeProposal:
    return propose_merge(
        member_ids=[row.pk for row in pair], survivor_id=pair[0].pk, picks={"city": str(pair[1].pk)},
        comment="they called", actor=actor_for(sara),
    )  # fmt: skip


def address(proposal: MergeProposal) -> str:
    return reverse("resolution:proposal", args=[proposal.pk])


class TestInbox:
    def test_lists_what_waits_with_its_note(self, as_lead: Client, proposal: MergeProposal) -> None:
        text = as_lead.get(reverse("resolution:approvals")).content.decode()

        assert "Anna Smith" in text
        assert "they called" in text
        assert address(proposal) in text

    def test_offers_no_answer_to_who_proposed_it(self, as_steward: Client, proposal: MergeProposal) -> None:
        text = as_steward.get(reverse("resolution:approvals")).content.decode()

        assert "waiting for a second person" in text
        assert "Look at it" not in text

    def test_turns_pages_until_each_was_shown(self, as_lead: Client, sara: User) -> None:
        made = [
            propose_merge(member_ids=[CustomerFactory().pk, CustomerFactory().pk], actor=actor_for(sara)).pk
            for _ in range(55)
        ]

        first = as_lead.get(reverse("resolution:approvals"))
        second = as_lead.get(reverse("resolution:approvals") + first.context["next_page"])

        shown = [row.id for answer in (first, second) for row in answer.context["page"].rows]
        assert shown == made
        assert 'rel="next"' in first.content.decode()
        assert 'rel="next"' not in second.content.decode()

    def test_says_that_nothing_waits(self, as_lead: Client) -> None:
        assert "No merge waits for approval" in as_lead.get(reverse("resolution:approvals")).content.decode()

    def test_an_unknown_state_is_refused(self, as_lead: Client) -> None:
        answer = as_lead.get(reverse("resolution:approvals"), {"state": "eaten"})

        assert answer.status_code == 400
        assert "There is no state “eaten”" in answer.content.decode()


class TestProposal:
    def test_shows_before_after_picks_and_reach(
        self, as_lead: Client, proposal: MergeProposal, pair: list[Customer]
    ) -> None:
        MessageFactory(customer=pair[1])

        answer = as_lead.get(address(proposal))

        results = {row.field: (row.result, row.rule) for row in answer.context["workbench"].fields}
        text = answer.content.decode()
        assert results["city"] == ("York", "picked")
        assert "picked by a person" in text
        assert "Messages" in text
        assert "Approve and merge" in text

    def test_p9_who_proposed_it_gets_no_button_and_no_merge(
        self, sign_in: SignIn, pair: list[Customer], lena: User
    ) -> None:
        own = propose_merge(member_ids=[row.pk for row in pair], actor=actor_for(lena))
        client = sign_in(lena)

        assert "Approve and merge" not in client.get(address(own)).content.decode()
        answer = client.post(address(own), {"action": "approve"}, follow=True)

        assert "a second person has to approve" in answer.content.decode()
        assert not Merge.objects.exists()

    def test_approving_merges_and_offers_the_way_back(
        self, as_lead: Client, proposal: MergeProposal, pair: list[Customer]
    ) -> None:
        answer = as_lead.post(address(proposal), {"action": "approve"}, follow=True)

        merge = Merge.objects.get()
        assert Customer.objects.get(pk=pair[1].pk).merged_into_id == pair[0].pk
        assert reverse("resolution:undo", args=[merge.pk]) in answer.content.decode()

    def test_rejecting_needs_a_word(self, as_lead: Client, proposal: MergeProposal) -> None:
        answer = as_lead.post(address(proposal), {"action": "reject", "comment": " "}, follow=True)

        assert "Say in a few words why" in answer.content.decode()
        assert MergeProposal.objects.get().state == "pending"

    def test_rejecting_keeps_the_word(self, as_lead: Client, proposal: MergeProposal) -> None:
        as_lead.post(address(proposal), {"action": "reject", "comment": "two people"})

        proposal.refresh_from_db()
        assert (proposal.state, proposal.answer) == ("rejected", "two people")

    def test_who_proposed_it_may_withdraw(self, as_steward: Client, proposal: MergeProposal) -> None:
        as_steward.post(address(proposal), {"action": "withdraw"})

        proposal.refresh_from_db()
        assert proposal.state == "withdrawn"

    def test_a_stale_one_says_what_changed_and_cannot_be_approved(
        self, as_lead: Client, proposal: MergeProposal, pair: list[Customer]
    ) -> None:
        tom = actor_for(steward(username="tom"))
        update_profile(customer_id=pair[0].pk, version=1, changes={"city": "Hull"}, actor=tom)

        text = as_lead.get(address(proposal)).content.decode()
        answer = as_lead.post(address(proposal), {"action": "approve"}, follow=True)

        assert "This proposal is stale" in text
        assert "Approve and merge" not in text
        assert "City" in answer.content.decode()
        assert not Merge.objects.exists()

    def test_no_button_is_no_answer(self, as_lead: Client, proposal: MergeProposal) -> None:
        assert as_lead.post(address(proposal), {}).status_code == 400

    def test_there_is_no_page_for_an_unknown_proposal(self, as_lead: Client) -> None:
        assert as_lead.get(reverse("resolution:proposal", args=[987654])).status_code == 404
