"""manage.py load_demo: the demo company into an empty register."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from resolution.errors import IdentityError
from resolution.management.console import console, progress
from resolution.services.demo import DemoSummary, is_loaded, load_demo, summarise
from resolution.services.demo_accounts import as_line, read_accounts

_STANDARD_OUTPUT = 1


class Command(BaseCommand):
    help = "Load the demo company into an empty register: channels, accounts, records, letters, duplicates."

    def handle(self, *args: Any, **options: Any) -> None:
        accounts_file = Path(settings.VAR_DIR) / "accounts.txt"
        _keep_private()
        if is_loaded():
            console.print("The demo company is in the register already; nothing was changed.")
            _tell(summarise(read_accounts(accounts_file)), accounts_file)
            return
        try:
            with progress() as note:
                summary = load_demo(accounts_file=accounts_file, note=note)
        except IdentityError as error:
            raise CommandError(str(error)) from error
        _tell(summary, accounts_file)


def _keep_private() -> None:
    """Passwords follow: a file the output goes to is for its owner alone."""
    if stat.S_ISREG(os.fstat(_STANDARD_OUTPUT).st_mode):
        os.fchmod(_STANDARD_OUTPUT, 0o600)


def _tell(summary: DemoSummary, accounts_file: Path) -> None:
    console.print(
        f"{summary.records:,} records in, {summary.customers:,} customers, "
        f"{summary.linked:,} linked at once, {summary.queue:,} in the queue. "
        f"Letters from strangers made {summary.newcomers:,} customers besides the records."
    )
    console.print(f"Accounts (kept in {accounts_file}):", markup=False)
    for entry in summary.accounts:
        console.print(f"  {as_line(entry)}", markup=False)
