"""Comparing many pairs at once answers what comparing each by itself does, whatever the screens drop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolution.matching.comparisons import FIELD_LEVELS, extra, many
from resolution.matching.comparisons.answers import SILENT, number_of
from resolution.matching.comparisons.many import compare_many, compare_many_names, compare_two
from resolution.matching.comparisons.name import FAMILY_ALIKE, compare_names
from resolution.matching.comparisons.outcome import Outcome
from resolution.matching.table import Column, Composites, column_of, part_of, single_column
from resolution.types import Address, Name
from tests.resolution.matching.canonical import VALUES, address, make_values, name

seeds = st.integers(0, 1 << 32)


@pytest.fixture(autouse=True, scope="module")
def _every_pair_is_screened() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(many, "SCREENED_FROM", 0)
        yield


def every_pair(count: int) -> tuple[np.ndarray, np.ndarray]:
    left, right = np.divmod(np.arange(count * count, dtype=np.int32), np.int32(max(count, 1)))
    return left, right


def levels_of(field: str, outcomes: Sequence[Outcome | None]) -> list[int]:
    """Scalar outcomes as the numbers that arrays hold."""
    levels = extra.LEVELS if field.startswith("extra:") else FIELD_LEVELS[field]
    return [SILENT if outcome is None else levels.index(outcome.level) for outcome in outcomes]


def composed(values: Sequence[Any], parts: Sequence[str]) -> Column:
    """A column of values that exist as numbers of their parts only."""
    own = {name: part_of([getattr(value, name) for value in values]) for name in parts}
    return single_column(Composites(type(values[0]), own), np.arange(len(values), dtype=np.int32))


def assert_names_agree(column: Column, values: Sequence[Name]) -> None:
    left, right = every_pair(len(values))
    given_levels, family_levels = compare_many_names(column, left, right)
    alone = [
        compare_names((one.given, one.family), (other.given, other.family))
        for one, other in product(values, repeat=2)
    ]
    assert given_levels.tolist() == levels_of("given_name", [given for given, _ in alone])
    assert family_levels.tolist() == levels_of("family_name", [family for _, family in alone])


class TestScreens:
    @pytest.mark.parametrize("field", VALUES)
    def test_p7_every_field_is_compared_as_by_itself(self, field: str) -> None:
        @given(seed=seeds)
        @settings(max_examples=15, deadline=None)
        def agree(seed: int) -> None:
            values = make_values(VALUES[field], seed, 30)
            left, right = every_pair(len(values))
            found = compare_many(field, column_of([(value,) for value in values]), left, right)
            alone = [compare_two(field, one, other) for one, other in product(values, repeat=2)]
            assert found.tolist() == levels_of(field, alone)

        agree()

    @given(seed=seeds)
    @settings(max_examples=15, deadline=None)
    def test_p7_names_are_compared_as_by_themselves_swaps_included(self, seed: int) -> None:
        values = make_values(name, seed, 30)
        assert_names_agree(column_of([(value,) for value in values]), values)

    @given(seed=seeds)
    @settings(max_examples=15, deadline=None)
    def test_p7_names_made_of_their_parts_are_compared_alike(self, seed: int) -> None:
        values = make_values(name, seed, 30)
        assert_names_agree(composed(values, ("given", "family")), values)

    @given(seed=seeds)
    @settings(max_examples=15, deadline=None)
    def test_p7_addresses_made_of_their_parts_are_compared_alike(self, seed: int) -> None:
        values = make_values(address, seed, 30)
        left, right = every_pair(len(values))
        column = composed(values, ("street", "house", "postcode", "city", "country"))
        alone = [compare_two("address", one, other) for one, other in product(values, repeat=2)]
        assert compare_many("address", column, left, right).tolist() == levels_of("address", alone)

    def test_p7_a_likeness_of_just_enough_is_enough(self) -> None:
        values = [Name("", "tosltaya"), Name("", "teolst7y")]
        assert compare_names(("", "tosltaya"), ("", "teolst7y"))[1] == FAMILY_ALIKE
        assert_names_agree(column_of([(value,) for value in values]), values)

    def test_without_pairs_there_are_no_answers(self) -> None:
        nothing = np.zeros(0, dtype=np.int32)
        for field in VALUES:
            assert len(compare_many(field, column_of([]), nothing, nothing)) == 0
        given, family = compare_many_names(column_of([]), nothing, nothing)
        assert (len(given), len(family)) == (0, 0)

    @pytest.mark.parametrize(
        ("field", "left", "right", "level"),
        [
            ("birth_date", "1980-02-03", "1980-02-13", "close"),
            ("birth_date", "1980-02-03", "1980-07-03", "close"),
            ("birth_date", "1980-12-28", "1981-01-09", "near"),
            ("birth_date", "1980-02-03", "1994-02-03", "near"),
            ("email", "annasmith.newton@mail.example", "anasmith.newtn@mail.example", "alike"),
            ("email", "annasmith84@x.de", "annasmith84@relay.firefox.com", None),
            ("phone", "+447700900123", "07700900123", "national"),
            ("phone", "+447700900123", "07700900199", None),
            ("external_id", "crm:1", "shop:1", None),
            ("address", Address(city="bath"), Address(postcode="12345"), None),
            ("extra:occupation", "nurse", "nurses", "close"),
            ("address", Address(city="bath"), Address(street="high street", city="bath"), "town_only"),
        ],
    )
    def test_the_new_levels_and_the_silences(
        self, field: str, left: object, right: object, level: str | None
    ) -> None:
        column = column_of([(left,), (right,)])
        one, other = np.array([0], dtype=np.int32), np.array([1], dtype=np.int32)
        found = int(compare_many(field, column, one, other)[0])
        assert found == (SILENT if level is None else number_of(field.partition(":")[0], level))
