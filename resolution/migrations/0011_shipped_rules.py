"""The rule each known type begins with, and who may set rules and block values."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from resolution.migrations._roles import give_roles

# Type → values a customer (ask, refuse), customers a value (ask, refuse), rank.
SHIPPED = {
    "external_id": (20, 200, 5, 100, 1),
    "email": (10, 100, 10, 500, 2),
    "phone": (10, 100, 10, 500, 3),
    "handle": (10, 100, 5, 100, 4),
}
SEES = ("view_identifierrule", "view_blockedvalue")
SETS = (*SEES, "set_identifier_rules", "block_values")
ROLES = {"steward": SEES, "lead": SETS, "auditor": SEES, "service": SEES, "admin": SETS}


def ship_rules(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    rule = apps.get_model("resolution", "IdentifierRule")
    for code, (values_soft, values_hard, customers_soft, customers_hard, rank) in SHIPPED.items():
        limits = {
            "values_soft": values_soft, "values_hard": values_hard,
            "customers_soft": customers_soft, "customers_hard": customers_hard, "rank": rank,
        }  # fmt: skip
        rule.objects.get_or_create(identifier_type=code, defaults=limits)


class Migration(migrations.Migration):
    dependencies = [("resolution", "0010_identifier_rules")]
    operations = [
        # Rules stay when this is taken back: their table goes with the migration before.
        migrations.RunPython(ship_rules, migrations.RunPython.noop),
        give_roles("resolution", ROLES),
    ]
