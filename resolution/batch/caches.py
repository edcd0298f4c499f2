"""What matching remembers of single values, kept small while whole files go through it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Protocol

# Enough for the pairs of a chunk; a value comes back within the same rows or is a common one.
MOST_VALUES = 1 << 13


class Cache(Protocol):
    """A function of `resolution.matching` behind an `lru_cache`."""

    def cache_info(self) -> Any: ...

    def cache_clear(self) -> None: ...


def trim_caches(most: int = MOST_VALUES) -> None:
    """Empty the caches of matching that hold more than `most` values; the common ones are soon back.

    A cache of pairs keeps the texts of both sides alive, long after their customers have left memory.
    """
    for cache in find_caches():
        if cache.cache_info().currsize > most:
            cache.cache_clear()


@lru_cache(1)
def find_caches() -> tuple[Cache, ...]:
    """Find the cached functions in the modules of matching that have been imported."""
    return tuple({id(entry): entry for entry in _cached_functions()}.values())


def _cached_functions() -> Iterator[Cache]:
    for name, module in list(sys.modules.items()):
        if name.startswith("resolution.matching."):
            yield from (entry for entry in vars(module).values() if hasattr(entry, "cache_clear"))
