"""What blocking and comparisons both ask of the distinct values of a column, worked out once for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from resolution.matching.normalise.email import local_parts
from resolution.matching.normalise.external_id import bare_ids
from resolution.matching.normalise.name import sounds_of
from resolution.matching.table import Column, Part


def sounds_of_words(part: Part) -> pa.Array:
    """Give the sound of each distinct text that is one word; "" for those of several."""

    def hear(texts: Sequence[str]) -> pa.Array:
        return pa.array(sounds_of(["" if " " in text else text for text in texts]), pa.string())

    return part.fact("sounds of words", hear)


def sounds_of_names(part: Part, heard: Callable[[str], str]) -> pa.Array:
    """Give the sound of each distinct name; of several words `heard` says which are. Empty for none."""

    def hear(texts: Sequence[str]) -> pa.Array:
        several = {place: heard(text) for place, text in enumerate(texts) if " " in text}
        mask = np.zeros(len(texts), dtype=np.bool_)
        mask[list(several)] = True
        sounds = pa.array(sounds_of(list(several.values())), pa.string())
        return pc.replace_with_mask(sounds_of_words(part), mask, sounds)

    return part.fact("sounds", hear)


def bare_ids_of(column: Column) -> pa.Array:
    """Give each distinct external id without the signs that only group it."""
    return column.fact("bare ids", lambda _: bare_ids(column.arrow))


def mailboxes_of(column: Column) -> pa.Array:
    """Give what stands before the @ of each distinct e-mail address."""
    return column.fact("mailboxes", lambda _: local_parts(column.arrow))
