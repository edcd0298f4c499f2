"""Pairs that third records brought together."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from resolution.batch.dedupe import Options, dedupe_files
from resolution.batch.within import LARGEST, pairs_not_met
from tests.resolution.batch.files import stranger, write


def not_met(labels: list[int], *known: tuple[int, int]) -> list[tuple[int, int]]:
    pairs = np.array(known, dtype=np.int64).reshape(-1, 2)
    left, right = pairs_not_met(np.array(labels, dtype=np.int64), pairs[:, 0], pairs[:, 1])
    return list(zip(left.tolist(), right.tolist(), strict=True))


class TestPairsNotMet:
    def test_are_those_of_a_cluster_that_nobody_proposed(self) -> None:
        assert not_met([0, 0, 2, 0], (0, 1), (1, 3), (2, 3)) == [(0, 3)]

    def test_are_none_where_all_are_known(self) -> None:
        assert not_met([0, 0, 2, 2], (0, 1), (2, 3)) == []
        assert not_met([]) == []

    def test_are_of_every_size_of_cluster(self) -> None:
        assert not_met([0, 0, 0, 3, 3, 3, 3], (0, 1)) == [
            (0, 2), (1, 2), (3, 4), (3, 5), (3, 6), (4, 5), (4, 6), (5, 6),
        ]  # fmt: skip

    def test_a_cluster_too_large_is_passed_over(self) -> None:
        assert not_met([0] * (LARGEST + 1)) == []


def test_the_ends_of_a_chain_are_scored_and_kept(tmp_path: Path) -> None:
    """They share no key: both names sound different, and the days lie side by side."""
    home = {"city": "Delft", "postcode": "2611"}
    ends = (
        stranger(901, first_name="Anna", last_name="Vanderbeek", email="m.vanderbeek@post.example", phone="",
                 date_of_birth="1980-02-13", **home),
        stranger(903, first_name="Tanna", last_name="Zanderbeek", email="", phone="+31206245001",
                 date_of_birth="1980-02-14", **home),
    )  # fmt: skip
    middle = stranger(
        902, first_name="Anna", last_name="Vanderbeek", email="m.vanderbeek@post.example",
        phone="+31206245001", date_of_birth="1980-02-13", **home,
    )  # fmt: skip
    rows = (*ends, middle, *map(stranger, range(60)))
    found = dedupe_files(Options((write(tmp_path / "people.csv", *rows),)))

    proposed = set(zip(*(rows.tolist() for rows in found.candidates.rows()), strict=True))
    kept = list(zip(found.kept.left.tolist(), found.kept.right.tolist(), strict=True))
    assert found.clusters.labels[:3].tolist() == [0, 0, 0]
    assert (0, 1) not in proposed
    assert kept.count((0, 1)) == 1
    assert found.scored == len(proposed) + 1
