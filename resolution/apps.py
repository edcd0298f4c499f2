"""Application configuration of identity resolution."""

from __future__ import annotations

from django.apps import AppConfig


class ResolutionConfig(AppConfig):
    name = "resolution"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Identity resolution"

    def ready(self) -> None:
        from resolution import checks  # noqa: F401  (registers the system checks)
