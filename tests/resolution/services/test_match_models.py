"""Models from draft to live and back."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from django.utils import timezone

from resolution.errors import (
    IllegalTransition,
    InvalidInput,
    MakerPromotes,
    ModelUnusable,
    NotFound,
    NotPermitted,
    NotSeenInShadow,
    Refused,
)
from resolution.matching.model import as_json, load_model
from resolution.models import AuditEntry, OutboxEvent, StoredModel
from resolution.selectors.match_model import live_model
from resolution.services.compare_models import compare_in_shadow
from resolution.services.match_models import add_draft, check_promotable, discard, promote, roll_back
from resolution.types import Actor
from tests.concurrency import all_at_once
from tests.factories import UserFactory, actor_for, draft, lead, make_model, steward

pytestmark = pytest.mark.django_db

ACTOR = Actor.machine("test")
SHIPPED = load_model(None).version


@pytest.fixture
def lena() -> User:
    return lead(username="lena")


def shadowed(version: str = "2.0.0", *, actor: Actor = ACTOR) -> StoredModel:
    draft(version, actor=actor)
    return compare_in_shadow(version=version, actor=actor)


def promoted(version: str, by: User) -> StoredModel:
    shadowed(version)
    return promote(version=version, actor=actor_for(by))


def acts() -> list[str]:
    rows = AuditEntry.objects.filter(action="model").order_by("sequence")
    return list(rows.values_list("resolution_method", flat=True))


class TestAddDraft:
    def test_keeps_the_model_and_decides_nothing_by_it(self, lena: User) -> None:
        row = add_draft(model=make_model(), metrics={"seed": 1}, actor=actor_for(lena))

        assert (row.state, row.made_by, row.maker_name) == ("draft", lena, "lena")
        assert json.loads(row.artefact) == as_json(make_model())
        assert live_model().version == SHIPPED
        assert AuditEntry.objects.get(action="model").metadata == {"model": "2.0.0", "digest": row.digest}

    @pytest.mark.parametrize("version", ["a b", "../x", ".x", "x" * 41, SHIPPED])
    def test_a_version_that_is_no_word_or_the_shipped_ones_is_refused(self, version: str) -> None:
        with pytest.raises(InvalidInput):
            draft(version)

    def test_a_version_twice_is_refused(self) -> None:
        draft()
        with pytest.raises(InvalidInput, match=r"a model 2\.0\.0 already"):
            draft()

    def test_a_model_that_cannot_be_evaluated_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="below 0 are wanted"):
            draft(prior=1.0)


class TestPromote:
    def test_p11_a_model_that_nobody_saw_in_shadow_is_not_promoted(self, lena: User) -> None:
        draft()

        with pytest.raises(NotSeenInShadow, match="was not compared with the live model"):
            promote(version="2.0.0", actor=actor_for(lena))

        assert live_model().version == SHIPPED

    def test_p11_a_comparison_with_a_model_no_longer_live_does_not_count(self, lena: User) -> None:
        shadowed("2.0.0")
        promoted("3.0.0", lena)

        with pytest.raises(
            NotSeenInShadow, match=rf"compared with model {SHIPPED}, but model 3\.0\.0 is live"
        ):
            promote(version="2.0.0", actor=actor_for(lena))

    def test_decides_from_now_on_and_retires_the_one_before(self, lena: User) -> None:
        first = promoted("2.0.0", lena)
        second = promoted("3.0.0", lena)

        first.refresh_from_db()
        assert (first.state, second.state, second.replaces) == ("retired", "live", first)
        assert live_model().version == "3.0.0"
        entry = AuditEntry.objects.filter(action="model").order_by("sequence").last()
        assert entry is not None
        assert (entry.resolution_method, entry.actor_name) == ("promote", "lena")
        assert entry.metadata == {"model": "3.0.0", "before": "2.0.0"}
        event = OutboxEvent.objects.filter(kind="model.promoted").last()
        assert event is not None
        assert event.payload == {"model": "3.0.0", "before": "2.0.0"}

    def test_p9_who_made_it_does_not_promote_it(self, lena: User) -> None:
        shadowed(actor=actor_for(lena))

        with pytest.raises(MakerPromotes, match="a second person has to promote it"):
            promote(version="2.0.0", actor=actor_for(lena))

    def test_only_a_lead_promotes(self) -> None:
        shadowed()
        admin = UserFactory()
        admin.groups.add(Group.objects.get(name="admin"))

        for actor in (actor_for(steward()), actor_for(admin), ACTOR):
            with pytest.raises(NotPermitted, match="only leads do"):
                promote(version="2.0.0", actor=actor)

    def test_a_live_one_and_an_unknown_one_are_refused(self, lena: User) -> None:
        promoted("2.0.0", lena)

        with pytest.raises(IllegalTransition, match="is live"):
            promote(version="2.0.0", actor=actor_for(lena))
        with pytest.raises(NotFound):
            promote(version="9", actor=actor_for(lena))

    def test_one_this_release_cannot_read_is_refused(self, lena: User) -> None:
        row = shadowed()
        StoredModel.objects.filter(pk=row.pk).update(artefact='{"format": 0}')

        with pytest.raises(ModelUnusable, match="this version reads format 1"):
            promote(version="2.0.0", actor=actor_for(lena))

    def test_what_stands_in_the_way_is_told_beforehand(self, lena: User) -> None:
        row = draft(actor=actor_for(lena))

        with pytest.raises(NotPermitted, match="Only leads"):
            check_promotable(row, steward())
        with pytest.raises(MakerPromotes):
            check_promotable(row, lena)
        with pytest.raises(NotSeenInShadow):
            check_promotable(row, lead())


class TestRollBack:
    def test_p11_what_was_live_before_lives_again(self, lena: User) -> None:
        promoted("2.0.0", lena)
        promoted("3.0.0", lena)

        revived = roll_back(version="3.0.0", actor=actor_for(lena))

        assert revived is not None
        assert (revived.version, live_model().version) == ("2.0.0", "2.0.0")
        assert StoredModel.objects.get(version="3.0.0").state == "retired"
        assert acts()[-1] == "roll_back"
        assert OutboxEvent.objects.filter(kind="model.rolled_back").count() == 1

    def test_the_first_one_goes_back_to_the_shipped_model(self, lena: User) -> None:
        promoted("2.0.0", lena)

        assert roll_back(version="2.0.0", actor=actor_for(lena)) is None
        assert live_model().version == SHIPPED

    def test_one_that_is_not_live_is_refused(self, lena: User) -> None:
        shadowed()
        with pytest.raises(Refused, match=rf"not live; model {SHIPPED} is"):
            roll_back(version="2.0.0", actor=actor_for(lena))

    def test_only_a_lead_rolls_back(self, lena: User) -> None:
        promoted("2.0.0", lena)
        with pytest.raises(NotPermitted):
            roll_back(version="2.0.0", actor=ACTOR)


class TestDiscard:
    def test_retires_a_draft(self, lena: User) -> None:
        draft()

        assert discard(version="2.0.0", actor=actor_for(lena)).state == "retired"
        assert acts() == ["draft", "discard"]

    def test_a_live_one_is_rolled_back_instead(self, lena: User) -> None:
        promoted("2.0.0", lena)
        with pytest.raises(IllegalTransition, match="roll it back"):
            discard(version="2.0.0", actor=actor_for(lena))

    def test_twice_is_refused(self, lena: User) -> None:
        draft()
        discard(version="2.0.0", actor=ACTOR)
        with pytest.raises(IllegalTransition):
            discard(version="2.0.0", actor=ACTOR)


class TestTheDatabaseKeepsIt:
    def refused(self, row: StoredModel, constraint: str, **columns: object) -> None:
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            StoredModel.objects.filter(pk=row.pk).update(**columns)

    def test_p9_the_maker_cannot_be_the_promoter(self, lena: User) -> None:
        self.refused(draft(actor=actor_for(lena)), "p9_maker_does_not_promote", promoted_by=lena)

    def test_p11_nothing_lives_without_a_comparison_and_a_promoter(self, lena: User) -> None:
        row = draft()
        now = timezone.now()
        self.refused(row, "p11_compared_before_live", state="live", promoted_by=lena, promoted_at=now)
        self.refused(row, "p11_live_names_its_promoter", state="live", comparison={})

    def test_one_lives_at_most(self, lena: User) -> None:
        promoted("2.0.0", lena)
        row = shadowed("3.0.0")
        self.refused(row, "one_live_model", state="live", promoted_by=lena, promoted_at=timezone.now())


@pytest.mark.django_db(transaction=True)
def test_p11_of_two_promotions_at_once_one_stands() -> None:
    first, second = lead(), lead()
    for version in ("2.0.0", "3.0.0"):
        shadowed(version)

    def attempt(version: str, by: User) -> str:
        try:
            return promote(version=version, actor=actor_for(by)).version
        except (IntegrityError, NotSeenInShadow):
            return ""

    done = all_at_once([lambda: attempt("2.0.0", first), lambda: attempt("3.0.0", second)])

    [live] = StoredModel.objects.filter(state="live").values_list("version", flat=True)
    assert sorted(done) == ["", live]
