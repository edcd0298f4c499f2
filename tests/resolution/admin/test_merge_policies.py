"""The rules on second persons: seen, tried out on the last proposals, put in force."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from resolution.models import MergePolicy, MergeProposal
from resolution.services import queue
from resolution.services.approve import approve_proposal, propose_merge
from tests.factories import ConflictFactory, CustomerFactory, actor_for
from tests.resolution.admin.forms import workbench_form

pytestmark = pytest.mark.django_db
RULES = "resolution:merge-policies"


def form(action: str, *enabled: str, **fields: object) -> dict[str, object]:
    """What the page posts with these rules ticked."""
    rows = MergePolicy.objects.all()
    given: dict[str, object] = {f"version-{row.rule}": row.version for row in rows}
    given |= {f"enabled-{rule}": "1" for rule in enabled}
    return {"action": action, "number-many_records": "50", "attribute-vip": "vip", **given, **fields}


class TestPage:
    def test_says_what_is_in_force(self, as_steward: Client) -> None:
        text = as_steward.get(reverse(RULES)).content.decode()

        assert "Every merge" in text
        assert "Undoing and splitting: not by who proposed, approved or made the merge, or linked" in text
        assert "Put them in force" not in text

    def test_what_if_counts_and_changes_nothing(self, as_lead: Client, sara: User, lena: User) -> None:
        members = [row.pk for row in CustomerFactory.create_batch(2)]
        proposal = propose_merge(member_ids=members, actor=actor_for(sara))
        approve_proposal(proposal_id=proposal.pk, actor=actor_for(lena))

        text = as_lead.post(reverse(RULES), form("preview", "vip")).content.decode()

        assert "<strong>0</strong> would have needed a second person; by the rules in force 1" in text
        assert MergePolicy.objects.get(rule="everything").enabled

    def test_a_lead_puts_rules_in_force(self, as_lead: Client) -> None:
        answer = as_lead.post(reverse(RULES), form("save", "vip", **{"attribute-vip": "gold"}))

        assert answer.status_code == 302
        assert MergePolicy.objects.filter(enabled=True).get().attribute == "gold"

    def test_a_stale_page_is_refused_and_keeps_what_was_filled_in(self, as_lead: Client) -> None:
        given = form("save", "vip")
        MergePolicy.objects.filter(rule="bulk").update(version=2)

        answer = as_lead.post(reverse(RULES), given)

        assert answer.status_code == 409
        assert b"is at version 2, and you saw 1" in answer.content
        assert MergePolicy.objects.get(rule="everything").enabled

    def test_what_is_no_number_is_refused(self, as_lead: Client) -> None:
        answer = as_lead.post(reverse(RULES), form("save", **{"number-many_records": "many"}))

        assert answer.status_code == 400

    def test_a_steward_changes_nothing(self, as_steward: Client) -> None:
        assert as_steward.post(reverse(RULES), form("save")).status_code == 403
        assert MergePolicy.objects.get(rule="everything").enabled


class TestOnTheWorkbench:
    def test_the_reasons_are_told_before_the_act_and_on_the_approval(
        self, as_steward: Client, as_lead: Client, sara: User
    ) -> None:
        conflict = queue.claim(conflict_id=ConflictFactory().pk, actor=actor_for(sara))
        address = reverse("resolution:workbench", args=[conflict.pk])

        assert b"Every merge needs a second person." in as_steward.get(address).content
        as_steward.post(address, workbench_form(conflict, "same"))
        proposal = reverse("resolution:proposal", args=[MergeProposal.objects.get().pk])
        assert b"Every merge needs a second person." in as_lead.get(proposal).content

    def test_where_no_rule_applies_the_button_merges_at_once(self, as_steward: Client, sara: User) -> None:
        MergePolicy.objects.filter(rule="everything").update(enabled=False)
        conflict = queue.claim(conflict_id=ConflictFactory().pk, actor=actor_for(sara))
        address = reverse("resolution:workbench", args=[conflict.pk])

        page = as_steward.get(address).content.decode()
        answer = as_steward.post(address, workbench_form(conflict, "same"), follow=True)

        assert "Merge at once" in page
        assert "Propose merge" not in page
        assert "Merged at once; no rule wants a second person." in answer.content.decode()
        assert MergeProposal.objects.get().state == "passed"
