"""The comparisons for many pairs at once, with the very answers of one at a time.

The scalar functions beside this file are the definition. Here arrays of facts about the distinct values give
the cheap answers first: equal, and certainly different. What is left is compared by the scalar functions,
once for each distinct pair of values. Answers are numbers of FIELD_LEVELS, SILENT where nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, lru_cache, partial
from typing import Any, TypeAlias
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA, JaroWinkler

from resolution.matching.comparisons import FIELD_LEVELS, extra
from resolution.matching.comparisons.address import (
    MISTYPED_STREET,
    STREET_ALIKE,
    compare_addresses,
    words_agree,
)
from resolution.matching.comparisons.birth_date import FEW_WEEKS, compare_birth_dates
from resolution.matching.comparisons.company import NAMES_ALIKE, compare_companies
from resolution.matching.comparisons.email import MOST_SLIPS, compare_emails
from resolution.matching.comparisons.external_id import compare_external_ids
from resolution.matching.comparisons.handle import compare_handles
from resolution.matching.comparisons.name import (
    INITIAL,
    LONGEST_GENDERED,
    MIDDLE_DIFFERS,
    OTHER_INITIAL,
    SAME_FIRST,
    SHORTEST_SHORTENED,
    SHORTEST_SOUND,
    SWAPPED,
    compare_family,
    compare_given,
    compare_names,
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
from resolution.matching.comparisons.phone import COUNTRY_PART, SHORTEST_NATIONAL, compare_phones
from resolution.matching.normalise.address import street_cores
from resolution.matching.normalise.bulk import Mapper, in_process
from resolution.matching.normalise.email import (
    are_shared_mailboxes,
    domains,
    is_relay,
    local_parts,
)
from resolution.matching.normalise.name import sounds_of
from resolution.matching.table import Column, Part, ProfileTable, arrow_of, number_values, texts_at
from resolution.types import Address

SILENT, UNDECIDED = -1, -2
# Fewer pairs than this are compared one by one: facts about all values would cost more.
SCREENED_FROM = 512

# Similarities of many at once may come out a last digit lower.
ROUNDING = 1e-6

Answers: TypeAlias = npt.NDArray[np.int8]
Codes: TypeAlias = npt.NDArray[np.int32]
Mask: TypeAlias = npt.NDArray[np.bool_]
Compare: TypeAlias = Callable[[Any, Any], Outcome | None]
Screen: TypeAlias = Callable[[Column, Codes, Codes], Answers]

_NUMBERS: Mapping[str, Mapping[str, int]] = {
    field: {level: number for number, level in enumerate(levels)}
    for field, levels in {**FIELD_LEVELS, "extra": extra.LEVELS}.items()
}


def number_of(field: str, level: str) -> int:
    """Return a level's place among its field's."""
    return _NUMBERS[field][level]


def compare_many(field: str, column: Column, left: Codes, right: Codes) -> Answers:
    """Compare values by their numbers: n pairs → n answers, same order. For every field but the name."""
    kind = "extra" if field.startswith("extra:") else field
    compare, screen = _COMPARISONS[kind]
    return _settle(kind, column, left, right, compare, screen)


def compare_many_names(column: Column, left: Codes, right: Codes) -> tuple[Answers, Answers]:
    """Compare names by their numbers: the answers for the given and for the family name."""
    givens, families = column.part("given"), column.part("family")
    given = _settle_part("given_name", givens, givens.codes[left], givens.codes[right])
    family = _settle_part("family_name", families, families.codes[left], families.codes[right])
    both_differ = (given >= _GIVEN_FAR) & (family >= _FAMILY_FAR)
    differing = np.flatnonzero(both_differ)
    if len(differing):
        places = differing[_may_be_swapped(column, left[differing], right[differing])]
        ones, others = (_both_parts(givens, families, side[places]) for side in (left, right))
        found = [compare_names(one, other) == _SWAPPED for one, other in zip(ones, others, strict=True)]
        swapped = places[np.array(found, dtype=np.bool_)]
        given[swapped], family[swapped] = _GIVEN_SWAPPED, _FAMILY_SWAPPED
    return given, family


def _both_parts(givens: Part, families: Part, codes: Codes) -> list[tuple[str, str]]:
    parts = (texts_at(part.texts, part.codes[codes]) for part in (givens, families))
    return list(zip(*parts, strict=True))


def _settle(
    kind: str, column: Column, left: Codes, right: Codes, compare: Compare, screen: Screen
) -> Answers:
    answers = screen(column, left, right) if len(left) >= SCREENED_FROM else _nothing_known(len(left))
    return _compare_rest(kind, column.values, left, right, compare, answers)


def _nothing_known(count: int) -> Answers:
    return np.full(count, UNDECIDED, dtype=np.int8)


def _compare_rest(
    kind: str, values: Sequence[Any], left: Codes, right: Codes, compare: Compare, answers: Answers
) -> Answers:
    """Fill what is undecided in by the scalar function, each distinct pair once."""
    open_places = np.flatnonzero(answers == UNDECIDED)
    if not len(open_places):
        return answers
    low, high, inverse = distinct_pairs(left[open_places], right[open_places])
    numbers = _NUMBERS[kind]
    outcomes = map(compare, texts_at(values, low), texts_at(values, high))
    levels = (SILENT if outcome is None else numbers[outcome.level] for outcome in outcomes)
    found = np.fromiter(levels, dtype=np.int8, count=len(low))
    answers[open_places] = found[inverse]
    return answers


def distinct_pairs(left: Codes, right: Codes) -> tuple[Codes, Codes, npt.NDArray[np.intp]]:
    """The distinct pairs, smaller number first, and the place of each pair among them."""
    low, high = np.minimum(left, right).astype(np.int64), np.maximum(left, right).astype(np.int64)
    packed = (low << 32) | high
    order = np.argsort(packed)
    ordered = packed[order]
    first = np.ones(len(ordered), dtype=np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    inverse = np.empty(len(ordered), dtype=np.intp)
    inverse[order] = np.cumsum(first) - 1
    distinct = ordered[first]
    return (distinct >> 32).astype(np.int32), (distinct & 0xFFFFFFFF).astype(np.int32), inverse


# What is known of the distinct values of a column


def work_out_facts(table: ProfileTable, *, mapper: Mapper = in_process) -> None:
    """Work out beforehand what the screens ask of every column; `mapper` may use several threads.

    They would do it themselves, one after the other. Short columns are left to them.
    """
    columns = {
        field: column for field, column in table.columns.items() if len(column.values) >= SCREENED_FROM
    }
    known = [field for field in _FACTS if field in columns]
    work = [partial(_facts_of, field, columns[field]) for field in known]
    if "name" in columns:
        names = columns["name"]
        work += [partial(_word_facts, names.part("family")), partial(_given_facts, names.part("given"))]
        work.append(partial(_word_numbers, names))
    list(mapper(lambda make: make(), work))


def _facts_of(field: str, column: Column) -> Any:
    """What a screen asks of a column's values, worked out once."""
    return column.fact(field, lambda values: _FACTS[field](column))


def _flags(values: Sequence[Any], holds: Callable[[Any], bool]) -> Mask:
    return np.fromiter(map(holds, values), dtype=np.bool_, count=len(values))


def _mask(flags: pa.Array) -> Mask:
    found: Mask = flags.to_numpy(zero_copy_only=False)
    return found


def _lengths(values: pa.Array) -> npt.NDArray[np.int32]:
    found: npt.NDArray[np.int32] = pc.utf8_length(values).to_numpy()
    return found


def _within(
    texts: Sequence[str],
    left: Codes,
    right: Codes,
    places: npt.NDArray[np.intp],
    scorer: Any,
    cutoff: Any,
) -> Mask:
    """Which of the pairs at `places` come within the cutoff: a distance at most, a similarity at least."""
    if not len(places):
        return np.zeros(0, dtype=np.bool_)
    distance = scorer is OSA.distance
    scores = process.cpdist(
        texts_at(texts, left[places]),
        texts_at(texts, right[places]),
        scorer=scorer,
        score_cutoff=cutoff,
        dtype=np.uint16 if distance else np.float32,
    )
    found: Mask = scores <= cutoff if distance else scores > 0
    return found


# E-mail


class _EmailFacts:
    def __init__(self, column: Column) -> None:
        addresses = column.arrow
        locals_, domains_ = local_parts(addresses), domains(addresses)
        self.local, self.length = number_values(locals_), _lengths(addresses)
        self.digits = number_values(pc.replace_substring_regex(addresses, "[^0-9]+", ""))
        self.shared = _mask(are_shared_mailboxes(locals_))
        known = domains_.dictionary_encode()
        relays = _flags(known.dictionary.to_pylist(), lambda domain: is_relay(f"@{domain}"))
        self.relay = relays[known.indices.to_numpy()]


def _screen_emails(column: Column, left: Codes, right: Codes) -> Answers:
    facts = _facts_of("email", column)
    answers = np.full(len(left), number_of("email", "different"), dtype=np.int8)
    equal = left == right
    answers[equal] = np.where(
        facts.shared[left[equal]], number_of("email", "shared"), number_of("email", "exact")
    )
    answers[~equal & (facts.relay[left] | facts.relay[right])] = SILENT
    other = ~equal & (answers != SILENT)
    same_local = other & (facts.local[left] == facts.local[right])
    answers[same_local] = UNDECIDED
    near = other & ~same_local & (np.abs(facts.length[left] - facts.length[right]) <= MOST_SLIPS)
    near &= facts.digits[left] == facts.digits[right]
    places = np.flatnonzero(near)
    answers[places[_within(column.values, left, right, places, OSA.distance, MOST_SLIPS)]] = UNDECIDED
    return answers


# Phone


class _PhoneFacts:
    def __init__(self, column: Column) -> None:
        numbers = column.arrow
        self.whole = _mask(pc.starts_with(numbers, "+"))
        self.start = number_values(pc.utf8_slice_codeunits(numbers, 0, COUNTRY_PART))
        self.length = _lengths(numbers)
        self.tail = number_values(pc.utf8_slice_codeunits(numbers, -SHORTEST_NATIONAL))


def _screen_phones(column: Column, left: Codes, right: Codes) -> Answers:
    facts = _facts_of("phone", column)
    answers = np.full(len(left), number_of("phone", "different"), dtype=np.int8)
    equal = left == right
    answers[equal] = number_of("phone", "exact")
    one_whole = facts.whole[left] != facts.whole[right]
    answers[one_whole] = np.where((facts.tail[left] == facts.tail[right])[one_whole], UNDECIDED, SILENT)
    near = ~equal & ~one_whole & (facts.start[left] == facts.start[right])
    near &= np.abs(facts.length[left] - facts.length[right]) <= 1
    places = np.flatnonzero(near)
    answers[places[_within(column.values, left, right, places, OSA.distance, 1)]] = UNDECIDED
    return answers


# Birth date


class _DateFacts:
    def __init__(self, column: Column) -> None:
        values = list(column.values)
        digits = "".join(value.replace("-", "") for value in values)
        self.digits = np.frombuffer(digits.encode(), dtype=np.uint8).reshape(-1, 8)
        self.year, self.month, self.day = (
            np.fromiter((int(value[part]) for value in values), dtype=np.int32, count=len(values))
            for part in (slice(0, 4), slice(5, 7), slice(8, 10))
        )
        self.ordinal = np.array(list(values), dtype="datetime64[D]").astype(np.int64)
        self.new_year = (self.month == 1) & (self.day == 1)


# Digits that stand side by side in YYYY-MM-DD, by their place among the eight.
_SIDE_BY_SIDE = ((0, 1), (1, 2), (2, 3), (4, 5), (6, 7))


def _screen_dates(column: Column, left: Codes, right: Codes) -> Answers:
    """Nothing of a date is left to the scalar function: its parts are numbers."""
    facts = _facts_of("birth_date", column)
    apart = np.abs(facts.ordinal[left] - facts.ordinal[right])
    equal_parts = [part[left] == part[right] for part in (facts.year, facts.month, facts.day)]
    same_year = equal_parts[0]
    answers = np.full(len(left), number_of("birth_date", "different"), dtype=np.int8)
    near = (apart <= FEW_WEEKS) | (sum(part.astype(np.int8) for part in equal_parts) == 2)
    answers[near] = number_of("birth_date", "near")
    places = np.flatnonzero(near)
    slipped = places[(apart[places] == 1) | _one_slip(facts.digits, left[places], right[places])]
    answers[slipped] = number_of("birth_date", "close")
    swapped = same_year & (facts.month[left] == facts.day[right]) & (facts.day[left] == facts.month[right])
    answers[swapped] = number_of("birth_date", "swapped")
    answers[same_year & (facts.new_year[left] | facts.new_year[right])] = number_of("birth_date", "year")
    answers[apart == 0] = np.where(
        facts.new_year[left[apart == 0]],
        number_of("birth_date", "placeholder"),
        number_of("birth_date", "exact"),
    )
    return answers


def _one_slip(digits: npt.NDArray[np.uint8], left: Codes, right: Codes) -> Mask:
    """Whether one digit differs, or two side by side changed places."""
    ones, others = digits[left], digits[right]
    wrong = (ones != others).sum(axis=1)
    found: Mask = wrong == 1
    for one, other in _SIDE_BY_SIDE:
        changed = (ones[:, one] == others[:, other]) & (ones[:, other] == others[:, one])
        found |= (wrong == 2) & changed & (ones[:, one] != others[:, one])
    return found


# External id, handle, company, extra columns


def _number_systems(values: Sequence[str]) -> Codes:
    """Number the systems of ids, as `system_of` names them."""
    return number_values(pc.replace_substring_regex(arrow_of(values), "^[^:]*$|:[^:]*$", ""))


class _IdFacts:
    def __init__(self, column: Column) -> None:
        self.system = _number_systems(column.values)
        self.length = _lengths(column.arrow)


def _screen_ids(column: Column, left: Codes, right: Codes) -> Answers:
    facts = _facts_of("external_id", column)
    answers = np.full(len(left), number_of("external_id", "different"), dtype=np.int8)
    answers[facts.system[left] != facts.system[right]] = SILENT
    near = (answers != SILENT) & (np.abs(facts.length[left] - facts.length[right]) <= 1)
    places = np.flatnonzero(near & (left != right))
    answers[places[_within(column.values, left, right, places, OSA.distance, 1)]] = UNDECIDED
    answers[left == right] = number_of("external_id", "exact")
    return answers


def _screen_handles(column: Column, left: Codes, right: Codes) -> Answers:
    network = column.fact("network", _number_systems)
    answers = np.where(network[left] == network[right], number_of("handle", "different"), SILENT)
    answers[left == right] = number_of("handle", "exact")
    return answers.astype(np.int8)


def _screen_companies(column: Column, left: Codes, right: Codes) -> Answers:
    answers = np.full(len(left), number_of("company", "different"), dtype=np.int8)
    places = np.flatnonzero(left != right)
    alike = _within(column.values, left, right, places, fuzz.token_sort_ratio, NAMES_ALIKE)
    answers[places[alike]] = number_of("company", "close")
    answers[left == right] = number_of("company", "exact")
    return answers


def _screen_extras(column: Column, left: Codes, right: Codes) -> Answers:
    answers = np.full(len(left), number_of("extra", "different"), dtype=np.int8)
    places = np.flatnonzero(left != right)
    answers[places[_maybe_near(column.values, left, right, places)]] = UNDECIDED
    answers[left == right] = number_of("extra", "exact")
    return answers


def _maybe_near(texts: Sequence[str], left: Codes, right: Codes, places: npt.NDArray[np.intp]) -> Mask:
    """Which pairs `is_near` or `is_alike` could hold of."""
    if not len(places):
        return np.zeros(0, dtype=np.bool_)
    low, high, inverse = distinct_pairs(left[places], right[places])
    ones, others = texts_at(texts, low), texts_at(texts, high)
    slips = process.cpdist(ones, others, scorer=OSA.distance, score_cutoff=2, dtype=np.uint16) <= 2
    alike = process.cpdist(
        ones, others, scorer=JaroWinkler.similarity, score_cutoff=ALIKE - ROUNDING, dtype=np.float64
    )
    found: Mask = slips | (alike > 0)
    return found[inverse]


# Names


def _may_be_swapped(column: Column, left: Codes, right: Codes) -> Mask:
    """Whether one part of the one name is a part of the other at the other place."""
    given, family = _word_numbers(column)
    one = (given[left] == family[right]) & (given[left] >= 0)
    other = (family[left] == given[right]) & (family[left] >= 0)
    found: Mask = one | other
    return found


def _word_numbers(column: Column) -> tuple[Codes, Codes]:
    """Each name's given and family part as numbers of one kind; -1 for none."""

    def number(values: Sequence[Any]) -> tuple[Codes, Codes]:
        given, family = column.part("given"), column.part("family")
        both = pa.concat_arrays([arrow_of(given.texts), arrow_of(family.texts)])
        one, other = np.split(number_values(both), [len(given.texts)])
        return np.append(one, -1)[given.codes], np.append(other, -1)[family.codes]

    found: tuple[Codes, Codes] = column.fact("words", number)
    return found


def _settle_part(field: str, part: Part, left: Codes, right: Codes) -> Answers:
    answers = np.full(len(left), SILENT, dtype=np.int8)
    both = np.flatnonzero((left >= 0) & (right >= 0))
    if not len(both):
        return answers
    compare, screen = _PARTS[field]
    ones, others = left[both], right[both]
    found = screen(part, ones, others) if len(both) >= SCREENED_FROM else _nothing_known(len(both))
    answers[both] = _compare_rest(field, part.texts, ones, others, compare, found)
    return answers


class _WordFacts:
    """What is known of names: those of one word, how they sound and begin, and what they may stand for."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        column, sounds = arrow_of(texts), pa.array(sounds_of(list(texts)), pa.string())
        self.length = _lengths(column)
        self.one_word = (self.length > 1) & ~_mask(pc.match_substring(column, " "))
        self.sound, self.heard = number_values(sounds), _lengths(sounds) >= SHORTEST_SOUND
        self.head = number_values(pc.utf8_slice_codeunits(column, 0, 2))
        self.start = number_values(pc.utf8_slice_codeunits(column, 0, SHORTEST_SHORTENED))
        self.first = number_values(pc.utf8_slice_codeunits(column, 0, 1))
        self.feminine = _mask(pc.ends_with(column, "a"))

    @cached_property
    def forms(self) -> npt.NDArray[np.uint64]:
        """Which names a given name may stand for, as bits of two kinds."""
        masks = [mask for text in self.texts for mask in _forms_masks(text)]
        return np.array(masks, dtype=np.uint64).reshape(-1, 2)

    @cached_property
    def words(self) -> _GivenWords:
        """The first two words of a given name."""
        return _GivenWords(arrow_of(self.texts))

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
        places = np.flatnonzero(_mask(several))
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
    return _mask(pc.equal(pc.utf8_length(words), 1))


def _word_facts(part: Part) -> _WordFacts:
    found: _WordFacts = part.fact("words", _WordFacts)
    return found


def _given_facts(part: Part) -> tuple[_GivenWords, npt.NDArray[np.uint64]]:
    facts = _word_facts(part)
    return facts.words, facts.forms


@lru_cache(1 << 14)
def _forms_masks(text: str) -> tuple[int, int]:
    """Two bits for every name a given name may stand for; two that lack one in common share no name."""
    one = other = 0
    for name in formal_names(text):
        bits = crc32(name.encode())
        one, other = one | 1 << (bits & 63), other | 1 << (bits >> 6 & 63)
    return one, other


def _screen_given(part: Part, left: Codes, right: Codes) -> Answers:
    facts = _word_facts(part)
    answers = _screen_words(facts, left, right, "given_name")
    may_shorten = (facts.start[left] == facts.start[right]) & (answers >= _GIVEN_FAR)
    answers[may_shorten | facts.share_forms(left, right)] = UNDECIDED
    several = np.flatnonzero(~(facts.one_word[left] & facts.one_word[right]))
    answers[several] = _screen_several_given(facts.words, left[several], right[several])
    answers[(left == right) & (facts.length[left] > 1)] = number_of("given_name", "exact")
    return answers


def _screen_several_given(words: _GivenWords, left: Codes, right: Codes) -> Answers:
    """Of initials and several given names: whether the initial fits, or the others beside one first name."""
    answers = _nothing_known(len(left))
    one_first = words.first[left] == words.first[right]
    fits = words.middle_fits(left, right)
    answers[one_first] = np.where(fits, _number(SAME_FIRST), _number(MIDDLE_DIFFERS))[one_first]
    initial = words.initial[left] | words.initial[right]
    same = words.letter[left] == words.letter[right]
    answers[initial] = np.where(same, _number(INITIAL), _number(OTHER_INITIAL))[initial]
    return answers


def _number(outcome: Outcome) -> int:
    return number_of("given_name", outcome.level)


def _screen_family(part: Part, left: Codes, right: Codes) -> Answers:
    facts = _word_facts(part)
    answers = _screen_words(facts, left, right, "family_name")
    may_be_gendered = (facts.head[left] == facts.head[right]) & (facts.feminine[left] | facts.feminine[right])
    may_be_gendered &= np.abs(facts.length[left] - facts.length[right]) <= LONGEST_GENDERED
    answers[may_be_gendered | ~(facts.one_word[left] & facts.one_word[right])] = UNDECIDED
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
    if not len(left):
        nothing = np.zeros(0, dtype=np.bool_)
        return nothing, nothing
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


# Address


class _AddressFacts:
    """The parts of the distinct addresses as numbers."""

    def __init__(self, column: Column) -> None:
        street, self.city = column.part("street"), column.part("city")
        self.street, self.postcode = street.codes, column.part("postcode")
        self.texts, self.cores = street.texts, street.fact("cores", street_cores)
        cores = pa.array(self.cores, pa.string())
        self.squeezed = number_values(pc.replace_substring(cores, " ", ""))
        self.shortened = _mask(pc.not_equal(cores, arrow_of(street.texts)))
        self.postcodes, self.cities = self.postcode.texts, self.city.texts
        self.house, self.country = column.part("house"), column.part("country").codes
        doors = [text.rstrip("abcdefgh") for text in self.house.texts]
        numbers: dict[str, int] = {"": -1}
        self.number = np.array(
            [numbers.setdefault(text, len(numbers)) for text in doors] + [-1], dtype=np.int32
        )

    def streets_alike(self, left: Codes, right: Codes) -> Mask:
        ones, others = self.street[left], self.street[right]
        alike: Mask = self.squeezed[ones] == self.squeezed[others]
        one_shortened = self.shortened[ones] != self.shortened[others]
        for texts, cutoff, where in (
            (self.texts, MISTYPED_STREET, ~alike & one_shortened),
            (self.cores, STREET_ALIKE, ~alike & ~one_shortened),
        ):
            places = np.flatnonzero(where)
            alike[places] = _within(texts, ones, others, places, fuzz.ratio, cutoff)
        return alike

    def cities_agree(self, left: Codes, right: Codes) -> Mask:
        """Whether both towns are known and one."""
        ones, others = self.city.codes[left], self.city.codes[right]
        agree: Mask = (ones == others) & (ones >= 0)
        places = np.flatnonzero((ones >= 0) & (others >= 0) & ~agree)
        places = places[_maybe_near(self.cities, ones, others, places)]
        if len(places):
            low, high, inverse = distinct_pairs(ones[places], others[places])
            pairs = zip(texts_at(self.cities, low), texts_at(self.cities, high), strict=True)
            agree[places] = np.array([words_agree(*pair) for pair in pairs], dtype=np.bool_)[inverse]
        return agree

    def postcodes_differ(self, left: Codes, right: Codes) -> Mask:
        """Whether both postcodes are known and more than a slip apart."""
        ones, others = self.postcode.codes[left], self.postcode.codes[right]
        differ: Mask = (ones != others) & (ones >= 0) & (others >= 0)
        places = np.flatnonzero(differ)
        differ[places[_within(self.postcodes, ones, others, places, OSA.distance, 1)]] = False
        return differ

    def houses_agree(self, left: Codes, right: Codes) -> Mask:
        """Whether both house numbers are known and one, an entrance's letter aside."""
        ones, others = self.house.codes[left], self.house.codes[right]
        known = (ones >= 0) & (others >= 0)
        same_number = (self.number[ones] == self.number[others]) & (self.number[ones] >= 0)
        found: Mask = known & ((ones == others) | same_number)
        return found

    def same_postcode(self, left: Codes, right: Codes) -> Mask:
        """Whether both postcodes are known and equal."""
        ones = self.postcode.codes[left]
        found: Mask = (ones == self.postcode.codes[right]) & (ones >= 0)
        return found


def _screen_addresses(column: Column, left: Codes, right: Codes) -> Answers:
    """Nothing of an address is left to the scalar function: its parts are numbers."""
    facts = _facts_of("address", column)
    answers = np.empty(len(left), dtype=np.int8)
    both_streets = (facts.street[left] >= 0) & (facts.street[right] >= 0)
    streets, no_street = np.flatnonzero(both_streets), np.flatnonzero(~both_streets)
    alike = facts.streets_alike(left[streets], right[streets])
    one_street, elsewhere = streets[alike], streets[~alike]
    answers[elsewhere] = _towns_of_other_streets(facts, left[elsewhere], right[elsewhere])
    answers[no_street] = _towns_alone(facts, left[no_street], right[no_street])
    answers[one_street] = _doors_of_one_street(facts, left[one_street], right[one_street])
    return answers


def _doors_of_one_street(facts: _AddressFacts, left: Codes, right: Codes) -> Answers:
    """Of one street name: in one town or not, and at one door or not."""
    agree, codes_differ = facts.cities_agree(left, right), facts.postcodes_differ(left, right)
    codes = (facts.postcode.codes[left] >= 0) & (facts.postcode.codes[right] >= 0)
    cities = (facts.city.codes[left] >= 0) & (facts.city.codes[right] >= 0)
    same_place = (codes & ~codes_differ) | agree
    one, other = facts.country[left], facts.country[right]
    towns_differ = ((one >= 0) & (other >= 0) & (one != other)) | (cities & ~same_place)
    answers = np.full(len(left), number_of("address", "street"), dtype=np.int8)
    doors = facts.houses_agree(left, right)
    answers[doors & same_place] = number_of("address", "house")
    answers[doors & ~codes & ~cities] = number_of("address", "likely_house")
    towns = _towns_alone(facts, left, right)
    unplaced = ~doors & ~same_place & (towns != SILENT)
    answers[unplaced] = towns[unplaced]
    others = _towns_of_other_streets(facts, left[towns_differ], right[towns_differ])
    answers[towns_differ] = others
    return answers


def _towns_of_other_streets(facts: _AddressFacts, left: Codes, right: Codes) -> Answers:
    answers = np.full(len(left), number_of("address", "different"), dtype=np.int8)
    answers[facts.cities_agree(left, right)] = number_of("address", "town")
    answers[facts.same_postcode(left, right)] = number_of("address", "postcode")
    return answers


def _towns_alone(facts: _AddressFacts, left: Codes, right: Codes) -> Answers:
    """Without a street on both sides only postcode and town count."""
    cities = (facts.city.codes[left] >= 0) & (facts.city.codes[right] >= 0)
    agree, codes_differ = facts.cities_agree(left, right), facts.postcodes_differ(left, right)
    different = number_of("address", "different")
    answers = np.where(codes_differ, different, SILENT).astype(np.int8)
    answers[cities] = different
    answers[agree] = np.where(
        codes_differ[agree], number_of("address", "town"), number_of("address", "town_only")
    )
    answers[facts.same_postcode(left, right)] = number_of("address", "postcode_only")
    return answers


def _compare_address_values(left: Address, right: Address) -> Outcome | None:
    return compare_addresses(
        (left.street, left.house, left.postcode, left.city, left.country),
        (right.street, right.house, right.postcode, right.city, right.country),
    )


_SWAPPED = (SWAPPED, SWAPPED)
_GIVEN_DIFFERENT, _GIVEN_SWAPPED = number_of("given_name", "different"), number_of("given_name", "swapped")
_GIVEN_FAR, _FAMILY_FAR = number_of("given_name", "far"), number_of("family_name", "far")
_FAMILY_DIFFERENT = number_of("family_name", "different")
_FAMILY_SWAPPED = number_of("family_name", "swapped")

_FACTS: Mapping[str, Callable[[Column], Any]] = {
    "email": _EmailFacts,
    "address": _AddressFacts,
    "phone": _PhoneFacts,
    "external_id": _IdFacts,
    "birth_date": _DateFacts,
}
_PARTS: Mapping[str, tuple[Compare, Callable[[Part, Codes, Codes], Answers]]] = {
    "given_name": (compare_given, _screen_given),
    "family_name": (compare_family, _screen_family),
}
_COMPARISONS: Mapping[str, tuple[Compare, Screen]] = {
    "birth_date": (compare_birth_dates, _screen_dates),
    "email": (compare_emails, _screen_emails),
    "phone": (compare_phones, _screen_phones),
    "external_id": (compare_external_ids, _screen_ids),
    "address": (_compare_address_values, _screen_addresses),
    "company": (compare_companies, _screen_companies),
    "handle": (compare_handles, _screen_handles),
    "extra": (extra.compare_extras, _screen_extras),
}


def compare_two(field: str, left: Any, right: Any) -> Outcome | None:
    """Compare two values of a field other than the name by the scalar function."""
    kind = "extra" if field.startswith("extra:") else field
    return _COMPARISONS[kind][0](left, right)
