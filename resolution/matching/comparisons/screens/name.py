"""What numbers and similarity tell of many pairs of given and of family names."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz import process
from rapidfuzz.distance import OSA, JaroWinkler

from resolution.matching.comparisons.answers import (
    ROUNDING,
    SILENT,
    UNDECIDED,
    Answers,
    Codes,
    Mask,
    distinct_pairs,
    lengths_of,
    mask_of,
    nothing_known,
    number_of,
)
from resolution.matching.comparisons.name import (
    INITIAL,
    LONGEST_GENDERED,
    MIDDLE_DIFFERS,
    OTHER_INITIAL,
    SAME_FIRST,
    SHORTEST_SHORTENED,
    SHORTEST_SOUND,
)
from resolution.matching.comparisons.nicknames import formal_names
from resolution.matching.comparisons.outcome import (
    ALIKE,
    LONG_WORD,
    NEAR,
    SHORTEST_ALIKE,
    SHORTEST_NEAR,
    Outcome,
    is_alike,
    is_near,
)
from resolution.matching.comparisons.signs import signs_of
from resolution.matching.facts import sounds_of_words
from resolution.matching.table import Column, Part, arrow_of, number_values, texts_at


def screen_given(part: Part, left: Codes, right: Codes) -> Answers:
    """Nicknames and shortened names are left open."""
    facts = word_facts(part)
    answers = _screen_words(facts, left, right, "given_name")
    may_shorten = facts.may_shorten(left, right) & (answers >= _GIVEN_FAR)
    answers[may_shorten | facts.share_forms(left, right)] = UNDECIDED
    several = np.flatnonzero(~(facts.one_word[left] & facts.one_word[right]))
    answers[several] = _screen_several_given(facts.words, left[several], right[several])
    answers[facts.of_two_scripts(left, right)] = SILENT
    whole = (facts.length[left] > 1) | ~facts.ascii[left]
    answers[(left == right) & whole] = number_of("given_name", "exact")
    return answers


def _screen_several_given(words: _GivenWords, left: Codes, right: Codes) -> Answers:
    """Of initials and several given names: whether the initial fits, or the others beside one first name."""
    answers = nothing_known(len(left))
    one_first = words.first[left] == words.first[right]
    fits = words.middle_fits(left, right)
    answers[one_first] = np.where(fits, _number(SAME_FIRST), _number(MIDDLE_DIFFERS))[one_first]
    initial = words.initial[left] | words.initial[right]
    same = words.letter[left] == words.letter[right]
    answers[initial] = np.where(same, _number(INITIAL), _number(OTHER_INITIAL))[initial]
    return answers


def _number(outcome: Outcome) -> int:
    return number_of("given_name", outcome.level)


def screen_family(part: Part, left: Codes, right: Codes) -> Answers:
    """Names of several words, and those that may differ by gender alone, are left open."""
    facts = word_facts(part)
    answers = _screen_words(facts, left, right, "family_name")
    may_be_gendered = (facts.head[left] == facts.head[right]) & (facts.feminine[left] | facts.feminine[right])
    may_be_gendered &= np.abs(facts.length[left] - facts.length[right]) <= LONGEST_GENDERED
    answers[may_be_gendered | ~(facts.one_word[left] & facts.one_word[right])] = UNDECIDED
    answers[facts.of_two_scripts(left, right)] = SILENT
    answers[left == right] = number_of("family_name", "exact")
    return answers


def _screen_words(facts: _WordFacts, left: Codes, right: Codes, field: str) -> Answers:
    """Of single words: close when one slip or one sound makes them one, far when they look alike."""
    answers = np.full(len(left), number_of(field, "different"), dtype=np.int8)
    plain = facts.one_word[left] & facts.one_word[right]
    places = np.flatnonzero(plain & (left != right))
    near, alike = _likeness(facts, left[places], right[places])
    answers[places[alike]] = number_of(field, "far")
    answers[places[near]] = number_of(field, "close")
    answers[plain & facts.heard[left] & (facts.sound[left] == facts.sound[right])] = number_of(field, "close")
    return answers


def _likeness(facts: _WordFacts, left: Codes, right: Codes) -> tuple[Mask, Mask]:
    """What `is_near` and `is_alike` say of pairs of words."""
    near, alike = np.zeros((2, len(left)), dtype=np.bool_)
    places = np.flatnonzero(facts.signs.may_be_alike(left, right))
    if len(places):
        near[places], alike[places] = _likeness_by_letter(facts, left[places], right[places])
    return near, alike


def _likeness_by_letter(facts: _WordFacts, left: Codes, right: Codes) -> tuple[Mask, Mask]:
    low, high, inverse = distinct_pairs(left, right)
    ones, others = texts_at(facts.texts, low), texts_at(facts.texts, high)
    slips = process.cpdist(ones, others, scorer=OSA.distance, score_cutoff=2, dtype=np.uint8)
    jaro = process.cpdist(
        ones, others, scorer=JaroWinkler.similarity, score_cutoff=ALIKE - ROUNDING, dtype=np.float64
    )
    near, alike = _near_and_alike(facts, low, high, slips, jaro)
    for place in np.flatnonzero(_on_the_edge(jaro)):
        near[place], alike[place] = is_near(ones[place], others[place]), is_alike(ones[place], others[place])
    return near[inverse], alike[inverse]


def _near_and_alike(
    facts: _WordFacts, low: Codes, high: Codes, slips: npt.NDArray[np.uint8], jaro: npt.NDArray[np.float64]
) -> tuple[Mask, Mask]:
    one, other = facts.length[low], facts.length[high]
    shorter, apart = np.minimum(one, other), np.abs(one - other)
    same_start = facts.first[low] == facts.first[high]
    near: Mask = slips <= np.where(shorter >= LONG_WORD, 2, 1)
    near |= (shorter >= 5) & same_start & (jaro >= NEAR)
    near &= (shorter >= SHORTEST_NEAR) & (apart <= 2)
    alike: Mask = (jaro >= ALIKE) | ((shorter >= SHORTEST_ALIKE) & (slips <= 2))
    return near, alike


def _on_the_edge(jaro: npt.NDArray[np.float64]) -> Mask:
    found: Mask = (np.abs(jaro - ALIKE) <= 2 * ROUNDING) | (np.abs(jaro - NEAR) <= 2 * ROUNDING)
    return found


def may_be_swapped(column: Column, left: Codes, right: Codes) -> Mask:
    """Whether one part of the one name is a part of the other at the other place."""
    given, family = word_numbers(column)
    one = (given[left] == family[right]) & (given[left] >= 0)
    other = (family[left] == given[right]) & (family[left] >= 0)
    found: Mask = one | other
    return found


def word_numbers(column: Column) -> tuple[Codes, Codes]:
    """Each name's given and family part as numbers of one kind; -1 for none."""

    def number(values: Sequence[Any]) -> tuple[Codes, Codes]:
        given, family = column.part("given"), column.part("family")
        both = pa.concat_arrays([arrow_of(given.texts), arrow_of(family.texts)])
        one, other = np.split(number_values(both), [len(given.texts)])
        return np.append(one, -1)[given.codes], np.append(other, -1)[family.codes]

    found: tuple[Codes, Codes] = column.fact("words", number)
    return found


class _WordFacts:
    """What is known of names: those of one word, how they sound and begin, and what they may stand for."""

    def __init__(self, part: Part) -> None:
        self.texts = texts = part.texts
        column, sounds = arrow_of(texts), sounds_of_words(part)
        self.signs = signs_of(texts)
        self.length = self.signs.length
        self.one_word = (self.length > 1) & ~mask_of(pc.match_substring(column, " "))
        self.sound, self.heard = number_values(sounds), lengths_of(sounds) >= SHORTEST_SOUND
        self.head = number_values(pc.utf8_slice_codeunits(column, 0, 2))
        self.start = number_values(pc.utf8_slice_codeunits(column, 0, SHORTEST_SHORTENED))
        self.first = number_values(pc.utf8_slice_codeunits(column, 0, 1))
        self.feminine = mask_of(pc.ends_with(column, "a"))
        self.ascii = mask_of(pc.string_is_ascii(column))
        self.latin = mask_of(pc.match_substring_regex(column, "[a-z]"))

    @cached_property
    def forms(self) -> npt.NDArray[np.uint64]:
        """Which names a given name may stand for, as bits of two kinds."""
        masks = [mask for text in self.texts for mask in _forms_masks(text)]
        return np.array(masks, dtype=np.uint64).reshape(-1, 2)

    @cached_property
    def words(self) -> _GivenWords:
        """The first two words of a given name."""
        return _GivenWords(arrow_of(self.texts))

    def of_two_scripts(self, left: Codes, right: Codes) -> Mask:
        """Which are in Latin letters on one side alone."""
        found: Mask = (self.ascii[left] != self.ascii[right]) & ~(self.latin[left] & self.latin[right])
        return found

    def may_shorten(self, left: Codes, right: Codes) -> Mask:
        """Which may be a word and its beginning."""
        one, other = self.length[left], self.length[right]
        begin_alike = self.signs.start[left] == self.signs.start[right]
        begin_alike |= np.minimum(one, other) == SHORTEST_SHORTENED
        found: Mask = (self.start[left] == self.start[right]) & (one != other) & begin_alike
        return found

    def share_forms(self, left: Codes, right: Codes) -> Mask:
        """Which may stand for one name; rarely also others."""
        found: Mask = ((self.forms[left] & self.forms[right]) != 0).all(axis=1)
        return found


class _GivenWords:
    """First and second word of each given name as numbers, -1 for none; which of them are initials."""

    def __init__(self, texts: pa.Array) -> None:
        words = pc.split_pattern(texts, " ", max_splits=2)
        several = pc.greater(pc.list_value_length(words), 1)
        first = pc.list_element(words, 0)
        second = pc.list_element(pc.filter(words, several), 1)
        self.first, self.initial = number_values(first), _initials(first)
        self.letter = number_values(pc.utf8_slice_codeunits(first, 0, 1))
        self.second = np.full(len(texts), -1, dtype=np.int32)
        self.second_letter, self.second_initial = self.second.copy(), np.zeros(len(texts), dtype=np.bool_)
        places = np.flatnonzero(mask_of(several))
        self.second[places], self.second_initial[places] = number_values(second), _initials(second)
        self.second_letter[places] = number_values(pc.utf8_slice_codeunits(second, 0, 1))

    def middle_fits(self, left: Codes, right: Codes) -> Mask:
        """Whether second names are one, one of them missing, or an initial of the other."""
        ones, others = self.second[left], self.second[right]
        initial = (self.second_initial[left] | self.second_initial[right]) & (
            self.second_letter[left] == self.second_letter[right]
        )
        found: Mask = (ones < 0) | (others < 0) | (ones == others) | initial
        return found


def _initials(words: pa.Array) -> Mask:
    return mask_of(pc.equal(pc.utf8_length(words), 1))


def word_facts(part: Part) -> _WordFacts:
    """What the screens ask of the distinct texts of a name's part, worked out once."""
    found: _WordFacts = part.fact("words", lambda _: _WordFacts(part))
    return found


def given_facts(part: Part) -> tuple[_GivenWords, npt.NDArray[np.uint64]]:
    """What the screen asks of given names beside `word_facts`."""
    facts = word_facts(part)
    return facts.words, facts.forms


@lru_cache(1 << 14)
def _forms_masks(text: str) -> tuple[int, int]:
    """Two bits for every name a given name may stand for; two that lack one in common share no name."""
    one = other = 0
    for name in formal_names(text):
        bits = crc32(name.encode())
        one, other = one | 1 << (bits & 63), other | 1 << (bits >> 6 & 63)
    return one, other


_GIVEN_FAR, _FAMILY_FAR = number_of("given_name", "far"), number_of("family_name", "far")
