"""Everything that is measured, in one table: `make bench`, or `python -m benchmarks [PART …]`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

from benchmarks import (
    decisions_speed,
    dedupe_speed,
    ground,
    import_speed,
    merge_speed,
    online_speed,
    register_quality,
    resolve_speed,
)
from benchmarks.ground import Figure

PARTS: dict[str, Callable[[], Iterator[Figure]]] = {
    "import": import_speed.measure,
    "resolve": resolve_speed.measure,
    "online": online_speed.measure,
    "merge": merge_speed.measure,
    "decisions": decisions_speed.measure,
    "quality": register_quality.measure,
    "dedupe": dedupe_speed.measure,
}


def main() -> None:
    """Measure the parts named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", help=f"of {', '.join(PARTS)}; all when none is named")
    wanted = parser.parse_args().part or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"there is no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    ground.set_up()
    from resolution.management.console import show_table

    try:
        figures = [figure for part in wanted for figure in PARTS[part]()]
    except ground.SetMissing as missing:
        raise SystemExit(str(missing)) from missing
    rows = [(figure.what, figure.ours, figure.beside, figure.how) for figure in figures]
    show_table("Measured", ("what", "here", "beside", "how"), rows)


if __name__ == "__main__":
    main()
