"""The stages together: where the bar is set, and what holds together however large it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resolution.batch.dedupe import Options, dedupe_files, rows_to_explain
from resolution.errors import InvalidInput
from resolution.matching.model import as_json
from resolution.matching.thresholds import choose_threshold
from tests.resolution.batch.files import ANNA, ANNA_AGAIN, BORIS, stranger, write


class TestThreshold:
    def test_sure_pairs_alone_leave_the_bar_at_even_odds(self) -> None:
        chosen = choose_threshold(np.array([30.0, 25.0, -3.0]))

        assert chosen is not None
        assert chosen.weight == 0.0
        assert chosen.precision > 0.99

    def test_a_bar_between_likely_pairs_stays_where_it_is(self) -> None:
        chosen = choose_threshold(np.array([9.0, 0.2, -0.1, -8.0]))

        assert chosen is not None
        assert chosen.weight in {0.2, -0.1, 0.0}
        assert choose_threshold(np.array([])) is None


class TestStages:
    def test_forty_different_records_of_one_person_are_one_customer(self, tmp_path: Path) -> None:
        anna = [
            (f"a{number}", *ANNA[1:4], f"+49309018{number:05d}", *ANNA[5:6], ANNA[6], ANNA[7], "DE")
            for number in range(40)
        ]
        found = dedupe_files(
            Options((write(tmp_path / "many.csv", *anna, *(stranger(number) for number in range(20))),))
        )

        sizes = np.bincount(found.clusters.labels)
        assert sizes.max() == 40
        assert (sizes == 1).sum() == 20

    def test_the_same_records_give_the_same_outcome(self, tmp_path: Path) -> None:
        path = write(tmp_path / "people.csv", ANNA, ANNA_AGAIN, BORIS, *(stranger(n) for n in range(40)))
        one, two = (dedupe_files(Options((path,))) for _ in range(2))

        assert as_json(one.trained.model) == as_json(two.trained.model)
        assert one.kept.weight.tolist() == two.kept.weight.tolist()

    def test_two_ids_are_told_apart_at_the_comma_that_fits(self, tmp_path: Path) -> None:
        path = write(tmp_path / "people.csv", ("a,b", *ANNA[1:]), ("b,c", *ANNA[1:]), ("c", *BORIS[1:]))
        loaded = dedupe_files(Options((path,))).loaded

        assert rows_to_explain(loaded, "a,b,c") == (0, 2)
        assert rows_to_explain(loaded, "a,b, b,c") == (0, 1)
        with pytest.raises(InvalidInput, match="There is no record 'x'"):
            rows_to_explain(loaded, "x,c")
