"""The PostgreSQL extension by which no two times of one identifier overlap."""

from __future__ import annotations

from django.contrib.postgres.operations import BtreeGistExtension
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("customers", "0002_register")]
    operations = [BtreeGistExtension()]
