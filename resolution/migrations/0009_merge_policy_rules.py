"""The rules a site begins with, by which every merge needs a second person, and who may change them."""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

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


def add_permissions(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    group, permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    _create_permissions_now(apps, "resolution")
    for name, codenames in ROLES.items():
        found = permission.objects.filter(content_type__app_label="resolution", codename__in=codenames)
        group.objects.get_or_create(name=name)[0].permissions.add(*found)


def _create_permissions_now(apps: Apps, label: str) -> None:
    """Django makes permissions after the last migration; a fresh database needs them here already."""
    config: Any = apps.get_app_config(label)
    config.models_module = True
    create_permissions(config, apps=apps, verbosity=0)
    config.models_module = None


def take_permissions(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    group, permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for name, codenames in ROLES.items():
        found = permission.objects.filter(content_type__app_label="resolution", codename__in=codenames)
        for role in group.objects.filter(name=name):
            role.permissions.remove(*found)


class Migration(migrations.Migration):
    dependencies = [("resolution", "0008_merge_policies")]
    operations = [
        migrations.RunPython(add_rules, migrations.RunPython.noop),  # the table goes with its own migration
        migrations.RunPython(add_permissions, take_permissions),
    ]
