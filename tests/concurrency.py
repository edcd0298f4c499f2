"""Calls that really run at the same time, each on a connection of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

MOST_CONNECTIONS = 40
Result = TypeVar("Result")


def all_at_once(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    """Release every call at one moment and return their results in order; raises what a call raised.

    At most MOST_CONNECTIONS of them hold a connection at a time, as a web server's threads would.
    """
    gate = threading.Barrier(len(calls))
    connections = threading.BoundedSemaphore(MOST_CONNECTIONS)

    def run(call: Callable[[], Result]) -> Result:
        gate.wait(timeout=60)
        with connections:
            try:
                return call()
            finally:
                connection.close()

    with ThreadPoolExecutor(max_workers=len(calls)) as pool:
        return list(pool.map(run, calls))
