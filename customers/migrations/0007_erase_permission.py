"""Erasing a person is a permission of its own."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("customers", "0006_former_owners_index")]

    operations = [
        migrations.AlterModelOptions(
            name="customer", options={"permissions": [("erase_customer", "Can erase a person")]}
        ),
    ]
