"""Work on customers that is killed: `python -m tests.resolution.services.killed_writer DATABASE`.

Each line read is a seed and the seconds to live: a child begins to work, is killed at that moment wherever it
is, and the line is answered by the act it was killed in. Starting anew costs a fork, not a start of Django.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import django

django.setup()

from django.db import connections  # noqa: E402

from tests.resolution.services.busy import Busy  # noqa: E402

ACTS = (
    "create", "create", "message", "link", *["merge"] * 3, *["merge_groups"] * 2, *["undo"] * 5,
    *["propose_groups"] * 2, *["approve_groups"] * 3, "erase", "block", "lift", "split", "propose", "approve",
    "change_rule",
)  # fmt: skip
BETWEEN = "between"
FOR_EVER = sys.maxsize


@dataclass(slots=True)
class Telling(Busy):
    """One who tells of each act as it begins and as it has ended."""

    tell: Callable[[str], None] = print

    def act(self, name: str) -> None:
        self.tell(name)
        Busy.act(self, name)
        self.tell(BETWEEN)


def main(database: str) -> None:
    connections["default"].settings_dict["NAME"] = database
    for line in sys.stdin:
        seed, seconds = line.split()
        print(killed_in(seed, float(seconds)), flush=True)


def killed_in(seed: str, seconds: float) -> str:
    """Let a child work for so long and return the act it was killed in, `BETWEEN` if between two."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        Telling(random.Random(seed), acts=ACTS, tell=partial(_tell, writing)).work(FOR_EVER)
    os.close(writing)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reading) as told:
        acts = told.read().split()
    return (acts or [BETWEEN])[-1] if os.WIFSIGNALED(status) else "ended by itself"


def _tell(writing: int, act: str) -> None:
    os.write(writing, f"{act}\n".encode())


if __name__ == "__main__":
    main(sys.argv[1])
