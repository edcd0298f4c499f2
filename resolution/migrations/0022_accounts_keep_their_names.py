"""The trail knows people by their names: an account that it names keeps its own."""

from __future__ import annotations

from django.conf import settings
from django.db import migrations

_KEEP = """
    CREATE FUNCTION account_keeps_its_name() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF EXISTS (
            SELECT FROM customer_identity_audit WHERE actor_kind = 'user' AND actor_name = OLD.username
        ) THEN
            RAISE EXCEPTION 'the trail knows this account as %, so it keeps that name', OLD.username
                USING ERRCODE = 'check_violation', CONSTRAINT = 'p5_accounts_keep_their_names';
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER account_keeps_its_name BEFORE UPDATE OF username ON auth_user
        FOR EACH ROW WHEN (OLD.username IS DISTINCT FROM NEW.username)
        EXECUTE FUNCTION account_keeps_its_name();
"""
_LET_GO = """
    DROP TRIGGER account_keeps_its_name ON auth_user;
    DROP FUNCTION account_keeps_its_name();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("resolution", "0021_rule_on_splitting_too"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [migrations.RunSQL(_KEEP, _LET_GO)]
