"""Ids of customers in columns whose names say nothing: told by the people who share them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from resolution.batch.sheet import Texts
from resolution.matching.normalise.text import letter_words
from resolution.matching.table import Rows

_ID = r"^[A-Za-z0-9][A-Za-z0-9._/-]{4,39}$"
_HAS_DIGITS = r"[0-9].*[0-9].*[0-9]"
_FEWEST_SHARED = 20
# More rows than this on the mean have a code of a kind, not an id of a person.
_MOST_ROWS = 5
_ENOUGH_ALIKE = 0.95
# Of the rows that share an id so many must be of one person, by the initials of its name; of those of one
# home about half are.
_ONE_PERSON = 0.8


def are_shared_ids(texts: Texts, names: Texts) -> bool:
    """Tell whether rows with one value of a column are of one person each, by given or whole names.

    An id of a household or of an order of several people does not pass.
    """
    if not _look_like_ids(texts):
        return False
    first, second = _rows_that_share(texts)
    told = (names.codes[first] >= 0) & (names.codes[second] >= 0)
    left, right = (_initials(names)[names.codes[rows[told]]] for rows in (first, second))
    return len(left) >= _FEWEST_SHARED and bool((left == right).mean() >= _ONE_PERSON)


def _initials(names: Texts) -> npt.NDArray[np.object_]:
    """The first letters of the words of each name, whatever their order."""
    words = (letter_words(text) for text in names.values.to_pylist())
    return np.array(["".join(sorted(word[0] for word in name)) for name in words], dtype=object)


def _look_like_ids(texts: Texts) -> bool:
    if texts.distinct < 2 * _FEWEST_SHARED or texts.filled > _MOST_ROWS * texts.distinct:
        return False
    alike = pc.and_(
        pc.match_substring_regex(texts.values, _ID), pc.match_substring_regex(texts.values, _HAS_DIGITS)
    )
    return bool(pc.mean(alike.cast("int8")).as_py() >= _ENOUGH_ALIKE)


def _rows_that_share(texts: Texts) -> tuple[Rows, Rows]:
    """Each row with the row before it that has the same value."""
    order: npt.NDArray[np.int64] = np.argsort(texts.codes, kind="stable")
    codes = texts.codes[order]
    places = np.flatnonzero((codes[1:] == codes[:-1]) & (codes[1:] >= 0))
    return order[places], order[places + 1]
