"""The kernel is proved: symmetric, silent on missing values, the same alone and in a batch, adding up."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolution.matching.kernel import score_pair, score_pairs
from resolution.matching.model import MatchModel, from_json, load_model
from resolution.types import FieldEvidence, PairScore, Profile
from tests.resolution.matching.people import details, levels, person, score
from tests.resolution.matching.strategies import profiles
from tests.resolution.matching.test_model import artefact

__all__ = ["artefact"]

pairs = st.tuples(profiles("a"), profiles("b"))


def exchanged(score: PairScore) -> PairScore:
    """A score as it must be when its two profiles change places."""
    rows = tuple(_exchange(row) for row in score.fields)
    return dataclasses.replace(score, left=score.right, right=score.left, fields=rows)


def _exchange(row: FieldEvidence) -> FieldEvidence:
    return dataclasses.replace(row, left=row.right, right=row.left)


class TestOneDecisionFunction:
    @given(pair=pairs)
    @settings(max_examples=300, deadline=None)
    def test_p7_either_order_gives_the_same_weight_levels_and_reasons(
        self, pair: tuple[Profile, Profile]
    ) -> None:
        left, right = pair
        assert score(right, left) == exchanged(score(left, right))

    @given(batch=st.lists(pairs, max_size=8), floor=st.floats(-30, 30))
    @settings(max_examples=150, deadline=None)
    def test_p7_alone_or_in_a_batch_gives_the_same(
        self, batch: list[tuple[Profile, Profile]], floor: float
    ) -> None:
        alone = [score(left, right) for left, right in batch]
        assert list(score_pairs(load_model(), batch)) == alone
        kept = [one for one in alone if one.weight >= floor]
        assert list(score_pairs(load_model(), batch, floor=floor)) == kept

    @given(pair=pairs)
    @settings(max_examples=100, deadline=None)
    def test_the_rows_add_up_to_the_weight(self, pair: tuple[Profile, Profile]) -> None:
        found = score(*pair)
        assert math.isfinite(found.weight)
        assert math.fsum(row.weight for row in found.fields) == pytest.approx(found.weight)

    def test_p7_the_floor_itself_is_kept(self) -> None:
        pair = person("a", name="Anna Smith", phone="07700 900123"), person("b", name="Anna Smith")
        weight = score(*pair).weight
        assert len(list(score_pairs(load_model(), [pair], floor=weight))) == 1
        assert not list(score_pairs(load_model(), [pair], floor=math.nextafter(weight, math.inf)))


class TestMissingIsNoEvidence:
    @given(pair=pairs)
    @settings(max_examples=100, deadline=None)
    def test_p8_a_field_on_one_side_only_changes_nothing(self, pair: tuple[Profile, Profile]) -> None:
        left, right = pair
        bare = dataclasses.replace(right, phones=(), emails=())
        blank = dataclasses.replace(left, phones=(), emails=())
        assert score(left, bare) == score(blank, bare)

    def test_p8_nothing_in_common_leaves_the_prior(self) -> None:
        found = score(person("a", name="Anna Smith"), person("b", phone="07700 900123"))
        assert found.weight == load_model().prior
        assert [row.field for row in found.fields] == ["prior"]

    @pytest.mark.parametrize(
        "junk",
        [{"email": "test@test.com"}, {"phone": "0000000"}, {"name": "Test"}, {"birth_date": "1900-01-01"}],
    )
    def test_p8_shared_junk_is_silent(self, junk: dict[str, str]) -> None:
        assert levels(score(person("a", **junk), person("b", **junk))) == {}


class TestSeveralValues:
    def test_the_best_pair_speaks(self) -> None:
        left = dataclasses.replace(person("a"), emails=("old@x.de", "anna@x.de"))
        right = dataclasses.replace(person("b"), emails=("anna@x.de", "other@y.de"))
        row = score(left, right).fields[1]
        assert (row.field, row.level, row.left, row.right) == ("email", "exact", "anna@x.de", "anna@x.de")

    def test_the_order_of_values_does_not_matter(self) -> None:
        emails = ("old@x.de", "older@x.de", "anna@y.de")
        left = dataclasses.replace(person("a"), emails=emails)
        again = dataclasses.replace(person("a"), emails=emails[::-1])
        right = dataclasses.replace(person("b"), emails=("peter@z.de", "hans@z.de"))
        assert score(left, right) == score(again, right)


class TestWeights:
    def test_a_rare_name_weighs_more_than_a_common_one(self) -> None:
        rare = score(person("a", name="Zoltan Quux"), person("b", name="Zoltan Quux"))
        common = score(person("a", name="John Smith"), person("b", name="John Smith"))
        assert rare.weight > common.weight + 5

    def test_names_that_changed_places_say_no_more_than_in_place(self) -> None:
        model = load_model()
        in_place = score(person("a", name="John Smith"), person("b", name="John Smith"))
        given, family = (
            {"given_name": "John", "family_name": "Smith"},
            {"given_name": "Smith", "family_name": "John"},
        )
        swapped = score_pair(model, person("a", **given), person("b", **family))
        assert levels(swapped)["given_name"] == "swapped"
        assert swapped.weight <= in_place.weight
        assert swapped.weight == score_pair(model, person("b", **family), person("a", **given)).weight

    def test_an_email_alone_is_a_question_not_a_link(self) -> None:
        found = score(person("a", email="anna@x.de"), person("b", email="anna@x.de"))
        assert -3 < found.weight < 4

    def test_two_ids_of_an_exclusive_system_are_a_hard_conflict(self, artefact: dict[str, object]) -> None:
        model = from_json({**artefact, "exclusive_systems": ["passport"]})
        left = person("a", name="Anna Smith", external_id="passport:1")
        right = person("b", name="Anna Smith", external_id="passport:2")
        assert "passport" in score_pair(model, left, right).hard_conflict
        assert not score(left, right).hard_conflict

    def test_a_shared_id_of_an_exclusive_system_is_none(self, artefact: dict[str, object]) -> None:
        model: MatchModel = from_json({**artefact, "exclusive_systems": ["passport"]})
        left = dataclasses.replace(person("a"), external_ids=("passport:1", "passport:2"))
        right = person("b", external_id="passport:2")
        assert not score_pair(model, left, right).hard_conflict

    def test_evidence_shows_both_values_and_a_reason(self) -> None:
        found = score(person("a", address="12 High St", city="Newton"), person("b", city="Newton"))
        row = found.fields[1]
        assert (row.left, row.right) == ("12 high street, newton", "newton")
        assert details(found)["address"] == "same town, nothing finer to compare"

    def test_long_values_are_scored_like_any_other(self) -> None:
        long = dict.fromkeys(("name", "email", "phone", "address", "company", "handle"), "x" * 10000)
        assert math.isfinite(score(person("a", **long), person("b", **long)).weight)
