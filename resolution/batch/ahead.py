"""A walk in a thread of its own, a step ahead of whoever uses what it gives."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from queue import Empty, Queue
from typing import Any, TypeVar

from django.db import connections

Item = TypeVar("Item")
_END = object()
_PATIENCE = 0.05  # seconds


@contextmanager
def one_ahead(items: Generator[Item, None, None]) -> Iterator[Iterator[Item]]:
    """Walk `items` in another thread, one further than what was taken; what it raises comes out in its place.

    The thread has database sessions of its own, which end with it. Leaving the block ends the walk after the
    item it is at.
    """
    handed: Queue[Any] = Queue(maxsize=1)
    left = threading.Event()
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as pool:
        walk = pool.submit(_walk, items, handed, left)
        try:
            yield _received(handed, walk)
        finally:
            left.set()
            _let_end(handed, walk)


def _walk(items: Generator[Item, None, None], handed: Queue[Any], left: threading.Event) -> None:
    try:
        for item in items:
            if left.is_set():
                return
            handed.put(item)
    finally:
        items.close()
        connections.close_all()
        handed.put(_END)


def _received(handed: Queue[Any], walk: Future[None]) -> Iterator[Any]:
    while (item := handed.get()) is not _END:
        yield item
    walk.result()


def _let_end(handed: Queue[Any], walk: Future[None]) -> None:
    """Take what nobody wants any more, so that the walk is not kept waiting to hand it over."""
    while not walk.done():
        with suppress(Empty):
            handed.get(timeout=_PATIENCE)
