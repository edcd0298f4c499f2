"""Blocking keys as numbers. They are derived: the table is emptied, and filled again after the migration."""

from __future__ import annotations

from django.db import migrations, models

TO_NUMBERS = """
    TRUNCATE blocking_keys;
    ALTER TABLE blocking_keys ALTER COLUMN key TYPE bigint USING 0;
"""
TO_TEXTS = """
    TRUNCATE blocking_keys;
    ALTER TABLE blocking_keys ALTER COLUMN key TYPE varchar(160) USING '';
"""


class Migration(migrations.Migration):
    dependencies = [("resolution", "0005_model_roles")]

    operations = [
        migrations.RunSQL(
            TO_NUMBERS,
            TO_TEXTS,
            state_operations=[
                migrations.AlterField("blockingkey", "key", models.BigIntegerField()),
            ],
        ),
    ]
