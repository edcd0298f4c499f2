"""External ids and handles: exact within their system, which is written in front."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from resolution.matching.normalise import junk
from resolution.matching.normalise.text import CACHED_VALUES, LONGEST_VALUE, Canonical, clean_text, fold_text

# Signs that group an id for the eye; some write them and some do not.
_GROUPING = "[ ./-]"
_NOTHING_LEFT = "(?:^|:)$"
_HANDLE = re.compile(r"(?:[\w-]{1,40}:)?[\w][\w.\-]{1,63}")


@lru_cache(CACHED_VALUES)
def normalise_external_id(text: str) -> Canonical:
    """Trim an id and keep its case, since some systems tell ids apart by it."""
    if len(text) > LONGEST_VALUE:
        return Canonical("", f"longer than {LONGEST_VALUE} characters")
    value = clean_text(unicodedata.normalize("NFKC", clean_text(text)))
    bare = fold_text(value.rpartition(":")[2])
    if junk.is_filler(bare) or not bare.strip("0-_. "):
        return Canonical("", "a filler, nobody's id")
    return (
        Canonical(value)
        if len(value) <= LONGEST_VALUE
        else Canonical("", f"longer than {LONGEST_VALUE} characters")
    )


def external_id_in(system: str, value: str) -> Canonical:
    """Write an id as "system:value"; a value that already names its system stays as it is."""
    found = normalise_external_id(value)
    if not found.value or ":" in found.value:
        return found
    return Canonical(f"{clean_text(system).casefold() or 'id'}:{found.value}")


@lru_cache(CACHED_VALUES)
def bare_id(external_id: str) -> str:
    """Leave out of a canonical id what only groups it: "id:656.292.012-14" → "id:65629201214"."""
    bare = re.sub(_GROUPING, "", external_id)
    return external_id if re.search(_NOTHING_LEFT, bare) else bare


def bare_ids(external_ids: pa.Array) -> pa.Array:
    """Leave out of many ids what `bare_id` leaves out of each."""
    bare = pc.replace_substring_regex(external_ids, _GROUPING, "")
    return pc.if_else(pc.match_substring_regex(bare, _NOTHING_LEFT), external_ids, bare)


@lru_cache(CACHED_VALUES)
def normalise_handle(text: str) -> Canonical:
    """Fold a social handle: "@Anna.Smith" → "anna.smith"; "twitter:@anna" keeps its network in front."""
    if len(text) > LONGEST_VALUE:
        return Canonical("", "longer than any handle")
    folded = unicodedata.normalize("NFKC", clean_text(text)).casefold()
    handle = unicodedata.normalize("NFKC", folded).replace(" ", "").replace("@", "")
    if not _HANDLE.fullmatch(handle):
        return Canonical("", "not a handle")
    if junk.is_filler(handle.rpartition(":")[2]) or handle in junk.NAMES:
        return Canonical("", "a filler, nobody's handle")
    return Canonical(handle)
