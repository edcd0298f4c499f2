"""Walk the audit chain from its first entry and say whether it holds."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from resolution.models import AuditEntry
from resolution.services.audit import find_break


class Command(BaseCommand):
    help = "Check that no audit entry was altered or removed."

    def handle(self, *args: Any, **options: Any) -> None:
        broken = find_break()
        if broken:
            raise CommandError(f"The audit trail does not hold: {broken[1]}. Compare it with a backup.")
        self.stdout.write(
            f"The audit trail holds: {AuditEntry.objects.count():,} entries, none altered or missing."
        )
