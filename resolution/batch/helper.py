"""A second process for the half of an import that needs no database: one batch ahead of the first.

It imports nothing of ours at its top: the new process sets Django up before any model is imported.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import django

if TYPE_CHECKING:
    from resolution.batch.prepare import Newcomer, Source
    from resolution.batch.records import Record

    Work = Callable[[Sequence[Record], Source], Future[dict[str, Newcomer]]]


@contextmanager
def second_process() -> Iterator[Work]:
    """Give a function that has newcomers prepared by another process and returns at once."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_set_up) as pool:
        try:
            yield lambda records, source: pool.submit(_prepare, records, source)
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def same_process() -> Iterator[Work]:
    """Give the same function for short files, which another process would only delay."""

    def work(records: Sequence[Record], source: Source) -> Future[dict[str, Newcomer]]:
        done: Future[dict[str, Newcomer]] = Future()
        done.set_result(_prepare(records, source))
        return done

    yield work


def _prepare(records: Sequence[Record], source: Source) -> dict[str, Newcomer]:
    from resolution.batch.prepare import prepare_newcomers  # models may be imported by now

    return prepare_newcomers(records, source)


def _set_up() -> None:
    """An interrupt is for the process that leads; this one ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_leader, daemon=True).start()
    django.setup()


def _end_with_leader() -> None:
    """A leader that was killed cannot say goodbye, and its queue would be waited on for ever."""
    leader = multiprocessing.parent_process()
    if leader:
        leader.join()
        os._exit(1)
