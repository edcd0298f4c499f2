"""Spreading: every value once, in order, in other processes where that pays."""

from __future__ import annotations

import os

import pyarrow as pa
import pytest

from resolution.batch import spread as spread_module
from resolution.batch.spread import in_forks, in_threads, spread
from resolution.matching.normalise.bulk import bulk_name_parts


def process_of(_value: int) -> int:
    return os.getpid()


def fails(_value: int) -> int:
    raise ValueError("no good")


class TestSpread:
    @pytest.fixture(autouse=True)
    def _twoprocessors(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(spread_module, "FEWEST_SPREAD", 100)
        monkeypatch.setattr(spread_module, "processors", lambda: 2)

    def test_many_values_keep_their_order(self) -> None:
        assert list(spread(str, range(1001))) == [str(number) for number in range(1001)]

    def test_many_values_are_worked_out_elsewhere(self) -> None:
        assert os.getpid() not in set(spread(process_of, range(100)))

    def test_few_values_stay_here(self) -> None:
        assert set(spread(process_of, range(99))) == {os.getpid()}

    def test_values_stay_here_where_the_system_cannot_fork(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(spread_module.sys, "platform", "win32")
        assert set(spread(process_of, range(100))) == {os.getpid()}

    def test_a_fault_elsewhere_is_raised_here(self) -> None:
        with pytest.raises(ValueError, match="no good"):
            list(spread(fails, range(100)))

    def test_children_inherit_what_cannot_be_sent(self) -> None:
        here = os.getpid()
        found = list(in_forks(lambda value: (value + 1, os.getpid() != here), range(5)))
        assert found == [(value + 1, True) for value in range(5)]

    def test_one_value_is_worked_out_here(self) -> None:
        assert list(in_forks(process_of, [1])) == [os.getpid()]

    def test_threads_keep_the_order(self) -> None:
        assert in_threads(str, range(50)) == [str(number) for number in range(50)]

    def test_a_fault_in_a_thread_is_raised_here(self) -> None:
        with pytest.raises(ValueError, match="no good"):
            in_threads(fails, range(3))

    def test_a_bulk_function_takes_it_as_its_mapper(self) -> None:
        names = pa.array([f"山田{'a' * number}" for number in range(150)])
        assert bulk_name_parts(names, spread) == bulk_name_parts(names)
