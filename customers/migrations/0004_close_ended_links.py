"""Give every ended link an end, and no identifier two owners at one moment: what the constraints of 0005 want."""

from __future__ import annotations

from django.db import migrations

CLOSE = """
UPDATE customer_identity_mapping SET valid_to = greatest(updated_at, valid_from)
WHERE status = 'ended' AND valid_to IS NULL;
UPDATE customer_identity_mapping SET valid_to = NULL WHERE status <> 'ended' AND valid_to IS NOT NULL;
"""
# Whether an ended link owned its value or only shared it was not kept. Who came first owned it until its end;
# who overlaps with that begins then, and owned it for no time when it had ended by then.
TAKE_TURNS = """
WITH ended AS (
    SELECT id, valid_from, valid_to, max(valid_to) OVER (
        PARTITION BY channel_id, identifier_type, normalised ORDER BY valid_from, valid_to, id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS free_from
    FROM customer_identity_mapping WHERE status = 'ended'
)
UPDATE customer_identity_mapping AS link SET valid_from = least(ended.free_from, ended.valid_to)
FROM ended WHERE ended.id = link.id AND ended.free_from > ended.valid_from;

UPDATE customer_identity_mapping AS link SET valid_from = ended.free_from
FROM (
    SELECT channel_id, identifier_type, normalised, max(valid_to) AS free_from
    FROM customer_identity_mapping WHERE status = 'ended' AND valid_to > valid_from
    GROUP BY channel_id, identifier_type, normalised
) AS ended
WHERE link.status = 'active' AND link.channel_id = ended.channel_id
  AND link.identifier_type = ended.identifier_type AND link.normalised = ended.normalised
  AND link.valid_from < ended.free_from;
"""


class Migration(migrations.Migration):
    dependencies = [("customers", "0003_interval_extension")]
    # There is nothing to take back: the columns and what they mean were there before.
    operations = [
        migrations.RunSQL(CLOSE, migrations.RunSQL.noop),
        migrations.RunSQL(TAKE_TURNS, migrations.RunSQL.noop),
    ]
