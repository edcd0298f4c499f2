"""The model in force: cheap to ask for, never an old one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from resolution.errors import ModelUnusable, NotFound
from resolution.matching.model import load_model
from resolution.models import StoredModel
from resolution.selectors.match_model import find_model, live_model, shipped_model
from resolution.services.compare_models import compare_in_shadow
from resolution.services.match_models import promote, roll_back
from tests.factories import actor_for, draft, lead

pytestmark = pytest.mark.django_db


@pytest.fixture
def promoted() -> StoredModel:
    row = draft()
    compare_in_shadow(version=row.version, actor=actor_for(lead()))
    return promote(version=row.version, actor=actor_for(lead()))


class TestLiveModel:
    def test_is_the_shipped_one_while_none_was_promoted(self) -> None:
        assert live_model() is load_model(None)

    def test_takes_one_query_once_it_is_known(self, promoted: StoredModel) -> None:
        known = live_model()

        with CaptureQueriesContext(connection) as captured:
            assert live_model() is known

        assert len(captured) == 1
        assert "artefact" not in captured[0]["sql"]

    def test_p11_a_promotion_and_a_roll_back_elsewhere_are_followed_at_once(
        self, promoted: StoredModel
    ) -> None:
        before = live_model()
        roll_back(version=promoted.version, actor=actor_for(lead()))

        assert (before.version, live_model().version) == (promoted.version, load_model(None).version)

    def test_goes_by_what_is_stored_and_not_by_its_number(self, promoted: StoredModel) -> None:
        live_model()
        changed = json.dumps({**json.loads(promoted.artefact), "prior": -9.0})
        StoredModel.objects.filter(pk=promoted.pk).update(artefact=changed, digest="0" * 64)

        assert live_model().prior == -9.0

    def test_one_this_release_cannot_read_is_said_and_not_replaced(self, promoted: StoredModel) -> None:
        StoredModel.objects.filter(pk=promoted.pk).update(artefact='{"format": 0}', digest="0" * 64)

        with pytest.raises(ModelUnusable, match="Roll back to another model"):
            live_model()


class TestFindModel:
    def test_the_shipped_one_reads_like_a_row(self) -> None:
        shipped = find_model(load_model(None).version)

        assert (shipped.pk, shipped.state, shipped.maker_name) == (None, "live", "Identity Desk")

    def test_the_shipped_one_is_retired_while_another_lives(self, promoted: StoredModel) -> None:
        assert shipped_model().state == "retired"

    @pytest.mark.parametrize("version", ["9", "x" * 300])
    def test_an_unknown_one_is_refused(self, version: Any) -> None:
        with pytest.raises(NotFound):
            find_model(version)
