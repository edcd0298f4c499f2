"""Rows to clusters: arrays settle what is plain, and say of the rest what groups of customers say."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolution.matching import groups as groups_module
from resolution.matching.clusters import (
    LARGE_GROUP,
    MOST_AT_ONCE,
    connected,
    connected_rows,
    group_customers,
)
from resolution.matching.decide import Policy
from resolution.matching.groups import Clusters, Links, cluster_rows, key_of, row_of
from resolution.matching.model import load_model
from resolution.matching.table import ProfileTable, table_of
from resolution.types import PairScore, Profile

THRESHOLD = 6.0
POLICY = Policy(auto=THRESHOLD, sample=THRESHOLD, review=0.0)
Weights = dict[tuple[int, int], float]
seeds = st.integers(0, 1 << 32)


def table_of_strangers(count: int) -> ProfileTable:
    """Rows that say nothing: a pair of them that nobody scored has the weight of the prior."""
    return table_of([Profile(f"p{row}") for row in range(count)])


def links_of(weights: Weights) -> Links:
    left, right = (np.array([pair[side] for pair in weights], dtype=np.int64) for side in (0, 1))
    return Links(left, right, np.array(list(weights.values()), dtype=np.float64))


def clustered(count: int, weights: Weights, sources: list[int] | None = None) -> Clusters:
    owners = None if sources is None else np.array(sources, dtype=np.int64)
    return cluster_rows(load_model(), table_of_strangers(count), links_of(weights), THRESHOLD, sources=owners)


def every_weight(r: random.Random, count: int) -> Weights:
    """A weight for every pair of rows that fall into a few people, mostly the fitting one."""
    person = [r.randrange(count // 3 + 1) for _ in range(count)]
    return {
        (left, right): (r.uniform(2, 20) if person[left] == person[right] else r.uniform(-20, 2))
        + r.choice((0, 0, 0, 0, 9, -9))
        for left, right in combinations(range(count), 2)
    }


def many_small_groups(r: random.Random) -> Weights:
    """Groups of two to seven rows, of which most pairs speak for one person; no pair of two groups does."""
    group = [number for number in range(10) for _ in range(r.randint(2, 7))]
    return {
        (left, right): r.choice((r.uniform(0, 20), r.uniform(0, 20), r.uniform(-15, 12)))
        if group[left] == group[right]
        else -30.0
        for left, right in combinations(range(len(group)), 2)
    }


def as_groups(count: int, weights: Weights) -> tuple[list[int], dict[tuple[int, ...], str]]:
    """What grouping customers makes of the same pairs: the first row of each row's group, and every why."""
    width = len(str(count))
    scores = [
        PairScore(key_of(left, width), key_of(right, width), weight, ())
        for (left, right), weight in weights.items()
    ]
    found = group_customers(scores, policy=POLICY, score=lambda pairs: pytest.fail("all pairs are known"))
    labels, why = list(range(count)), {}
    for group in found:
        rows = tuple(map(row_of, group.members))
        for row in rows:
            labels[row] = rows[0]
        if group.why:
            why[rows] = group.why
    return labels, why


def members(clusters: Clusters) -> list[list[int]]:
    """The rows of clusters of several."""
    rows = [np.flatnonzero(clusters.labels == label).tolist() for label in np.unique(clusters.labels)]
    return [entry for entry in rows if len(entry) > 1]


class TestSameAsGroupsOfCustomers:
    @given(seed=seeds, count=st.integers(2, 20))
    @settings(max_examples=80, deadline=None)
    def test_p7_on_any_graph(self, seed: int, count: int) -> None:
        weights = every_weight(random.Random(seed), count)
        found = clustered(count, weights)
        assert (found.labels.tolist(), dict(found.doubtful)) == as_groups(count, weights)

    @pytest.mark.parametrize("count", [2, 3, LARGE_GROUP, LARGE_GROUP + 1, MOST_AT_ONCE])
    def test_p7_on_plainly_whole_groups_of_every_size(self, count: int) -> None:
        weights = dict.fromkeys(combinations(range(count), 2), 9.0)
        found = clustered(count, weights)
        assert (found.labels.tolist(), dict(found.doubtful)) == as_groups(count, weights)
        assert members(found) == [list(range(count))]

    @given(seed=seeds)
    @settings(max_examples=40, deadline=None)
    def test_p7_links_in_any_order_give_the_same(self, seed: int) -> None:
        r = random.Random(seed)
        weights = every_weight(r, 12)
        mixed = list(weights.items())
        r.shuffle(mixed)
        first, again = clustered(12, weights), clustered(12, dict(mixed))
        assert first.labels.tolist() == again.labels.tolist()
        assert first.doubtful == again.doubtful

    @given(seed=seeds, share=st.integers(1, 40))
    @settings(max_examples=80, deadline=None)
    def test_p7_on_many_small_groups_in_any_shares_of_the_work(self, seed: int, share: int) -> None:
        weights = many_small_groups(random.Random(seed))
        count = max(map(max, weights)) + 1
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(groups_module, "LINKS_A_SHARE", share)
            found = clustered(count, weights)
        assert (found.labels.tolist(), dict(found.doubtful)) == as_groups(count, weights)

    @given(seed=seeds)
    @settings(max_examples=40, deadline=None)
    def test_p7_rows_in_any_order_come_together_alike(self, seed: int) -> None:
        """Weights differ, so no tie is broken by the number of a row."""
        r = random.Random(seed)
        weights = every_weight(r, 10)
        place = list(range(10))
        r.shuffle(place)
        moved = {
            (min(place[a], place[b]), max(place[a], place[b])): weight for (a, b), weight in weights.items()
        }
        wanted = sorted(sorted(place[row] for row in rows) for rows in members(clustered(10, weights)))
        assert sorted(members(clustered(10, moved))) == wanted


class TestClusters:
    def test_are_named_by_their_first_row(self) -> None:
        found = clustered(5, {(1, 4): 9.0, (2, 3): 9.0})
        assert found.labels.tolist() == [0, 1, 2, 2, 1]
        assert (found.doubtful, found.cut) == ((), 0)

    def test_a_pair_below_the_threshold_joins_nobody(self) -> None:
        assert clustered(2, {(0, 1): THRESHOLD - 0.01}).labels.tolist() == [0, 1]
        assert clustered(2, {(0, 1): THRESHOLD}).labels.tolist() == [0, 0]

    def test_a_chain_whose_ends_contradict_is_cut_and_told(self) -> None:
        found = clustered(3, {(0, 1): 12.0, (1, 2): 7.0, (0, 2): -9.0})
        assert found.labels.tolist() == [0, 0, 2]
        assert found.cut == 1
        assert found.doubtful[0][1].startswith("Held back: on the whole the members speak against it")

    def test_a_pair_nobody_proposed_is_scored_by_the_model(self) -> None:
        """Two strangers weigh what the prior does, and that speaks against them."""
        assert clustered(3, {(0, 1): 12.0, (1, 2): 7.0}).labels.tolist() == [0, 0, 2]

    def test_only_the_missing_pairs_are_scored(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[tuple[int, int]] = []
        real = groups_module.score_rows

        def noting(model: object, table: object, left: np.ndarray, right: np.ndarray) -> object:
            asked.extend(zip(left.tolist(), right.tolist(), strict=True))
            return real(model, table, left, right)

        monkeypatch.setattr(groups_module, "score_rows", noting)
        clustered(6, {(0, 1): 12.0, (1, 2): 7.0, (4, 5): 8.0})
        assert asked == [(0, 2)]

    @pytest.mark.parametrize("count", [0, 1])
    def test_of_one_record_or_none(self, count: int) -> None:
        found = clustered(count, {})
        assert (found.labels.tolist(), found.doubtful, found.cut) == (list(range(count)), (), 0)


class TestLargeComponents:
    def test_a_star_too_large_to_score_whole_holds_on_what_is_known(self) -> None:
        count = MOST_AT_ONCE + 10
        found = clustered(count, {(0, row): 40.0 for row in range(1, count)})
        assert members(found) == [list(range(count))]
        assert "it is large" in found.doubtful[0][1]

    def test_a_long_chain_comes_apart(self) -> None:
        count = 400
        found = clustered(count, {(row, row + 1): 6.0 + row % 7 for row in range(count - 1)})
        assert max(len(rows) for rows in members(found)) < 60
        assert found.cut == 1


class TestSources:
    def test_one_source_is_never_joined_by_a_third(self) -> None:
        found = clustered(3, {(0, 1): 12.0, (1, 2): 11.0, (0, 2): 10.0}, sources=[0, 1, 0])
        assert found.labels.tolist() == [0, 0, 2]
        assert found.doubtful[0][1] == "Held back: #0 and #2 are of one file."

    def test_not_even_by_a_pair_of_its_own(self) -> None:
        assert clustered(2, {(0, 1): 30.0}, sources=[0, 0]).labels.tolist() == [0, 1]

    def test_not_even_where_too_much_hangs_together_to_score_it_whole(self) -> None:
        count = 2 * MOST_AT_ONCE
        weights = {(left, right): 20.0 for left, right in combinations(range(count), 2) if (left + right) % 2}
        found = clustered(count, weights, sources=[row % 2 for row in range(count)])
        assert all(len({row % 2 for row in rows}) == len(rows) == 2 for rows in members(found))
        assert len(members(found)) == MOST_AT_ONCE

    @given(seed=seeds)
    @settings(max_examples=40, deadline=None)
    def test_on_any_graph(self, seed: int) -> None:
        r = random.Random(seed)
        sources = [r.randrange(3) for _ in range(16)]
        for rows in members(clustered(16, every_weight(r, 16), sources=sources)):
            assert len({sources[row] for row in rows}) == len(rows)


class TestExclusiveIds:
    MODEL = replace(load_model(), exclusive_systems=("passport",))

    def clusters(self, *ids: str) -> Clusters:
        table = table_of(
            [Profile(f"p{row}", external_ids=(text,) if text else ()) for row, text in enumerate(ids)]
        )
        pairs = dict.fromkeys(combinations(range(len(ids)), 2), 20.0)
        return cluster_rows(self.MODEL, table, links_of(pairs), THRESHOLD)

    def test_two_of_them_are_never_one_person(self) -> None:
        assert self.clusters("passport:1", "passport:2").labels.tolist() == [0, 1]

    def test_not_even_by_a_third(self) -> None:
        found = self.clusters("passport:1", "", "passport:2")
        assert found.labels[0] != found.labels[2]
        assert "two different ids of passport" in "".join(why for _, why in found.doubtful)

    def test_ids_of_other_systems_and_equal_ones_do_not_matter(self) -> None:
        assert members(self.clusters("passport:1", "passport:1", "crm:7", "crm:8")) == [[0, 1, 2, 3]]


class TestConnectedRows:
    @given(seed=seeds, count=st.integers(1, 40))
    @settings(max_examples=80, deadline=None)
    def test_names_each_row_by_the_first_it_hangs_together_with(self, seed: int, count: int) -> None:
        r = random.Random(seed)
        pairs = [(r.randrange(count), r.randrange(count)) for _ in range(r.randrange(count + 1))]
        left, right = (np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1))
        wanted = list(range(count))
        for part in connected([PairScore(str(one), str(other), 0.0, ()) for one, other in pairs]):
            rows = [int(key) for key in part]
            for row in rows:
                wanted[row] = min(rows)
        assert connected_rows(count, left, right).tolist() == wanted

    def test_a_chain_in_any_order_takes_few_rounds(self) -> None:
        """As many rounds as links would take minutes."""
        order = np.random.default_rng(1).permutation(200_000)
        assert connected_rows(len(order), order[:-1], order[1:]).max() == 0
