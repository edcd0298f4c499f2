"""What the migrations share that give roles their permissions; it does for ever what it did for each of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# Role → the codenames of its permissions.
Roles = Mapping[str, Collection[str]]


def give_roles(label: str, roles: Roles) -> migrations.RunPython:
    """Add permissions of one app to roles, which keep all they have beside them; taken back, remove these."""

    def add_permissions(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        create_permissions_now(apps, label)
        group = apps.get_model("auth", "Group")
        for name, codenames in roles.items():
            role, _ = group.objects.get_or_create(name=name)
            role.permissions.add(*_permissions(apps, label, codenames))

    def take_permissions(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        group = apps.get_model("auth", "Group")
        for name, codenames in roles.items():
            for role in group.objects.filter(name=name):
                role.permissions.remove(*_permissions(apps, label, codenames))

    return migrations.RunPython(add_permissions, take_permissions)


def create_permissions_now(apps: Apps, label: str) -> None:
    """Django makes permissions after the last migration; a fresh database needs them here already."""
    config: Any = apps.get_app_config(label)
    config.models_module = True
    create_permissions(config, apps=apps, verbosity=0)
    config.models_module = None


def _permissions(apps: Apps, label: str, codenames: Collection[str]) -> Any:
    permission = apps.get_model("auth", "Permission")
    return permission.objects.filter(content_type__app_label=label, codename__in=codenames)
