"""What was answered before is found by what it asked, however many conflicts are done."""

from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("resolution", "0019_claims_that_were_verified")]

    operations = [
        AddIndexConcurrently("conflict", models.Index(fields=["members_key"], name="conflict_by_question")),
    ]
