"""The threshold is where the weights themselves expect the best F1, and the curve around it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolution.matching.thresholds import choose_threshold, expected_at, expected_curve, probability_of

weights = st.lists(st.floats(-40, 80), min_size=1, max_size=60).map(np.array)


class TestChooseThreshold:
    @given(weights=weights)
    @settings(max_examples=100, deadline=None)
    def test_no_other_weight_expects_a_better_f1(self, weights: np.ndarray) -> None:
        chosen = choose_threshold(weights)
        assert chosen is not None
        for weight in weights:
            other = expected_at(weights, float(weight))
            assert other is not None
            assert other.f1 <= chosen.f1 + 1e-9

    def test_what_is_expected_is_what_probabilities_add_up_to(self) -> None:
        found = expected_at(np.array([1.0, 0.0, -1.0]), 0.0)
        assert found is not None
        assert found.precision == pytest.approx((2 / 3 + 1 / 2) / 2)
        assert found.recall == pytest.approx((2 / 3 + 1 / 2) / (2 / 3 + 1 / 2 + 1 / 3))

    def test_clear_pairs_are_parted_between_them(self) -> None:
        chosen = choose_threshold(np.array([12.0, 11.0, 10.0, -9.0, -10.0, -11.0]))
        assert chosen is not None
        assert -9.0 < chosen.weight <= 10.0
        assert chosen.f1 > 0.99

    def test_without_pairs_nothing_is_chosen(self) -> None:
        assert choose_threshold(np.zeros(0)) is None
        assert expected_at(np.zeros(0), 3.0) is None
        assert expected_curve(np.zeros(0)) == ()

    def test_a_threshold_nobody_reaches_expects_nothing(self) -> None:
        assert expected_at(np.array([1.0]), 2.0) is None


class TestExpectedCurve:
    @given(weights=weights)
    @settings(max_examples=100, deadline=None)
    def test_precision_rises_and_recall_falls_with_the_weight(self, weights: np.ndarray) -> None:
        curve = expected_curve(weights)
        assert curve
        for low, high in pairwise(curve):
            assert low.weight <= high.weight
            assert low.precision <= high.precision + 1e-9
            assert low.recall >= high.recall - 1e-9

    def test_starts_where_every_pair_is_linked(self) -> None:
        assert expected_curve(np.array([5.0, -3.0, 60.0]))[0].recall == pytest.approx(1.0)


class TestProbabilityOf:
    def test_even_odds_are_a_half_and_large_weights_stay_finite(self) -> None:
        assert probability_of(np.array([0.0, 1e6, -1e6])) == pytest.approx([0.5, 1.0, 0.0])
