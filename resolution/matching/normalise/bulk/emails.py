"""E-mail addresses in bulk."""

from __future__ import annotations

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
    changed,
    in_process,
    is_short,
    matches,
    settled,
)
from resolution.matching.normalise.email import DOMAIN, DOTS_IGNORED, SAME_PROVIDER, normalise_email

_PLAIN = rf"^[a-z0-9_-][a-z0-9._-]*(?:\+[a-z0-9._+-]*)?@{DOMAIN}$"


def bulk_emails(values: pa.Array, mapper: Mapper = in_process) -> pa.Array:
    """Fold each address into its comparison key, as `normalise_email` does."""
    values = as_strings(values)
    lower = pc.ascii_lower(values)
    plain = pc.and_(is_short(values), matches(lower, _PLAIN))
    keys = pc.replace_with_mask(pa.nulls(len(values), pa.string()), plain, _keys(lower.filter(plain)))
    return settled(values, keys, _key, mapper)


def _key(text: str) -> str:
    return normalise_email.__wrapped__(text).value


def _keys(addresses: pa.Array) -> pa.Array:
    local, domain = _halves(addresses)
    domain = _by_one_name(domain)
    tagged = pc.match_substring(local, "+")
    local = changed(local, tagged, lambda some: pc.replace_substring_regex(some, r"\+.*$", ""))
    dotted = among(domain, DOTS_IGNORED)
    local = changed(local, dotted, lambda some: pc.replace_substring(some, ".", ""))
    keys = pc.binary_join_element_wise(local, domain, "@")
    return blanked(keys, any_of(among(local, junk.EMAIL_LOCAL_PARTS), among(keys, junk.EMAILS)))


def _halves(addresses: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Cut addresses with one "@" each in two."""
    halves = pc.list_flatten(pc.split_pattern(addresses, "@"))
    places = np.arange(0, len(halves), 2)
    return halves.take(pa.array(places)), halves.take(pa.array(places + 1))


def _by_one_name(domains: pa.Array) -> pa.Array:
    others = pa.array(list(SAME_PROVIDER), pa.string())
    names = pa.array(list(SAME_PROVIDER.values()), pa.string())
    return pc.coalesce(names.take(pc.index_in(domains, value_set=others)), domains)
