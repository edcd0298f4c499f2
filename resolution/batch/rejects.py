"""Rows that were refused, in a file beside the register: line, column, reason and the row as it came."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from resolution.batch.facts import unwritable
from resolution.batch.table import Refusal


class RejectsFile:
    """Appends refused rows; made on the first one, for its owner's eyes only.

    `size` is what a resumed import cuts the file back to, so that no row is listed twice.
    """

    def __init__(self, path: Path, names: Sequence[str], *, size: int = 0) -> None:
        self.path = path
        self.size = 0
        self._names = names
        self.cut_back(size)

    def cut_back(self, size: int) -> None:
        """Forget what was written after `size` bytes."""
        try:
            kept = min(size, self.path.stat().st_size) if self.path.exists() else 0
            if kept:
                os.truncate(self.path, kept)
        except OSError as error:
            raise unwritable(self.path, error) from error
        self.size = kept

    def write(self, refusals: Sequence[Refusal]) -> None:
        """Add rows and wait until they are on disk."""
        if not refusals:
            return
        try:
            self._append(refusals)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def _append(self, refusals: Sequence[Refusal]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if self.size else os.O_TRUNC)
        with os.fdopen(
            os.open(self.path, flags, 0o600), "w", encoding="utf-8", newline="", errors="replace"
        ) as file:
            writer = csv.writer(file)
            if not self.size:
                writer.writerow(("line", "column", "reason", *self._names))
            for entry in refusals:
                writer.writerow((entry.line, entry.column, entry.reason, *map(_shown, entry.raw)))
            file.flush()
            os.fsync(file.fileno())
            self.size = file.tell()


def _shown(value: str) -> str:
    return value.replace("\x00", "\N{SYMBOL FOR NULL}")
