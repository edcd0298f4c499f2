"""Rows of a table, pairs of profiles and a single pair are scored alike, to the last bit that matters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolution.matching import kernel
from resolution.matching.comparisons import FIELD_LEVELS, extra, many
from resolution.matching.comparisons.answers import SILENT
from resolution.matching.kernel import score_pair, score_pairs, score_rows
from resolution.matching.model import Frequencies, Level, MatchModel, load_model
from resolution.matching.reasons import explain_rows
from resolution.matching.scores import Scores
from resolution.matching.table import table_of
from resolution.types import PairScore, Profile
from tests.resolution.matching.canonical import make_profiles

OCCUPATION = "extra:occupation"
seeds = st.integers(0, 1 << 32)


@pytest.fixture(autouse=True, scope="module")
def _every_pair_is_screened() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(many, "SCREENED_FROM", 0)
        yield


def model() -> MatchModel:
    """The shipped model, and a column only one caller knows."""
    shipped = load_model()
    levels = tuple(
        Level(name, m, u, household)
        for name, m, u, household in (
            ("exact", 0.9, 0.3, 0.4), ("close", 0.05, 0.1, 0.1), ("different", 0.05, 0.6, 0.5),
        )
    )  # fmt: skip
    return replace(
        shipped,
        comparisons={**shipped.comparisons, OCCUPATION: levels},
        frequencies={**shipped.frequencies, OCCUPATION: Frequencies({"nurse": 0.3, "f": 0.5}, 0.01, 0.01)},
    )


MODEL = model()


def rows_of(count: int) -> tuple[np.ndarray, np.ndarray]:
    left, right = np.triu_indices(count, 1)
    return left, right


def scored(profiles: Sequence[Profile], floor: float | None = None) -> Scores:
    """The scores of every pair of some profiles, in one batch."""
    [scores] = score_rows(MODEL, table_of(profiles), *rows_of(len(profiles)), floor=floor, explained=True)
    return scores


def levels_of(scores: Scores, place: int) -> dict[str, str]:
    """Field → level, as evidence has it."""
    names = {**FIELD_LEVELS, OCCUPATION: extra.LEVELS}
    return {
        field: names[field][levels[place]]
        for field, levels in scores.levels.items()
        if levels[place] != SILENT
    }


def told(score: PairScore) -> dict[str, str]:
    return {row.field: row.level for row in score.fields if row.field not in ("prior", "household")}


class TestThreeDoors:
    @given(seed=seeds)
    @settings(max_examples=12, deadline=None)
    def test_p7_rows_pairs_and_a_single_pair_have_one_score(self, seed: int) -> None:
        profiles = make_profiles(seed, 16)
        scores, pairs = scored(profiles), list(combinations(profiles, 2))
        together = list(score_pairs(MODEL, pairs))
        for place, (pair, score) in enumerate(zip(pairs, together, strict=True)):
            alone = score_pair(MODEL, *pair)
            assert alone.weight == pytest.approx(score.weight, abs=1e-6)
            assert float(scores.weight[place]) == pytest.approx(score.weight, abs=1e-6)
            assert levels_of(scores, place) == told(score) == told(alone)
            bits = {row.field: row.weight for row in score.fields}
            for field in told(score):
                assert float(scores.weights[field][place]) == pytest.approx(bits[field], abs=1e-6)

    @given(seed=seeds)
    @settings(max_examples=12, deadline=None)
    def test_p7_explained_rows_tell_what_pairs_tell(self, seed: int) -> None:
        profiles = make_profiles(seed, 16)
        explained = explain_rows(MODEL, table_of(profiles), scored(profiles), profiles)
        for row, pair in zip(explained, score_pairs(MODEL, combinations(profiles, 2)), strict=True):
            assert (row.left, row.right, row.hard_conflict) == (pair.left, pair.right, pair.hard_conflict)
            assert row.weight == pytest.approx(pair.weight, abs=1e-6)
            assert [replace(one, weight=0) for one in row.fields] == [
                replace(one, weight=0) for one in pair.fields
            ]

    @given(seed=seeds)
    @settings(max_examples=12, deadline=None)
    def test_p7_rows_may_change_places(self, seed: int) -> None:
        profiles = make_profiles(seed, 16)
        left, right = rows_of(len(profiles))
        [back] = score_rows(MODEL, table_of(profiles), right, left)
        forth = scored(profiles)
        assert back.weight == pytest.approx(forth.weight, abs=1e-6)
        assert all(np.array_equal(back.levels[field], forth.levels[field]) for field in forth.levels)

    @given(seed=seeds)
    @settings(max_examples=12, deadline=None)
    def test_p7_the_order_of_values_counts_for_nothing(self, seed: int) -> None:
        profiles = make_profiles(seed, 16)
        turned = [
            replace(
                profile, names=profile.names[::-1], emails=profile.emails[::-1], phones=profile.phones[::-1],
                addresses=profile.addresses[::-1], birth_dates=profile.birth_dates[::-1],
            )
            for profile in profiles
        ]  # fmt: skip
        assert scored(turned).weight == pytest.approx(scored(profiles).weight, abs=1e-6)


class TestFloor:
    @given(seed=seeds, floor=st.floats(-25, 30))
    @settings(max_examples=12, deadline=None)
    def test_p7_a_floor_leaves_out_what_is_below_and_nothing_else(self, seed: int, floor: float) -> None:
        profiles = make_profiles(seed, 16)
        whole, kept = scored(profiles), scored(profiles, floor)
        wanted = np.flatnonzero(whole.weight >= floor)
        assert kept.left.tolist() == whole.left[wanted].tolist()
        assert kept.right.tolist() == whole.right[wanted].tolist()
        assert kept.weight == pytest.approx(whole.weight[wanted], abs=1e-6)
        for place, found in enumerate(wanted.tolist()):
            assert levels_of(kept, place) == levels_of(whole, found)

    def test_p7_batches_of_any_size_give_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        profiles = [
            Profile(f"p{number}", emails=(f"anna{number % 7}@x.de",), phones=(f"+4930901{number % 5:04}",))
            for number in range(40)
        ]
        whole = scored(profiles)
        monkeypatch.setattr(kernel, "PAIRS_A_BATCH", 17)
        parts = list(score_rows(MODEL, table_of(profiles), *rows_of(40)))
        assert len(parts) == -(-len(whole) // 17)
        assert np.concatenate([part.weight for part in parts]).tolist() == whole.weight.tolist()

    def test_no_pairs_give_no_scores(self) -> None:
        assert not list(score_rows(MODEL, table_of([]), *rows_of(0)))
        assert not list(score_pairs(MODEL, []))
