"""Runs and imports on their screen."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from procrastinate.contrib.django.models import ProcrastinateJob

from resolution.models import ImportRun, MatchRun
from resolution.selectors.labels import COUNT_LABELS, RUN_LABELS
from resolution.services import check_trail, compare_models, find_duplicates, rules, train_model
from resolution.services.import_steps import ENDS, LEFT_OUT
from resolution.services.settle import Settled
from tests.factories import ChannelFactory

pytestmark = pytest.mark.django_db

RUNS = reverse("resolution:runs")


def test_shows_how_far_a_run_is(as_steward: Client) -> None:
    MatchRun.objects.create(model_version="1", actor_name="lena", done=250, total=1000, stage="scoring")

    text = as_steward.get(RUNS).content.decode()

    assert "250 of 1,000" in text
    assert "scoring" in text
    assert 'width="25.0%"' in text


def test_says_what_an_import_refused_and_where(as_steward: Client) -> None:
    ImportRun.objects.create(
        channel=ChannelFactory(), file_name="shop.csv", file_hash="0" * 64, state="done", actor_name="lena",
        counts={"created": 9, "refused": 2, "updated": 0}, rejects_file="shop.rejects.csv",
    )  # fmt: skip

    text = as_steward.get(RUNS).content.decode()

    assert "shop.rejects.csv" in text
    assert "refused" in text
    assert "updated" not in text


def test_says_what_was_found_in_plain_words(as_steward: Client) -> None:
    run = MatchRun.objects.create(
        kind="find_duplicates", model_version="1", actor_name="lena", state="done",
        counts={"not_merged": 1, "same_source": 1200, "merged": 4, "queued": 0},
    )  # fmt: skip

    page = " ".join(as_steward.get(RUNS).content.decode().split())
    own = as_steward.get(reverse("admin:resolution_matchrun_change", args=[run.pk])).content.decode()

    assert "Search for duplicates" in page
    assert '<strong class="number">4</strong> linked at once' in page
    assert "groups not merged, asked about" in page
    assert "1,200 pairs of one clean source, not compared" in own
    assert not [text for text in (page, own) if "not_merged" in text or "not merged</span>" in text]


def test_everything_that_is_counted_has_plain_words() -> None:
    counted = (*ENDS, *LEFT_OUT, *Settled().counts())
    assert [name for name in counted if name not in COUNT_LABELS] == []
    kinds = {find_duplicates.KIND, compare_models.KIND, train_model.KIND, check_trail.KIND, rules.ASKING}
    assert kinds == RUN_LABELS.keys()


def test_says_that_nothing_ran(as_steward: Client) -> None:
    assert "No search so far" in as_steward.get(RUNS).content.decode()


@pytest.mark.django_db(transaction=True)
def test_starting_asks_the_worker_once(as_lead: Client) -> None:
    as_lead.post(reverse("resolution:start-run"))
    again = as_lead.post(reverse("resolution:start-run"))

    assert ProcrastinateJob.objects.filter(task_name="find_duplicates").count() == 1
    assert again.status_code == 409
