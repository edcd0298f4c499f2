"""One function over many values, on all processors of the machine.

The bulk normalisers take it as their mapper. The children are forks that run nothing but the function on
texts: they need no set-up and touch neither the database nor another library's threads. Where the system
cannot fork, or the values are few, the work stays in this process. Call it from one thread at a time.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Value = TypeVar("Value")
Result = TypeVar("Result")

# Fewer values are done before a process has started.
FEWEST_SPREAD = 20_000
# Linux's number for "send me this signal when my parent ends".
_PR_SET_PDEATHSIG = 1
# Several shares a process, so that a slow one keeps nobody waiting.
_SHARES = 4


def spread(function: Callable[[Value], Result], values: Sequence[Value], /) -> Iterable[Result]:
    """Apply a pure function that can be pickled to every value, in order."""
    processes = processors()
    if len(values) < FEWEST_SPREAD or processes < 2 or not sys.platform.startswith("linux"):
        return map(function, values)
    return _in_processes(function, values, processes)


def processors() -> int:
    """Count the processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_processes(
    function: Callable[[Value], Result], values: Sequence[Value], processes: int
) -> Iterator[Result]:
    context = multiprocessing.get_context("fork")
    share = -(-len(values) // (processes * _SHARES))
    with ProcessPoolExecutor(processes, mp_context=context, initializer=leave_interrupts) as pool:
        yield from pool.map(function, values, chunksize=share)


def leave_interrupts() -> None:
    """An interrupt is for the process that leads; these end with it, even when it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
