"""Customers worth comparing with a record, by one indexed query over their blocking keys."""

from __future__ import annotations

import uuid

from resolution.matching.blocking import RULES
from resolution.matching.kernel import score_pairs
from resolution.matching.key_numbers import key_number, number_keys, number_limit
from resolution.selectors.match_model import live_model
from resolution.selectors.profiles import load_profiles_of
from resolution.types import PairScore, Profile

# Of a key that too many have, no more customers are read than tell so.
_CANDIDATES = """
    SELECT DISTINCT unnest(block.ids) AS id
    FROM unnest(%(keys)s::bigint[], %(limits)s::int[]) AS asked (key, most)
    CROSS JOIN LATERAL (
        SELECT array_agg(other.customer_id) AS ids
        FROM (
            SELECT customer_id FROM blocking_keys
            WHERE blocking_keys.key = asked.key AND customer_id::text <> %(own)s
            LIMIT asked.most
        ) AS other
    ) AS block
    WHERE cardinality(block.ids) < asked.most
"""


def value_key(type: str, value: str) -> int:
    """Return the key under which customers with one identifier are found."""
    return key_number(f"{RULES[f'same_{type}'].prefix}:{value}")


def find_candidates(profile: Profile) -> dict[uuid.UUID, Profile]:
    """Find the customers that share a key with a profile, itself left out, and what matching knows of them.

    A key of more customers than its limit, this one counted, is skipped as in a batch run; finer keys of the
    same rule still bring the likeliest together.
    """
    keys = list(number_keys(profile))
    limits = [number_limit(key) for key in keys]
    return load_profiles_of(_CANDIDATES, keys=keys, limits=limits, own=profile.key)


def score_candidates(profile: Profile, *, floor: float) -> list[PairScore]:
    """Score a profile (left) against its candidates (right), best first, none below `floor`."""
    others = find_candidates(profile)
    scores = score_pairs(live_model(), ((profile, other) for other in others.values()), floor=floor)
    return sorted(
        (score for score in scores if score.weight >= floor), key=lambda score: (-score.weight, score.right)
    )
