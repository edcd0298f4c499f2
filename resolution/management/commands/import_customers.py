"""manage.py import_customers FILE: a CSV or Parquet file into the register."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from resolution.batch.columns import FIELDS
from resolution.batch.table import Refusal
from resolution.errors import IdentityError
from resolution.management.console import (
    STOPPED,
    command_actor,
    console,
    peak_memory_mib,
    progress,
    show_table,
    stoppable,
    visible,
)
from resolution.selectors.labels import count_label
from resolution.services.import_steps import ENDS, Opened
from resolution.services.importing import BATCH, Summary, import_file, open_file, preview_import

DEFAULT_CHANNEL = "import"
_SETTLED = ("pairs", "merged", "queued", "skipped_blocks", "links_blocked", "links_refused")


class Command(BaseCommand):
    help = (
        "Import customers from a CSV or Parquet file and resolve them against the register and each other. "
        "The same file again changes nothing; a broken import goes on where it stopped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", type=Path, help="CSV or Parquet; delimiter, encoding and header are found out"
        )
        parser.add_argument(
            "--channel", default=DEFAULT_CHANNEL, help="code of the channel the file comes from"
        )
        parser.add_argument(
            "--map",
            dest="mapping",
            action="append",
            default=[],
            type=_mapping,
            metavar="FIELD=COLUMN",
            help=f"which column is which field; FIELD= drops one. Fields: {', '.join(FIELDS)}",
        )
        parser.add_argument("--delimiter", default="", help="one character, or the word tab")
        parser.add_argument("--encoding", default="", help="such as utf-8, utf-16, cp1252")
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, write nothing")
        parser.add_argument("--rejects", type=Path, help="where refused rows go (default: var/rejects/)")
        parser.add_argument("--batch", type=_batch_size, default=BATCH, help="rows a transaction")
        parser.add_argument(
            "--no-resolve", action="store_true", help="take the rows in without looking for duplicates"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with stoppable():
                self._import(options)
        except IdentityError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError(_stopped(dry_run=options["dry_run"]), returncode=STOPPED) from None

    def _import(self, options: dict[str, Any]) -> None:
        opened = open_file(
            path=options["file"],
            channel=options["channel"],
            mapping=options["mapping"],
            delimiter=options["delimiter"],
            encoding=options["encoding"],
        )
        _show_columns(opened)
        with progress() as note:
            summary = _run(
                opened, options, lambda so_far: note("rows", so_far.rows_read, opened.table.expected)
            )
        _show_summary(summary, dry_run=options["dry_run"])


def _run(opened: Opened, options: dict[str, Any], watch: Any) -> Summary:
    if options["dry_run"]:
        return preview_import(opened, batch=options["batch"], watch=watch)
    return import_file(
        opened,
        actor=command_actor(),
        rejects=options["rejects"],
        batch=options["batch"],
        resolve=not options["no_resolve"],
        watch=watch,
    )


def _stopped(*, dry_run: bool) -> str:
    if dry_run:
        return "Stopped. Nothing was changed."
    return "Stopped. Whole batches are in; the same command goes on from there."


def _mapping(text: str) -> tuple[str, str]:
    field, equals, column = text.partition("=")
    if not equals:
        raise ArgumentTypeError(f"{text!r} is not FIELD=COLUMN, as in given_name=first_name")
    return field.strip(), column.strip()


def _batch_size(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise ArgumentTypeError(f"{text!r} is not a number of rows from 1 to 100000")
    return int(text)


def _show_columns(opened: Opened) -> None:
    kind = ", ".join(f"{name} {value!r}" for name, value in opened.table.described.items() if name != "kind")
    console.print(
        f"{visible(str(opened.facts.path))}: {opened.facts.kind}, about {opened.table.expected:,} rows"
        f"{kind and f' ({kind})'}, into channel {opened.channel.code}",
        markup=False,
    )
    rows = [(use.column, use.field or "–", use.how, use.example) for use in opened.columns.uses]
    show_table("Columns", ("column", "field", "decided by", "example"), rows)


def _show_summary(summary: Summary, *, dry_run: bool) -> None:
    counts = summary.counts()
    lines: list[tuple[str, object]] = [
        ("rows read", summary.rows_read),
        *((count_label(name), counts[name]) for name in (*ENDS, "birth_dates_unread")),
    ]
    if not dry_run:
        lines += [(count_label(name), counts[name]) for name in _SETTLED]
    lines += [
        ("seconds", summary.seconds),
        ("rows a second", int(summary.rows_read / max(summary.seconds, 0.001))),
    ]
    lines += [("peak memory, MiB", peak_memory_mib())]
    if summary.resumed_at:
        console.print(f"Went on after row {summary.resumed_at:,} of an import that broke off.")
    show_table("Would happen" if dry_run else "Done", ("what", "number"), lines)
    for refusal in summary.refusals:
        _show_refusal(refusal)
    if summary.unread:
        _show_refusal(summary.unread)
    if summary.rejects:
        what = "Refused rows and birth dates not read are" if summary.unread else "Refused rows are"
        console.print(visible(f"{what} in {summary.rejects}"), markup=False)


def _show_refusal(refusal: Refusal) -> None:
    column = f", column {refusal.column}" if refusal.column else ""
    console.print(visible(f"line {refusal.line}{column}: {refusal.reason}"), markup=False)
