"""The five roles as groups, with the permissions each begins with."""

from __future__ import annotations

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from resolution.migrations._roles import create_permissions_now

READ = (
    "view_customer", "view_channel", "view_mapping", "view_message", "view_ticket", "view_sourcerecord",
    "view_conflict", "view_judgement", "view_merge", "view_mergeproposal", "view_matchrun", "view_importrun",
)  # fmt: skip
WORK = ("work_conflicts", "propose_merge", "change_customer")
ROLES = {
    "steward": (*READ, *WORK),
    "lead": (*READ, *WORK, "approve_merge", "undo_merge", "start_run", "view_auditentry"),
    "auditor": (*READ, "view_auditentry", "view_outboxevent"),
    "service": ("view_customer", "view_mapping", "view_conflict", "view_merge", "change_customer", "propose_merge"),
    "admin": (
        *READ, "view_auditentry", "view_outboxevent", "start_run", "undo_merge",
        "add_channel", "change_channel", "view_apikey", "add_apikey", "change_apikey",
        "view_user", "add_user", "change_user", "view_group",
    ),
}  # fmt: skip


def make_roles(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    group, permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    for label in ("auth", "customers", "resolution"):
        create_permissions_now(apps, label)
    for name, codenames in ROLES.items():
        found = list(permission.objects.filter(codename__in=codenames))
        missing = set(codenames) - {entry.codename for entry in found}
        if missing:
            raise LookupError(
                f"Role {name} names permissions that do not exist: {', '.join(sorted(missing))}."
            )
        group.objects.get_or_create(name=name)[0].permissions.set(found)


def drop_roles(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("auth", "Group").objects.filter(name__in=ROLES).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("resolution", "0002_judgements_hold"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]
    operations = [migrations.RunPython(make_roles, drop_roles)]
