"""The tables of identity resolution, with the promises the database keeps for them."""

from __future__ import annotations

import customers.ids
import django.db.models.deletion
import django.utils.timezone
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("customers", "0002_register"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100, unique=True)),
                ("prefix", models.CharField(editable=False, max_length=12, unique=True)),
                ("secret_hash", models.CharField(editable=False, max_length=64)),
                ("scopes", models.JSONField(default=list)),
                ("expires_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
                ("last_used_at", models.DateTimeField(editable=False, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="api_keys",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "API key",
                "db_table": "api_keys",
            },
        ),
        migrations.CreateModel(
            name="BlockingKey",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "key", "customer_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key", models.CharField(max_length=160)),
                (
                    "customer",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="blocking_keys",
                        to="customers.customer",
                    ),
                ),
            ],
            options={
                "db_table": "blocking_keys",
            },
        ),
        migrations.CreateModel(
            name="Conflict",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("verified_identifier", "Verified identifier claimed"),
                            ("high_confidence_identifier", "Identifier claimed"),
                            ("several_candidates", "Several candidates"),
                            ("likely_duplicate", "Likely duplicate"),
                            ("limit_reached", "Limit reached"),
                            ("shared_value", "Shared value"),
                            ("contradiction", "Contradiction"),
                            ("over_merge", "Over-merge"),
                        ],
                        max_length=40,
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("claimed", "Claimed"),
                            ("parked", "Parked"),
                            ("decided", "Awaiting approval"),
                            ("returned", "Returned"),
                            ("done", "Done"),
                        ],
                        default="open",
                        max_length=10,
                    ),
                ),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "None yet"),
                            ("merged", "Merged"),
                            ("different", "Not the same"),
                            ("related", "Related, not the same"),
                            ("unsure", "Unsure"),
                            ("kept", "Identifier kept by its owner"),
                            ("moved", "Identifier moved"),
                            ("closed", "No longer a question"),
                        ],
                        default="",
                        max_length=10,
                    ),
                ),
                ("members_key", models.CharField(max_length=64)),
                ("reason", models.CharField(max_length=500)),
                ("band", models.CharField(blank=True, default="", max_length=10)),
                (
                    "weight",
                    models.FloatField(help_text="Match weight of the strongest pair, log2 odds.", null=True),
                ),
                (
                    "evidence",
                    models.JSONField(default=list, help_text="Pair scores with a reason per field."),
                ),
                ("priority", models.SmallIntegerField(default=0)),
                ("identifier_type", models.CharField(blank=True, default="", max_length=50)),
                ("identifier_value", models.CharField(blank=True, default="", max_length=255)),
                ("leased_until", models.DateTimeField(null=True)),
                ("parked_until", models.DateTimeField(null=True)),
                ("due_at", models.DateTimeField()),
                ("comment", models.CharField(blank=True, default="", max_length=500)),
                ("decided_at", models.DateTimeField(null=True)),
                ("version", models.PositiveIntegerField(default=1)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "assignee",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="claimed_conflicts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "channel",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.channel",
                    ),
                ),
                (
                    "decided_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "message",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="conflicts",
                        to="customers.message",
                    ),
                ),
            ],
            options={
                "db_table": "conflicts",
                "permissions": [("work_conflicts", "Can claim and decide conflicts")],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="ConflictMember",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[("member", "Candidate"), ("owner", "Owner"), ("claimant", "Claimant")],
                        default="member",
                        max_length=10,
                    ),
                ),
                (
                    "conflict",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="members",
                        to="resolution.conflict",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="conflict_members",
                        to="customers.customer",
                    ),
                ),
            ],
            options={
                "db_table": "conflict_members",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="IdempotencyRecord",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("caller", models.CharField(max_length=150)),
                ("key", models.CharField(max_length=255)),
                ("request_hash", models.CharField(max_length=64)),
                ("status", models.PositiveSmallIntegerField(null=True)),
                ("response", models.JSONField(null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "db_table": "idempotency_records",
                "default_permissions": (),
                "constraints": [
                    models.UniqueConstraint(fields=("caller", "key"), name="p6_one_answer_a_key")
                ],
            },
        ),
        migrations.CreateModel(
            name="ImportRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("file_name", models.CharField(max_length=255)),
                ("file_hash", models.CharField(max_length=64)),
                ("options", models.JSONField(default=dict, help_text="Delimiter, encoding, column map.")),
                (
                    "state",
                    models.CharField(
                        choices=[("running", "Running"), ("done", "Done"), ("failed", "Failed")],
                        default="running",
                        max_length=10,
                    ),
                ),
                ("rows_total", models.PositiveBigIntegerField(default=0)),
                ("rows_done", models.PositiveBigIntegerField(default=0)),
                ("counts", models.JSONField(default=dict)),
                ("rejects_file", models.CharField(blank=True, default="", max_length=255)),
                ("error", models.CharField(blank=True, default="", max_length=500)),
                ("actor_name", models.CharField(max_length=150)),
                ("started_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="import_runs",
                        to="customers.channel",
                    ),
                ),
            ],
            options={
                "db_table": "import_runs",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Judgement",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "verdict",
                    models.CharField(
                        choices=[
                            ("same", "The same"),
                            ("different", "Not the same"),
                            ("related", "Related, not the same"),
                            ("unsure", "Unsure"),
                        ],
                        max_length=10,
                    ),
                ),
                ("reason", models.CharField(blank=True, default="", max_length=500)),
                ("fingerprint", models.CharField(help_text="Of the values compared.", max_length=64)),
                ("actor_name", models.CharField(max_length=150)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("superseded_at", models.DateTimeField(null=True)),
                (
                    "conflict",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="judgements",
                        to="resolution.conflict",
                    ),
                ),
                (
                    "judged_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "left",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="customers.customer"
                    ),
                ),
                (
                    "right",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="customers.customer"
                    ),
                ),
                (
                    "superseded_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="supersedes",
                        to="resolution.judgement",
                    ),
                ),
            ],
            options={
                "db_table": "judgements",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="MatchRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(default="find_duplicates", max_length=20)),
                (
                    "state",
                    models.CharField(
                        choices=[("running", "Running"), ("done", "Done"), ("failed", "Failed")],
                        default="running",
                        max_length=10,
                    ),
                ),
                ("engine", models.CharField(default="postgresql", max_length=20)),
                ("model_version", models.CharField(max_length=60)),
                ("stage", models.CharField(blank=True, default="", max_length=60)),
                ("done", models.PositiveBigIntegerField(default=0)),
                ("total", models.PositiveBigIntegerField(default=0)),
                ("counts", models.JSONField(default=dict)),
                ("timings", models.JSONField(default=dict, help_text="Stage → seconds.")),
                ("error", models.CharField(blank=True, default="", max_length=500)),
                ("actor_name", models.CharField(max_length=150)),
                ("started_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "match_runs",
                "permissions": [("start_run", "Can start runs")],
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["running", "done", "failed"])),
                        name="match_run_state_known",
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="conflict",
            name="run",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="conflicts",
                to="resolution.matchrun",
            ),
        ),
        migrations.CreateModel(
            name="Merge",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "method",
                    models.CharField(
                        choices=[("manual", "Decided by people"), ("auto", "Above the automatic band")],
                        max_length=10,
                    ),
                ),
                (
                    "weight",
                    models.FloatField(
                        help_text="Match weight of the weakest edge that joined it, log2 odds.", null=True
                    ),
                ),
                ("plan", models.JSONField(help_text="Field → value, source customer and rule.")),
                ("pre_image", models.JSONField(help_text="The survivor's fields before.")),
                ("actor_kind", models.CharField(max_length=10)),
                ("actor_name", models.CharField(max_length=150)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("undone_at", models.DateTimeField(null=True)),
                ("undone_by", models.CharField(blank=True, default="", max_length=150)),
                (
                    "run",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="merges",
                        to="resolution.matchrun",
                    ),
                ),
                (
                    "survivor",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="merges",
                        to="customers.customer",
                    ),
                ),
            ],
            options={
                "db_table": "merges",
                "permissions": [("undo_merge", "Can undo merges")],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="MergeMember",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("pre_image", models.JSONField()),
                ("live", models.BooleanField(default=True, help_text="False once the merge is undone.")),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="memberships",
                        to="customers.customer",
                    ),
                ),
                (
                    "merge",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="members",
                        to="resolution.merge",
                    ),
                ),
            ],
            options={
                "db_table": "merge_members",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="MergeMove",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "relation",
                    models.CharField(
                        help_text="The relation's name in the registry, such as messages.", max_length=60
                    ),
                ),
                ("row_id", models.UUIDField()),
                (
                    "before",
                    models.JSONField(default=dict, help_text="Column values that changed besides the owner."),
                ),
                (
                    "merge",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="moves",
                        to="resolution.merge",
                    ),
                ),
                (
                    "owner_before",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="customers.customer"
                    ),
                ),
            ],
            options={
                "db_table": "merge_moves",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="MergeProposal",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "picks",
                    models.JSONField(
                        default=dict,
                        help_text="Field → customer id whose value is taken, or {'typed': text}.",
                    ),
                ),
                ("plan_hash", models.CharField(max_length=64)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Awaiting approval"),
                            ("approved", "Approved"),
                            ("rejected", "Rejected"),
                            ("withdrawn", "Withdrawn"),
                        ],
                        default="pending",
                        max_length=10,
                    ),
                ),
                ("comment", models.CharField(blank=True, default="", max_length=500)),
                (
                    "answer",
                    models.CharField(
                        blank=True, default="", help_text="The approver's word.", max_length=500
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("decided_at", models.DateTimeField(null=True)),
                (
                    "approver",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="approvals",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "conflict",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="proposals",
                        to="resolution.conflict",
                    ),
                ),
                (
                    "merge",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="proposal",
                        to="resolution.merge",
                    ),
                ),
                (
                    "proposer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="proposals",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "survivor",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="customers.customer"
                    ),
                ),
            ],
            options={
                "db_table": "merge_proposals",
                "permissions": [
                    ("propose_merge", "Can propose merges"),
                    ("approve_merge", "Can approve and reject merges"),
                ],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="OutboxEvent",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=50)),
                ("payload", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "customer",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.customer",
                    ),
                ),
            ],
            options={
                "db_table": "outbox_events",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="ProposalMember",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("seen_version", models.PositiveIntegerField()),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="customers.customer"
                    ),
                ),
                (
                    "proposal",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="members",
                        to="resolution.mergeproposal",
                    ),
                ),
            ],
            options={
                "db_table": "merge_proposal_members",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=customers.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("sequence", models.BigIntegerField(unique=True)),
                ("identifier_type", models.CharField(blank=True, default="", max_length=50)),
                ("identifier_value", models.TextField(blank=True, default="")),
                ("action", models.CharField(max_length=50)),
                ("old_value", models.TextField(blank=True, default="")),
                ("resolver_id", models.UUIDField(null=True)),
                ("resolution_method", models.CharField(blank=True, default="", max_length=100)),
                ("confidence_score", models.DecimalField(decimal_places=2, max_digits=3, null=True)),
                ("metadata", models.JSONField(default=dict)),
                (
                    "actor_kind",
                    models.CharField(
                        choices=[("user", "Person"), ("service", "Service"), ("machine", "Identity Desk")],
                        max_length=10,
                    ),
                ),
                ("actor_name", models.CharField(max_length=150)),
                ("request_id", models.CharField(blank=True, default="", max_length=64)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("previous_hash", models.CharField(max_length=64)),
                ("hash", models.CharField(max_length=64)),
                (
                    "channel",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.channel",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="audit_entries",
                        to="customers.customer",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "audit entries",
                "db_table": "customer_identity_audit",
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["customer", "-sequence"], name="audit_of_customer"),
                    models.Index(fields=["-created_at"], name="audit_newest"),
                    models.Index(fields=["action", "-sequence"], name="audit_by_action"),
                ],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="auditentry",
            trigger=pgtrigger.compiler.Trigger(
                name="p5_audit_is_append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="fc6dd43f7b07c646771026b61345df69ad157a12",
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
                name="p5_audit_is_not_truncated",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'the audit trail cannot be truncated';",
                    hash="768d72b6e454903c4f323389e86038fe94ea1ca0",
                    level="STATEMENT",
                    operation="TRUNCATE",
                    pgid="pgtrigger_p5_audit_is_not_truncated_676ca",
                    table="customer_identity_audit",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="conflictmember",
            constraint=models.UniqueConstraint(fields=("conflict", "customer"), name="conflict_member_once"),
        ),
        migrations.AddConstraint(
            model_name="importrun",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["running", "done", "failed"])),
                name="import_run_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="importrun",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "running")),
                fields=("channel", "file_hash"),
                name="one_running_import_a_file",
            ),
        ),
        migrations.AddConstraint(
            model_name="judgement",
            constraint=models.UniqueConstraint(
                condition=models.Q(("superseded_at__isnull", True)),
                fields=("left", "right"),
                name="p3_one_live_judgement_a_pair",
            ),
        ),
        migrations.AddConstraint(
            model_name="judgement",
            constraint=models.CheckConstraint(
                condition=models.Q(("left__lt", models.F("right"))), name="judgement_pair_is_ordered"
            ),
        ),
        migrations.AddConstraint(
            model_name="judgement",
            constraint=models.CheckConstraint(
                condition=models.Q(("verdict__in", ["same", "different", "related", "unsure"])),
                name="judgement_verdict_known",
            ),
        ),
        migrations.AddIndex(
            model_name="conflict",
            index=models.Index(
                condition=models.Q(("state", "done"), _negated=True),
                fields=["-priority", "due_at", "id"],
                name="conflict_queue",
            ),
        ),
        migrations.AddConstraint(
            model_name="conflict",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "done"), _negated=True),
                fields=("kind", "members_key"),
                name="p6_a_question_is_asked_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="conflict",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["open", "claimed", "parked", "decided", "returned", "done"])
                ),
                name="conflict_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="conflict",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "claimed"), _negated=True),
                    models.Q(("assignee__isnull", False), ("leased_until__isnull", False)),
                    _connector="OR",
                ),
                name="claimed_conflict_has_a_lease",
            ),
        ),
        migrations.AddConstraint(
            model_name="conflict",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("outcome__gt", ""), ("state", "done")),
                    models.Q(
                        models.Q(("state", "done"), _negated=True),
                        models.Q(("outcome", "closed"), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="done_conflict_has_an_outcome",
            ),
        ),
        migrations.AddIndex(
            model_name="merge",
            index=models.Index(fields=["survivor", "-id"], name="merge_of_survivor"),
        ),
        migrations.AddConstraint(
            model_name="mergemember",
            constraint=models.UniqueConstraint(
                condition=models.Q(("live", True)), fields=("customer",), name="p4_absorbed_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="mergemember",
            constraint=models.UniqueConstraint(fields=("merge", "customer"), name="merge_member_once"),
        ),
        migrations.AddConstraint(
            model_name="mergemove",
            constraint=models.UniqueConstraint(
                fields=("merge", "relation", "row_id"), name="p4_row_moved_once_a_merge"
            ),
        ),
        migrations.AddConstraint(
            model_name="mergeproposal",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("approver__isnull", True),
                    models.Q(("approver", models.F("proposer")), _negated=True),
                    _connector="OR",
                ),
                name="p9_two_people",
            ),
        ),
        migrations.AddConstraint(
            model_name="mergeproposal",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "approved"), _negated=True),
                    models.Q(("approver__isnull", False), ("merge__isnull", False)),
                    _connector="OR",
                ),
                name="p9_approved_names_approver_and_merge",
            ),
        ),
        migrations.AddConstraint(
            model_name="mergeproposal",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["pending", "approved", "rejected", "withdrawn"])),
                name="proposal_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="mergeproposal",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "pending")),
                fields=("conflict",),
                name="one_pending_proposal_a_conflict",
            ),
        ),
        migrations.AddConstraint(
            model_name="proposalmember",
            constraint=models.UniqueConstraint(fields=("proposal", "customer"), name="proposal_member_once"),
        ),
    ]
