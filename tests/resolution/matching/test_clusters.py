"""Groups: what joins, what is refused and asked instead, and the same answer for every order of pairs."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolution.matching.clusters import LARGE_GROUP, group_customers
from resolution.matching.decide import Policy
from resolution.types import Group, PairScore

POLICY = Policy(auto=10, sample=6, review=0, margin=3)


class Weights:
    """A table of pair weights, "ab" → weight, and what was asked beyond it."""

    def __init__(
        self, weights: dict[str, float], otherwise: float = -9, conflicts: Collection[str] = ()
    ) -> None:
        self.weights, self.otherwise, self.conflicts = weights, otherwise, conflicts
        self.asked: list[str] = []

    def pairs(self) -> list[PairScore]:
        return [self.pair(*keys) for keys in self.weights]

    def pair(self, left: str, right: str) -> PairScore:
        conflict = "two passports" if left + right in self.conflicts else ""
        return PairScore(left, right, self.weights.get(left + right, self.otherwise), (), conflict)

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[PairScore]:
        self.asked += [left + right for left, right in pairs]
        return [self.pair(*pair) for pair in pairs]

    def groups(self, *different: str) -> list[Group]:
        return group_customers(
            self.pairs(), policy=POLICY, score=self.score, different={frozenset(pair) for pair in different}
        )


def members(groups: list[Group]) -> list[str]:
    return ["".join(group.members) for group in groups]


def questions(groups: list[Group]) -> list[str]:
    return [question.left + question.right for group in groups for question in group.questions]


class TestJoining:
    def test_pairs_above_the_sample_band_join(self) -> None:
        groups = Weights({"ab": 12, "bc": 7, "ac": 6}).groups()
        assert members(groups) == ["abc"]
        assert [edge.weight for edge in groups[0].edges] == [12, 7, 6]
        assert not groups[0].why

    def test_a_pair_to_review_is_a_question(self) -> None:
        groups = Weights({"ab": 12, "bc": 3}).groups()
        assert members(groups) == ["ab"]
        assert questions(groups) == ["bc"]
        assert not groups[0].why

    def test_a_question_between_two_alone_stands_on_the_smaller_key(self) -> None:
        groups = Weights({"ab": 3}).groups()
        assert (members(groups), questions(groups)) == (["a"], ["ab"])

    def test_two_groups_are_asked_about_once_by_the_strongest_pair(self) -> None:
        weights = Weights({"ab": 12, "cd": 12, "ac": 2, "bd": 4, "ad": -1})
        assert questions(weights.groups()) == ["bd"]

    def test_a_weak_pair_is_nothing(self) -> None:
        assert Weights({"ab": -1}).groups() == []


class TestRefusing:
    def test_a_chain_whose_ends_speak_against_it_is_cut(self) -> None:
        groups = Weights({"ab": 12, "bc": 7}, otherwise=-9).groups()
        assert members(groups) == ["ab"]
        assert questions(groups) == ["bc"]
        assert groups[0].why == "Held back: on the whole the members speak against it (mean weight -1.0)."

    def test_a_chain_whose_ends_do_not_speak_against_it_holds(self) -> None:
        weights = Weights({"ab": 12, "bc": 7}, otherwise=-5)
        assert members(weights.groups()) == ["abc"]
        assert weights.asked == ["ac"]

    def test_p3_a_judgement_wins_over_any_weight(self) -> None:
        groups = Weights({"ab": 12, "bc": 40, "ac": 30}).groups("ac")
        assert members(groups) == ["a", "bc"]
        assert questions(groups) == ["ab"]
        assert groups[-1].why == "Held back: a and c were judged different people."

    def test_p3_a_judged_pair_is_never_asked_again(self) -> None:
        assert Weights({"ab": 40}).groups("ab") == []
        assert Weights({"ab": 3}).groups("ab") == []

    def test_p3_a_judgement_is_found_in_a_group_too_large_to_score(self) -> None:
        keys = [f"k{number:02}" for number in range(60)]
        star = [PairScore(keys[0], key, 20, ()) for key in keys[1:]]
        groups = group_customers(
            star,
            policy=POLICY,
            score=lambda pairs: [PairScore(left, right, 5, ()) for left, right in pairs],
            different={frozenset((keys[58], keys[59]))},
        )
        assert not any({keys[58], keys[59]} <= set(group.members) for group in groups)

    def test_a_hard_conflict_across_groups_refuses(self) -> None:
        groups = Weights({"ab": 12, "bc": 12, "ac": 20}, conflicts=["ac"]).groups()
        assert "abc" not in members(groups)
        assert "two passports" in "".join(group.why for group in groups)


class TestDoubtfulGroups:
    def test_a_large_group_says_so(self) -> None:
        keys = [f"k{number:02}" for number in range(LARGE_GROUP + 1)]
        pairs = [PairScore(left, right, 12, ()) for left in keys for right in keys if left < right]
        groups = group_customers(pairs, policy=POLICY, score=lambda pairs: pytest.fail("all are known"))
        assert groups[0].why == f"Held back: it is large ({LARGE_GROUP + 1} customers)."

    def test_a_sparse_group_says_so(self) -> None:
        star = {"ab": 30, "ac": 30, "ad": 30, "ae": 30, "af": 30}
        groups = Weights(star, otherwise=-1).groups()
        assert groups[0].why == "Held back: only 5 of its 15 pairs support it."

    def test_a_group_that_hangs_on_one_pair_says_so(self) -> None:
        groups = Weights({"ab": 20, "cd": 20, "bc": 12}, otherwise=-1).groups()
        assert "it hangs on one pair, b and c" in groups[0].why

    def test_a_group_that_holds_says_nothing(self) -> None:
        weights = {"ab": 20, "cd": 20, "bc": 12, "ad": 8, "ac": 2, "bd": 2}
        assert Weights(weights).groups()[0].why == ""


class TestEveryOrder:
    @given(
        weights=st.dictionaries(
            st.sampled_from([left + right for left in "abcdefg" for right in "abcdefg" if left < right]),
            st.integers(-5, 20).map(float),
        ),
        judged=st.sets(st.sampled_from(["ab", "cd", "ef", "ag"])),
        seed=st.integers(0, 99),
    )
    @settings(max_examples=200, deadline=None)
    def test_p7_gives_the_same_groups_and_p3_none_spans_a_judgement(
        self, weights: dict[str, float], judged: set[str], seed: int
    ) -> None:
        table = Weights(weights, otherwise=-3)
        mixed = list(weights.items())
        random.Random(seed).shuffle(mixed)
        groups = table.groups(*judged)
        assert groups == Weights(dict(mixed), otherwise=-3).groups(*judged)
        assert not any(set(pair) <= set(group.members) for pair in judged for group in groups)
        assert not set(questions(groups)) & judged
        grouped = [key for group in groups for key in group.members]
        assert len(grouped) == len(set(grouped))


class TestContradictions:
    def found(self, weights: dict[str, float], *told_apart: str) -> list[Group]:
        table = Weights(weights)
        apart = {frozenset(pair) for pair in told_apart}
        return group_customers(
            table.pairs(), policy=POLICY, score=table.score, different=apart, told_apart=apart
        )

    def test_who_fits_two_that_were_told_apart_names_both_edges(self) -> None:
        groups = self.found({"ab": 12, "ac": 11, "bc": 10}, "ab")
        [clash] = {entry for group in groups for entry in group.contradictions}
        assert (clash.judged, clash.members) == (("a", "b"), ("a", "b", "c"))
        assert [(edge.left + edge.right, edge.weight) for edge in clash.edges] == [("ac", 11), ("bc", 10)]
        assert not questions(groups)
        assert all(group.why for group in groups if len(group.members) > 1)

    def test_who_hardly_fits_the_second_is_no_contradiction(self) -> None:
        groups = self.found({"ab": 12, "ac": 11, "bc": 3}, "ab")
        assert not any(group.contradictions for group in groups)
        assert [group.why for group in groups if group.members == ("a", "c")] == [""]

    def test_a_chain_between_them_is_told_whole(self) -> None:
        groups = self.found({"ab": 12, "ac": 14, "bd": 13, "cd": 11, "ad": 9, "bc": 9}, "ab")
        clashes = {entry for group in groups for entry in group.contradictions}
        assert {entry.members for entry in clashes} == {("a", "b", "c", "d")}

    def test_pairs_of_one_source_are_no_contradiction(self) -> None:
        groups = Weights({"ab": 12, "ac": 11, "bc": 10}).groups("ab")
        assert not any(group.contradictions for group in groups)
