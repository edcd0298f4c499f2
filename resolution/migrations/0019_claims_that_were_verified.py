"""A claim on an identifier that comes verified for the first time is news after one that did not."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("resolution", "0018_service_reads_proposals")]
    operations = [
        migrations.AddField(
            model_name="conflict",
            name="verified",
            field=models.BooleanField(
                default=False, help_text="The identifier was claimed as a verified one."
            ),
        )
    ]
