"""How related customers are related, and what was compared when a pair was judged."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("resolution", "0005_model_roles")]

    operations = [
        migrations.AddField(
            model_name="judgement",
            name="compared",
            field=models.JSONField(
                default=dict,
                help_text="Side → field → digest of the values compared, so that what changed since can be named.",
            ),
        ),
        migrations.AddField(
            model_name="judgement",
            name="relation",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "Not said how"),
                    ("household", "One household"),
                    ("shared_contact", "Shared contact"),
                ],
                default="",
                help_text="How two related ones are related.",
                max_length=20,
            ),
        ),
        migrations.AddConstraint(
            model_name="judgement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("relation", ""),
                    models.Q(("relation__in", ["household", "shared_contact"]), ("verdict", "related")),
                    _connector="OR",
                ),
                name="judgement_relation_of_the_related",
            ),
        ),
    ]
