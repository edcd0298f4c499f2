"""Models on their screens: seen, compared, promoted, taken back."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob

from resolution.matching.model import load_model
from resolution.models import MatchRun, StoredModel
from resolution.selectors.match_model import live_model
from resolution.services.compare_models import compare_in_shadow
from resolution.services.find_duplicates import find_duplicates
from resolution.services.match_models import promote
from resolution.services.profiles import create_customer
from resolution.types import Actor
from tests.factories import actor_for, draft
from tests.resolution.admin.conftest import SignIn

pytestmark = pytest.mark.django_db

ACTOR = Actor.machine("test")
MODELS = reverse("resolution:models")
SHIPPED = load_model(None).version
SURE = {"given_name": "Anna", "family_name": "Smithers", "email": "anna@smithers.example", "city": "York"}


@pytest.fixture
def shadowed() -> StoredModel:
    """A model that believes nothing, compared over a register with one certain pair."""
    for _ in range(2):
        create_customer(fields=SURE, actor=ACTOR)
    draft(prior=-45.0)
    return compare_in_shadow(version="2.0.0", actor=ACTOR)


def page(version: str = "2.0.0") -> str:
    return reverse("resolution:model", args=[version])


def text_of(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


class TestList:
    def test_names_the_shipped_one_when_there_is_no_other(self, as_steward: Client) -> None:
        text = text_of(as_steward, MODELS)

        assert "No model of your own so far" in text
        assert SHIPPED in text
        assert ">Live<" in text

    def test_shows_state_maker_and_what_was_measured(self, as_lead: Client) -> None:
        row = draft()
        share = {"share": 0.986, "low": 0.97, "high": 0.99}
        StoredModel.objects.filter(pk=row.pk).update(metrics={"labels": {"precision": share, "recall": None}})

        text = text_of(as_lead, MODELS)

        assert page() in text
        assert "98.6 %" in text
        assert ">Draft<" in text

    def test_says_what_is_under_way(self, as_lead: Client) -> None:
        MatchRun.objects.create(
            kind="train_model", model_version="3", actor_name="ada", stage="training", done=250, total=1000
        )

        assert "training, 250 of 1,000" in text_of(as_lead, MODELS)

    def test_offers_training_to_those_who_may(self, people: dict[str, User], sign_in: SignIn) -> None:
        assert "Train a model" in text_of(sign_in(people["admin"]), MODELS)
        assert "Train a model" not in text_of(sign_in(people["lead"]), MODELS)


class TestPage:
    def test_shows_what_each_answer_weighs_beside_the_live_model(self, as_lead: Client) -> None:
        draft(prior=-20.0)

        text = text_of(as_lead, page())

        assert "Birth date" in text
        assert "live −14.0" in text
        assert "as in the live model" in text
        assert 'class="bar-against"' in text

    def test_p11_names_who_would_no_longer_merge(self, as_lead: Client, shadowed: StoredModel) -> None:
        text = text_of(as_lead, page())

        assert "Would no longer merge" in text
        assert "Anna Smithers" in text
        assert reverse("resolution:compare") + "?member=" in text

    def test_p11_names_who_would_split_and_leads_to_them(self, as_lead: Client) -> None:
        kept = create_customer(fields=SURE, actor=ACTOR)
        create_customer(fields=SURE, actor=ACTOR)
        find_duplicates(actor=ACTOR)
        draft(prior=-45.0)
        compare_in_shadow(version="2.0.0", actor=ACTOR)

        text = text_of(as_lead, page())

        assert "Its records would fall into" in text
        assert reverse("resolution:customer", args=[kept.pk]) in text

    def test_a_draft_says_that_it_was_not_compared_and_is_not_promoted(self, as_lead: Client) -> None:
        draft()

        text = text_of(as_lead, page())

        assert "Not compared so far" in text
        assert "was not compared with the live model" in text
        assert reverse("resolution:promote-model", args=["2.0.0"]) not in text

    def test_p9_who_made_it_is_told_that_another_has_to_promote_it(self, as_lead: Client, lena: User) -> None:
        draft(actor=actor_for(lena))

        assert "You made model 2.0.0; a second person has to promote it." in text_of(as_lead, page())

    def test_a_steward_reads_why_the_buttons_are_off(self, as_steward: Client, shadowed: StoredModel) -> None:
        text = text_of(as_steward, page())

        assert "Only leads promote models" in text
        assert "Only leads and administrators compare models" in text
        assert text.count(" disabled ") == 3

    def test_an_old_comparison_says_that_another_is_live(
        self, as_lead: Client, lena: User, shadowed: StoredModel
    ) -> None:
        draft("3.0.0")
        compare_in_shadow(version="3.0.0", actor=ACTOR)
        promote(version="3.0.0", actor=actor_for(lena))

        assert "Model 3.0.0 is live by now; compare again" in text_of(as_lead, page())

    def test_the_shipped_one_has_a_page_without_buttons(self, as_lead: Client) -> None:
        answer = as_lead.get(page(SHIPPED))

        assert answer.context["buttons"] == []
        assert "It came with this release" in answer.content.decode()

    def test_one_this_release_cannot_read_still_has_a_page(self, as_lead: Client) -> None:
        row = draft()
        StoredModel.objects.filter(pk=row.pk).update(artefact='{"format": 0}')

        assert "cannot be used" in text_of(as_lead, page())

    @pytest.mark.parametrize("version", ["9.9", "x" * 41])
    def test_there_is_no_page_for_an_unknown_one(self, as_lead: Client, version: str) -> None:
        assert as_lead.get(f"{MODELS}{version}/").status_code == 404


class TestActs:
    def test_promoting_is_asked_about_then_done(self, as_lead: Client, shadowed: StoredModel) -> None:
        url = reverse("resolution:promote-model", args=["2.0.0"])

        assert "Promote model 2.0.0?" in text_of(as_lead, url)
        assert live_model().version == SHIPPED
        answer = as_lead.post(url, follow=True)

        assert live_model().version == "2.0.0"
        assert "Model 2.0.0 is live" in answer.content.decode()

    def test_a_refusal_is_said_on_the_page(self, as_lead: Client) -> None:
        draft()

        answer = as_lead.post(reverse("resolution:promote-model", args=["2.0.0"]), follow=True)

        assert "Compare it in shadow and look" in answer.content.decode()
        assert live_model().version == SHIPPED

    def test_rolling_back_is_asked_about_then_done(
        self, as_lead: Client, lena: User, shadowed: StoredModel
    ) -> None:
        promote(version="2.0.0", actor=actor_for(lena))
        url = reverse("resolution:roll-back-model", args=["2.0.0"])

        assert "the shipped model decides again" in text_of(as_lead, url)
        as_lead.post(url)

        assert live_model().version == SHIPPED

    def test_discarding_is_asked_about_then_done(self, as_lead: Client) -> None:
        draft()
        url = reverse("resolution:discard-model", args=["2.0.0"])

        assert "It never decided anything" in text_of(as_lead, url)
        as_lead.post(url)

        assert StoredModel.objects.get().state == "retired"

    @pytest.mark.django_db(transaction=True)
    def test_comparing_asks_the_worker_once(self, as_lead: Client) -> None:
        draft()
        url = reverse("resolution:compare-model", args=["2.0.0"])

        first, again = as_lead.post(url, follow=True), as_lead.post(url, follow=True)

        assert ProcrastinateJob.objects.filter(task_name="compare_model").count() == 1
        assert "on its way" in first.content.decode()
        assert "waiting for the worker already" in again.content.decode()

    @pytest.mark.django_db(transaction=True)
    def test_training_asks_the_worker_once(self, people: dict[str, User], sign_in: SignIn) -> None:
        client = sign_in(people["admin"])

        client.post(reverse("resolution:train-model"), {"name": "spring"})
        again = client.post(reverse("resolution:train-model"))

        assert ProcrastinateJob.objects.get(task_name="train_model").args["name"] == "spring"
        assert again.status_code == 409

    def test_comparing_and_training_are_not_done_by_looking(self, as_lead: Client) -> None:
        draft()
        for name, args in (("compare-model", ["2.0.0"]), ("train-model", [])):
            assert as_lead.get(reverse(f"resolution:{name}", args=args)).status_code == 405
