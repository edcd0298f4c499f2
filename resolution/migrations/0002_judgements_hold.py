"""Let the database itself refuse to put into one customer what a person judged different (P3)."""

from __future__ import annotations

from django.db import migrations

CREATE = """
CREATE FUNCTION p3_stands_for(customer uuid) RETURNS uuid LANGUAGE sql STABLE
SET enable_seqscan = off AS $$
    SELECT COALESCE(merged_into_id, id) FROM customers WHERE id = customer
$$;

-- Judgements first, then each side by its key, and never by a scan: a session keeps the plan it made while the
-- tables were small.
CREATE FUNCTION p3_refuse_judged_different() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    judged record;
BEGIN
    FOR judged IN
        SELECT left_id, right_id FROM judgements
        WHERE left_id = NEW.id AND verdict = 'different' AND superseded_at IS NULL
        UNION ALL
        SELECT left_id, right_id FROM judgements
        WHERE right_id = NEW.id AND verdict = 'different' AND superseded_at IS NULL
    LOOP
        IF p3_stands_for(judged.left_id) = p3_stands_for(judged.right_id) THEN
            RAISE EXCEPTION 'customers % and % were judged different and cannot be one',
                judged.left_id, judged.right_id USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER p3_merge_respects_judgements
    AFTER INSERT OR UPDATE OF merged_into_id ON customers
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.merged_into_id IS NOT NULL)
    EXECUTE FUNCTION p3_refuse_judged_different();

CREATE FUNCTION p3_refuse_judging_one_customer() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (
        SELECT FROM judgements WHERE id = NEW.id AND verdict = 'different' AND superseded_at IS NULL
    ) AND p3_stands_for(NEW.left_id) = p3_stands_for(NEW.right_id) THEN
        RAISE EXCEPTION 'customers % and % are one; undo their merge before judging them different',
            NEW.left_id, NEW.right_id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER p3_judgement_respects_merges
    AFTER INSERT OR UPDATE ON judgements
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.verdict = 'different' AND NEW.superseded_at IS NULL)
    EXECUTE FUNCTION p3_refuse_judging_one_customer();
"""

DROP = """
DROP TRIGGER p3_judgement_respects_merges ON judgements;
DROP FUNCTION p3_refuse_judging_one_customer();
DROP TRIGGER p3_merge_respects_judgements ON customers;
DROP FUNCTION p3_refuse_judged_different();
DROP FUNCTION p3_stands_for(uuid);
"""


class Migration(migrations.Migration):
    dependencies = [("resolution", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, DROP)]
