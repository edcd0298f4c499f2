"""Customers worth comparing with a record, by one indexed query over their blocking keys."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db import connection

from resolution.matching.blocking import MAX_BLOCK, RULES
from resolution.matching.kernel import score_pairs
from resolution.matching.key_numbers import key_number, number_keys, number_limit
from resolution.selectors.match_model import live_model
from resolution.selectors.profiles import load_profiles
from resolution.types import PairScore, Profile

_CANDIDATES = """
    SELECT wanted.key, found.customer_id
    FROM unnest(%(keys)s::bigint[]) AS wanted (key)
    CROSS JOIN LATERAL (
        SELECT b.customer_id FROM blocking_keys b WHERE b.key = wanted.key LIMIT %(most)s
    ) AS found
"""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Customers that share a key with a record; `skipped` counts the keys too common to compare by."""

    ids: frozenset[uuid.UUID]
    skipped: int = 0


def value_key(type: str, value: str) -> int:
    """Return the key under which customers with one identifier are found."""
    return key_number(f"{RULES[f'same_{type}'].prefix}:{value}")


def find_candidates(profile: Profile) -> Candidates:
    """Find the customers that share a key with a profile, itself left out.

    A key of more customers than its limit, this one counted, is skipped as in a batch run; finer keys of the
    same rule still bring the likeliest together.
    """
    blocks: dict[int, set[uuid.UUID]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_CANDIDATES, {"keys": list(number_keys(profile)), "most": MAX_BLOCK + 1})
        for key, customer_id in cursor.fetchall():
            blocks.setdefault(key, set()).add(customer_id)
    others = {key: {entry for entry in block if str(entry) != profile.key} for key, block in blocks.items()}
    small = [block for key, block in others.items() if len(block) < number_limit(key)]
    return Candidates(frozenset().union(*small), skipped=len(others) - len(small))


def score_candidates(profile: Profile, *, floor: float) -> list[PairScore]:
    """Score a profile (left) against its candidates (right), best first, none below `floor`."""
    others = load_profiles(find_candidates(profile).ids)
    scores = score_pairs(live_model(), ((profile, other) for other in others.values()), floor=floor)
    return sorted(
        (score for score in scores if score.weight >= floor), key=lambda score: (-score.weight, score.right)
    )
