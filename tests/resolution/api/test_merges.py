"""Merges over HTTP, and taking them back."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from customers.models import Customer, Message
from resolution.models import Judgement, Merge
from resolution.services.merge import merge_customers
from resolution.types import Actor
from tests.factories import CustomerFactory, MappingFactory, MessageFactory
from tests.resolution.api.answers import ids, problem

pytestmark = pytest.mark.django_db
MERGES = "/api/v1/merges"


@pytest.fixture
def merge(db: None) -> Merge:
    """Anna, into whom Ann with one identifier and one message was merged."""
    anna, ann = CustomerFactory(name="Anna Smith"), CustomerFactory(name="Ann Smith")
    mapping = MappingFactory(customer=ann)
    MessageFactory(customer=ann, mapping=mapping)
    return merge_customers(
        member_ids=[anna.pk, ann.pk], survivor_id=anna.pk, actor=Actor.machine("test"), weight=9.5
    )


def _absorbed(merge: Merge) -> Customer:
    return merge.members.get().customer


def _state_of(customer: Customer) -> dict[str, Any]:
    row = Customer.objects.filter(pk=customer.pk).values().get()
    del row["version"], row["updated_at"]
    return row


def _merge_of_three() -> tuple[Merge, Customer, Customer]:
    anna, ann, eve = CustomerFactory.create_batch(3)
    members = [anna.pk, ann.pk, eve.pk]
    made = merge_customers(member_ids=members, survivor_id=anna.pk, actor=Actor.machine("test"))
    return made, ann, eve


class TestTree:
    def test_tells_who_was_absorbed_by_which_merge(self, service: APIClient) -> None:
        made, ann, eve = _merge_of_three()
        top = CustomerFactory()
        outer = merge_customers(
            member_ids=[top.pk, made.survivor_id], survivor_id=top.pk, actor=Actor.machine("test")
        )
        body = service.get(f"/api/v1/customers/{ann.pk}/merges").json()
        assert (body["customer_id"], body["cut"]) == (str(top.pk), False)
        assert [(row["id"], row["depth"]) for row in body["merges"]] == [(outer.pk, 0), (made.pk, 1)]
        assert [row["customer_id"] for row in body["merges"][1]["members"]] == sorted(
            [str(ann.pk), str(eve.pk)]
        )

    def test_of_an_unknown_customer_there_is_none(self, service: APIClient) -> None:
        address = "/api/v1/customers/0190a000-0000-7000-8000-000000000000/merges"
        problem(service.get(address), 404, "unknown_customer")


class TestRead:
    def test_one_merge(self, service: APIClient, merge: Merge) -> None:
        body = service.get(f"{MERGES}/{merge.pk}").json()
        assert (body["survivor_id"], body["absorbed"]) == (str(merge.survivor_id), [str(_absorbed(merge).pk)])
        assert (body["weight"], body["undone_at"]) == (9.5, None)

    def test_a_filter_it_cannot_read_is_refused(self, service: APIClient) -> None:
        problem(service.get(MERGES, {"undone": "perhaps"}), 400, "malformed_request")

    def test_an_unknown_one_is_refused(self, service: APIClient) -> None:
        problem(service.get(f"{MERGES}/4711"), 404, "not_found")

    def test_the_list_is_narrowed_by_each_filter(self, service: APIClient, merge: Merge) -> None:
        for query in (
            {"survivor": merge.survivor_id},
            {"absorbed": _absorbed(merge).pk},
            {"method": "manual"},
            {"undone": "false"},
            {"created_after": "2000-01-01T00:00:00Z"},
        ):
            assert ids(service.get(MERGES, query)) == [merge.pk]
        for query in ({"survivor": _absorbed(merge).pk}, {"method": "auto"}, {"undone": "true"}):
            assert ids(service.get(MERGES, query)) == []


class TestUndo:
    def test_is_shown_before_it_is_done(self, service: APIClient, merge: Merge) -> None:
        body = service.get(f"{MERGES}/{merge.pk}/undo").json()
        assert body["survivor"]["customer_id"] == str(merge.survivor_id)
        [returning] = body["returning"]
        assert returning["customer_id"] == str(_absorbed(merge).pk)
        assert sum(row["number"] for row in returning["rows"]) == 2
        assert (body["asks"], body["blockers"]) == ([], [])
        assert Merge.objects.get().undone_at is None

    def test_p4_gives_both_customers_back(self, service: APIClient, lead: APIClient) -> None:
        anna, ann = CustomerFactory(name="Anna Smith"), CustomerFactory(name="Ann", city="Bonn")
        message = MessageFactory(customer=ann)
        before = _state_of(anna), _state_of(ann)
        merge = merge_customers(
            member_ids=[anna.pk, ann.pk], survivor_id=anna.pk, actor=Actor.machine("test")
        )
        response = lead.post(f"{MERGES}/{merge.pk}/undo")
        assert response.status_code == 200, response.content
        assert response.json()["undone_at"]
        assert (_state_of(anna), _state_of(ann)) == before
        assert Message.objects.get(pk=message.pk).customer_id == ann.pk
        assert service.get(f"/api/v1/customers/{ann.pk}").json()["id"] == str(ann.pk)

    def test_judges_both_different_unless_told_otherwise(self, lead: APIClient, merge: Merge) -> None:
        lead.post(f"{MERGES}/{merge.pk}/undo")
        assert Judgement.objects.get().verdict == "different"

    def test_may_leave_the_verdict_open(self, lead: APIClient, merge: Merge) -> None:
        lead.post(f"{MERGES}/{merge.pk}/undo", {"judge_different": False})
        assert not Judgement.objects.exists()

    def test_what_arrived_since_has_to_be_assigned(
        self, service: APIClient, lead: APIClient, merge: Merge
    ) -> None:
        message = MessageFactory(customer=merge.survivor)
        [asked] = service.get(f"{MERGES}/{merge.pk}/undo").json()["asks"]
        assert asked["row_id"] == str(message.pk)
        problem(lead.post(f"{MERGES}/{merge.pk}/undo"), 422, "invalid_input")
        ann = _absorbed(merge)
        response = lead.post(f"{MERGES}/{merge.pk}/undo", {"assign": {asked["row_id"]: str(ann.pk)}})
        assert response.status_code == 200, response.content
        message.refresh_from_db()
        assert message.customer_id == ann.pk

    def test_all_that_arrived_may_be_assigned_in_one_answer_but_for_those_named(
        self, lead: APIClient, merge: Merge
    ) -> None:
        kept, *rest = MessageFactory.create_batch(3, customer=merge.survivor)
        ann = _absorbed(merge)
        body = {"assign": {str(kept.pk): str(merge.survivor_id)}, "assign_others": str(ann.pk)}
        preview = lead.post(f"{MERGES}/{merge.pk}/undo", body | {"dry_run": True}).json()
        assert preview["asks"] == []
        assert lead.post(f"{MERGES}/{merge.pk}/undo", body).status_code == 200
        assert set(rest) <= set(ann.messages.all())
        assert kept in merge.survivor.messages.all()

    def test_twice_is_refused(self, lead: APIClient, merge: Merge) -> None:
        lead.post(f"{MERGES}/{merge.pk}/undo")
        told = problem(lead.post(f"{MERGES}/{merge.pk}/undo"), 409, "refused")["detail"]
        merge.refresh_from_db()
        assert merge.undone_at is not None
        done = f"was undone on {merge.undone_at:%d %B %Y} by {merge.undone_by} already."
        assert f"Merge {merge.pk} {done}" in told

    def test_taking_a_member_out_twice_is_refused_naming_it(self, lead: APIClient) -> None:
        made, ann, _ = _merge_of_three()
        body = {"member_ids": [str(ann.pk)]}
        assert lead.post(f"{MERGES}/{made.pk}/undo", body).status_code == 200

        told = problem(lead.post(f"{MERGES}/{made.pk}/undo", body), 409, "refused")["detail"]

        assert f"({ann.pk}) was taken out of merge {made.pk} on " in told
        assert Judgement.objects.count() == 1

    def test_p4_gives_back_from_under_a_later_merge(self, lead: APIClient, merge: Merge) -> None:
        other = CustomerFactory(name="Anna Smith")
        merge_customers(
            member_ids=[other.pk, merge.survivor_id], survivor_id=other.pk, actor=Actor.machine("test")
        )
        assert lead.post(f"{MERGES}/{merge.pk}/undo").status_code == 200
        assert (_absorbed(merge).status, merge.survivor.canonical_id) == ("active", merge.survivor_id)
        assert Customer.objects.get(pk=merge.survivor_id).merged_into_id == other.pk

    def test_takes_single_members_out(self, service: APIClient, lead: APIClient) -> None:
        made, ann, eve = _merge_of_three()
        preview = service.get(f"{MERGES}/{made.pk}/undo", {"member": ann.pk}).json()
        assert ([side["customer_id"] for side in preview["returning"]], preview["ends"]) == (
            [str(ann.pk)],
            False,
        )
        body = lead.post(f"{MERGES}/{made.pk}/undo", {"member_ids": [str(ann.pk)]}).json()
        assert body["undone_at"] is None
        assert {row["customer_id"]: row["live"] for row in body["members"]} == {
            str(ann.pk): False,
            str(eve.pk): True,
        }

    def test_a_dry_run_answers_with_the_plan_and_writes_nothing(self, lead: APIClient) -> None:
        made, ann, _ = _merge_of_three()
        asked = {"member_ids": [str(ann.pk)], "dry_run": True}
        body = lead.post(f"{MERGES}/{made.pk}/undo", asked).json()
        assert (body["merge_id"], body["ends"]) == (made.pk, False)
        assert Customer.objects.get(pk=ann.pk).status == "merged"

    def test_another_undo_than_the_one_looked_at_is_refused(
        self, service: APIClient, lead: APIClient, merge: Merge
    ) -> None:
        seen = service.get(f"{MERGES}/{merge.pk}/undo").json()["fingerprint"]
        MessageFactory(customer=merge.survivor, mapping=_absorbed(merge).mappings.first())
        problem(lead.post(f"{MERGES}/{merge.pk}/undo", {"fingerprint": seen}), 412, "stale_version")

    def test_a_member_goes_in_the_body_not_in_the_address(self, lead: APIClient, merge: Merge) -> None:
        address = f"{MERGES}/{merge.pk}/undo?member={_absorbed(merge).pk}"
        problem(lead.post(address), 400, "malformed_request")

    def test_somebody_the_merge_did_not_absorb_is_refused(self, lead: APIClient, merge: Merge) -> None:
        stranger = {"member_ids": [str(CustomerFactory().pk)]}
        problem(lead.post(f"{MERGES}/{merge.pk}/undo", stranger), 422, "invalid_input")

    def test_an_unknown_merge_is_refused(self, lead: APIClient) -> None:
        problem(lead.get(f"{MERGES}/4711/undo"), 404, "not_found")
        problem(lead.post(f"{MERGES}/4711/undo"), 404, "not_found")

    def test_a_steward_may_not(self, steward: APIClient, merge: Merge) -> None:
        problem(steward.post(f"{MERGES}/{merge.pk}/undo"), 403, "not_permitted")

    @pytest.mark.parametrize(
        "body", [{"judge_different": "no"}, {"assign": []}, {"assign": {"x": 5}}, {"asign": {}}]
    )
    def test_what_cannot_be_read_is_refused(
        self, body: dict[str, Any], lead: APIClient, merge: Merge
    ) -> None:
        problem(lead.post(f"{MERGES}/{merge.pk}/undo", body), 400, "malformed_request")
        assert Merge.objects.get().undone_at is None
