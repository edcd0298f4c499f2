"""Let the database itself keep one owner of an identifier at every moment, past ones too (P1)."""

from __future__ import annotations

import django.contrib.postgres.constraints
import django.contrib.postgres.fields.ranges
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0004_close_ended_links"),
    ]

    operations = [
        pgtrigger.migrations.AddTrigger(
            model_name="mapping",
            trigger=pgtrigger.compiler.Trigger(
                name="p1_new_links_wait_their_turn",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE twice text;",
                    func="\n    EXECUTE $plan$\n        SELECT normalised FROM began AS changed\n        JOIN customer_identity_mapping AS former USING (channel_id, identifier_type, normalised)\n        WHERE changed.status = 'active' AND former.status = 'ended'\n          AND former.valid_to > greatest(former.valid_from, changed.valid_from)\n        UNION ALL\n        SELECT normalised FROM began AS changed\n        JOIN customer_identity_mapping AS present USING (channel_id, identifier_type, normalised)\n        WHERE changed.status = 'ended' AND present.status = 'active'\n          AND changed.valid_to > greatest(changed.valid_from, present.valid_from)\n        LIMIT 1\n    $plan$ INTO twice;\n    IF twice IS NOT NULL THEN\n        RAISE EXCEPTION '% would have two owners at one moment', twice\n            USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'p1_one_owner_at_a_time';\n    END IF;\n    RETURN NULL;\n",
                    hash="256b133de7c8690ad9bf1d7be5d66ebdb540daa6",
                    level="STATEMENT",
                    operation="INSERT",
                    pgid="pgtrigger_p1_new_links_wait_their_turn_730de",
                    referencing="REFERENCING NEW TABLE AS began ",
                    table="customer_identity_mapping",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="mapping",
            trigger=pgtrigger.compiler.Trigger(
                name="p1_changed_links_wait_their_turn",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.status IN ('active', 'ended'))",
                    declare="DECLARE twice text;",
                    func="\n    EXECUTE $plan$\n        SELECT normalised FROM (SELECT ($1).*) AS changed\n        JOIN customer_identity_mapping AS former USING (channel_id, identifier_type, normalised)\n        WHERE changed.status = 'active' AND former.status = 'ended'\n          AND former.valid_to > greatest(former.valid_from, changed.valid_from)\n        UNION ALL\n        SELECT normalised FROM (SELECT ($1).*) AS changed\n        JOIN customer_identity_mapping AS present USING (channel_id, identifier_type, normalised)\n        WHERE changed.status = 'ended' AND present.status = 'active'\n          AND changed.valid_to > greatest(changed.valid_from, present.valid_from)\n        LIMIT 1\n    $plan$ INTO twice USING NEW;\n    IF twice IS NOT NULL THEN\n        RAISE EXCEPTION '% would have two owners at one moment', twice\n            USING ERRCODE = 'exclusion_violation', CONSTRAINT = 'p1_one_owner_at_a_time';\n    END IF;\n    RETURN NULL;\n",
                    hash="75c2d089d6112f0d1a5eb91903cd67097406513d",
                    operation='UPDATE OF "channel_id", "identifier_type", "normalised", "status", "valid_from", "valid_to"',
                    pgid="pgtrigger_p1_changed_links_wait_their_turn_4bbde",
                    table="customer_identity_mapping",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="mapping",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "ended"), ("valid_to__isnull", False)),
                    models.Q(models.Q(("status", "ended"), _negated=True), ("valid_to__isnull", True)),
                    _connector="OR",
                ),
                name="mapping_ends_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="mapping",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                condition=models.Q(("status", "ended"), ("valid_to__gt", models.F("valid_from"))),
                expressions=[
                    ("channel", "="),
                    ("identifier_type", "="),
                    ("normalised", "="),
                    (
                        models.Func(
                            "valid_from",
                            "valid_to",
                            function="tstzrange",
                            output_field=django.contrib.postgres.fields.ranges.DateTimeRangeField(),
                        ),
                        "&&",
                    ),
                ],
                name="p1_one_owner_at_a_time",
            ),
        ),
    ]
