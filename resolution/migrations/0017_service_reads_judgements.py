"""What people said of pairs is for services to read too; their keys' scope allows it already."""

from __future__ import annotations

from django.db import migrations

from resolution.migrations._roles import give_roles

ROLES = {"service": ("view_judgement",)}


class Migration(migrations.Migration):
    dependencies = [("resolution", "0016_find_audit_by_actor_and_request")]
    operations = [give_roles("resolution", ROLES)]
