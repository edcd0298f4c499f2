"""The rule on undoing says that it is one on splitting too."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("resolution", "0020_find_conflicts_by_question")]

    operations = [
        migrations.AlterField(
            model_name="mergepolicy",
            name="rule",
            field=models.CharField(
                choices=[
                    ("everything", "Every merge"),
                    ("hard_conflict", "A hard conflict between the customers"),
                    ("typed_value", "A value that was typed by hand"),
                    ("many_records", "Many linked records move"),
                    ("vip", "A marked customer, such as a VIP"),
                    (
                        "unmerge",
                        "Undoing and splitting: not by who proposed, approved or made the merge, or linked what leaves",
                    ),
                    ("bulk", "Proposed together with others"),
                ],
                max_length=20,
                unique=True,
            ),
        ),
    ]
