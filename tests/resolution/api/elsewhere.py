"""Something held by another connection while a test goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def held_elsewhere(take: Callable[[], object]) -> Iterator[None]:
    """Run `take` in a transaction of another connection and keep that open as long as the block runs."""
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            take()
            held.set()
            done.wait(10)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    try:
        yield
    finally:
        done.set()
        thread.join()
