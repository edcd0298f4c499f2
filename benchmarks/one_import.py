"""One import in a process of its own, so that its memory is its own: prints a line of JSON.

python -m benchmarks.one_import DATABASE FILE
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from benchmarks import ground


def main(database: str, path: str) -> None:
    """Import a file into a database that is ready."""
    ground.set_up()
    ground.use_database(database)
    from resolution.management.console import peak_memory_mib
    from resolution.services.importing import import_file, open_file
    from resolution.types import Actor

    opened = open_file(path=Path(path), channel=ground.make_channel())
    summary = import_file(opened, actor=Actor.machine("benchmark"))
    children, own = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
    settled = summary.settled
    result = {
        "rows": summary.rows_read,
        "seconds": summary.seconds,
        "peak": peak_memory_mib(),
        "helper": children.ru_maxrss // 1024,
        "cpu": own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime,
    }
    print(json.dumps(result | {"merged": settled.merged, "queued": settled.queued, "pairs": settled.pairs}))


if __name__ == "__main__":
    main(*sys.argv[1:])
