"""Evaluation: known answers, worked out by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolution.matching.evaluate import (
    Quality,
    best_cut,
    clusters_of,
    count_pairs,
    evaluate_b_cubed,
    evaluate_clusters,
    evaluate_pairs,
    judge_clusters,
    judge_pairs,
    label_groups,
    wilson_interval,
)

TRUTH = {"a": 1, "b": 1, "c": 1, "d": 2, "e": 2}


class TestPairs:
    def test_counts_pairs_of_a_cluster(self) -> None:
        assert count_pairs(TRUTH) == 4

    def test_judges_each_pair_once_in_either_order(self) -> None:
        quality = evaluate_pairs([("a", "b"), ("b", "a"), ("a", "d")], TRUTH)
        assert (quality.precision, quality.recall) == (0.5, 0.25)
        assert quality.f1 == pytest.approx(1 / 3)

    def test_nothing_claimed_is_nothing_wrong(self) -> None:
        assert evaluate_pairs([], TRUTH) == Quality(0, 0, 4)
        assert (Quality(0, 0, 4).precision, Quality(0, 0, 4).recall, Quality(0, 3, 4).f1) == (1.0, 0.0, 0.0)


class TestClusters:
    def test_judges_pairs_that_follow_from_clusters(self) -> None:
        found = label_groups([["a", "b", "d"]], TRUTH)
        assert evaluate_clusters(found, TRUTH) == Quality(1, 3, 4)

    def test_b_cubed_of_a_known_split(self) -> None:
        found = {"a": "x", "b": "x", "c": "y", "d": "y", "e": "y"}
        precision, recall, f1 = evaluate_b_cubed(found, TRUTH)
        assert precision == pytest.approx((1 + 1 + 1 / 3 + 2 / 3 + 2 / 3) / 5)
        assert recall == pytest.approx((2 / 3 + 2 / 3 + 1 / 3 + 1 + 1) / 5)
        assert f1 == pytest.approx(2 * precision * recall / (precision + recall))

    def test_the_truth_itself_is_perfect(self) -> None:
        assert evaluate_b_cubed(TRUTH, TRUTH) == (1.0, 1.0, 1.0)
        assert evaluate_b_cubed({}, {}) == (1.0, 1.0, 1.0)

    def test_lists_clusters_by_size(self) -> None:
        assert clusters_of(TRUTH) == [["a", "b", "c"], ["d", "e"]]


CODES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=12)
SCORED = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(-3, 3)), max_size=20)
TRUE_CODES = np.array([0, 0, 0, 1, 1, 2, 2, 3])


class TestArrays:
    @given(CODES)
    def test_counts_the_same_pairs_as_going_through_them_all(self, codes: list[tuple[int, int]]) -> None:
        found, truth = np.array(codes, dtype=np.int64).reshape(-1, 2).T
        both = [(one[0] == other[0], one[1] == other[1]) for one, other in combinations(codes, 2)]

        quality = judge_clusters(found, truth)

        assert quality.right == sum(claimed and true for claimed, true in both)
        assert quality.claimed == sum(claimed for claimed, _ in both)
        assert quality.true == sum(true for _, true in both)

    @given(SCORED)
    def test_the_best_cut_is_the_best_of_all_cuts(self, scored: list[tuple[int, int, int]]) -> None:
        left, right, weights = np.array(scored, dtype=np.int64).reshape(-1, 3).T

        cut = best_cut(left, right, weights.astype(np.float64), TRUE_CODES)

        every = [judge_pairs(left[kept], right[kept], TRUE_CODES) for kept in _cuts(left, right, weights)]
        assert (cut is None) == (not every)
        if cut:
            assert cut.quality.f1 == pytest.approx(max(quality.f1 for quality in every))
            kept = weights >= cut.weight
            assert cut.quality == judge_pairs(left[kept], right[kept], TRUE_CODES)

    def test_a_record_with_itself_is_no_pair(self) -> None:
        same = np.array([1, 2])
        assert judge_pairs(same, same, TRUE_CODES).claimed == 0
        assert best_cut(same, same, np.array([1.0, 2.0]), TRUE_CODES) is None


def _cuts(left: np.ndarray, right: np.ndarray, weights: np.ndarray) -> list[np.ndarray]:
    return [weights >= weight for weight in {*weights[left != right].tolist()}]


class TestWilsonInterval:
    def test_matches_the_textbook(self) -> None:
        low, high = wilson_interval(95, 100)
        assert (round(low, 4), round(high, 4)) == (0.8882, 0.9785)

    def test_is_not_certain_after_a_few_successes(self) -> None:
        assert wilson_interval(5, 5).low < 0.6
        assert wilson_interval(5, 5).high == 1.0
        assert wilson_interval(0, 0) == (0.0, 1.0)

    def test_counts_that_cannot_be_are_refused(self) -> None:
        with pytest.raises(ValueError, match="6 successes of 5 trials cannot be"):
            wilson_interval(6, 5)
