"""Every order in which the steps of several actors can follow each other, each actor's own order kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db import connection

Actor = TypeVar("Actor")
_PATIENCE = 30.0  # seconds; only a test that fails waits so long


def interleavings(steps: Mapping[Actor, int]) -> Iterator[tuple[Actor, ...]]:
    """Yield each order once; an actor is named as often as it has steps."""
    if not any(steps.values()):
        yield ()
        return
    for actor, left in steps.items():
        if left:
            for rest in interleavings({**steps, actor: left - 1}):
                yield (actor, *rest)


@dataclass(slots=True)
class _Turn:
    """One actor: told to go on by `go`, it tells by `halted` that it waits again or has ended."""

    call: Callable[[], object]
    go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    halted: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    ended: bool = False
    result: Any = None


class Stepper:
    """Calls on threads and connections of their own, each of which goes from halt to halt when it is told."""

    def __init__(self) -> None:
        self._turns: dict[str, _Turn] = {}
        self._mine = threading.local()

    def play(self, calls: Mapping[str, Callable[[], object]], order: Iterable[str]) -> None:
        """Take the steps in this order, then let everybody come to the end. Raises what a call raised."""
        self._turns = {name: _Turn(call) for name, call in calls.items()}
        with ThreadPoolExecutor(len(calls)) as pool:
            running = [pool.submit(self._run, turn) for turn in self._turns.values()]
            for name in order:
                self._step(self._turns[name])
            for turn in self._turns.values():
                while not turn.ended:
                    self._step(turn)
            for done in running:
                done.result()

    def result(self, name: str) -> Any:
        return self._turns[name].result

    def halt(self) -> None:
        """Where an actor waits for its next turn; whoever is no actor goes on."""
        turn = getattr(self._mine, "turn", None)
        if turn:
            turn.halted.release()
            _wait(turn.go)

    def before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the call with a halt before it."""

        def halting(*args: Any, **kwargs: Any) -> Any:
            self.halt()
            return call(*args, **kwargs)

        return halting

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the call with a halt before and one after it."""

        def halting(*args: Any, **kwargs: Any) -> Any:
            self.halt()
            result = call(*args, **kwargs)
            self.halt()
            return result

        return halting

    def _run(self, turn: _Turn) -> None:
        self._mine.turn = turn
        try:
            _wait(turn.go)
            turn.result = turn.call()
        finally:
            connection.close()
            turn.ended = True
            turn.halted.release()

    @staticmethod
    def _step(turn: _Turn) -> None:
        if not turn.ended:
            turn.go.release()
            _wait(turn.halted)


def _wait(turn: threading.Semaphore) -> None:
    assert turn.acquire(timeout=_PATIENCE), "somebody else never took this turn"
