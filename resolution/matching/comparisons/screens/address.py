"""What numbers tell of many pairs of addresses, which is everything: each part is compared by itself."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA

from resolution.matching.comparisons.address import MISTYPED_STREET, STREET_ALIKE, words_agree
from resolution.matching.comparisons.answers import (
    SILENT,
    Answers,
    Codes,
    Mask,
    distinct_pairs,
    mask_of,
    number_of,
    within,
)
from resolution.matching.comparisons.signs import maybe_near, signs_of
from resolution.matching.normalise.address import street_cores
from resolution.matching.table import Column, arrow_of, number_values, texts_at


class _AddressFacts:
    """The parts of the distinct addresses as numbers."""

    def __init__(self, column: Column) -> None:
        street, self.city = column.part("street"), column.part("city")
        self.street, self.postcode = street.codes, column.part("postcode")
        self.texts, self.cores = street.texts, street.fact("cores", street_cores)
        cores = pa.array(self.cores, pa.string())
        self.squeezed = number_values(pc.replace_substring(cores, " ", ""))
        self.shortened = mask_of(pc.not_equal(cores, arrow_of(street.texts)))
        self.postcodes, self.cities = self.postcode.texts, self.city.texts
        self.text_signs, self.core_signs = signs_of(self.texts), signs_of(self.cores)
        self.city_signs = signs_of(self.cities)
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
        for texts, signs, cutoff, where in (
            (self.texts, self.text_signs, MISTYPED_STREET, ~alike & one_shortened),
            (self.cores, self.core_signs, STREET_ALIKE, ~alike & ~one_shortened),
        ):
            places = np.flatnonzero(where)
            places = places[signs.ratios(ones[places], others[places]) >= cutoff]
            alike[places] = within(texts, ones, others, places, fuzz.ratio, cutoff)
        return alike

    def cities_agree(self, left: Codes, right: Codes) -> Mask:
        """Whether both towns are known and one."""
        ones, others = self.city.codes[left], self.city.codes[right]
        agree: Mask = (ones == others) & (ones >= 0)
        places = np.flatnonzero((ones >= 0) & (others >= 0) & ~agree)
        places = places[maybe_near(self.cities, self.city_signs, ones, others, places)]
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
        differ[places[within(self.postcodes, ones, others, places, OSA.distance, 1)]] = False
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


def address_facts(column: Column) -> _AddressFacts:
    """What the screen asks of the distinct addresses of a column, worked out once."""
    found: _AddressFacts = column.fact("address", lambda _: _AddressFacts(column))
    return found


def screen_addresses(column: Column, left: Codes, right: Codes) -> Answers:
    """Nothing of an address is left to the scalar function: its parts are numbers."""
    facts = address_facts(column)
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
