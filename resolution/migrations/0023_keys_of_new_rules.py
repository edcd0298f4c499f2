"""Companies few share, names in more orders and bare ids make keys. The table is emptied, and filled afterwards."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("resolution", "0022_accounts_keep_their_names")]

    operations = [migrations.RunSQL("TRUNCATE blocking_keys", migrations.RunSQL.noop)]
