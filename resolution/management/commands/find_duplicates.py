"""manage.py find_duplicates: the whole register compared with itself, merged and asked."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from resolution.errors import IdentityError
from resolution.management.console import (
    STOPPED,
    command_actor,
    peak_memory_mib,
    progress,
    show_table,
    stoppable,
)
from resolution.selectors.labels import count_label
from resolution.services.find_duplicates import RunSummary, find_duplicates

_TOLD = (
    "pairs", "merged", "queued", "waiting", "answered", "closed", "left", "not_merged",
    "skipped_blocks", "same_source",
)  # fmt: skip


class Command(BaseCommand):
    help = (
        "Look for duplicates over the whole register: merge what policy may settle, ask the rest. "
        "A second run finds nothing new; what a person judged different stays apart."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="count what would happen, write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with stoppable(), progress() as note:
                summary = find_duplicates(actor=command_actor(), dry_run=options["dry_run"], watch=note)
        except IdentityError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError(_stopped(dry_run=options["dry_run"]), returncode=STOPPED) from None
        _show(summary, dry_run=options["dry_run"])


def _stopped(*, dry_run: bool) -> str:
    if dry_run:
        return "Stopped. Nothing was changed."
    return "Stopped. What was merged and asked so far stays; the same command finds the rest."


def _show(summary: RunSummary, *, dry_run: bool) -> None:
    settled = summary.settled
    show_table(
        "Would happen" if dry_run else "Done",
        ("what", "number"),
        [
            (count_label("customers"), summary.customers),
            *((count_label(name), settled.counts()[name]) for name in _TOLD),
            *((f"seconds {stage}", seconds) for stage, seconds in summary.timings.items()),
            ("peak memory, MiB", peak_memory_mib()),
        ],
    )
    show_table("Largest blocks", ("key", "customers"), summary.blocks)
