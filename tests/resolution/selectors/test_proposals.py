"""The approval inbox as data."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from customers.models import Customer
from resolution.errors import InvalidInput, NotFound
from resolution.models import MergeProposal
from resolution.selectors.proposals import inbox, inbox_counts, proposal_card
from resolution.services.approve import approve_proposal, propose_merge, reject_proposal
from resolution.services.profiles import update_profile
from tests.factories import CustomerFactory, MessageFactory, SourceRecordFactory, actor_for, lead, steward

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> User:
    return steward(username="ann")


@pytest.fixture
def lea() -> User:
    return lead(username="lea")


def propose(user: User, *members: Customer, **form: Any) -> MergeProposal:
    rows = members or CustomerFactory.create_batch(2)
    return propose_merge(
        member_ids=[row.pk for row in rows], survivor_id=rows[0].pk, actor=actor_for(user), **form
    )


def turned(**options: Any) -> list[int]:
    """The numbers of all proposals, page by page of two."""
    page = inbox(size=2, **options)
    found = [row.id for row in page.rows]
    while page.next_cursor:
        page = inbox(size=2, after=page.next_cursor, **options)
        found += [row.id for row in page.rows]
    return found


class TestInbox:
    def test_shows_what_waits_ones_own_behind_those_of_others(self, ann: User, lea: User) -> None:
        hers, his = propose(ann, comment="one shop account"), propose(lea)
        reject_proposal(proposal_id=propose(ann).pk, actor=actor_for(lea))
        rows = inbox(user_id=ann.pk).rows
        assert [(row.id, row.own) for row in rows] == [(his.pk, False), (hers.pk, True)]
        assert (rows[1].proposer, rows[1].comment) == ("ann", "one shop account")

    def test_shows_answered_ones_when_asked(self, ann: User, lea: User) -> None:
        done = approve_proposal(proposal_id=propose(ann).pk, comment="yes", actor=actor_for(lea))
        [row] = inbox(state="approved").rows
        assert (row.id, row.approver, row.answer, row.merge_id) == (done.pk, "lea", "yes", done.merge_id)

    def test_pages_lead_through_every_one_once(self, ann: User, lea: User) -> None:
        hers, his = [propose(ann).pk for _ in range(3)], [propose(lea).pk for _ in range(4)]
        assert turned(user_id=lea.pk) == [*hers, *his]
        assert turned(user_id=ann.pk) == [*his, *hers]
        assert turned() == sorted([*hers, *his])

    def test_pages_of_answered_ones_go_back_in_time(self, ann: User, lea: User) -> None:
        done = [propose(ann).pk for _ in range(5)]
        for key in done:
            reject_proposal(proposal_id=key, actor=actor_for(lea))
        assert turned(state="rejected") == done[::-1]

    @pytest.mark.parametrize("cursor", ["x", "2_1", "0_", "0_x", f"1_{'9' * 5000}"])
    def test_a_cursor_it_did_not_give_is_refused(self, cursor: str) -> None:
        with pytest.raises(InvalidInput, match="is no cursor of this list"):
            inbox(after=cursor)

    def test_counts_what_one_may_answer_apart_from_ones_own(self, ann: User, lea: User) -> None:
        first = propose(ann)
        propose(ann)
        propose(lea)
        counts = inbox_counts(lea.pk)
        assert (counts.to_answer, counts.own, counts.oldest) == (2, 1, first.created_at)


class TestProposalCard:
    def test_shows_what_the_merge_would_make_and_how_far_it_reaches(self, ann: User, lea: User) -> None:
        anna, eve = CustomerFactory(), CustomerFactory(city="Bonn")
        MessageFactory.create_batch(2, customer=eve)
        card = proposal_card(propose(ann, anna, eve, picks={"name": {"typed": "Anna"}}).pk, user_id=lea.pk)
        results = {row.field: row.result for row in card.workbench.fields}
        assert (results["city"], results["name"]) == ("Bonn", "Anna")
        assert card.reach == (
            "1 customer id will answer with the survivor.",
            "Messages: 2 move to the survivor.",
            "Typed by hand: Name.",
        )
        assert (card.stale, card.may_decide) == ((), True)

    def test_p9_offers_ones_own_to_nobody_else_to_decide(self, ann: User) -> None:
        assert not proposal_card(propose(ann).pk, user_id=ann.pk).may_decide

    def test_says_what_changed_since(self, ann: User, lea: User) -> None:
        anna, eve = CustomerFactory(name="Anna"), CustomerFactory()
        proposal = propose(ann, anna, eve)
        update_profile(customer_id=anna.pk, version=1, changes={"city": "Ulm"}, actor=actor_for(lea))
        [sentence] = proposal_card(proposal.pk).stale
        assert sentence == "Anna has changed since version 1 (now 2): lea changed the profile."

    def test_says_when_another_value_would_win(self, ann: User) -> None:
        anna, eve = CustomerFactory(city="Bonn"), CustomerFactory(city="Ulm")
        proposal = propose(ann, anna, eve)
        SourceRecordFactory(customer=anna, data={"city": "Bonn"}, channel__trust=100)
        assert "Newer sightings" in proposal_card(proposal.pk).stale[0]

    def test_an_answered_one_is_shown_and_not_stale(self, ann: User, lea: User) -> None:
        done = approve_proposal(proposal_id=propose(ann).pk, actor=actor_for(lea))
        card = proposal_card(done.pk, user_id=lea.pk)
        assert (card.row.state, card.stale, card.may_decide) == ("approved", (), False)

    def test_an_unknown_one_is_named(self) -> None:
        with pytest.raises(NotFound, match="no proposal 41"):
            proposal_card(41)
