"""Blocking keys as the register holds them: numbers of eight bytes, quick to index and nothing personal.

Two keys with one number would make strangers candidates, which costs a comparison and nothing else. The
lowest bit tells a key that strangers share by chance, so that SQL knows its limit: `key & 1`.
"""

from __future__ import annotations

from hashlib import blake2b

from resolution.matching.blocking import (
    CHANCE_PREFIXES,
    MAX_BLOCK,
    MAX_CHANCE_BLOCK,
    blocking_keys,
)
from resolution.types import Profile

_CHANCE_PREFIXES = frozenset(CHANCE_PREFIXES)


def number_keys(profile: Profile) -> dict[int, str]:
    """Give a profile's blocking keys by their numbers, each once."""
    return {key_number(key): key for rule_keys in blocking_keys(profile).values() for key in rule_keys}


def key_number(key: str) -> int:
    """Return a key's number, a signed integer of 64 bits: the same on every machine and in every year."""
    digest = int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big", signed=True)
    return digest | 1 if key.partition(":")[0] in _CHANCE_PREFIXES else digest & ~1


def number_limit(number: int) -> int:
    """Return how many customers may share the key of a number; with more it is skipped."""
    return MAX_CHANCE_BLOCK if number & 1 else MAX_BLOCK
