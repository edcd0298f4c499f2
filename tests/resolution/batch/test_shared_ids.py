"""Ids that name nobody by their column's name."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pyarrow as pa
import pytest

from resolution.batch.shared_ids import are_shared_ids
from resolution.batch.sheet import Texts, as_texts

NAMES = ("Anna", "Boris", "Clara", "Dmitri", "Emil", "Frieda", "Gustav", "Hanna")


def column(values: Sequence[str]) -> Texts:
    return as_texts(pa.chunked_array([pa.array(values, pa.string())]))


def ids(template: str, each: int) -> list[str]:
    return [template.format(row // each) for row in range(400)]


def persons(each: int) -> list[str]:
    return [NAMES[row // each * 5 % 8] for row in range(400)]


class TestSharedIds:
    @pytest.mark.parametrize("template", ["LC{:06d}", "{:05d}", "A-{:04d}/7"])
    def test_of_rows_of_one_person_each_are_taken(self, template: str) -> None:
        assert are_shared_ids(column(ids(template, 2)), column(persons(2)))

    def test_stand_a_slip_in_a_name(self) -> None:
        names = [name if row % 5 else f"{name}x" for row, name in enumerate(persons(2))]

        assert are_shared_ids(column(ids("LC{:06d}", 2)), column(names))

    def test_whole_names_may_change_their_order(self) -> None:
        names = [f"{name} Low" if row % 2 else f"Low, {name}" for row, name in enumerate(persons(2))]

        assert are_shared_ids(column(ids("LC{:06d}", 2)), column(names))

    def test_of_households_are_not(self) -> None:
        chance = random.Random(3)

        assert not are_shared_ids(
            column(ids("H{:06d}", 3)), column([chance.choice(NAMES) for _ in range(400)])
        )

    @pytest.mark.parametrize(
        "values", [ids("K{:04d}", 50), ids("red {}", 2), ids("{}", 2), ids("LC{:06d}", 1)]
    )
    def test_kinds_words_small_numbers_and_row_ids_are_not(self, values: list[str]) -> None:
        assert not are_shared_ids(column(values), column(persons(2)))
