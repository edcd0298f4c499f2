"""What commands say: tables and sentences, a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import getpass
import resource
import signal
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from resolution.types import Actor

WIDTH_OF_A_FILE = 150
# What a shell expects of a command that was stopped by Ctrl-C.
STOPPED = 130
_UNSEEN = frozenset({"Cc", "Cf", "Cs"})

console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)
# Progress goes beside what is said, so that the latter can be kept in a file.
_aside = Console(highlight=False, soft_wrap=True, stderr=True)

# Told (what is being done, how far, of how many; 0 while unknown).
Note = Callable[[str, int, int], None]


def say(sentence: str) -> None:
    """Print a sentence as it is, whatever signs it holds."""
    console.print(visible(sentence), markup=False)


def show_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table; numbers stand to the right."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for place, head in enumerate(heads):
        numbers = bool(rows) and all(isinstance(row[place], int | float) for row in rows)
        table.add_column(head, justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*map(_shown, row))
    console.print(table, markup=False)


def _shown(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.1f}" if isinstance(value, float) else visible(str(value))


def visible(text: str) -> str:
    """Text from outside with its control characters spelled out, so that a terminal does not obey them."""
    return "".join(ascii(sign)[1:-1] if unicodedata.category(sign) in _UNSEEN else sign for sign in text)


@contextmanager
def stoppable() -> Iterator[None]:
    """Let a request to end (SIGTERM) stop the work as Ctrl-C does, so that it cleans up after itself."""
    try:
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    except ValueError:  # Signals are the main thread's alone.
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def progress() -> Iterator[Note]:
    """Give a function that shows progress: a bar in a terminal, else a line whenever a tenth more is done."""
    if not _aside.is_terminal:
        yield _lines()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=_aside) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(
            task, description=what, completed=done, total=total or None
        )


def _lines() -> Note:
    said: set[tuple[str, int]] = set()

    def note(what: str, done: int, total: int) -> None:
        tenth = 10 * done // total if total else 0
        if (what, tenth) not in said:
            said.add((what, tenth))
            _aside.print(f"{what}: {done:,} of {total:,}" if total else what, markup=False)

    return note


def peak_memory_mib() -> int:
    """The most memory this process has held so far, in MiB."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used // (1024 * 1024) if sys.platform == "darwin" else used // 1024


def command_actor() -> Actor:
    """Whoever types a command acts as the machine, under the name of their account on it."""
    try:
        account = getpass.getuser()
    except (KeyError, OSError):
        account = "unknown account"
    return Actor.machine(f"command line ({account})")
