"""Proposing together from the queue: the preview first, then one answer for many."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from resolution.models import Conflict, Merge, MergeProposal, ProposalBatch
from resolution.services.profiles import update_profile
from tests.factories import ConflictFactory, CustomerFactory, actor_for
from tests.resolution.services.test_bulk_proposals import batch_of, likely, propose

pytestmark = pytest.mark.django_db
TOGETHER = "resolution:propose-together"


@pytest.fixture
def conflicts() -> list[Conflict]:
    return [likely(), likely()]


@pytest.fixture
def batch(conflicts: list[Conflict], sara: User) -> str:
    done = propose(actor_for(sara), *conflicts)
    return reverse("resolution:proposal-batch", args=[batch_of(done)])


def seen_on(page: Any) -> dict[str, Any]:
    """What the form of the preview sends along with its button, besides what is ticked."""
    hidden = re.findall(
        r'<input type="hidden" name="([pv][^"]+-[^"]+)" value="([^"]+)">', page.content.decode()
    )
    return {"action": "propose", **dict(hidden)}


class TestProposing:
    def test_the_queue_offers_likely_duplicates_to_be_ticked(
        self, as_steward: Client, conflicts: list[Conflict]
    ) -> None:
        other = ConflictFactory(kind="several_candidates")

        text = as_steward.get(reverse("resolution:queue")).content.decode()

        assert f"Propose conflict {conflicts[0].pk} together" in text
        assert f"Propose conflict {other.pk} together" not in text

    def test_shows_each_plan_and_what_is_left_out(
        self, as_steward: Client, conflicts: list[Conflict]
    ) -> None:
        left = likely(kind="several_candidates")
        ticked = [row.pk for row in (*conflicts, left)]

        text = as_steward.post(reverse(TOGETHER), {"conflict": ticked}).content.decode()

        assert "Propose 2 merges together" in text
        assert "Left out: 1" in text
        assert "only likely duplicates" in text
        assert not MergeProposal.objects.exists()

    def test_proposes_what_was_seen(self, as_steward: Client, conflicts: list[Conflict]) -> None:
        ticked = [row.pk for row in conflicts]
        page = as_steward.post(reverse(TOGETHER), {"conflict": ticked})

        answer = as_steward.post(reverse(TOGETHER), {**seen_on(page), "conflict": ticked, "comment": "same"})

        batch = ProposalBatch.objects.get()
        assert answer.headers["Location"] == reverse("resolution:proposal-batch", args=[batch.pk])
        assert set(MergeProposal.objects.values_list("state", "comment")) == {("pending", "same")}

    def test_who_changed_since_is_named_and_only_the_others_go(
        self, as_steward: Client, conflicts: list[Conflict], sara: User
    ) -> None:
        ticked = [row.pk for row in conflicts]
        page = as_steward.post(reverse(TOGETHER), {"conflict": ticked})
        anna = conflicts[0].members.earliest("customer").customer
        update_profile(customer_id=anna.pk, version=1, changes={"city": "Ulm"}, actor=actor_for(sara))

        answer = as_steward.post(reverse(TOGETHER), {**seen_on(page), "conflict": ticked}, follow=True)

        said = answer.content.decode()
        assert f"Left out, conflict {conflicts[0].pk}: Anna has changed since version 1 (now 2)" in said
        assert list(MergeProposal.objects.values_list("conflict", flat=True)) == [conflicts[1].pk]

    def test_what_was_not_looked_at_is_not_proposed(
        self, as_steward: Client, conflicts: list[Conflict]
    ) -> None:
        answer = as_steward.post(reverse(TOGETHER), {"action": "propose", "conflict": [conflicts[0].pk]})

        assert "Nobody looked at what conflict" in answer.content.decode()
        assert not MergeProposal.objects.exists()

    def test_the_preview_names_whom_each_value_is_from_and_the_rule(self, as_steward: Client) -> None:
        conflict = likely(CustomerFactory(name="Anna"), CustomerFactory(name="Anna", city="Ulm"))

        text = as_steward.post(reverse(TOGETHER), {"conflict": [conflict.pk]}).content.decode()

        assert "from Anna, the only value" in text

    def test_nothing_ticked_and_no_number_are_told(self, as_steward: Client) -> None:
        answer = as_steward.post(reverse(TOGETHER), follow=True)
        assert "Nothing was ticked" in answer.content.decode()
        assert as_steward.post(reverse(TOGETHER), {"conflict": "x"}).status_code == 400


class TestAnswering:
    def test_a_lead_approves_the_ticked_ones(self, as_lead: Client, batch: str) -> None:
        ids = list(MergeProposal.objects.values_list("pk", flat=True))

        answer = as_lead.post(batch, {"action": "approve", "proposal": ids}, follow=True)

        assert "2 approved." in answer.content.decode()
        assert Merge.objects.count() == 2

    def test_a_stale_one_is_marked_and_left(self, as_lead: Client, batch: str, lena: User) -> None:
        first, second = MergeProposal.objects.order_by("pk")
        update_profile(
            customer_id=first.survivor_id, version=1, changes={"city": "Ulm"}, actor=actor_for(lena)
        )

        page = as_lead.get(batch).content.decode()
        answer = as_lead.post(batch, {"action": "approve", "proposal": [first.pk, second.pk]}, follow=True)

        assert "Stale:" in page
        assert f"Left as it is, proposal {first.pk}" in answer.content.decode()
        assert Merge.objects.count() == 1

    def test_rejecting_needs_a_word(self, as_lead: Client, batch: str) -> None:
        ids = list(MergeProposal.objects.values_list("pk", flat=True))
        as_lead.post(batch, {"action": "reject", "proposal": ids})
        assert MergeProposal.objects.filter(state="pending").count() == 2

        as_lead.post(batch, {"action": "reject", "proposal": ids, "comment": "siblings"})
        assert MergeProposal.objects.filter(state="rejected").count() == 2

    def test_who_proposed_sees_no_buttons_and_is_refused(self, as_steward: Client, batch: str) -> None:
        assert b"Approve and merge" not in as_steward.get(batch).content
        assert as_steward.post(batch, {"action": "approve"}).status_code == 403

    def test_the_inbox_leads_to_the_batch(self, as_lead: Client, batch: str) -> None:
        assert batch in as_lead.get(reverse("resolution:approvals")).content.decode()

    def test_a_batch_takes_the_same_queries_for_ten_as_for_two(self, as_lead: Client, sara: User) -> None:
        def queries(number: int) -> int:
            conflicts = [likely(*CustomerFactory.create_batch(2)) for _ in range(number)]
            done = propose(actor_for(sara), *conflicts)
            url = reverse("resolution:proposal-batch", args=[batch_of(done)])
            as_lead.get(url)
            with CaptureQueriesContext(connection) as seen:
                as_lead.get(url)
            return len(seen)

        assert queries(2) == queries(10)
