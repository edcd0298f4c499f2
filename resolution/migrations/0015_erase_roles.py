"""Who may erase a person."""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

ROLES = {"lead": ("erase_customer",), "admin": ("erase_customer",)}


def add_permissions(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    group, permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    _create_permissions_now(apps, "customers")
    for name, codenames in ROLES.items():
        found = permission.objects.filter(content_type__app_label="customers", codename__in=codenames)
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
        found = permission.objects.filter(content_type__app_label="customers", codename__in=codenames)
        for role in group.objects.filter(name=name):
            role.permissions.remove(*found)


class Migration(migrations.Migration):
    dependencies = [("customers", "0007_erase_permission"), ("resolution", "0014_audit_can_be_emptied")]
    operations = [migrations.RunPython(add_permissions, take_permissions)]
