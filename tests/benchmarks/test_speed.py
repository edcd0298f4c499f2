"""The measurements of decisions run, on few rows; a set that is missing is told of."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
from django.conf import settings

from benchmarks import decisions_speed, ground, merge_speed


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Measure in the test's own database, on a small set made in its folder."""
    monkeypatch.setattr(settings, "VAR_DIR", tmp_path)
    monkeypatch.delenv("BENCH_DATA", raising=False)
    monkeypatch.setitem(ground.SIZES, "customers_few", 80)
    for module in (merge_speed, decisions_speed):
        monkeypatch.setattr(module, "fresh_database", nullcontext)


@pytest.mark.django_db
@pytest.mark.usefixtures("here")
class TestDecisions:
    def test_merges_are_told_with_their_bar(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(merge_speed, "ONE_BY_ONE", 2)

        bulk, past = merge_speed.measure("customers_few", in_bulk=(5,), messages=(3,))

        assert bulk.what == "5 merges of two in bulk, audit included"
        assert bulk.how.startswith("bar: 300 /s; ")
        assert past.what == "customer with 3 messages"

    def test_blocks_and_words_are_told_with_their_growth(self) -> None:
        blocks, words = decisions_speed.measure(shared_by=(3, 5), judged=(3, 4), one_by_one=3)

        assert blocks.what == "re-evaluation after blocking a value shared by 5 customers"
        assert "3: " in blocks.how
        assert words.what == "“not the same” on a conflict of 4 customers, 6 pairs"
        assert words.beside.startswith("pair by pair, 3 customers: ")
        assert "3 of 3 pairs: " in words.how


@pytest.mark.usefixtures("here")
class TestMissingSets:
    def test_a_measurement_that_needs_one_says_where_to_get_it(self) -> None:
        with pytest.raises(ground.SetMissing, match=r"febrl3 is not here: .* BENCH_DATA.*Record Linkage"):
            next(merge_speed.measure("febrl3"))

    def test_one_of_several_is_left_out_aloud(self, capsys: pytest.CaptureFixture[str]) -> None:
        found = [name for name, _ in ground.sets_at_hand(["fake_1000", "customers_few"])]

        assert found == ["customers_few"]
        assert "Left out: fake_1000 is not here" in capsys.readouterr().err
