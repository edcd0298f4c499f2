"""Tables of identifier rules and blocked values; a conflict may end as right as it is."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("resolution", "0009_merge_policy_rules"),
    ]

    operations = [
        migrations.AlterField(
            model_name="conflict",
            name="outcome",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "None yet"),
                    ("merged", "Merged"),
                    ("different", "Not the same"),
                    ("related", "Related, not the same"),
                    ("unsure", "Unsure"),
                    ("kept", "Identifier kept by its owner"),
                    ("moved", "Identifier moved"),
                    ("accepted", "Right as it is"),
                    ("closed", "No longer a question"),
                ],
                default="",
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            name="BlockedValue",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("identifier_type", models.CharField(blank=True, default="", max_length=50)),
                ("value", models.CharField(max_length=255)),
                ("pattern", models.BooleanField(default=False)),
                ("reason", models.CharField(blank=True, default="", max_length=500)),
                (
                    "state",
                    models.CharField(
                        choices=[("live", "In force"), ("retired", "Lifted")], default="live", max_length=10
                    ),
                ),
                (
                    "reach",
                    models.JSONField(
                        default=dict, help_text="What it touched when it came into force, in numbers."
                    ),
                ),
                ("made_by", models.CharField(max_length=150)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("retired_by", models.CharField(blank=True, default="", max_length=150)),
                ("retired_at", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "blocked_values",
                "permissions": [("block_values", "Can block values and lift blocks")],
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "live")),
                        fields=("identifier_type", "value", "pattern"),
                        name="a_value_is_blocked_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("value", ""), _negated=True), name="p8_a_blank_is_not_blocked"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("retired_at__isnull", True), ("state", "live")),
                            models.Q(("retired_at__isnull", False), ("state", "retired")),
                            _connector="OR",
                        ),
                        name="retired_block_has_a_time",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="IdentifierRule",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("identifier_type", models.CharField(max_length=50, unique=True)),
                (
                    "values_soft",
                    models.PositiveIntegerField(
                        blank=True, null=True, verbose_name="values a customer, then ask"
                    ),
                ),
                (
                    "values_hard",
                    models.PositiveIntegerField(
                        blank=True, null=True, verbose_name="values a customer, then refuse"
                    ),
                ),
                (
                    "customers_soft",
                    models.PositiveIntegerField(
                        blank=True, null=True, verbose_name="customers a value, then ask"
                    ),
                ),
                (
                    "customers_hard",
                    models.PositiveIntegerField(
                        blank=True, null=True, verbose_name="customers a value, then refuse"
                    ),
                ),
                (
                    "valid_days",
                    models.PositiveIntegerField(blank=True, null=True, verbose_name="valid for days"),
                ),
                (
                    "exclusive",
                    models.BooleanField(
                        default=False,
                        help_text="A customer has one verified value only; a second one speaks against it.",
                    ),
                ),
                ("rank", models.PositiveSmallIntegerField()),
                ("version", models.PositiveIntegerField(default=1)),
                ("changed_by", models.CharField(blank=True, default="", max_length=150)),
                ("changed_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "db_table": "identifier_rules",
                "permissions": [("set_identifier_rules", "Can set identifier rules")],
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("values_soft__isnull", True),
                            ("values_hard__isnull", True),
                            ("values_soft__lte", models.F("values_hard")),
                            _connector="OR",
                        ),
                        name="rule_values_soft_before_hard",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("customers_soft__isnull", True),
                            ("customers_hard__isnull", True),
                            ("customers_soft__lte", models.F("customers_hard")),
                            _connector="OR",
                        ),
                        name="rule_customers_soft_before_hard",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("values_soft", 0), _negated=True),
                            models.Q(("values_hard", 0), _negated=True),
                            models.Q(("customers_soft", 0), _negated=True),
                            models.Q(("customers_hard", 0), _negated=True),
                            models.Q(("valid_days", 0), _negated=True),
                            models.Q(("rank", 0), _negated=True),
                        ),
                        name="rule_limits_from_one",
                    ),
                ],
            },
        ),
    ]
