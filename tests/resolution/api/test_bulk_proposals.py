"""Proposing and answering together over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from rest_framework.test import APIClient

from customers.models import Customer
from resolution.models import Conflict, Merge, MergeProposal
from resolution.services.profiles import update_profile
from resolution.types import Actor
from tests.factories import CustomerFactory
from tests.resolution.api.answers import ids, problem
from tests.resolution.services.test_bulk_proposals import likely

pytestmark = pytest.mark.django_db
BULK = "/api/v1/merges/proposals/bulk"


@pytest.fixture
def conflicts() -> list[Conflict]:
    return [likely(), likely()]


def look(client: APIClient, conflicts: list[Conflict]) -> Any:
    asked = {"conflict_ids": [row.pk for row in conflicts], "dry_run": True}
    return client.post(BULK, asked).json()


def seen_in(told: Any) -> list[dict[str, Any]]:
    return [{name: row[name] for name in ("conflict_id", "plan_hash", "members")} for row in told["rows"]]


def propose(client: APIClient, conflicts: list[Conflict], **body: Any) -> Any:
    """Propose what a dry run has just told."""
    seen = seen_in(look(client, conflicts))
    return client.post(BULK, {"conflict_ids": [row.pk for row in conflicts], "seen": seen, **body})


class TestPropose:
    def test_a_dry_run_tells_and_writes_nothing(self, steward: APIClient, conflicts: list[Conflict]) -> None:
        body = look(steward, [*conflicts, likely(kind="contradiction")])
        assert (body["batch_id"], [bool(row["left_out"]) for row in body["rows"]]) == (
            None,
            [False, False, True],
        )
        assert not MergeProposal.objects.exists()

    def test_proposes_each_in_one_batch(self, steward: APIClient, conflicts: list[Conflict]) -> None:
        body = propose(steward, conflicts, comment="same shop").json()
        listed = steward.get(f"/api/v1/merges/proposals?batch={body['batch_id']}")
        assert sorted(ids(listed)) == sorted(body["proposal_ids"])

    def test_a_dry_run_tells_each_value_with_its_source_and_rule(self, steward: APIClient) -> None:
        anna, eve = CustomerFactory(name="Anna"), CustomerFactory(name="Anna", city="Ulm")
        [row] = look(steward, [likely(anna, eve)])["rows"]
        [city] = [choice for choice in row["fields"] if choice["field"] == "city"]
        before = "Ulm" if row["survivor_id"] == str(eve.pk) else ""
        told = {"field": "city", "value": "Ulm", "source": str(eve.pk), "rule": "only", "before": before}
        assert city == told
        assert {entry["customer_id"]: entry["version"] for entry in row["members"]} == {
            str(anna.pk): 1,
            str(eve.pk): 1,
        }

    def test_its_fields_are_those_of_a_single_proposals_dry_run(self, steward: APIClient) -> None:
        conflict = likely(CustomerFactory(name="Anna"), CustomerFactory(name="Ann", city="Ulm"))
        [row] = look(steward, [conflict])["rows"]
        single = steward.post("/api/v1/merges/proposals", {"members": row["members"], "dry_run": True}).json()
        assert single["fields"] == row["fields"]
        assert (single["blockers"], single["members"]) == ([], row["members"])
        assert not MergeProposal.objects.exists()

    def test_who_changed_since_is_named_and_left_and_the_others_go(
        self, steward: APIClient, conflicts: list[Conflict]
    ) -> None:
        seen = seen_in(look(steward, conflicts))
        anna = seen[0]["members"][0]["customer_id"]
        update_profile(
            customer_id=UUID(anna), version=1, changes={"city": "Ulm"}, actor=Actor.machine("import")
        )
        body = steward.post(BULK, {"conflict_ids": [row.pk for row in conflicts], "seen": seen}).json()
        assert [row["code"] for row in body["rows"]] == ["stale_version", ""]
        assert (
            "Anna has changed since version 1 (now 2): import changed the profile"
            in (body["rows"][0]["left_out"][0])
        )
        assert list(MergeProposal.objects.values_list("conflict", flat=True)) == [conflicts[1].pk]

    def test_p3_a_dry_run_names_the_judgement_that_forbids_one(
        self, steward: APIClient, conflicts: list[Conflict]
    ) -> None:
        left, right = conflicts[0].members.order_by("customer").values_list("customer", flat=True)
        verdict = {"left_id": str(left), "right_id": str(right), "verdict": "different"}
        said = steward.post("/api/v1/judgements", verdict).json()
        asked_again = likely(*Customer.objects.filter(pk__in=[left, right]))
        rows = propose(steward, [conflicts[1], asked_again]).json()["rows"]
        assert [row["code"] for row in rows] == ["", "merge_blocked"]
        assert [word["judgement_id"] for word in rows[1]["against"]] == [said["id"]]
        assert "withdraw that judgement first" in rows[1]["left_out"][0]

    def test_what_was_not_seen_is_refused(self, steward: APIClient, conflicts: list[Conflict]) -> None:
        ids = [row.pk for row in conflicts]
        refused = problem(steward.post(BULK, {"conflict_ids": ids}), 422, "invalid_input")
        assert f"Nobody looked at what conflict {ids[0]} would be proposed as" in refused["detail"]
        assert not MergeProposal.objects.exists()

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"conflict_ids": []},
            {"conflict_ids": ["1"]},
            {"conflict_ids": [1], "x": 1},
            {"conflict_ids": [1], "seen": {"1": "x"}},
            {"conflict_ids": [1], "seen": [{"conflict_id": 1}]},
        ],
    )
    def test_what_cannot_be_read_is_refused(self, steward: APIClient, body: dict[str, Any]) -> None:
        problem(steward.post(BULK, body), 400, "malformed_request")
        assert not MergeProposal.objects.exists()

    def test_an_unknown_conflict_is_refused(self, steward: APIClient) -> None:
        refused = problem(steward.post(BULK, {"conflict_ids": [41], "dry_run": True}), 404, "not_found")
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
