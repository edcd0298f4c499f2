"""The audit search finds an actor's and a request's entries without reading the whole trail."""

from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("resolution", "0015_erase_roles")]

    operations = [
        AddIndexConcurrently("auditentry", models.Index(fields=["actor_name"], name="audit_by_actor")),
        AddIndexConcurrently(
            "auditentry",
            models.Index(
                condition=models.Q(("request_id", ""), _negated=True),
                fields=["request_id"],
                name="audit_of_request",
            ),
        ),
    ]
