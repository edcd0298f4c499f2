"""Application configuration of identity resolution."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ResolutionConfig(AppConfig):
    name = "resolution"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Identity resolution"

    def ready(self) -> None:
        from resolution import checks  # noqa: F401  (registers the system checks)

        post_migrate.connect(_fill_emptied_tables, sender=self)


def _fill_emptied_tables(**facts: Any) -> None:
    """Derived rows that a migration has emptied are made anew by today's code."""
    from resolution.services.keys import rebuild_missing_keys

    if any(not backwards for _, backwards in facts.get("plan", ())):
        rebuild_missing_keys()
