"""The rules a site begins with, by which every merge needs a second person, and who may change them."""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from resolution.migrations._roles import give_roles

ROLES = {
    "steward": ("view_mergepolicy",),
    "lead": ("view_mergepolicy", "change_mergepolicy"),
    "auditor": ("view_mergepolicy",),
    "service": ("view_mergepolicy",),
    "admin": ("view_mergepolicy", "change_mergepolicy"),
}
RULES: tuple[dict[str, Any], ...] = (
    {"rule": "everything", "enabled": True},
    {"rule": "hard_conflict", "enabled": True},
    {"rule": "typed_value", "enabled": True},
    {"rule": "many_records", "enabled": True, "number": 50},
    {"rule": "vip", "enabled": True, "attribute": "vip"},
    {"rule": "unmerge", "enabled": False},
    {"rule": "bulk", "enabled": True},
)


def add_rules(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    policy = apps.get_model("resolution", "MergePolicy")
    for rule in RULES:
        policy.objects.get_or_create(rule=rule["rule"], defaults=rule)


class Migration(migrations.Migration):
    dependencies = [("resolution", "0008_merge_policies")]
    operations = [
        migrations.RunPython(add_rules, migrations.RunPython.noop),  # the table goes with its own migration
        give_roles("resolution", ROLES),
    ]
