"""Human verdicts on pairs, seen from the customers those pairs stand for today."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Collection
from dataclasses import asdict, dataclass

from django.db import connection

from resolution.models import Judgement
from resolution.selectors.profiles import load_profiles
from resolution.types import Profile

# A verdict names customers as they were judged; each side may have been absorbed since.
_LIVE = """
    WITH member AS MATERIALIZED (
        SELECT id, coalesce(merged_into_id, id) AS canonical FROM customers
        WHERE id = ANY(%(ids)s) OR merged_into_id = ANY(%(ids)s)
    )
    SELECT l.canonical, r.canonical, j.verdict, j.fingerprint
    FROM judgements j
    JOIN member l ON l.id = j.left_id
    JOIN member r ON r.id = j.right_id
    WHERE j.superseded_at IS NULL AND l.canonical <> r.canonical
    ORDER BY j.id
"""

Pair = frozenset[uuid.UUID]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person said of a pair; `fresh` while the values they compared are still the same."""

    word: str
    fresh: bool


def different_pairs(ids: Collection[uuid.UUID]) -> set[Pair]:
    """Return the pairs of canonical customers, among those given, that may not become one (P3). One query."""
    return {pair for pair, word, _ in _live_judgements(ids) if word == Judgement.Verdict.DIFFERENT}


def verdicts_on_pairs(ids: Collection[uuid.UUID]) -> dict[Pair, Verdict]:
    """Return the verdict that counts on each judged pair among the canonical `ids`. At most three queries.

    Merged customers may bring several live words on one pair: *different* goes before all, then the last.
    """
    live = sorted(_live_judgements(ids), key=lambda entry: entry[1] == Judgement.Verdict.DIFFERENT)
    judged = {pair: (word, mark) for pair, word, mark in live}
    profiles = load_profiles(frozenset().union(*judged)) if judged else {}
    return {
        pair: Verdict(word, fresh=mark == fingerprint_of(*(profiles[entry] for entry in pair)))
        for pair, (word, mark) in judged.items()
        if pair <= profiles.keys()
    }


def fingerprint_of(one: Profile, other: Profile) -> str:
    """Return the SHA-256 (hex) of what is compared between two profiles, whichever comes first."""
    return hashlib.sha256("\n".join(sorted(map(_values_of, (one, other)))).encode()).hexdigest()


def _values_of(profile: Profile) -> str:
    values = asdict(profile)
    del values["key"]
    ordered = {
        name: sorted(json.dumps(value, sort_keys=True) for value in given) for name, given in values.items()
    }
    return json.dumps(ordered, sort_keys=True)


def _live_judgements(ids: Collection[uuid.UUID]) -> list[tuple[Pair, str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(_LIVE, {"ids": list(ids)})
        return [(frozenset((left, right)), word, mark) for left, right, word, mark in cursor.fetchall()]
