"""Which merges need a second person, merges proposed together, and what a judgement compared."""

from __future__ import annotations

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# The database keeps P9 as well: while every merge needs a second person, none passes without.
CREATE = """
CREATE FUNCTION p9_refuse_passing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM merge_policies WHERE rule = 'everything' AND enabled) THEN
        RAISE EXCEPTION 'p9: every merge needs a second person; proposal % cannot pass at once', NEW.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER p9_passes_only_where_rules_allow
    BEFORE INSERT OR UPDATE OF state ON merge_proposals
    FOR EACH ROW WHEN (NEW.state = 'passed')
    EXECUTE FUNCTION p9_refuse_passing();
"""
DROP = """
DROP TRIGGER p9_passes_only_where_rules_allow ON merge_proposals;
DROP FUNCTION p9_refuse_passing();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0002_register"),
        ("resolution", "0007_lighter_trail"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="MergePolicy",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "rule",
                    models.CharField(
                        choices=[
                            ("everything", "Every merge"),
                            ("hard_conflict", "A hard conflict between the customers"),
                            ("typed_value", "A value that was typed by hand"),
                            ("many_records", "Many linked records move"),
                            ("vip", "A marked customer, such as a VIP"),
                            ("unmerge", "Undoing: not by who proposed, approved or made the merge"),
                            ("bulk", "Proposed together with others"),
                        ],
                        max_length=20,
                        unique=True,
                    ),
                ),
                ("enabled", models.BooleanField()),
                (
                    "number",
                    models.PositiveIntegerField(
                        help_text="From how many records that move on it applies.", null=True
                    ),
                ),
                (
                    "attribute",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="The customer's attribute that marks it.",
                        max_length=60,
                    ),
                ),
                ("version", models.PositiveIntegerField(default=1)),
                ("changed_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "verbose_name": "merge policy",
                "verbose_name_plural": "merge policies",
                "db_table": "merge_policies",
                "default_permissions": ("view", "change"),
            },
        ),
        migrations.CreateModel(
            name="ProposalBatch",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("band", models.CharField(max_length=10)),
                ("comment", models.CharField(blank=True, default="", max_length=500)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
            options={
                "db_table": "merge_proposal_batches",
                "default_permissions": (),
            },
        ),
        migrations.RemoveConstraint(
            model_name="mergeproposal",
            name="proposal_state_known",
        ),
        migrations.AddField(
            model_name="judgement",
            name="compared",
            field=models.JSONField(
                default=dict,
                help_text="Side → field → digest of the values compared, so that what changed since can be named.",
            ),
        ),
        migrations.AddField(
            model_name="judgement",
            name="relation",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "Not said how"),
                    ("household", "One household"),
                    ("shared_contact", "Shared contact"),
                ],
                default="",
                help_text="How two related ones are related.",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="mergeproposal",
            name="circumstances",
            field=models.JSONField(default=dict, help_text="What rules ask about, as it was proposed."),
        ),
        migrations.AddField(
            model_name="mergeproposal",
            name="reasons",
            field=models.JSONField(
                default=list, help_text="Why a second person is needed: rule and sentence."
            ),
        ),
        migrations.AlterField(
            model_name="mergeproposal",
            name="state",
            field=models.CharField(
                choices=[
                    ("pending", "Awaiting approval"),
                    ("approved", "Approved"),
                    ("rejected", "Rejected"),
                    ("withdrawn", "Withdrawn"),
                    ("passed", "Passed at once"),
                ],
                default="pending",
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="judgement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("relation", ""),
                    models.Q(("relation__in", ["household", "shared_contact"]), ("verdict", "related")),
                    _connector="OR",
                ),
                name="judgement_relation_of_the_related",
            ),
        ),
        migrations.AddField(
            model_name="mergepolicy",
            name="changed_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="proposalbatch",
            name="proposer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="mergeproposal",
            name="batch",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="proposals",
                to="resolution.proposalbatch",
            ),
        ),
        migrations.AddConstraint(
            model_name="mergeproposal",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["pending", "approved", "rejected", "withdrawn", "passed"])),
                name="proposal_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="mergeproposal",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "passed"), _negated=True),
                    models.Q(("approver__isnull", True), ("merge__isnull", False), ("reasons", [])),
                    _connector="OR",
                ),
                name="p9_passed_had_no_reason_and_names_its_merge",
            ),
        ),
        migrations.AddConstraint(
            model_name="mergepolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "rule__in",
                        [
                            "everything",
                            "hard_conflict",
                            "typed_value",
                            "many_records",
                            "vip",
                            "unmerge",
                            "bulk",
                        ],
                    )
                ),
                name="merge_policy_rule_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="mergepolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("number__gte", 1), ("rule", "many_records")),
                    models.Q(models.Q(("rule", "many_records"), _negated=True), ("number__isnull", True)),
                    _connector="OR",
                ),
                name="merge_policy_number_of_records",
            ),
        ),
        migrations.AddConstraint(
            model_name="mergepolicy",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("attribute__gt", ""), ("rule", "vip")),
                    models.Q(models.Q(("rule", "vip"), _negated=True), ("attribute", "")),
                    _connector="OR",
                ),
                name="merge_policy_attribute_of_marked",
            ),
        ),
        migrations.RunSQL(CREATE, DROP),
    ]
