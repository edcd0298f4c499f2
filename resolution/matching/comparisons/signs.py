"""Which signs texts are made of, as bits: what two can have in common at most, told without comparing them.

A sign that one text has and the other lacks is a slip for sure, and never a match. Signs are classes of
characters: a letter, a digit, all that is not ASCII. So the bounds hold for any text.
"""

from __future__ import annotations

import string
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from rapidfuzz import process
from rapidfuzz.distance import OSA, JaroWinkler

from resolution.matching.comparisons.answers import ROUNDING, Codes, Mask, distinct_pairs, lengths_of
from resolution.matching.comparisons.outcome import ALIKE
from resolution.matching.table import arrow_of, texts_at

Bits = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int32]
Ratios = npt.NDArray[np.float64]

# What the similarity of Jaro and Winkler adds for each of the first four letters that is one.
_A_LETTER = 0.1
# Four bytes read as one number differ by less where the first one, two, three or all are one.
_ONE_UP_TO = tuple(np.uint32(limit) for limit in (1 << 24, 1 << 16, 1 << 8, 1))
# Words with more slips are neither near nor alike by them.
_MOST_SLIPS = 2
_TEXTS_AT_ONCE = 1 << 16
_NO_BITS = np.zeros(0, dtype=np.uint64)


def _classes() -> Bits:
    """The bit of each byte: one of its own for a letter or digit, one for all beyond ASCII."""
    own = string.ascii_lowercase + string.digits
    places = [own.index(sign) if (sign := chr(byte)) in own else len(own) + byte % 27 for byte in range(128)]
    found: Bits = np.uint64(1) << np.array([*places, *([63] * 128)], dtype=np.uint64)
    return found


_BIT_OF_BYTE = _classes()


class Signs:
    """The signs, the length and the first bytes of n texts; pairs are two arrays of their numbers."""

    def __init__(self, texts: Sequence[str]) -> None:
        column = arrow_of(texts).cast(pa.string())
        self.length = lengths_of(column)
        parts = [column.slice(place, _TEXTS_AT_ONCE) for place in range(0, len(column), _TEXTS_AT_ONCE)]
        found = [_signs_and_starts(part) for part in parts] or [(_NO_BITS, _NO_BITS.astype(np.uint32))]
        self.bits, self.start = (np.concatenate(kind) for kind in zip(*found, strict=True))

    def slips(self, left: Codes, right: Codes) -> Counts:
        """The fewest letters wrong, left out, added or out of place that make one the other."""
        one, other = self._lacking(left, right)
        apart = np.abs(self.length[left] - self.length[right])
        found: Counts = np.maximum(apart, np.maximum(one, other))
        return found

    def shared(self, left: Codes, right: Codes) -> Counts:
        """The most letters that both have."""
        one, other = self._lacking(left, right)
        found: Counts = np.minimum(self.length[left] - one, self.length[right] - other)
        return found

    def may_be_alike(self, left: Codes, right: Codes) -> Mask:
        """Which pairs `is_near` or `is_alike` could hold of."""
        shared = self.shared(left, right)
        jaro = (
            shared / np.maximum(self.length[left], 1) + shared / np.maximum(self.length[right], 1) + 1
        ) / 3
        jaro += _A_LETTER * self._first_letters(left, right) * (1 - jaro)
        found: Mask = (jaro >= ALIKE - ROUNDING) | (self.slips(left, right) <= _MOST_SLIPS)
        return found

    def ratios(self, left: Codes, right: Codes) -> Ratios:
        """The most that `fuzz.ratio` could give of texts that are not empty, 0 to 100."""
        both = np.maximum(self.length[left] + self.length[right], 1)
        found: Ratios = 200.0 * self.shared(left, right) / both
        return found

    def _lacking(self, left: Codes, right: Codes) -> tuple[Counts, Counts]:
        """How many signs of each the other lacks."""
        ones, others = self.bits[left], self.bits[right]
        one, other = (np.bitwise_count(bits).astype(np.int32) for bits in (ones & ~others, others & ~ones))
        return one, other

    def _first_letters(self, left: Codes, right: Codes) -> Counts:
        """The most first letters, of four, that are one."""
        differing = self.start[left] ^ self.start[right]
        found: Counts = sum((differing < limit).astype(np.int32) for limit in _ONE_UP_TO)
        return found


def signs_of(texts: Sequence[str]) -> Signs:
    """Read the signs of texts; meant as a fact of a column or a part."""
    return Signs(texts)


def maybe_near(
    texts: Sequence[str], signs: Signs, left: Codes, right: Codes, places: npt.NDArray[np.intp]
) -> Mask:
    """Which of the pairs at `places` `is_near` or `is_alike` could hold of."""
    found = signs.may_be_alike(left[places], right[places])
    places = places[found]
    if not len(places):
        return found
    low, high, inverse = distinct_pairs(left[places], right[places])
    ones, others = texts_at(texts, low), texts_at(texts, high)
    slips = process.cpdist(ones, others, scorer=OSA.distance, score_cutoff=_MOST_SLIPS, dtype=np.uint16)
    alike = process.cpdist(
        ones, others, scorer=JaroWinkler.similarity, score_cutoff=ALIKE - ROUNDING, dtype=np.float64
    )
    found[found] = ((slips <= _MOST_SLIPS) | (alike > 0))[inverse]
    return found


def _signs_and_starts(texts: pa.Array) -> tuple[Bits, npt.NDArray[np.uint32]]:
    """The signs of each text, and its first four bytes as one number."""
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int32, count=texts.offset + len(texts) + 1)
    offsets = offsets[texts.offset :]
    data = np.frombuffer(texts.buffers()[2] or b"", dtype=np.uint8)
    starts, sizes = offsets[:-1] - offsets[0], np.diff(offsets)
    data = data[offsets[0] : offsets[-1]]
    bits, filled = np.zeros(len(texts), dtype=np.uint64), sizes > 0
    if len(data):
        bits[filled] = np.bitwise_or.reduceat(_BIT_OF_BYTE[data], starts[filled])
    data = np.append(data, np.zeros(len(_ONE_UP_TO), dtype=np.uint8))
    first = np.stack([np.where(sizes > place, data[starts + place], 0) for place in range(len(_ONE_UP_TO))])
    return bits, np.ascontiguousarray(first.T, dtype=np.uint8).view(">u4").ravel().astype(np.uint32)
