"""Proposing and answering together over HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from resolution.models import Conflict, Merge, MergeProposal
from tests.resolution.api.answers import ids, problem
from tests.resolution.services.test_bulk_proposals import likely

pytestmark = pytest.mark.django_db
BULK = "/api/v1/merges/proposals/bulk"


@pytest.fixture
def conflicts() -> list[Conflict]:
    return [likely(), likely()]


def propose(client: APIClient, conflicts: list[Conflict], **body: Any) -> Any:
    return client.post(BULK, {"conflict_ids": [row.pk for row in conflicts], **body})


class TestPropose:
    def test_a_dry_run_tells_and_writes_nothing(self, steward: APIClient, conflicts: list[Conflict]) -> None:
        body = propose(steward, [*conflicts, likely(kind="contradiction")], dry_run=True).json()
        assert (body["batch_id"], [bool(row["left_out"]) for row in body["rows"]]) == (
            None,
            [False, False, True],
        )
        assert not MergeProposal.objects.exists()

    def test_proposes_each_in_one_batch(self, steward: APIClient, conflicts: list[Conflict]) -> None:
        body = propose(steward, conflicts, comment="same shop").json()
        listed = steward.get(f"/api/v1/merges/proposals?batch={body['batch_id']}")
        assert sorted(ids(listed)) == sorted(body["proposal_ids"])

    @pytest.mark.parametrize(
        "body", [{}, {"conflict_ids": []}, {"conflict_ids": ["1"]}, {"conflict_ids": [1], "x": 1}]
    )
    def test_what_cannot_be_read_is_refused(self, steward: APIClient, body: dict[str, Any]) -> None:
        problem(steward.post(BULK, body), 400, "malformed_request")
        assert not MergeProposal.objects.exists()

    def test_an_unknown_conflict_is_refused(self, steward: APIClient) -> None:
        refused = problem(steward.post(BULK, {"conflict_ids": [41]}), 404, "not_found")
        assert refused["detail"] == "There is no conflict 41. Check the number."


class TestAnswer:
    def test_a_lead_approves_in_one_go(
        self, steward: APIClient, lead: APIClient, conflicts: list[Conflict]
    ) -> None:
        batch = propose(steward, conflicts).json()["batch_id"]
        body = lead.post(f"{BULK}/{batch}/approve", {}).json()
        assert (len(body["answered"]), body["left"]) == (2, [])
        assert Merge.objects.count() == 2

    def test_or_rejects_some(self, steward: APIClient, lead: APIClient, conflicts: list[Conflict]) -> None:
        told = propose(steward, conflicts).json()
        chosen = told["proposal_ids"][:1]
        body = lead.post(f"{BULK}/{told['batch_id']}/reject", {"proposal_ids": chosen, "comment": "no"})
        assert body.json()["answered"] == chosen

    def test_none_chosen_is_not_all(
        self, steward: APIClient, lead: APIClient, conflicts: list[Conflict]
    ) -> None:
        batch = propose(steward, conflicts).json()["batch_id"]
        problem(lead.post(f"{BULK}/{batch}/approve", {"proposal_ids": []}), 400, "malformed_request")
        assert not Merge.objects.exists()

    def test_p9_the_proposer_is_refused(self, lead: APIClient, conflicts: list[Conflict]) -> None:
        batch = propose(lead, conflicts).json()["batch_id"]
        problem(lead.post(f"{BULK}/{batch}/approve", {}), 403, "four_eyes")
        assert not Merge.objects.exists()

    def test_a_steward_approves_nothing(self, steward: APIClient, conflicts: list[Conflict]) -> None:
        batch = propose(steward, conflicts).json()["batch_id"]
        problem(steward.post(f"{BULK}/{batch}/approve", {}), 403, "not_permitted")
        assert not Merge.objects.exists()
