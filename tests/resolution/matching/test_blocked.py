"""Blocked values and patterns, without a register."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolution.matching.blocked import Blocked, Blocklist, fault_of_pattern, fits_pattern
from resolution.types import Identifier, Profile

TILL = Blocked("phone", "+4930123456", reason="the shop's own till")


class TestPatterns:
    @pytest.mark.parametrize(
        ("pattern", "value", "fits"),
        [
            ("till*@shop.example", "till7@shop.example", True),
            ("till*@shop.example", "till@shop.example", True),
            ("till*@shop.example", "till7@other.example", False),
            ("*@shop.example", "anna@shop.example", True),
            ("+49800*", "+498001234567", True),
            ("*test*@*.example", "a.test.b@c.example", True),
            ("*test*@*.example", "a.tset.b@c.example", False),
            ("abc*abc", "abc", False),
            ("a*b*c", "acb", False),
            ("plain", "plain", True),
        ],
    )
    def test_a_star_stands_for_any_run(self, pattern: str, value: str, fits: bool) -> None:
        assert fits_pattern(pattern, value) is fits

    @given(st.lists(st.text("ab.", max_size=4), min_size=2, max_size=4), st.text("ab.", max_size=5))
    def test_what_is_put_in_the_place_of_the_stars_fits(self, parts: list[str], filling: str) -> None:
        assert fits_pattern("*".join(parts), filling.join(parts))

    def test_no_value_makes_it_slow(self) -> None:
        begun = time.perf_counter()
        assert not fits_pattern("*aaa*aaa*b", "a" * 200_000)
        assert time.perf_counter() - begun < 1

    @pytest.mark.parametrize(
        ("pattern", "fault"),
        [
            ("*", "only 0 of its characters"),
            ("ab*", "only 2 of its characters"),
            ("a**bcd", "two * side by side"),
            ("a*b*c*d*e", "has 4 *"),
            ("abcd", "has no *"),
            ("till*", ""),
        ],
    )
    def test_a_pattern_that_would_block_too_much_or_cannot_be_read_is_told(
        self, pattern: str, fault: str
    ) -> None:
        found = fault_of_pattern(pattern)
        assert (fault in found) if fault else found == ""


class TestBlocklist:
    def test_p8_a_blocked_value_is_no_evidence(self) -> None:
        profile = Profile("1", phones=("+4930123456", "+4917612345"), emails=("a@b.example",))

        assert Blocklist((TILL,)).strip(profile).phones == ("+4917612345",)

    def test_a_profile_without_one_stays_the_same_object(self) -> None:
        profile = Profile("1", phones=("+4917612345",))

        assert Blocklist((TILL,)).strip(profile) is profile

    def test_a_type_blocks_its_own_values_alone_and_no_type_all(self) -> None:
        one, all_types = Blocklist((Blocked("handle", "till"),)), Blocklist((Blocked("", "till"),))

        assert one.find("external_id", "till") is None
        assert all_types.find("external_id", "till") is not None
        assert all_types.find("handle", "till") is not None

    def test_an_external_id_is_blocked_in_every_system(self) -> None:
        blocked = Blocklist((Blocked("external_id", "4711"),))

        assert blocked.find("external_id", "shop:4711")
        assert not blocked.find("external_id", "shop:47111")

    def test_an_identifier_that_is_blocked_says_why(self) -> None:
        marked = Blocklist((TILL,)).mark(Identifier("phone", "030 123456", "+4930123456"))

        assert not marked.usable
        assert marked.unusable == "it is blocked (the shop's own till)"
