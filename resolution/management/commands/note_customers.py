"""manage.py note_customers: what the trail does not tell of customers, from which replays begin."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from resolution.management.console import progress
from resolution.services.note import note_untold
from resolution.types import Actor


class Command(BaseCommand):
    help = (
        "Write into the trail how customers stand that an earlier release created; from then on they can be"
        " shown as of any moment. Wanted once after an upgrade. May run while the product does."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--all", action="store_true", help="also those the trail tells whole, as after mixed releases"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        actor = Actor.machine("note_customers")
        with progress() as note:
            count = note_untold(
                actor=actor,
                everybody=options["all"],
                watch=lambda done, total: note("customers", done, total),
            )
        self.stdout.write(f"{count:,} customers were written down; the others were known.")
