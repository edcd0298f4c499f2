"""Proposals are read by one permission, on the screens and over the API; services keep reading them."""

from __future__ import annotations

from django.db import migrations

from resolution.migrations._roles import give_roles

ROLES = {"service": ("view_mergeproposal",)}


class Migration(migrations.Migration):
    dependencies = [("resolution", "0017_service_reads_judgements")]
    operations = [give_roles("resolution", ROLES)]
