"""The table of match models: one live at most, none promoted by who made it or without a comparison."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("resolution", "0003_roles"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="StoredModel",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("version", models.CharField(max_length=40, unique=True)),
                (
                    "artefact",
                    models.TextField(
                        help_text="JSON as it was written: levels have an order, which jsonb would lose."
                    ),
                ),
                ("digest", models.CharField(help_text="SHA-256 of the artefact.", max_length=64)),
                ("metrics", models.JSONField(default=dict, help_text="What training and labels said of it.")),
                ("notes", models.TextField(blank=True, default="")),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("shadow", "Compared in shadow"),
                            ("live", "Live"),
                            ("retired", "Retired"),
                        ],
                        default="draft",
                        max_length=10,
                    ),
                ),
                ("comparison", models.JSONField(null=True)),
                ("maker_name", models.CharField(max_length=150)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("promoted_at", models.DateTimeField(null=True)),
                ("retired_at", models.DateTimeField(null=True)),
                (
                    "made_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="models_made",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "promoted_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="models_promoted",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "replaces",
                    models.ForeignKey(
                        help_text="Live before; None: shipped.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="resolution.storedmodel",
                    ),
                ),
            ],
            options={
                "verbose_name": "match model",
                "db_table": "match_models",
                "permissions": [
                    ("train_model", "Can train match models"),
                    ("promote_model", "Can promote match models and roll them back"),
                ],
                "default_permissions": ("view",),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["draft", "shadow", "live", "retired"])),
                        name="match_model_state_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("made_by__isnull", True),
                            ("promoted_by__isnull", True),
                            models.Q(("promoted_by", models.F("made_by")), _negated=True),
                            _connector="OR",
                        ),
                        name="p9_maker_does_not_promote",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["shadow", "live"]), _negated=True),
                            ("comparison__isnull", False),
                            _connector="OR",
                        ),
                        name="p11_compared_before_live",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "live"), _negated=True),
                            models.Q(("promoted_at__isnull", False), ("promoted_by__isnull", False)),
                            _connector="OR",
                        ),
                        name="p11_live_names_its_promoter",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("retired_at__isnull", False), ("state", "retired")),
                            models.Q(
                                models.Q(("state", "retired"), _negated=True), ("retired_at__isnull", True)
                            ),
                            _connector="OR",
                        ),
                        name="match_model_retired_at_a_time",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "live")), fields=("state",), name="one_live_model"
                    ),
                ],
            },
        ),
    ]
