"""Match models over the API."""

from __future__ import annotations

import pytest
from procrastinate.contrib.django.models import ProcrastinateJob
from rest_framework.test import APIClient

from resolution.matching.model import as_json, load_model
from resolution.models import StoredModel
from resolution.selectors.match_model import live_model
from resolution.services.compare_models import compare_in_shadow
from resolution.services.profiles import create_customer
from resolution.types import Actor
from tests.factories import actor_for, draft, make_model
from tests.factories import lead as make_lead
from tests.resolution.api.answers import problem
from tests.resolution.api.conftest import MakeClient

pytestmark = pytest.mark.django_db

ACTOR = Actor.machine("test")
MODELS = "/api/v1/models"
SHIPPED = load_model(None).version
SURE = {"given_name": "Anna", "family_name": "Smithers", "email": "anna@smithers.example", "city": "York"}


@pytest.fixture
def shadowed() -> StoredModel:
    for _ in range(2):
        create_customer(fields=SURE, actor=ACTOR)
    draft(prior=-45.0)
    return compare_in_shadow(version="2.0.0", actor=ACTOR)


class TestReading:
    def test_lists_them_newest_first_by_state(self, service: APIClient, shadowed: StoredModel) -> None:
        draft("3.0.0")

        everything = service.get(MODELS).json()["results"]
        shadows = service.get(MODELS, {"state": "shadow"}).json()["results"]

        assert [row["version"] for row in everything] == ["3.0.0", "2.0.0"]
        assert [(row["version"], row["made_by"], row["promoted_by"]) for row in shadows] == [
            ("2.0.0", "test", None)
        ]
        assert "artefact" not in everything[0]

    def test_gives_one_with_its_artefact_and_who_would_change_by_name(
        self, service: APIClient, shadowed: StoredModel
    ) -> None:
        body = service.get(f"{MODELS}/2.0.0").json()

        assert body["artefact"] == as_json(make_model(prior=-45.0))
        changes = {change["kind"]: change for change in body["comparison"]["changes"]}
        assert changes["would_not_merge"]["number"] == 1
        [entry] = changes["would_not_merge"]["entries"]
        assert [row["name"] for row in entry["customers"]] == ["Anna Smithers"] * 2
        assert entry["before"] > entry["after"]

    def test_gives_the_shipped_one_too(self, service: APIClient) -> None:
        body = service.get(f"{MODELS}/{SHIPPED}").json()

        assert (body["state"], body["created_at"], body["comparison"]) == ("live", None, None)

    def test_an_unknown_one_and_an_unknown_state_are_refused(self, service: APIClient) -> None:
        problem(service.get(f"{MODELS}/9"), 404, "not_found")
        problem(service.get(MODELS, {"state": "eaten"}), 400, "malformed_request")


class TestPromote:
    def test_a_lead_promotes_what_was_compared(self, lead: APIClient, shadowed: StoredModel) -> None:
        answer = lead.post(f"{MODELS}/2.0.0/promote")

        assert answer.status_code == 200
        assert answer.json()["state"] == live_model().version.replace("2.0.0", "live")

    def test_p11_what_was_not_compared_is_refused(self, lead: APIClient) -> None:
        draft()
        problem(lead.post(f"{MODELS}/2.0.0/promote"), 409, "not_seen_in_shadow")

    def test_p9_who_made_it_is_refused(self, client_for: MakeClient) -> None:
        maker = make_lead()
        draft(actor=actor_for(maker))
        compare_in_shadow(version="2.0.0", actor=ACTOR)

        problem(client_for(maker).post(f"{MODELS}/2.0.0/promote"), 403, "maker_promotes")

    def test_others_and_keys_without_the_scope_are_refused(
        self, service: APIClient, steward: APIClient, client_for: MakeClient, shadowed: StoredModel
    ) -> None:
        for caller in (service, steward, client_for(make_lead(), "read", "merge")):
            problem(caller.post(f"{MODELS}/2.0.0/promote"), 403, "not_permitted")
        assert live_model().version == SHIPPED

    def test_the_same_keyed_request_twice_promotes_once(self, lead: APIClient, shadowed: StoredModel) -> None:
        answers = [lead.post(f"{MODELS}/2.0.0/promote", headers={"Idempotency-Key": "p"}) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[1]["Idempotent-Replay"] == "true"

    def test_a_body_with_anything_in_it_is_refused(self, lead: APIClient, shadowed: StoredModel) -> None:
        answer = lead.post(f"{MODELS}/2.0.0/promote", {"force": True}, format="json")
        problem(answer, 400, "malformed_request")


class TestRollBack:
    def test_what_was_live_before_lives_again(self, lead: APIClient, shadowed: StoredModel) -> None:
        lead.post(f"{MODELS}/2.0.0/promote")

        answer = lead.post(f"{MODELS}/2.0.0/rollback")

        assert answer.json() == {"live": SHIPPED}
        assert live_model().version == SHIPPED
        problem(lead.post(f"{MODELS}/2.0.0/rollback"), 409, "refused")


class TestCompare:
    def test_asks_the_worker(self, lead: APIClient) -> None:
        draft()

        answer = lead.post(f"{MODELS}/2.0.0/compare")

        assert answer.status_code == 202
        job = ProcrastinateJob.objects.get(task_name="compare_model")
        assert answer.json() == {"job": job.pk, "model": "2.0.0"}
        assert job.args["version"] == "2.0.0"

    def test_what_cannot_be_compared_is_refused_at_once(self, lead: APIClient, steward: APIClient) -> None:
        draft()
        problem(lead.post(f"{MODELS}/{SHIPPED}/compare"), 409, "illegal_transition")
        problem(lead.post(f"{MODELS}/9/compare"), 404, "not_found")
        problem(steward.post(f"{MODELS}/2.0.0/compare"), 403, "not_permitted")
