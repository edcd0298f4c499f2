"""Long work without needless passes of the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# New objects before a pass, passes before an older generation is looked at.
_SELDOM = (200_000, 20, 100)


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """Let the collector look rarely while rows and profiles come by the hundred thousand.

    They are freed by counting references; walking all that is kept, again and again, took half of an import.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*_SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
