"""The screens, a file each, inside Django's admin site. They translate: one domain call a view."""

from __future__ import annotations

from django.contrib import admin

from resolution.admin import api_keys, audit, ledger, people

admin.site.site_header = admin.site.site_title = "Identity Desk"
admin.site.enable_nav_sidebar = False

__all__ = ["api_keys", "audit", "ledger", "people"]
