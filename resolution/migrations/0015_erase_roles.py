"""Who may erase a person."""

from __future__ import annotations

from django.db import migrations

from resolution.migrations._roles import give_roles

ROLES = {"lead": ("erase_customer",), "admin": ("erase_customer",)}


class Migration(migrations.Migration):
    dependencies = [("customers", "0007_erase_permission"), ("resolution", "0014_audit_can_be_emptied")]
    operations = [give_roles("customers", ROLES)]
