"""Records that say exactly the same are found whatever the order, and never melt what only looks alike."""

from __future__ import annotations

import numpy as np

from resolution.batch.copies import clusters_with_copies, copies_of, rows_of, with_copies
from resolution.matching.candidates import candidate_pairs
from resolution.matching.groups import Clusters
from resolution.matching.table import ProfileTable, table_of
from resolution.types import Name, Profile

ANNA, BORIS = Name("anna", "smithers"), Name("boris", "okonkwo")


def table(*profiles: tuple[tuple[Name, ...], tuple[str, ...], tuple[str, ...]]) -> ProfileTable:
    return table_of(
        [
            Profile(key=str(row), names=names, emails=emails, phones=phones)
            for row, (names, emails, phones) in enumerate(profiles)
        ]
    )


class TestCopies:
    def test_the_first_of_equal_records_stands_for_them(self) -> None:
        found = copies_of(
            table(((ANNA,), ("a@x.y",), ()), ((BORIS,), (), ()), ((ANNA,), ("a@x.y",), ())), few=1
        )

        assert found.first.tolist() == [0, 1, 0]
        assert found.distinct.tolist() == [0, 1]
        assert found.pairs().tolist() == [2]

    def test_the_order_of_several_values_does_not_count(self) -> None:
        found = copies_of(table(((), ("a@x.y", "b@x.y"), ()), ((), ("b@x.y", "a@x.y"), ())), few=1)

        assert found.first.tolist() == [0, 0]

    def test_the_field_of_a_value_counts(self) -> None:
        assert copies_of(table(((), ("1",), ()), ((), (), ("1",))), few=1).first.tolist() == [0, 1]

    def test_records_that_say_nothing_are_no_copies(self) -> None:
        assert copies_of(table(((), (), ()), ((), (), ())), few=1).first.tolist() == [0, 1]

    def test_no_records_have_no_copies(self) -> None:
        assert len(copies_of(table_of([])).first) == 0


class TestCandidates:
    def test_copies_meet_their_first_and_others_meet_it_once(self) -> None:
        said = ((ANNA,), ("a@x.y",), ())
        whole = table(((BORIS,), ("b@x.y",), ()), *[said] * 80, ((ANNA,), ("a@x.y",), ("+4930901820001",)))
        copies = copies_of(whole, few=1)
        found = with_copies(candidate_pairs(rows_of(whole, copies.distinct)), copies)
        left, right = found.rows()

        pairs = set(zip(left.tolist(), right.tolist(), strict=True))
        assert pairs == {*((1, copy) for copy in range(2, 81)), (1, 81)}
        assert found.pairs.tolist() == sorted(found.pairs.tolist())

    def test_rows_keep_all_their_values(self) -> None:
        whole = table(((ANNA,), ("a@x.y", "b@x.y"), ()), ((), (), ()), ((BORIS,), ("b@x.y", "c@x.y"), ()))
        part = rows_of(whole, np.array([1, 2]))
        emails = part.columns["email"]

        assert part.keys == ["1", "2"]
        assert [emails.values[code] for code in emails.codes] == ["b@x.y", "c@x.y"]
        assert emails.counts.tolist() == [0, 2]


class TestClusters:
    def test_linked_copies_follow_their_first(self) -> None:
        copies = copies_of(table(*[((ANNA,), (), ())] * 3, ((BORIS,), (), ()), ((BORIS,), (), ())), few=1)
        found = clusters_with_copies(
            Clusters(np.arange(5), ((((0, 3)), "why"),), 0), copies, np.array([1, 2])
        )

        assert found.labels.tolist() == [0, 0, 0, 3, 4]
        assert found.doubtful == (((0, 1, 2), "why"),)
