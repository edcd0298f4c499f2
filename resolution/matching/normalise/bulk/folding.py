"""Folding of whole columns, as far as it goes letter by letter."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from resolution.matching.normalise.bulk.columns import (
    among,
    any_of,
    changed,
    is_short,
    matches,
    only,
    replaced,
)
from resolution.matching.normalise.junk import FILLERS
from resolution.matching.normalise.text import FOLDED_LETTERS

_ASCII = "^[ -~]*$"
_LETTERS = f"^[ -~{''.join(map(chr, FOLDED_LETTERS))}]*$"


def fold_texts(values: pa.Array) -> pa.Array:
    """Fold what is short and made of ASCII and letters that fold alone; null for the rest."""
    short = is_short(values)
    plain = pc.and_(short, matches(values, _ASCII))
    lettered = pc.and_(pc.and_not(short, plain), matches(only(values, pc.invert(plain)), _LETTERS))
    folded = changed(values, lettered, _translated)
    return squeezed(pc.ascii_lower(only(folded, pc.or_(plain, lettered))))


def _translated(values: pa.Array) -> pa.Array:
    """Translate all values as one text, which costs a fraction of one call a value."""
    return pa.array("\n".join(values.to_pylist()).translate(FOLDED_LETTERS).split("\n"), pa.string())


def squeezed(values: pa.Array) -> pa.Array:
    """Leave one space between words and none around them."""
    doubled = pc.fill_null(pc.match_substring(values, "  "), False)
    single = changed(values, doubled, lambda some: pc.replace_substring_regex(some, " +", " "))
    return pc.ascii_trim(single, " ")


def letter_words_of(texts: pa.Array) -> pa.Array:
    """The words of folded texts, letters only, with single spaces between them."""
    return _words(texts, "a-z")


def plain_words_of(texts: pa.Array) -> pa.Array:
    """The words of folded texts, letters and digits, with single spaces between them."""
    return _words(texts, "a-z0-9")


def _words(texts: pa.Array, kept: str) -> pa.Array:
    joined = replaced(texts, "['`]", "")
    odd = matches(joined, f"[^ {kept}]|  ")
    spaced = changed(joined, odd, lambda some: pc.replace_substring_regex(some, f"[^{kept}]+", " "))
    return pc.ascii_trim(spaced, " ")


def are_fillers(folded: pa.Array) -> pa.Array:
    """Tell which texts only fill a required field."""
    return any_of(pc.fill_null(pc.equal(folded, ""), False), among(folded, FILLERS))
