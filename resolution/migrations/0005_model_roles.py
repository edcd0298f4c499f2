"""Who may see match models, train and promote them."""

from __future__ import annotations

from django.db import migrations

from resolution.migrations._roles import give_roles

ROLES = {
    "steward": ("view_storedmodel",),
    "lead": ("view_storedmodel", "promote_model"),
    "auditor": ("view_storedmodel",),
    "service": ("view_storedmodel",),
    "admin": ("view_storedmodel", "train_model"),
}


class Migration(migrations.Migration):
    dependencies = [("resolution", "0004_stored_models")]
    operations = [give_roles("resolution", ROLES)]
