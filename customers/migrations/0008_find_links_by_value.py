"""One index answers who uses a value of a type, and the search for a value of any type and state."""

from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("customers", "0007_erase_permission")]

    operations = [
        AddIndexConcurrently(
            "mapping", models.Index(fields=["normalised", "identifier_type"], name="mapping_of_value")
        ),
        RemoveIndexConcurrently("mapping", "mapping_value_current"),
    ]
