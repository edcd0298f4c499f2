"""Walk the audit chain from its first entry and say whether it holds."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from resolution.services.audit import Anchor, find_break, head


class Command(BaseCommand):
    help = "Check that no audit entry was altered or removed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--anchor",
            type=Path,
            metavar="FILE",
            help="check against the last entry kept in FILE, so that it shows when the newest were cut off,"
            " and keep today's last one there; FILE belongs where who runs the database cannot write",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path = options["anchor"]
        known, last = _read(path) if path else None, head()
        broken = find_break(known)
        if broken:
            raise CommandError(f"The audit trail does not hold: {broken[1]}. Compare it with a backup.")
        if path:
            _write(path, last)
        self.stdout.write(f"The audit trail holds: {last.sequence:,} entries, none altered or missing.")
        if path and not known:
            self.stdout.write(f"{path} is new: from now on it shows when the newest entries are cut off.")


def _read(path: Path) -> Anchor | None:
    """Read an anchor; a file that is not there yet is none."""
    try:
        return Anchor(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise CommandError(f"{path} holds no anchor ({error}); name the file of an earlier run.") from error


def _write(path: Path, anchor: Anchor) -> None:
    """Replace the file as a whole, so that a run broken off leaves the old one."""
    draft = path.with_name(f"{path.name}.draft")
    try:
        draft.write_text(json.dumps(asdict(anchor)) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise CommandError(f"The anchor cannot be written to {path}: {error.strerror}.") from error
