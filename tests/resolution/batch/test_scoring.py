"""Scoring on all processors gives what scoring here gives, in the same order."""

from __future__ import annotations

import os

import numpy as np
import pytest

from resolution.batch import scoring, spread
from resolution.batch.scoring import Kept, score_candidates
from resolution.matching.candidates import candidate_pairs
from resolution.matching.model import load_model
from resolution.matching.table import ProfileTable, table_of
from tests.resolution.matching.canonical import make_profiles

FLOOR = -6.0


@pytest.fixture(scope="module")
def table() -> ProfileTable:
    return table_of(make_profiles(7, 120))


def kept(table: ProfileTable, floor: float = FLOOR) -> Kept:
    return score_candidates(load_model(), table, *candidate_pairs(table).rows(), floor=floor)


def assert_equal(one: Kept, other: Kept) -> None:
    for name in ("left", "right", "weight", "household", "at_home"):
        assert getattr(one, name).tolist() == getattr(other, name).tolist(), name
    assert list(one.levels) == list(other.levels)
    assert all(np.array_equal(one.levels[field], other.levels[field]) for field in one.levels)
    assert all(np.array_equal(one.weights[field], other.weights[field]) for field in one.weights)


class TestForks:
    @pytest.fixture(autouse=True)
    def _small_batches(self, monkeypatch: pytest.MonkeyPatch, table: ProfileTable) -> None:
        self.here = kept(table)
        monkeypatch.setattr(scoring, "PAIRS_A_BATCH", 257)
        monkeypatch.setattr(scoring, "FEWEST_SPREAD", 300)
        monkeypatch.setattr(spread, "processors", lambda: 2)

    def test_p7_what_is_kept_is_the_same(self, table: ProfileTable) -> None:
        assert len(candidate_pairs(table).pairs) > 4 * scoring.PAIRS_A_BATCH
        assert_equal(kept(table), self.here)

    def test_the_work_is_done_elsewhere(self, monkeypatch: pytest.MonkeyPatch, table: ProfileTable) -> None:
        """What a child writes down here never comes back."""
        done: list[int] = []
        real = scoring.score_rows

        def noting(*args: object, **options: object) -> object:
            done.append(os.getpid())
            return real(*args, **options)

        monkeypatch.setattr(scoring, "score_rows", noting)
        kept(table)
        assert done == []

    def test_p7_where_the_system_cannot_fork_it_is_done_here(
        self, monkeypatch: pytest.MonkeyPatch, table: ProfileTable
    ) -> None:
        monkeypatch.setattr(spread.sys, "platform", "win32")
        assert_equal(kept(table), self.here)

    def test_a_fault_in_a_child_is_raised_here(
        self, monkeypatch: pytest.MonkeyPatch, table: ProfileTable
    ) -> None:
        real, first = scoring.score_rows, os.getpid()

        def failing(*args: object, **options: object) -> object:
            if os.getpid() != first:
                raise ValueError("no good")
            return real(*args, **options)

        monkeypatch.setattr(scoring, "score_rows", failing)
        with pytest.raises(ValueError, match="no good"):
            kept(table)
        assert not hasattr(spread._Inherited, "function")

    def test_tells_how_far_it_is(self, table: ProfileTable) -> None:
        left, right = candidate_pairs(table).rows()
        told: list[int] = []
        score_candidates(load_model(), table, left, right, floor=FLOOR, watch=told.append)
        assert told == [*range(257, len(left), 257), len(left)]


class TestKept:
    def test_nothing_below_the_floor_is_kept(self, table: ProfileTable) -> None:
        whole = kept(table, floor=-1e9)
        some = kept(table)
        assert some.weight.min() >= FLOOR
        assert len(some) == int((whole.weight >= FLOOR).sum())

    def test_without_pairs_nothing_is_kept(self) -> None:
        assert len(kept(table_of([]))) == 0

    def test_where_nothing_reaches_the_floor_nothing_is_kept(self, table: ProfileTable) -> None:
        assert len(kept(table, floor=1e9)) == 0
