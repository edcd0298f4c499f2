"""Merge proposals over HTTP: proposed by one, approved by another."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from rest_framework.test import APIClient

from customers.models import Customer
from resolution.models import Judgement, Merge, MergePolicy, MergeProposal
from resolution.services.decide import decide_conflict
from resolution.services.judge import judge_pair
from resolution.services.merge import merge_customers
from resolution.services.profiles import update_profile
from resolution.services.queue import claim
from resolution.types import Actor
from tests import factories
from tests.factories import ConflictFactory, CustomerFactory, MessageFactory, actor_for
from tests.resolution.api.answers import ids, problem
from tests.resolution.api.conftest import MakeClient

pytestmark = pytest.mark.django_db
PROPOSALS = "/api/v1/merges/proposals"


@pytest.fixture
def pair(db: None) -> tuple[Customer, Customer]:
    return CustomerFactory(name="Anna Smith", city="Köln"), CustomerFactory(name="Anna Smith", city="Bonn")


def _members(*customers: Customer, **versions: int) -> list[dict[str, Any]]:
    return [{"customer_id": str(customer.pk), **versions} for customer in customers]


def _propose(client: APIClient, *customers: Customer, **body: Any) -> Any:
    return client.post(PROPOSALS, {"members": _members(*customers, version=1), **body})


def _proposed(client: APIClient, *customers: Customer) -> str:
    response = _propose(client, *customers)
    assert response.status_code == 201, response.content
    return str(response["Location"])


class TestPropose:
    def test_waits_for_a_second_person(self, service: APIClient, pair: tuple[Customer, Customer]) -> None:
        one, other = pair
        picks = {"city": {"customer_id": str(other.pk)}, "company": {"typed": "Smith Ltd"}}
        response = _propose(service, *pair, survivor_id=str(one.pk), picks=picks, comment="Same phone.")
        body = response.json()
        assert (body["state"], body["survivor_id"], body["merge_id"]) == ("pending", str(one.pk), None)
        assert body["picks"] == {"city": str(other.pk), "company": {"typed": "Smith Ltd"}}
        assert not Merge.objects.exists()

    def test_is_read_with_the_permission_the_screens_ask_for(
        self, client_for: MakeClient, pair: tuple[Customer, Customer], service: APIClient
    ) -> None:
        address = _proposed(service, *pair)
        reader = factories.UserFactory()
        reader.user_permissions.add(Permission.objects.get(codename="view_merge"))
        problem(client_for(reader).get(address), 403, "not_permitted")
        reader.user_permissions.set([Permission.objects.get(codename="view_mergeproposal")])
        client = client_for(type(reader).objects.get(pk=reader.pk))
        assert client.get(address).status_code == 200
        assert service.get(address).status_code == 200

    def test_names_the_judgements_that_were_withdrawn_for_it(
        self, service: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        person = actor_for(factories.steward())
        word = judge_pair(
            left_id=pair[0].pk, right_id=pair[1].pk, verdict="different", reason="", actor=person
        )
        conflict = claim(conflict_id=ConflictFactory(members=pair).pk, actor=person)
        decide_conflict(conflict_id=conflict.pk, decision="same", version=conflict.version, actor=person)

        [row] = service.get(PROPOSALS).json()["results"]

        assert row["withdrawn_judgements"] == [word.pk]

    def test_p9_who_took_a_different_back_does_not_merge_alone(
        self, client_for: MakeClient, pair: tuple[Customer, Customer]
    ) -> None:
        MergePolicy.objects.filter(rule="everything").update(enabled=False)
        ids = {"left_id": str(pair[0].pk), "right_id": str(pair[1].pk)}
        client_for(factories.lead()).post("/api/v1/judgements", {**ids, "verdict": "different"})
        steward = client_for(factories.steward())
        assert steward.post("/api/v1/judgements", {**ids, "verdict": "same"}).status_code == 201

        body = _propose(steward, *pair).json()

        assert (body["state"], body["reasons"][0]["rule"]) == ("pending", "hard_conflict")

    def test_can_be_read_where_the_answer_says(
        self, service: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        address = _proposed(service, *pair)
        body = service.get(address).json()
        assert {member["customer_id"] for member in body["members"]} == {str(row.pk) for row in pair}

    def test_answers_a_conflict_one_has_claimed(
        self, client_for: MakeClient, pair: tuple[Customer, Customer]
    ) -> None:
        person = factories.steward()
        conflict = ConflictFactory(members=list(pair))
        claim(conflict_id=conflict.pk, actor=actor_for(person))
        assert _propose(client_for(person), *pair, conflict_id=conflict.pk).status_code == 201
        conflict.refresh_from_db()
        assert conflict.state == "decided"

    def test_a_conflict_nobody_claimed_is_refused(
        self, steward: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        conflict = ConflictFactory(members=list(pair))
        problem(_propose(steward, *pair, conflict_id=conflict.pk), 409, "claim_lost")

    def test_a_member_that_changed_since_is_refused(
        self, service: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        update_profile(
            customer_id=pair[0].pk, version=1, changes={"city": "Rom"}, actor=Actor.machine("test")
        )
        problem(_propose(service, *pair), 412, "stale_version")
        assert not MergeProposal.objects.exists()

    def test_a_customer_with_itself_is_refused(self, service: APIClient) -> None:
        customer = CustomerFactory(name="Anna")
        body = problem(_propose(service, customer, customer), 409, "merge_blocked")
        assert "at least two different customers" in body["detail"]

    def test_merged_customers_are_refused(self, service: APIClient, pair: tuple[Customer, Customer]) -> None:
        merge_customers(member_ids=[row.pk for row in pair], actor=Actor.machine("test"))
        response = service.post(PROPOSALS, {"members": _members(*pair)})
        assert "already merged" in problem(response, 409, "merge_blocked")["detail"]

    def test_an_erased_customer_is_refused(self, service: APIClient, pair: tuple[Customer, Customer]) -> None:
        erased = CustomerFactory(status=Customer.Status.ERASED)
        body = problem(_propose(service, pair[0], erased), 409, "merge_blocked")
        assert f"Customer {erased.pk} was erased; only the id remains." in body["detail"]
        assert not MergeProposal.objects.exists()

    @pytest.mark.parametrize("second", ["the same", "the other way round", "with a third"])
    def test_a_customer_that_waits_in_another_proposal_is_refused_naming_it(
        self, service: APIClient, pair: tuple[Customer, Customer], second: str
    ) -> None:
        anna, ann = pair
        first = _propose(service, anna, ann, survivor_id=str(anna.pk)).json()["id"]
        survivor, other = {
            "the same": (anna, ann),
            "the other way round": (ann, anna),
            "with a third": (CustomerFactory(), ann),
        }[second]
        body = problem(_propose(service, survivor, other, survivor_id=str(survivor.pk)), 409, "refused")
        assert f"Proposal {first} would merge Anna Smith already; wait for its answer" in body["detail"]
        assert body["facts"] == {"proposal": first}
        assert MergeProposal.objects.count() == 1

    def test_a_typed_value_that_is_too_long_is_refused_with_its_length_and_the_limit(
        self, service: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        body = problem(_propose(service, *pair, picks={"city": {"typed": "x" * 200}}), 409, "merge_blocked")
        assert "The typed city has 200 characters; at most 120 fit." in body["detail"]
        assert not MergeProposal.objects.exists()

    def test_p3_a_pair_judged_different_is_refused(
        self, steward: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        verdict = {"left_id": str(pair[0].pk), "right_id": str(pair[1].pk), "verdict": "different"}
        assert steward.post("/api/v1/judgements", verdict).status_code == 201
        body = problem(_propose(steward, *pair), 409, "merge_blocked")
        assert "not the same" in body["facts"]["blockers"][0]
        assert "withdraw that judgement first, by judging the two anew" in body["detail"]
        [word] = body["facts"]["judgements"]
        said = Judgement.objects.get()
        assert (word["id"], word["judged_by"]) == (said.pk, said.actor_name)
        assert set(word["customer_ids"]) == {str(row.pk) for row in pair}
        assert not MergeProposal.objects.exists()

    def test_p3_a_dry_run_names_the_judgement_before_the_act_and_a_new_word_clears_the_way(
        self, steward: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        asked = {"members": _members(*pair), "dry_run": True}
        words = {"left_id": str(pair[0].pk), "right_id": str(pair[1].pk), "reason": "sisters"}
        steward.post("/api/v1/judgements", {**words, "verdict": "different"})
        [word] = steward.post(PROPOSALS, asked).json()["against"]
        assert (word["reason"], word["judgement_id"]) == ("sisters", Judgement.objects.get().pk)

        left, right = word["customer_ids"]
        anew = {"left_id": left, "right_id": right, "verdict": "same"}
        assert steward.post("/api/v1/judgements", anew).status_code == 201
        assert steward.post(PROPOSALS, asked).json()["against"] == []
        assert steward.post(PROPOSALS, {"members": asked["members"]}).status_code == 201

    def test_a_dry_run_tells_the_plan_and_writes_nothing(
        self, steward: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        MessageFactory(customer=pair[0])
        asked = {"members": _members(*pair), "survivor_id": str(pair[1].pk), "dry_run": True}
        asked["picks"] = {"city": {"typed": "Ulm"}}
        plan = steward.post(PROPOSALS, asked).json()
        city = {choice["field"]: choice for choice in plan["fields"]}["city"]
        assert (city["value"], city["source"], city["rule"]) == ("Ulm", "typed", "picked")
        assert (plan["rows"]["messages"], plan["blockers"]) == (1, [])
        assert not MergeProposal.objects.exists()

    def test_an_unknown_customer_is_refused(
        self, service: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        unknown = Customer(pk=uuid.uuid4())
        problem(service.post(PROPOSALS, {"members": _members(pair[0], unknown)}), 404, "unknown_customer")

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"members": []},
            {"members": "both"},
            {"members": [{"customer_id": "x"}, {"customer_id": "y"}]},
            {"picks": {"shoe_size": {"typed": "40"}}},
            {"picks": {"city": "Köln"}},
            {"picks": {"city": {}}},
            {"picks": {"city": {"typed": "x" * 10_000}}},
            {"survivor_id": 5},
            {"conflict_id": "5"},
            {"conflict_id": 10**30},
            {"comment": "x" * 501},
            {"coment": "x"},
        ],
    )
    def test_what_cannot_be_read_is_refused(
        self, body: dict[str, Any], service: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        given = {"members": _members(*pair), **body} if body else {}
        problem(service.post(PROPOSALS, given), 400, "malformed_request")
        assert not MergeProposal.objects.exists()


class TestDecide:
    def test_the_second_person_approves_and_the_merge_is_done(
        self, service: APIClient, lead: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        response = lead.post(f"{_proposed(service, *pair)}/approve", {"comment": "Clear."})
        body = response.json()
        assert (body["state"], body["merge_id"]) == ("approved", Merge.objects.get().pk)
        [canonical] = {service.get(f"/api/v1/customers/{row.pk}").json()["id"] for row in pair}
        assert canonical == body["survivor_id"]

    def test_p9_the_proposers_key_cannot_approve(
        self, client_for: MakeClient, pair: tuple[Customer, Customer]
    ) -> None:
        person = factories.lead()
        address = _proposed(client_for(person), *pair)
        another_key = client_for(person, "approve")
        problem(another_key.post(f"{address}/approve"), 403, "four_eyes")
        problem(another_key.post(f"{address}/reject"), 403, "four_eyes")
        assert not Merge.objects.exists()

    def test_a_member_that_changed_since_is_refused_with_what_changed(
        self, service: APIClient, lead: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        address = _proposed(service, *pair)
        update_profile(
            customer_id=pair[0].pk, version=1, changes={"city": "Rom"}, actor=Actor.machine("test")
        )
        body = problem(lead.post(f"{address}/approve"), 412, "stale_version")
        assert body["facts"]["changed"] == [str(pair[0].pk)]
        assert not Merge.objects.exists()

    def test_a_proposal_is_rejected_and_nothing_moves(
        self, service: APIClient, lead: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        body = lead.post(f"{_proposed(service, *pair)}/reject", {"comment": "Brothers."}).json()
        assert (body["state"], body["answer"]) == ("rejected", "Brothers.")
        assert not Merge.objects.exists()

    def test_a_proposal_is_withdrawn_by_its_proposer_alone(
        self, service: APIClient, lead: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        address = _proposed(service, *pair)
        problem(lead.post(f"{address}/withdraw"), 403, "not_permitted")
        assert service.post(f"{address}/withdraw").json()["state"] == "withdrawn"

    def test_what_is_decided_is_not_decided_again(
        self, service: APIClient, lead: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        address = _proposed(service, *pair)
        lead.post(f"{address}/reject")
        problem(lead.post(f"{address}/approve"), 409, "illegal_transition")

    def test_p6_approving_twice_under_one_key_merges_once(
        self, service: APIClient, lead: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        address = _proposed(service, *pair)
        answers = [lead.post(f"{address}/approve", HTTP_IDEMPOTENCY_KEY="k1").json() for _ in range(2)]
        assert answers[0] == answers[1]
        assert Merge.objects.count() == 1

    @pytest.mark.parametrize("word", ["approve", "reject", "withdraw"])
    def test_an_unknown_proposal_is_refused(self, word: str, lead: APIClient) -> None:
        problem(lead.post(f"{PROPOSALS}/4711/{word}"), 404, "not_found")

    @pytest.mark.parametrize("word", ["approve", "reject", "withdraw"])
    def test_a_comment_without_end_is_refused(self, word: str, lead: APIClient) -> None:
        response = lead.post(f"{PROPOSALS}/1/{word}", {"comment": "x" * 501})
        problem(response, 400, "malformed_request")


class TestList:
    def test_is_narrowed_by_state_person_and_customer(
        self, service: APIClient, lead: APIClient, pair: tuple[Customer, Customer]
    ) -> None:
        proposal = int(_proposed(service, *pair).rpartition("/")[2])
        proposer = MergeProposal.objects.get().proposer.username
        for query in ({"state": "pending"}, {"proposer": proposer}, {"customer": pair[0].pk}):
            assert ids(lead.get(PROPOSALS, query)) == [proposal]
        assert ids(lead.get(PROPOSALS, {"state": "approved"})) == []
        assert ids(lead.get(PROPOSALS, {"proposer": "nobody"})) == []
