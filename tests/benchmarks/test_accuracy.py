"""The common scorer of the benchmarks: known answers, worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.accuracy import (
    Truth,
    join_pairs,
    judge_clusters,
    judge_pairs,
    number_pairs,
    pairs_within,
    read_truth,
    true_pairs,
)

# Three rows of one person, two of another who lives with the first, one of somebody whose home nobody knows.
PERSON = np.array([0, 0, 0, 1, 1, 2])
HOME = np.array([7, 7, 7, 7, 7, -1])
TRUTH = Truth(PERSON, HOME, np.zeros(6, np.int64))
LEFT, RIGHT = np.array([0, 3, 2, 0]), np.array([1, 4, 3, 5])
WEIGHT = np.array([9.0, 5.0, 5.0, 1.0])


class TestPairs:
    def test_a_row_without_a_code_is_with_nobody(self) -> None:
        assert pairs_within(HOME) == 10
        assert pairs_within(np.array([-1, -1])) == 0

    def test_two_files_have_only_pairs_across_them(self) -> None:
        assert true_pairs(TRUTH) == 4
        assert true_pairs(Truth(PERSON, HOME, np.array([0, 1, 1, 0, 0, 1]))) == 2

    def test_the_best_cut_takes_pairs_of_one_weight_together(self) -> None:
        judged = judge_pairs(LEFT, RIGHT, WEIGHT, TRUTH, own=6.0)
        assert (judged.best_weight, judged.best.precision, judged.best.recall) == (5.0, 2 / 3, 0.5)
        assert judged.best.f1 == pytest.approx(4 / 7)

    def test_the_own_threshold_is_judged_for_itself(self) -> None:
        judged = judge_pairs(LEFT, RIGHT, WEIGHT, TRUTH, own=6.0)
        assert (judged.own.precision, judged.own.recall, judged.own.f1) == (1.0, 0.25, 0.4)

    def test_pairs_never_proposed_are_missed(self) -> None:
        judged = judge_pairs(LEFT, RIGHT, WEIGHT, TRUTH, own=0.0)
        assert (judged.candidates, judged.blocking_recall) == (4, 0.5)

    def test_pairs_whose_answer_was_told_count_for_nothing(self) -> None:
        told = number_pairs(np.array([1, 3]), np.array([0, 2]), 6)
        judged = judge_pairs(LEFT, RIGHT, WEIGHT, TRUTH, own=5.0, known=told)
        assert (judged.own.precision, judged.own.recall, judged.candidates) == (1.0, 1 / 3, 2)

    def test_no_pairs_at_all_find_nothing(self) -> None:
        none = np.array([], np.int64)
        judged = judge_pairs(none, none, none.astype(float), TRUTH, own=0.0)
        assert (judged.best.precision, judged.best.recall, judged.blocking_recall) == (1.0, 0.0, 0.0)


class TestClusters:
    def test_the_truth_itself_is_faultless(self) -> None:
        judged = judge_clusters(PERSON, TRUTH)
        assert (judged.b_cubed.f1, judged.pairs.f1, judged.household_errors) == (1.0, 1.0, 0)

    def test_one_cluster_of_a_home_links_its_two_people(self) -> None:
        judged = judge_clusters(np.array([0, 0, 0, 0, 0, 1]), TRUTH)
        assert (judged.household_pairs, judged.household_errors, judged.household_share) == (6, 6, 1.0)
        assert judged.b_cubed.precision == pytest.approx((3 * 3 / 5 + 2 * 2 / 5 + 1) / 6)
        assert judged.b_cubed.recall == 1.0

    def test_rows_that_stand_alone_lose_recall(self) -> None:
        judged = judge_clusters(np.arange(6), TRUTH)
        assert judged.b_cubed.precision == 1.0
        assert judged.b_cubed.recall == pytest.approx((1 + 1 + 1) / 6)


class TestJoinPairs:
    def test_what_hangs_together_gets_its_smallest_number(self) -> None:
        left, right = np.array([5, 4, 3, 1]), np.array([4, 3, 2, 0])
        assert join_pairs(left, right, 7).tolist() == [0, 0, 2, 2, 2, 2, 6]

    def test_a_long_chain_is_one_cluster(self) -> None:
        order = np.random.default_rng(1).permutation(5_000)
        assert set(join_pairs(order[1:], order[:-1], 5_000).tolist()) == {0}

    def test_no_pairs_leave_every_row_alone(self) -> None:
        none = np.array([], np.int64)
        assert join_pairs(none, none, 3).tolist() == [0, 1, 2]


class TestReadTruth:
    def test_follows_the_rows_of_the_set(self, tmp_path: Path) -> None:
        pq.write_table(
            pa.table({"record_id": ["c", "a", "b"], "source": list("aba")}), tmp_path / "s.parquet"
        )
        truth = {"record_id": ["a", "b", "c"], "true_cluster": list("xyx"), "household_id": ["h", None, "h"]}
        pq.write_table(pa.table(truth), tmp_path / "s.truth.parquet")
        read = read_truth(tmp_path / "s.parquet")
        assert read.person[0] == read.person[1] != read.person[2]
        assert read.household.tolist()[2] == -1
        assert true_pairs(read) == 1
