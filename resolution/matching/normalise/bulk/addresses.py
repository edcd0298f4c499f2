"""Street lines, cities and postcodes in bulk."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from resolution.matching.normalise.address import (
    HOUSE,
    HOUSE_FIRST,
    HOUSE_LAST,
    LONGEST_POSTCODE,
    STREET_ENDS,
    STREET_WORDS,
    UNIT,
    normalise_city,
    normalise_postcode,
    split_street_line,
    unglued,
)
from resolution.matching.normalise.bulk.columns import (
    Mapper,
    any_of,
    as_strings,
    blanked,
    changed,
    in_process,
    is_short,
    matches,
    only,
    replaced,
    settled,
    settled_columns,
)
from resolution.matching.normalise.bulk.folding import (
    are_fillers,
    fold_texts,
    letter_words_of,
    plain_words_of,
    squeezed,
)

_LONGEST_CODE = 40
_CODE = "^[a-z0-9 -]*$"
_ZIP_PLUS_FOUR = "^[0-9]{5}-[0-9]{4}$"
_ONE_SIGN = f"^(?:{'|'.join(f'{sign}+' for sign in '0123456789abcdefghijklmnopqrstuvwxyz')})$"


def bulk_street_lines(values: pa.Array, mapper: Mapper = in_process) -> tuple[pa.Array, pa.Array]:
    """Split each line into canonical street and house, as `split_street_line` does."""
    values = as_strings(values)
    return settled_columns((values,), _split(fold_texts(values)), _street_and_house, mapper)


def _street_and_house(row: tuple[str, ...]) -> tuple[str, str]:
    return split_street_line.__wrapped__(row[0])


def _split(folded: pa.Array) -> tuple[pa.Array, pa.Array]:
    folded = blanked(folded, are_fillers(folded))
    text = pc.ascii_trim(replaced(folded, UNIT, " "), STREET_ENDS)
    house = street = pa.nulls(len(text), pa.string())
    left = text
    for place in _PLACES_OF_HOUSE:
        there = matches(left, place)
        cut = pc.extract_regex(left.filter(there), place)
        house, street = (
            pc.replace_with_mask(found, there, pc.struct_field(cut, part))
            for found, part in ((house, "house"), (street, "street"))
        )
        left = only(left, pc.invert(there))
    house = pc.coalesce(house, blanked(left, pc.is_valid(left)))
    return _street_words(pc.coalesce(street, left)), pc.ascii_ltrim(replaced(house, " +", ""), "0")


# Where a house number may stand, in the order the places are tried.
_PLACES_OF_HOUSE = (
    f"^(?P<house>{HOUSE})(?P<street>)$",
    f"^{HOUSE_FIRST}(?P<street>.*)$",
    f"^(?P<street>.*?){HOUSE_LAST}",
)


def _street_words(text: pa.Array) -> pa.Array:
    """Write every word in its one spelling; a word that is the whole name stays."""
    words = pc.split_pattern(plain_words_of(text), " ")
    spelt = words.flatten().dictionary_encode()
    alone = [unglued(word) for word in spelt.dictionary.to_pylist()]
    beside = [STREET_WORDS.get(word, word) for word in alone]
    single, several = (
        pc.binary_join(_with_words(words, spelt.indices, spellings), " ") for spellings in (alone, beside)
    )
    street = pc.if_else(pc.equal(pc.list_value_length(words), 1), single, several)
    return blanked(street, are_fillers(street))


def _with_words(words: pa.Array, indices: pa.Array, spellings: list[str]) -> pa.Array:
    spelt = pa.array(spellings, pa.string()).take(indices)
    return pa.ListArray.from_arrays(words.offsets, spelt, mask=pc.is_null(words))


def bulk_cities(values: pa.Array, mapper: Mapper = in_process) -> pa.Array:
    """Fold each city to words, as `normalise_city` does."""
    values = as_strings(values)
    folded = fold_texts(values)
    cities = letter_words_of(replaced(folded, "[,(/].*$", ""))
    return settled(values, blanked(cities, any_of(are_fillers(folded), are_fillers(cities))), _city, mapper)


def _city(text: str) -> str:
    return normalise_city.__wrapped__(text)


def bulk_postcodes(values: pa.Array, mapper: Mapper = in_process) -> pa.Array:
    """Fold each postcode to letters and digits, as `normalise_postcode` does."""
    values = as_strings(values)
    lower = pc.ascii_lower(pc.ascii_trim(values, " "))
    plain = pc.and_(is_short(values, _LONGEST_CODE), matches(lower, _CODE))
    codes = pc.replace_substring_regex(only(lower, plain), "[ -]+", "")
    short_zip = matches(lower, _ZIP_PLUS_FOUR)
    codes = changed(codes, short_zip, lambda some: pc.utf8_slice_codeunits(some, 0, 5))
    usable = pc.and_(
        is_short(codes, LONGEST_POSTCODE), pc.fill_null(pc.greater_equal(pc.binary_length(codes), 3), False)
    )
    fillers = any_of(are_fillers(squeezed(lower)), are_fillers(codes), matches(codes, _ONE_SIGN))
    unusable = any_of(pc.invert(usable), fillers)
    return settled(values, only(blanked(codes, unusable), plain), _postcode, mapper)


def _postcode(text: str) -> str:
    return normalise_postcode.__wrapped__(text)
