"""Joining a table's keys as numbers gives the pairs that the same keys give as text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resolution.matching import blocking
from resolution.matching.blocking import RULES, block_limit, blocking_keys
from resolution.matching.candidates import candidate_pairs
from resolution.matching.table import Column, Composites, ProfileTable, part_of, table_of
from resolution.types import Address, Name, Profile
from tests.resolution.matching.canonical import make_profiles

seeds = st.integers(0, 1 << 32)


@pytest.fixture
def small_blocks() -> Iterator[None]:
    """Limits that a handful of profiles can pass."""
    rules = {
        name: replace(rule, most=2 + place % 2, most_finer=2)
        for place, (name, rule) in enumerate(RULES.items())
    }
    limits = {kind.prefix: kind.most for rule in rules.values() for kind in rule.combinations()}
    with pytest.MonkeyPatch.context() as patch:
        for name, rule in rules.items():
            patch.setitem(RULES, name, rule)
        patch.setattr(blocking, "LIMITS", limits)
        yield


def joined_as_text(profiles: Sequence[Profile]) -> set[tuple[int, int]]:
    """The pairs of rows that share a key which few enough have."""
    blocks: dict[str, list[int]] = defaultdict(list)
    for row, profile in enumerate(profiles):
        for key in {key for keys in blocking_keys(profile).values() for key in keys}:
            blocks[key].append(row)
    small = (rows for key, rows in blocks.items() if len(rows) <= block_limit(key, len(profiles)))
    return {pair for rows in small for pair in combinations(rows, 2)}


def joined(table: ProfileTable) -> list[tuple[int, int]]:
    left, right = candidate_pairs(table).rows()
    return list(zip(left.tolist(), right.tolist(), strict=True))


def composed(table: ProfileTable) -> ProfileTable:
    """The same table with names and addresses as numbers of their parts."""
    made = {
        field: _composed(table.columns[field], make, parts)
        for field, make, parts in (
            ("name", Name, ("given", "family")),
            ("address", Address, ("street", "house", "postcode", "city", "country")),
        )
    }
    return ProfileTable(table.keys, {**table.columns, **made})


def _composed(column: Column, make: type, parts: Sequence[str]) -> Column:
    own = {name: part_of([getattr(value, name) for value in column.values]) for name in parts}
    return Column(Composites(make, own), column.codes, column.starts)


class TestOneDefinition:
    @given(seed=seeds, count=st.integers(0, 40))
    @settings(max_examples=20, deadline=None)
    def test_p7_the_pairs_are_those_of_shared_text_keys(self, seed: int, count: int) -> None:
        profiles = make_profiles(seed, count)
        found = joined(table_of(profiles))
        assert found == sorted(joined_as_text(profiles))
        assert joined(composed(table_of(profiles))) == found

    @given(seed=seeds)
    @settings(max_examples=12, deadline=None)
    def test_p7_customers_of_many_values_are_cut_off_alike(self, seed: int) -> None:
        profiles = make_profiles(seed, 12, most=7)
        assert joined(table_of(profiles)) == sorted(joined_as_text(profiles))

    @pytest.mark.usefixtures("small_blocks")
    def test_p7_blocks_above_the_limit_are_skipped_alike(self) -> None:
        @given(seed=seeds)
        @settings(max_examples=12, deadline=None)
        def agree(seed: int) -> None:
            profiles = make_profiles(seed, 40)
            assert joined(table_of(profiles)) == sorted(joined_as_text(profiles))

        agree()

    def test_p7_finer_keys_of_two_tokens_are_never_one(self) -> None:
        """A given name of one and the family name of another sound alike on one day of birth."""
        day = {"birth_dates": ("1980-02-03",)}
        crowd = [Profile(f"c{number}", emails=(f"c{number}@x.de",), **day) for number in range(60)]
        anna = Profile("a", names=(Name("martin", ""),), **day)
        other = Profile("b", names=(Name("", "martin"),), **day)
        profiles = [anna, other, *crowd]
        assert (0, 1) not in joined(table_of(profiles))
        assert joined(table_of(profiles)) == sorted(joined_as_text(profiles))

    def test_p7_the_first_values_of_several_names_count_alike(self) -> None:
        """Both names of the first two, not the given names of the first four."""
        many = Profile(
            "a", names=tuple(Name(f"g{sound}", f"f{sound}") for sound in ("ra", "ta", "ka", "la")),
            companies=("foods",),
        )  # fmt: skip
        others = [
            Profile(f"{place}", names=(Name("", f"f{sound}"),), companies=("foods",))
            for place, sound in enumerate(("ra", "ta", "ka", "la"))
        ]
        found = [
            entry
            for entry in candidate_pairs(table_of([many, *others])).joined
            if entry.rule.name == "company_and_name"
        ]
        assert [entry.pairs.tolist() for entry in found] == [[1, 2]]
        assert joined(table_of([many, *others])) == sorted(joined_as_text([many, *others]))

    def test_p7_a_town_that_reads_like_a_postcode_is_none(self) -> None:
        name = {"names": (Name("anna", "martin"),)}
        crowd = [Profile(f"c{number}", **name) for number in range(60)]
        one = Profile("a", addresses=(Address(city="1980"),), **name)
        other = Profile("b", addresses=(Address(postcode="1980"),), **name)
        profiles = [one, other, *crowd]
        assert joined(table_of(profiles)) == sorted(joined_as_text(profiles)) == []


class TestJoined:
    def test_each_pair_is_given_once_and_in_order(self) -> None:
        twice = Profile("a", emails=("anna@x.de",), phones=("+447700900123",), names=(Name("anna", "quux"),))
        found = candidate_pairs(table_of([twice, twice, twice]))
        assert found.pairs.tolist() == [1, 2, 5]
        assert sum(found.gains) == 3

    def test_a_large_block_is_told_and_joined_by_finer_keys(self) -> None:
        firm = [
            Profile(
                f"p{number}", names=(Name(f"{chr(97 + number % 26)}x", ""),), emails=("info@firm.example",)
            )
            for number in range(52)
        ]
        coarse, finer = (
            entry for entry in candidate_pairs(table_of(firm)).joined if entry.rule.name == "same_email"
        )
        assert (coarse.largest, coarse.refined_blocks, coarse.refined_rows) == (52, 1, 52)
        assert len(coarse.pairs) == 0
        assert len(finer.pairs) == 26

    def test_what_few_share_is_not_joined_again_by_finer_keys(self) -> None:
        home = [
            Profile(f"p{number}", names=(Name("anna", ""),), emails=("anna@home.example",))
            for number in range(3)
        ]
        coarse, finer = (
            entry for entry in candidate_pairs(table_of(home)).joined if entry.rule.name == "same_email"
        )
        assert (coarse.pairs.tolist(), coarse.blocks, coarse.largest) == ([1, 2, 5], 1, 3)
        assert (len(finer.pairs), finer.blocks, finer.example) == (0, 0, -1)

    def test_only_some_pairs_are_kept_everywhere(self) -> None:
        same = Profile("a", emails=("anna@x.de",), phones=("+447700900123",))
        found = candidate_pairs(table_of([same, same, same]))
        kept = found.of(found.pairs != 1)
        assert kept.pairs.tolist() == [2, 5]
        assert all(set(entry.pairs.tolist()) <= {2, 5} for entry in kept.joined)

    @pytest.mark.parametrize("count", [0, 1])
    def test_one_record_or_none_has_no_pairs(self, count: int) -> None:
        found = candidate_pairs(table_of([Profile("a", emails=("anna@x.de",))] * count))
        assert (len(found.pairs), sum(found.gains)) == (0, 0)
        assert [len(rows) for rows in found.rows()] == [0, 0]
        assert np.array_equal(found.pairs, np.zeros(0, dtype=np.int64))
