"""The trail and the events are no longer checked row by row against the register."""

from __future__ import annotations


import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0002_register"),
        ("resolution", "0006_numbered_keys"),
    ]

    operations = [
        migrations.AlterField(
            model_name="auditentry",
            name="channel",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="customers.channel",
            ),
        ),
        migrations.AlterField(
            model_name="auditentry",
            name="customer",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="audit_entries",
                to="customers.customer",
            ),
        ),
        migrations.AlterField(
            model_name="outboxevent",
            name="customer",
            field=models.ForeignKey(
                db_constraint=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="customers.customer",
            ),
        ),
    ]
