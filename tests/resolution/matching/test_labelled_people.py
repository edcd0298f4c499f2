"""The whole way on a small labelled file: profiles, keys, scores, groups; nobody is merged wrongly."""

from __future__ import annotations

import csv
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import pytest

from resolution.matching.blocking import MAX_BLOCK, blocking_keys
from resolution.matching.clusters import group_customers
from resolution.matching.decide import Policy
from resolution.matching.evaluate import evaluate_clusters, evaluate_pairs, label_groups
from resolution.matching.kernel import score_pairs
from resolution.matching.model import load_model
from resolution.matching.normalise.profile import build_profile
from resolution.types import Group, Profile

PEOPLE = Path(__file__).parents[2] / "data" / "people.csv"
POLICY = Policy()


@pytest.fixture(scope="module")
def records() -> list[dict[str, str]]:
    with PEOPLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def truth(records: list[dict[str, str]]) -> dict[str, str]:
    return {record["record_id"]: record["true_cluster"] for record in records}


@pytest.fixture(scope="module")
def customers(records: list[dict[str, str]]) -> dict[str, Profile]:
    return {record["record_id"]: build_profile(record["record_id"], [record]) for record in records}


@pytest.fixture(scope="module")
def candidates(customers: dict[str, Profile]) -> set[tuple[str, str]]:
    blocks: dict[str, list[str]] = defaultdict(list)
    for key, profile in customers.items():
        for keys in blocking_keys(profile).values():
            for block in keys:
                blocks[block].append(key)
    small = [sorted(members) for members in blocks.values() if len(members) <= MAX_BLOCK]
    return {pair for members in small for pair in combinations(members, 2)}


@pytest.fixture(scope="module")
def groups(customers: dict[str, Profile], candidates: set[tuple[str, str]]) -> list[Group]:
    pairs = ((customers[left], customers[right]) for left, right in sorted(candidates))
    return group_customers(
        score_pairs(load_model(), pairs, floor=POLICY.review),
        policy=POLICY,
        score=lambda pairs: score_pairs(
            load_model(), ((customers[left], customers[right]) for left, right in pairs)
        ),
    )


class TestLabelledPeople:
    def test_blocking_proposes_every_true_pair(
        self, candidates: set[tuple[str, str]], truth: dict[str, str]
    ) -> None:
        assert evaluate_pairs(candidates, truth).recall == 1.0

    def test_p8_blank_and_junk_records_are_candidates_of_nobody(
        self, candidates: set[tuple[str, str]]
    ) -> None:
        assert not {"r22", "r23", "r24", "r25"} & {key for pair in candidates for key in pair}

    def test_nobody_is_merged_with_somebody_else(self, groups: list[Group], truth: dict[str, str]) -> None:
        for group in groups:
            assert group.why or len({truth[key] for key in group.members}) == 1, group.members

    def test_most_are_merged_and_the_rest_is_asked(self, groups: list[Group], truth: dict[str, str]) -> None:
        found = label_groups((group.members for group in groups if not group.why), truth)
        assert evaluate_clusters(found, truth).recall >= 0.8
        asked = {
            frozenset((one.left, one.right)) for group in groups for one in (*group.questions, *group.edges)
        }
        missed = {pair for pair in combinations(sorted(truth), 2) if truth[pair[0]] == truth[pair[1]]} - {
            pair for group in groups for pair in combinations(group.members, 2)
        }
        assert {frozenset(pair) for pair in missed} <= asked
