"""An index by which a new link finds until when its value had another owner, in a fraction of the constraint's."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0005_one_owner_at_a_time"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="mapping",
            index=models.Index(
                condition=models.Q(("status", "ended")),
                fields=["channel", "identifier_type", "normalised", "valid_to"],
                name="mapping_former_owners",
            ),
        ),
    ]
