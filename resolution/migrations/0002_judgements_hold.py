"""Let the database itself refuse to put into one customer what a person judged different (P3)."""

from __future__ import annotations

from django.db import migrations

CREATE = """
CREATE FUNCTION p3_refuse_judged_different() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    together judgements%ROWTYPE;
BEGIN
    SELECT j.* INTO together
    FROM judgements j
    JOIN customers l ON l.id = j.left_id
    JOIN customers r ON r.id = j.right_id
    WHERE j.verdict = 'different' AND j.superseded_at IS NULL
      AND COALESCE(l.merged_into_id, l.id) = COALESCE(r.merged_into_id, r.id)
      AND (j.left_id = NEW.id OR j.right_id = NEW.id)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'customers % and % were judged different and cannot be one', together.left_id, together.right_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER p3_merge_respects_judgements
    AFTER INSERT OR UPDATE OF merged_into_id ON customers
    DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.merged_into_id IS NOT NULL)
    EXECUTE FUNCTION p3_refuse_judged_different();

CREATE FUNCTION p3_refuse_judging_one_customer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM judgements j
        JOIN customers l ON l.id = j.left_id
        JOIN customers r ON r.id = j.right_id
        WHERE j.id = NEW.id AND j.verdict = 'different' AND j.superseded_at IS NULL
          AND COALESCE(l.merged_into_id, l.id) = COALESCE(r.merged_into_id, r.id)
    ) THEN
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
"""


class Migration(migrations.Migration):
    dependencies = [("resolution", "0001_initial")]
    operations = [migrations.RunSQL(CREATE, DROP)]
