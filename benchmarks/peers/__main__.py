"""Run a peer in this process and print one line of JSON.

python -m benchmarks.peers run SET.parquet FOLDER     Splink: stages, memory; pairs and clusters into FOLDER
python -m benchmarks.peers look-up SET.parquet        Splink: one record at a time
python -m benchmarks.peers naive SET.parquet PAIRS.parquet    nine similarities called pair by pair
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("run", "look-up", "naive"))
    parser.add_argument("set", type=Path)
    parser.add_argument("other", type=Path, nargs="?")
    arguments = parser.parse_args()
    if arguments.what != "look-up" and arguments.other is None:
        parser.error("run needs a folder to write to, naive the pairs that `run` wrote")
    print(json.dumps(_measure(arguments.what, arguments.set, arguments.other)))


def _measure(what: str, path: Path, other: Path) -> dict[str, Any]:
    """Import only what is measured: its memory counts."""
    if what == "run":
        from benchmarks.peers.splink_run import run

        return run(path, other)
    if what == "look-up":
        from benchmarks.peers.single import look_up

        return look_up(path)
    from benchmarks.peers.naive import score_naively

    return score_naively(path, other)


if __name__ == "__main__":
    main()
