"""Ids in the order they were made, whatever the clock does and however many threads make them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from customers import ids
from customers.ids import uuid7


class TestUuid7:
    def test_says_its_version_and_the_millisecond_it_was_made_in(self) -> None:
        before = time.time_ns() // 1_000_000
        made = uuid7()
        assert (made.version, made.variant) == (7, "specified in RFC 4122")
        assert before <= made.int >> 80 <= time.time_ns() // 1_000_000 + 1

    def test_those_of_one_millisecond_are_in_order_and_far_apart(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = time.time_ns() + 10**9
        monkeypatch.setattr(ids.time, "time_ns", lambda: now)
        monkeypatch.setattr(ids, "_last", 0)
        made = [uuid7() for _ in range(1000)]
        assert made == sorted(made)
        assert len({entry.int >> 80 for entry in made}) == 1
        gaps = [two.int - one.int for one, two in pairwise(made)]
        assert len(set(gaps)) > 990

    def test_a_clock_set_back_changes_nothing_about_the_order(self, monkeypatch: pytest.MonkeyPatch) -> None:
        first = uuid7()
        monkeypatch.setattr(ids.time, "time_ns", lambda: 0)
        assert first < uuid7() < uuid7()

    def test_threads_make_different_ones_each_in_order(self) -> None:
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: [uuid7() for _ in range(500)], range(8)))
        assert all(part == sorted(part) for part in made)
        assert len({entry for part in made for entry in part}) == 8 * 500
