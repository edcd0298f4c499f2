"""What signs tell of two texts is a bound: never more slips, never less in common than there are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

from resolution.matching.comparisons.outcome import is_alike, is_near
from resolution.matching.comparisons.signs import signs_of

# Few letters, so that many texts are alike; signs of two and four bytes among them.
texts = st.text(alphabet="abcno1 -éß漢𠮷", min_size=1, max_size=12)
pairs = st.lists(st.tuples(texts, texts), min_size=1, max_size=20)


def numbered(some: list[tuple[str, str]]) -> tuple[list[str], np.ndarray, np.ndarray]:
    both = [text for pair in some for text in pair]
    numbers = np.arange(len(both), dtype=np.int32)
    return both, numbers[::2], numbers[1::2]


class TestSigns:
    @given(pairs)
    def test_no_pair_has_fewer_slips_than_signs_tell(self, some: list[tuple[str, str]]) -> None:
        both, left, right = numbered(some)
        least = signs_of(both).slips(left, right)
        assert all(OSA.distance(*pair) >= slips for pair, slips in zip(some, least, strict=True))

    @given(pairs)
    def test_no_pair_has_a_higher_ratio_than_signs_allow(self, some: list[tuple[str, str]]) -> None:
        both, left, right = numbered(some)
        most = signs_of(both).ratios(left, right)
        assert all(fuzz.ratio(*pair) <= ratio + 1e-9 for pair, ratio in zip(some, most, strict=True))

    @given(pairs)
    def test_whatever_is_near_or_alike_may_be(self, some: list[tuple[str, str]]) -> None:
        both, left, right = numbered(some)
        may = signs_of(both).may_be_alike(left, right)
        for pair, possible in zip(some, may, strict=True):
            assert possible or not (is_near(*pair) or is_alike(*pair))

    def test_what_has_nothing_in_common_is_told_apart(self) -> None:
        both, left, right = numbered([("peter", "anna"), ("anna", "anne"), ("martha", "marhta")])
        signs = signs_of(both)
        assert signs.may_be_alike(left, right).tolist() == [False, True, True]
        assert signs.slips(left, right).tolist() == [4, 1, 0]

    def test_an_empty_text_among_others_has_no_signs(self) -> None:
        assert signs_of(["b", "", "a", ""]).bits.tolist() == [2, 0, 1, 0]

    def test_many_texts_are_read_as_few_are(self) -> None:
        few = [f"{number:x}" for number in range(70_000)]
        assert signs_of(few).bits[-1] == signs_of(few[-1:]).bits[0]
