"""What matching remembers of single values, kept small while whole files go through it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Protocol

# Enough for the pairs of a chunk; a value comes back within the same rows or is a common one.
MOST_VALUES = 1 << 12
FEWEST_VALUES = 1 << 10


class Cache(Protocol):
    """A function of `resolution.matching` behind an `lru_cache`."""

    def cache_info(self) -> Any: ...

    def cache_clear(self) -> None: ...


def trim_caches(most: int = MOST_VALUES) -> None:
    """Empty the caches of values that hold more than `most`; the common ones are soon back.

    A cache of pairs keeps the texts of both sides alive, long after their customers have left memory.
    """
    for cache in find_caches():
        if cache.cache_info().currsize > most:
            cache.cache_clear()


@lru_cache(1)
def find_caches() -> tuple[Cache, ...]:
    """Find the caches of values in the modules of matching that have been imported.

    A cache without a limit, or for a handful, is of models and tables, which are the same for any file.
    """
    found = {id(entry): entry for entry in _cached_functions()}
    return tuple(entry for entry in found.values() if (entry.cache_info().maxsize or 0) >= FEWEST_VALUES)


def _cached_functions() -> Iterator[Cache]:
    for name, module in list(sys.modules.items()):
        if name.startswith("resolution.matching."):
            yield from (entry for entry in vars(module).values() if hasattr(entry, "cache_clear"))
