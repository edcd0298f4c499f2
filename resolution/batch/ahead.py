"""A walk in a process of its own, a step ahead of whoever uses what it gives.

It imports nothing of ours at its top: the new process sets Django up before any model is imported.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import django
from django.db import connection

Item = TypeVar("Item")
_END = None  # no walk gives it


@contextmanager
def one_ahead(walk: Callable[[], Iterator[Item]]) -> Iterator[Iterator[Item]]:
    """Go through what `walk` gives in another process, one item further than was taken.

    `walk` and its items are pickled; what it raises comes out in the place of the next item. The process has
    a session of its own on this session's database. Leaving the block ends the walk after the item it is at.
    """
    context = multiprocessing.get_context("spawn")
    given = (dict(connection.settings_dict),)
    with ProcessPoolExecutor(1, mp_context=context, initializer=_set_up, initargs=given) as pool:
        yield _received(pool, pool.submit(_begin, walk))


def _received(pool: ProcessPoolExecutor, begun: Future[None]) -> Iterator[Any]:
    waiting = pool.submit(_next)
    begun.result()
    while (item := waiting.result()) is not _END:
        waiting = pool.submit(_next)
        yield item


class _Walk:
    """What the second process is walking through."""

    items: Iterator[Any]


def _begin(walk: Callable[[], Iterator[Any]]) -> None:
    _Walk.items = walk()


def _next() -> Any:
    return next(_Walk.items, _END)


def _set_up(database: dict[str, Any]) -> None:
    """An interrupt is for the process that leads; this one ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_leader, daemon=True).start()
    django.setup()
    connection.settings_dict.update(database)


def _end_with_leader() -> None:
    """A leader that was killed cannot say goodbye, and its queue would be waited on for ever."""
    leader = multiprocessing.parent_process()
    if leader:
        leader.join()
        os._exit(1)
