"""Entries are salted, and an erasure may empty them: then neither values nor salt are left to guess from.

Entries written before keep their hash without salt, and verify as they did.
"""

from __future__ import annotations

import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("resolution", "0013_settled_rows"),
    ]

    operations = [
        pgtrigger.migrations.RemoveTrigger(
            model_name="auditentry",
            name="p5_audit_is_append_only",
        ),
        migrations.AddField(
            model_name="auditentry",
            name="erased_by",
            field=models.BigIntegerField(help_text="The sequence of the erasure that emptied it.", null=True),
        ),
        migrations.AddField(
            model_name="auditentry",
            name="salt",
            field=models.BinaryField(max_length=16, null=True),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="auditentry",
            trigger=pgtrigger.compiler.Trigger(
                name="p5_audit_is_append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE emptied text[] := ARRAY['identifier_value', 'old_value', 'metadata', 'salt', 'erased_by'];",
                    func="\n                    IF TG_OP = 'UPDATE' AND OLD.erased_by IS NULL AND OLD.action <> 'erase'\n                        AND NEW.erased_by > OLD.sequence AND NEW.identifier_value = '' AND NEW.old_value = ''\n                        AND NEW.metadata = '{}' AND NEW.salt IS NULL\n                        AND to_jsonb(NEW) - emptied = to_jsonb(OLD) - emptied\n                    THEN\n                        RETURN NEW;\n                    END IF;\n                    RAISE EXCEPTION 'Cannot update or delete rows from % table', TG_TABLE_NAME;\n                ",
                    hash="fd8d039e7efa282be69b59da66d64bb01abaf2c4",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_p5_audit_is_append_only_9fdca",
                    table="customer_identity_audit",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="auditentry",
            trigger=pgtrigger.compiler.Trigger(
                name="p5_emptied_entry_names_its_erasure",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.erased_by IS NOT NULL)",
                    constraint="CONSTRAINT",
                    func="\n                    IF NOT EXISTS (\n                        SELECT FROM customer_identity_audit\n                        WHERE sequence = NEW.erased_by AND action = 'erase'\n                    ) THEN\n                        RAISE EXCEPTION 'entry % names no erasure that emptied it', NEW.sequence\n                            USING ERRCODE = 'integrity_constraint_violation';\n                    END IF;\n                    RETURN NULL;\n                ",
                    hash="332789a432683e7f3fd449db11467a7f65087030",
                    operation="UPDATE",
                    pgid="pgtrigger_p5_emptied_entry_names_its_erasure_6d1a2",
                    table="customer_identity_audit",
                    timing="DEFERRABLE INITIALLY DEFERRED",
                    when="AFTER",
                ),
            ),
        ),
    ]
