"""Work on customers that is killed: `python -m tests.resolution.services.killed_writer DATABASE`.

Each line read is a seed and the seconds to live: a child begins to work, is killed at that moment wherever it
is, and the line is answered by how it ended. Starting anew costs a fork, not a start of Django.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time

import django

django.setup()

from django.db import connections  # noqa: E402

from tests.resolution.services.busy import Busy  # noqa: E402

ACTS = ("merge", "merge", "merge_groups", "undo", "undo", "message", "link")
FOR_EVER = sys.maxsize


def main(database: str) -> None:
    connections["default"].settings_dict["NAME"] = database
    for line in sys.stdin:
        seed, seconds = line.split()
        child = os.fork()
        if not child:
            Busy(random.Random(seed), acts=ACTS).work(FOR_EVER)
        time.sleep(float(seconds))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(status) else "ended by itself", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
