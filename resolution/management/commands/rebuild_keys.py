"""manage.py rebuild_keys: blocking keys of the whole register by today's rules."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from resolution.management.console import progress
from resolution.services.keys import rebuild_all_keys


class Command(BaseCommand):
    help = (
        "Write every customer's blocking keys anew. Wanted after an upgrade that blocks by other rules; until"
        " then customers of before are found by their identifiers alone. May run while the product does."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        with progress() as note:
            count = rebuild_all_keys(watch=lambda done, total: note("customers", done, total))
        self.stdout.write(f"The blocking keys of {count:,} customers are those of today's rules.")
