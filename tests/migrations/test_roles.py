"""What the roles migration leaves behind."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import connection

from resolution.matching.identifiers import IDENTIFIER_TYPES
from resolution.models import IdentifierRule, MergePolicy

roles = importlib.import_module("resolution.migrations.0003_roles")
model_roles = importlib.import_module("resolution.migrations.0005_model_roles")
policy_rules = importlib.import_module("resolution.migrations.0009_merge_policy_rules")
shipped_rules = importlib.import_module("resolution.migrations.0011_shipped_rules")
erase_roles = importlib.import_module("resolution.migrations.0015_erase_roles")
reading_roles = importlib.import_module("resolution.migrations.0017_service_reads_judgements")
proposal_roles = importlib.import_module("resolution.migrations.0018_service_reads_proposals")
ROLE_TABLES = (
    roles, model_roles, policy_rules, shipped_rules, erase_roles, reading_roles, proposal_roles,
)  # fmt: skip
pytestmark = pytest.mark.django_db


def permissions_of(role: str) -> set[str]:
    return set(Group.objects.get(name=role).permissions.values_list("codename", flat=True))


def take_back(migration: ModuleType) -> None:
    with connection.schema_editor() as editor:
        for operation in reversed(migration.Migration.operations):
            operation.reverse_code(apps, editor)


def do_again(migration: ModuleType) -> None:
    with connection.schema_editor() as editor:
        for operation in migration.Migration.operations:
            operation.code(apps, editor)


class TestRoles:
    @pytest.mark.parametrize("role", ["steward", "lead", "auditor", "service", "admin"])
    def test_every_role_is_a_group_with_the_permissions_it_names(self, role: str) -> None:
        assert permissions_of(role) == {
            name for migration in ROLE_TABLES for name in migration.ROLES.get(role, ())
        }

    def test_a_steward_proposes_and_does_not_approve(self) -> None:
        assert "propose_merge" in permissions_of("steward")
        assert "approve_merge" not in permissions_of("steward")

    def test_an_auditor_changes_nothing(self) -> None:
        assert all(codename.startswith("view_") for codename in permissions_of("auditor"))

    def test_running_it_again_repairs_a_group_and_adds_none(self) -> None:
        Group.objects.get(name="lead").permissions.clear()
        with connection.schema_editor() as editor:
            roles.make_roles(apps, editor)
        assert permissions_of("lead") == set(roles.ROLES["lead"])
        assert Group.objects.filter(name="lead").count() == 1

    def test_a_role_that_names_an_unknown_permission_is_refused(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Permission.objects.filter(codename="undo_merge").delete()
        monkeypatch.setattr(roles, "create_permissions_now", lambda apps, label: None)
        with connection.schema_editor() as editor, pytest.raises(LookupError, match="undo_merge"):
            roles.make_roles(apps, editor)

    def test_it_can_be_taken_back(self) -> None:
        with connection.schema_editor() as editor:
            roles.drop_roles(apps, editor)
        assert not Group.objects.filter(name__in=roles.ROLES).exists()


class TestModelRoles:
    def test_only_the_lead_promotes_and_only_the_admin_trains(self) -> None:
        everybody = set(roles.ROLES)

        assert {role for role in everybody if "promote_model" in permissions_of(role)} == {"lead"}
        assert {role for role in everybody if "train_model" in permissions_of(role)} == {"admin"}
        assert {role for role in everybody if "view_storedmodel" in permissions_of(role)} == everybody

    def test_it_can_be_taken_back_and_done_again(self) -> None:
        take_back(model_roles)
        assert permissions_of("lead").isdisjoint(model_roles.ROLES["lead"])

        do_again(model_roles)
        assert "promote_model" in permissions_of("lead")

    def test_what_a_site_gave_a_role_beside_it_stays(self) -> None:
        own = Permission.objects.get(codename="add_channel")
        Group.objects.get(name="lead").permissions.add(own)

        do_again(model_roles)

        assert "add_channel" in permissions_of("lead")


class TestMergePolicyRules:
    def test_leads_and_administrators_change_the_rules_and_everybody_sees_them(self) -> None:
        everybody = set(roles.ROLES)

        changing = {role for role in everybody if "change_mergepolicy" in permissions_of(role)}
        assert changing == {"lead", "admin"}
        assert {role for role in everybody if "view_mergepolicy" in permissions_of(role)} == everybody

    def test_a_site_begins_with_two_people_for_every_merge_and_undoing_as_ever(self) -> None:
        enabled = dict(MergePolicy.objects.values_list("rule", "enabled"))

        assert set(enabled) == set(MergePolicy.Rule.values)
        assert (enabled["everything"], enabled["unmerge"]) == (True, False)

    def test_doing_it_again_leaves_changed_rules_alone(self) -> None:
        MergePolicy.objects.filter(rule="everything").update(enabled=False)
        take_back(policy_rules)
        do_again(policy_rules)
        assert not MergePolicy.objects.get(rule="everything").enabled
        assert "change_mergepolicy" in permissions_of("lead")


class TestRuleRoles:
    def test_leads_and_administrators_set_rules_and_block_values_and_everybody_sees_them(self) -> None:
        everybody = set(roles.ROLES)

        for codename in ("set_identifier_rules", "block_values"):
            assert {role for role in everybody if codename in permissions_of(role)} == {"lead", "admin"}
        for codename in ("view_identifierrule", "view_blockedvalue"):
            assert {role for role in everybody if codename in permissions_of(role)} == everybody

    def test_it_can_be_taken_back_and_done_again(self) -> None:
        take_back(shipped_rules)
        assert permissions_of("lead").isdisjoint(shipped_rules.ROLES["lead"])

        do_again(shipped_rules)
        assert "block_values" in permissions_of("lead")


class TestEraseRoles:
    def test_leads_and_administrators_erase_and_nobody_else(self) -> None:
        erasing = {role for role in roles.ROLES if "erase_customer" in permissions_of(role)}

        assert erasing == {"lead", "admin"}

    def test_it_can_be_taken_back_and_done_again(self) -> None:
        take_back(erase_roles)
        assert "erase_customer" not in permissions_of("lead")

        do_again(erase_roles)
        assert "erase_customer" in permissions_of("lead")


class TestReadingRoles:
    def test_everybody_reads_what_people_said_of_pairs(self) -> None:
        assert all("view_judgement" in permissions_of(role) for role in roles.ROLES)

    def test_it_can_be_taken_back_and_done_again(self) -> None:
        take_back(reading_roles)
        assert "view_judgement" not in permissions_of("service")

        do_again(reading_roles)
        assert "view_judgement" in permissions_of("service")


class TestProposalRoles:
    def test_everybody_reads_proposals(self) -> None:
        assert all("view_mergeproposal" in permissions_of(role) for role in roles.ROLES)

    def test_it_can_be_taken_back_and_done_again(self) -> None:
        take_back(proposal_roles)
        assert "view_mergeproposal" not in permissions_of("service")

        do_again(proposal_roles)
        assert "view_mergeproposal" in permissions_of("service")


class TestShippedRules:
    def test_every_known_type_has_a_rule_ranked_as_it_is_trusted(self) -> None:
        stored = dict(IdentifierRule.objects.values_list("identifier_type", "rank"))

        assert stored == {code: kind.trust for code, kind in IDENTIFIER_TYPES.items()}

    def test_a_rule_that_was_set_is_left_alone_when_it_is_done_again(self) -> None:
        IdentifierRule.objects.filter(identifier_type="email").update(customers_soft=3)

        with connection.schema_editor() as editor:
            shipped_rules.ship_rules(apps, editor)

        assert IdentifierRule.objects.get(identifier_type="email").customers_soft == 3
