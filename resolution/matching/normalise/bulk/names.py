"""Names in bulk."""

from __future__ import annotations

import string

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from resolution.matching.normalise import junk
from resolution.matching.normalise.bulk.columns import (
    Mapper,
    among,
    any_of,
    as_strings,
    blanked,
    in_process,
    is_short,
    matches,
    only,
    settled,
    settled_columns,
)
from resolution.matching.normalise.bulk.folding import are_fillers, fold_texts, letter_words_of, squeezed
from resolution.matching.normalise.name import (
    KNOWN_WORDS,
    MOST_WORDS,
    PLAIN_NAME,
    SUFFIXES,
    TITLES,
    normalise_name_part,
    parse_name,
)

_TITLED = f"^(?:{'|'.join(sorted(TITLES))})(?: |$)"
_SUFFIXED = f" (?:{'|'.join(sorted(SUFFIXES))})$"
_TOO_MANY_WORDS = rf"^(?:\S+ ){{{MOST_WORDS}}}"
_ONE_LETTER = f"^(?:{'|'.join(f'{letter}{letter}{letter}+' for letter in string.ascii_lowercase)})$"
_TWO_WORDS = "^[A-Za-z]{2,} [A-Za-z]{2,}$"
_NOT_IN_WORDS = "[ .'’-]+"


def bulk_name_parts(values: pa.Array, mapper: Mapper = in_process) -> pa.Array:
    """Make each given or family name canonical, as `normalise_name_part` does."""
    values = as_strings(values)
    return settled(values, _parts(values), _part, mapper)


def _part(text: str) -> str:
    return normalise_name_part.__wrapped__(text)


def _parts(values: pa.Array) -> pa.Array:
    folded = fold_texts(values)
    words = letter_words_of(folded)
    more = any_of(*(matches(words, pattern) for pattern in (_TITLED, _SUFFIXED, _TOO_MANY_WORDS)))
    fillers = any_of(are_fillers(folded), are_fillers(words), matches(words, _ONE_LETTER))
    return only(blanked(words, fillers), pc.and_not(pc.is_valid(folded), more))


def bulk_full_names(values: pa.Array, mapper: Mapper = in_process) -> tuple[pa.Array, pa.Array]:
    """Make each whole name canonical, given names and family name apart, as `parse_name` does."""
    values = as_strings(values)
    return settled_columns((values,), _halves(values), _name, mapper)


def _name(row: tuple[str, ...]) -> tuple[str, str]:
    name = parse_name.__wrapped__(row[0])
    return (name.given, name.family) if name else ("", "")


def _halves(values: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Names in their plain order; nulls where a title, a particle or a sign may stand among the words."""
    text = squeezed(only(values, is_short(values)))
    plain = pc.and_(matches(text, f"^(?:{PLAIN_NAME})$"), pc.invert(_have_known_words(text)))
    readable = only(text, pc.or_(plain, matches(text, _TWO_WORDS)))
    cut = pc.extract_regex(readable, "^(?P<given>.*) (?P<family>[^ ]*)$")
    given, family = (_parts(pc.struct_field(cut, half)) for half in ("given", "family"))
    whole = pc.binary_join_element_wise(given, family, " ")
    odd = any_of(
        _mean_nothing(given), _mean_nothing(family), among(family, SUFFIXES), among(whole, junk.NAMES)
    )
    return only(given, pc.invert(odd)), only(family, pc.invert(odd))


def _mean_nothing(parts: pa.Array) -> pa.Array:
    return any_of(pc.is_null(parts), pc.fill_null(pc.equal(parts, ""), False), among(parts, junk.NAMES))


def _have_known_words(values: pa.Array) -> pa.Array:
    words = pc.split_pattern_regex(pc.fill_null(pc.utf8_lower(values), ""), _NOT_IN_WORDS)
    known = among(words.flatten(), KNOWN_WORDS).to_numpy(zero_copy_only=False)
    before = np.concatenate([[0], np.cumsum(known)])
    offsets = words.offsets.to_numpy()
    return pa.array(before[offsets[1:]] > before[offsets[:-1]])
