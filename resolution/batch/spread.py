"""One function over many values, on all processors of the machine.

`spread` is for Python functions over texts: the bulk normalisers take it as their mapper. The children are
forks that run nothing but the function: they need no set-up and touch neither the database nor another
library's threads. Where the system cannot fork, or the values are few, the work stays in this process.
`in_forks` is for a function that needs what this process holds. `in_threads` is for few large pieces of work
that are mostly Arrow's and NumPy's, which wait for nobody.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any, ClassVar, TypeVar

Value = TypeVar("Value")
Result = TypeVar("Result")

# Fewer values are done before a process has started.
FEWEST_SPREAD = 20_000
# Linux's number for "send me this signal when my parent ends".
_PR_SET_PDEATHSIG = 1
# Several shares a process, so that a slow one keeps nobody waiting.
_SHARES = 4
# Threads share the processes of one at a time.
_FORKING = threading.Lock()
# How long a thread that is in Python may keep waiting one that comes back from Arrow or NumPy, in seconds.
_TURN = 0.0005


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
    with (
        _FORKING,
        ProcessPoolExecutor(processes, mp_context=context, initializer=leave_interrupts) as pool,
    ):
        yield from pool.map(function, values, chunksize=share)


def in_forks(function: Callable[[Value], Result], values: Sequence[Value], /) -> Iterable[Result]:
    """Apply a function to every value, in order, in children that inherit it with all that it holds.

    Values and results alone are sent. A single value, or any where the system cannot fork, stays here.
    """
    if len(values) < 2 or processors() < 2 or not sys.platform.startswith("linux"):
        return map(function, values)
    return _inherited(function, values)


class _Inherited:
    """What children apply; they find it where their parent left it."""

    function: ClassVar[Callable[[Any], Any]]


def _inherited(function: Callable[[Value], Result], values: Sequence[Value]) -> Iterator[Result]:
    context = multiprocessing.get_context("fork")
    with _FORKING:
        _Inherited.function = function
        try:
            with ProcessPoolExecutor(processors(), mp_context=context, initializer=leave_interrupts) as pool:
                yield from pool.map(_apply_inherited, values)
        finally:
            del _Inherited.function


def _apply_inherited(value: Any) -> Any:
    return _Inherited.function(value)


def in_threads(function: Callable[[Value], Result], values: Sequence[Value], /) -> list[Result]:
    """Apply a function to every value, in order, on as many threads as there are processors."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        with ThreadPoolExecutor(processors()) as pool:
            return list(pool.map(function, values))
    finally:
        sys.setswitchinterval(before)


def leave_interrupts() -> None:
    """An interrupt is for the process that leads; these end with it, even when it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
