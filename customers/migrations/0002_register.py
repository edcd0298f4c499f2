"""The tables of the register, with the promises the database keeps for them."""

from __future__ import annotations

import customers.ids
import django.contrib.postgres.indexes
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.text
import django.utils.timezone
import pgtrigger.compiler
import pgtrigger.migrations
from decimal import Decimal
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [("customers", "0001_extensions")]

    operations = [
        migrations.CreateModel(
            name="Channel",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=customers.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("code", models.SlugField(help_text="Short name used by files and services.", unique=True)),
                ("name", models.CharField(max_length=100)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("email", "E-mail"),
                            ("phone", "Phone"),
                            ("whatsapp", "WhatsApp"),
                            ("web", "Web form"),
                            ("shop", "Shop"),
                            ("app", "App"),
                            ("social", "Social network"),
                            ("marketplace", "Marketplace"),
                            ("import", "File import"),
                        ],
                        default="import",
                        max_length=20,
                    ),
                ),
                (
                    "default_region",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="Country of national phone numbers and dates from here, such as DE.",
                        max_length=2,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^([A-Z]{2})?$",
                                "A region is two capital letters (ISO 3166), such as DE, or empty.",
                            )
                        ],
                    ),
                ),
                (
                    "trust",
                    models.PositiveSmallIntegerField(
                        default=50,
                        help_text="0 to 100; the higher, the sooner its values win.",
                        validators=[django.core.validators.MaxValueValidator(100)],
                    ),
                ),
                (
                    "free_of_duplicates",
                    models.BooleanField(
                        default=False,
                        help_text="This source never holds one person twice: two of its records are not compared.",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "db_table": "channels",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("trust__lte", 100)), name="channel_trust_to_100"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("default_region__regex", "^([A-Z]{2})?$")),
                        name="channel_region_is_iso",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Customer",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=customers.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(blank=True, default="", max_length=255)),
                ("given_name", models.CharField(blank=True, default="", max_length=120)),
                ("family_name", models.CharField(blank=True, default="", max_length=120)),
                ("email", models.CharField(blank=True, default="", max_length=255)),
                ("phone", models.CharField(blank=True, default="", max_length=50)),
                ("company", models.CharField(blank=True, default="", max_length=255)),
                ("birth_date", models.DateField(blank=True, null=True)),
                ("address", models.CharField(blank=True, default="", max_length=255)),
                ("postcode", models.CharField(blank=True, default="", max_length=20)),
                ("city", models.CharField(blank=True, default="", max_length=120)),
                ("region", models.CharField(blank=True, default="", max_length=120)),
                ("country", models.CharField(blank=True, default="", max_length=60)),
                ("attributes", models.JSONField(blank=True, default=dict)),
                (
                    "status",
                    models.CharField(
                        choices=[("active", "Active"), ("merged", "Merged"), ("erased", "Erased")],
                        default="active",
                        editable=False,
                        max_length=10,
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
                ("last_interaction_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "merged_into",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="absorbed",
                        to="customers.customer",
                    ),
                ),
            ],
            options={
                "db_table": "customers",
            },
        ),
        migrations.CreateModel(
            name="Mapping",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=customers.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("identifier_type", models.CharField(max_length=50)),
                ("channel_identifier", models.CharField(max_length=255)),
                ("normalised", models.CharField(max_length=255)),
                (
                    "confidence_score",
                    models.DecimalField(decimal_places=2, default=Decimal("1.00"), max_digits=3),
                ),
                ("verified", models.BooleanField(default=False)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("active", "Active"),
                            ("shared", "Shared"),
                            ("ended", "Ended"),
                            ("collapsed", "Collapsed"),
                        ],
                        default="active",
                        max_length=10,
                    ),
                ),
                ("first_seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("last_seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("valid_from", models.DateTimeField(default=django.utils.timezone.now)),
                ("valid_to", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="mappings",
                        to="customers.channel",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="mappings",
                        to="customers.customer",
                    ),
                ),
            ],
            options={
                "db_table": "customer_identity_mapping",
            },
        ),
        migrations.CreateModel(
            name="Message",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=customers.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "external_id",
                    models.CharField(
                        blank=True, default="", help_text="The channel's own message id.", max_length=255
                    ),
                ),
                ("sender", models.CharField(blank=True, default="", max_length=255)),
                ("subject", models.CharField(blank=True, default="", max_length=255)),
                ("content", models.TextField(blank=True, default="")),
                ("payload", models.JSONField(blank=True, default=dict)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("linked", "Linked to a known customer"),
                            ("created", "New customer"),
                            ("queued", "Waiting for a decision"),
                            ("refused", "Refused"),
                        ],
                        max_length=10,
                    ),
                ),
                ("reason", models.CharField(blank=True, default="", max_length=500)),
                ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="customers.channel",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="customers.customer",
                    ),
                ),
                (
                    "mapping",
                    models.ForeignKey(
                        blank=True,
                        help_text="The identifier it came with; an unmerge sends the message back by it.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="messages",
                        to="customers.mapping",
                    ),
                ),
            ],
            options={
                "db_table": "messages",
            },
        ),
        migrations.CreateModel(
            name="SourceRecord",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=customers.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("source_key", models.CharField(max_length=255)),
                ("fingerprint", models.CharField(max_length=64)),
                ("data", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "channel",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="source_records",
                        to="customers.channel",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="source_records",
                        to="customers.customer",
                    ),
                ),
            ],
            options={
                "db_table": "source_records",
            },
        ),
        migrations.CreateModel(
            name="Ticket",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=customers.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("external_id", models.CharField(blank=True, default="", max_length=255)),
                ("subject", models.CharField(max_length=255)),
                (
                    "status",
                    models.CharField(
                        choices=[("open", "Open"), ("closed", "Closed")], default="open", max_length=10
                    ),
                ),
                ("opened_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "channel",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tickets",
                        to="customers.channel",
                    ),
                ),
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tickets",
                        to="customers.customer",
                    ),
                ),
                (
                    "mapping",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="tickets",
                        to="customers.mapping",
                    ),
                ),
            ],
            options={
                "db_table": "tickets",
            },
        ),
        migrations.AddIndex(
            model_name="customer",
            index=models.Index(fields=["-created_at", "-id"], name="customer_newest"),
        ),
        migrations.AddIndex(
            model_name="customer",
            index=models.Index(fields=["status", "id"], name="customer_status_walk"),
        ),
        migrations.AddIndex(
            model_name="customer",
            index=django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Upper("name"), name="gin_trgm_ops"
                ),
                name="customer_name_trgm",
            ),
        ),
        migrations.AddIndex(
            model_name="customer",
            index=django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Upper("email"), name="gin_trgm_ops"
                ),
                name="customer_email_trgm",
            ),
        ),
        migrations.AddIndex(
            model_name="customer",
            index=django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Upper("phone"), name="gin_trgm_ops"
                ),
                name="customer_phone_trgm",
            ),
        ),
        migrations.AddIndex(
            model_name="customer",
            index=django.contrib.postgres.indexes.GinIndex(
                django.contrib.postgres.indexes.OpClass(
                    django.db.models.functions.text.Upper("company"), name="gin_trgm_ops"
                ),
                name="customer_company_trgm",
            ),
        ),
        migrations.AddConstraint(
            model_name="customer",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["active", "merged", "erased"])),
                name="customer_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="customer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("merged_into__isnull", False), ("status", "merged")),
                    models.Q(("merged_into__isnull", True), ("status__in", ["active", "erased"])),
                    _connector="OR",
                ),
                name="p2_merged_customer_names_its_survivor",
            ),
        ),
        migrations.AddConstraint(
            model_name="customer",
            constraint=models.CheckConstraint(
                condition=models.Q(("merged_into", models.F("id")), _negated=True),
                name="p2_customer_is_not_its_own_survivor",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="customer",
            trigger=pgtrigger.compiler.Trigger(
                name="p2_customers_are_never_deleted",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot delete rows from % table', TG_TABLE_NAME;",
                    hash="f11de71bef32b136be75eee5766e82423030f925",
                    operation="DELETE",
                    pgid="pgtrigger_p2_customers_are_never_deleted_40dca",
                    table="customers",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="customer",
            trigger=pgtrigger.compiler.Trigger(
                name="p2_redirects_are_one_hop",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    condition="WHEN (NEW.status <> 'active')",
                    constraint="CONSTRAINT",
                    declare="DECLARE fault text;",
                    func="\n                    EXECUTE $plan$\n                        SELECT CASE\n                            WHEN EXISTS (SELECT FROM customers WHERE merged_into_id = me.id)\n                                THEN 'has absorbed customers and cannot be retired'\n                            WHEN EXISTS (SELECT FROM customers\n                                         WHERE id = me.merged_into_id AND status <> 'active')\n                                THEN 'points at a customer that is not active'\n                        END\n                        FROM customers AS me WHERE me.id = $1 AND me.status <> 'active'\n                    $plan$ INTO fault USING NEW.id;\n                    IF fault IS NOT NULL THEN\n                        RAISE EXCEPTION 'customer % %', NEW.id, fault\n                            USING ERRCODE = 'integrity_constraint_violation';\n                    END IF;\n                    RETURN NULL;\n                ",
                    hash="a33b0770a43a742f7329380e4e1904ff5bf06fb7",
                    operation='INSERT OR UPDATE OF "merged_into_id", "status"',
                    pgid="pgtrigger_p2_redirects_are_one_hop_52cc4",
                    table="customers",
                    timing="DEFERRABLE INITIALLY DEFERRED",
                    when="AFTER",
                ),
            ),
        ),
        migrations.AddIndex(
            model_name="mapping",
            index=models.Index(
                condition=models.Q(("status__in", ["active", "shared"])),
                fields=["identifier_type", "normalised"],
                name="mapping_value_current",
            ),
        ),
        migrations.AddConstraint(
            model_name="mapping",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "active")),
                fields=("channel", "identifier_type", "normalised"),
                name="p1_one_owner",
            ),
        ),
        migrations.AddConstraint(
            model_name="mapping",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status__in", ["active", "shared"])),
                fields=("customer", "channel", "identifier_type", "normalised"),
                name="mapping_once_a_customer",
            ),
        ),
        migrations.AddConstraint(
            model_name="mapping",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["active", "shared", "ended", "collapsed"])),
                name="mapping_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="mapping",
            constraint=models.CheckConstraint(
                condition=models.Q(("normalised", ""), _negated=True), name="p8_blank_is_no_identifier"
            ),
        ),
        migrations.AddConstraint(
            model_name="mapping",
            constraint=models.CheckConstraint(
                condition=models.Q(("confidence_score__gte", 0), ("confidence_score__lte", 1)),
                name="mapping_confidence_0_to_1",
            ),
        ),
        migrations.AddConstraint(
            model_name="mapping",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("valid_to__isnull", True), ("valid_to__gte", models.F("valid_from")), _connector="OR"
                ),
                name="mapping_interval_forward",
            ),
        ),
        migrations.AddIndex(
            model_name="message",
            index=models.Index(fields=["customer", "-received_at"], name="message_timeline"),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.UniqueConstraint(
                condition=models.Q(("external_id", ""), _negated=True),
                fields=("channel", "external_id"),
                name="p6_message_taken_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(("outcome__in", ["linked", "created", "queued", "refused"])),
                name="p6_message_outcome_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="message",
            constraint=models.CheckConstraint(
                condition=models.Q(("outcome", "refused"), ("customer__isnull", False), _connector="OR"),
                name="p6_accepted_message_has_customer",
            ),
        ),
        migrations.AddConstraint(
            model_name="sourcerecord",
            constraint=models.UniqueConstraint(
                fields=("channel", "source_key"), name="p6_source_record_taken_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="sourcerecord",
            constraint=models.CheckConstraint(
                condition=models.Q(("source_key", ""), _negated=True), name="source_record_has_a_key"
            ),
        ),
        migrations.AddIndex(
            model_name="ticket",
            index=models.Index(fields=["customer", "-opened_at"], name="ticket_timeline"),
        ),
        migrations.AddConstraint(
            model_name="ticket",
            constraint=models.UniqueConstraint(
                condition=models.Q(("external_id", ""), _negated=True),
                fields=("channel", "external_id"),
                name="p6_ticket_taken_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="ticket",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["open", "closed"])), name="ticket_status_known"
            ),
        ),
    ]
