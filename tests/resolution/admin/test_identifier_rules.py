"""Rules of identifiers and blocked values on their screens."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from customers.models import Mapping
from resolution.models import BlockedValue, Conflict, IdentifierRule
from resolution.services.blocks import block_value
from resolution.services.merge import merge_customers
from resolution.services.queue import claim
from resolution.types import Actor
from tests.factories import CustomerFactory, MappingFactory, actor_for, lead
from tests.resolution.admin.conftest import SignIn
from tests.resolution.worker import work

pytestmark = pytest.mark.django_db

RULES = reverse("resolution:rules")
EMAIL = reverse("resolution:rule", args=["email"])
BLOCKED = reverse("resolution:blocked-values")
BLOCK = reverse("resolution:block-value")
ACTOR = Actor.machine("test")
TILL = "+4930123456789"
SHARED = "family@factory.example.com"


def filled_in(**changes: Any) -> dict[str, Any]:
    row = IdentifierRule.objects.get(identifier_type="email")
    names = ("values_soft", "values_hard", "customers_soft", "customers_hard", "rank", "version")
    return {name: getattr(row, name) for name in names} | changes


def held_by_the_till() -> Any:
    names = (("Anna", "Smithers"), ("Boris", "Okonkwo"))
    people = [CustomerFactory(given_name=given, family_name=family) for given, family in names]
    for row in people:
        MappingFactory(customer=row, identifier_type="phone", channel_identifier=TILL)
    return merge_customers(member_ids=[row.pk for row in people], actor=ACTOR)


class TestRules:
    def test_the_table_has_every_type(self, as_steward: Client) -> None:
        text = as_steward.get(RULES).content.decode()
        assert "ask past 10" in text
        assert "refuse past 500" in text
        assert "as shipped" in text

    def test_a_what_if_shows_what_is_past_it_and_sets_nothing(self, as_steward: Client) -> None:
        MappingFactory.create_batch(3, channel_identifier=SHARED)

        text = as_steward.post(EMAIL, filled_in(customers_soft=2, action="preview")).content.decode()

        assert "1 value has more than 2 customers" in text
        assert SHARED.split("@")[0] in text
        assert "Set the rule" not in text
        assert IdentifierRule.objects.get(identifier_type="email").customers_soft == 10

    def test_a_lead_sets_a_rule(self, as_lead: Client) -> None:
        answer = as_lead.post(EMAIL, filled_in(customers_soft=4, values_hard="", action="save"), follow=True)

        row = IdentifierRule.objects.get(identifier_type="email")
        assert (row.customers_soft, row.values_hard, row.changed_by) == (4, None, "lena")
        assert "The rule for E-mail is set." in answer.content.decode()

    def test_below_what_exists_it_is_shown_first_and_set_when_that_was_seen(self, as_lead: Client) -> None:
        MappingFactory.create_batch(3, channel_identifier=SHARED)
        form = filled_in(customers_soft=2, action="save")

        shown = as_lead.post(EMAIL, form).content.decode()
        assert "I have seen what is past these limits" in shown
        assert IdentifierRule.objects.get(identifier_type="email").customers_soft == 10

        as_lead.post(EMAIL, {**form, "accept_existing": "1"})
        assert IdentifierRule.objects.get(identifier_type="email").customers_soft == 2
        work()
        assert Conflict.objects.get().kind == "shared_value"

    @pytest.mark.parametrize(
        ("changes", "status", "sentence"),
        [
            ({"customers_soft": "many"}, 400, "whole number"),
            ({"customers_soft": 700}, 400, "must not be the greater one"),
            ({"version": 9}, 409, "and you saw 9"),
        ],
    )
    def test_what_is_wrong_is_said_at_the_form(
        self, as_lead: Client, changes: dict[str, Any], status: int, sentence: str
    ) -> None:
        answer = as_lead.post(EMAIL, filled_in(**changes, action="save"))
        assert answer.status_code == status
        assert sentence in answer.content.decode()

    def test_a_steward_may_not_set_one(self, as_steward: Client) -> None:
        assert as_steward.post(EMAIL, filled_in(customers_soft=4, action="save")).status_code == 403
        assert as_steward.get(reverse("resolution:rule", args=["fax"])).status_code == 404


class TestBlockedValues:
    def test_the_reach_is_shown_by_name_before_anything_is_done(self, as_lead: Client) -> None:
        merge = held_by_the_till()

        text = as_lead.post(BLOCK, {"type": "phone", "value": TILL, "action": "preview"}).content.decode()

        assert "Would be asked about as over-merged" in text
        assert "Anna Smithers" in text
        assert reverse("admin:resolution_merge_change", args=[merge.pk]) in text
        assert not BlockedValue.objects.exists()

    def test_whom_it_leaves_whole_because_nothing_tells_how_they_came_is_counted(
        self, as_lead: Client
    ) -> None:
        customer = CustomerFactory()
        for kind, value in (("phone", TILL), ("email", "anna@x.org"), ("email", "ben@y.org")):
            MappingFactory(customer=customer, identifier_type=kind, channel_identifier=value)
        text = as_lead.post(BLOCK, {"type": "phone", "value": TILL, "action": "preview"}).content.decode()
        assert "Customers left whole because nothing tells how their identifiers came" in text
        assert "split it by hand" in text

    def test_confirmed_it_is_blocked_and_listed(self, as_lead: Client) -> None:
        held_by_the_till()

        form = {"type": "phone", "value": TILL, "reason": "the till", "action": "block"}
        text = as_lead.post(BLOCK, form, follow=True).content.decode()

        assert "now in the queue: 1." in text
        assert "the till" in text
        assert not Mapping.objects.current().exists()

    def test_a_steward_sees_the_reach_and_may_not_block(self, as_steward: Client) -> None:
        held_by_the_till()
        shown = as_steward.get(BLOCK, {"type": "phone", "value": TILL})
        assert "Merges that leaned on it" in shown.content.decode()
        assert 'value="block"' not in shown.content.decode()
        refused = as_steward.post(BLOCK, {"type": "phone", "value": TILL, "action": "block"})
        assert refused.status_code == 403

    @pytest.mark.parametrize(
        ("form", "status", "sentence"),
        [
            ({"value": ""}, 400, "required"),
            ({"value": "ab*"}, 400, "characters are fixed"),
            ({"value": TILL, "type": "fax"}, 400, "valid choice"),
        ],
    )
    def test_what_cannot_be_blocked_is_said_at_the_form(
        self, as_lead: Client, form: dict[str, str], status: int, sentence: str
    ) -> None:
        answer = as_lead.post(BLOCK, {**form, "action": "preview"})
        assert answer.status_code == status
        assert sentence in answer.content.decode()

    def test_a_block_is_lifted_after_a_question(self, as_lead: Client) -> None:
        row = block_value(value=TILL, type="phone", actor=ACTOR).row
        page = reverse("resolution:lift-block", args=[row.pk])

        assert "Lift the block" in as_lead.get(page).content.decode()
        text = as_lead.post(page, {"reason": "hers"}, follow=True).content.decode()

        assert "is evidence again" in text
        assert BlockedValue.objects.get().state == "retired"
        assert "was lifted by lena already" in as_lead.post(page, follow=True).content.decode()

    def test_shipped_values_are_listed_beside_them(self, as_steward: Client) -> None:
        assert "noreply@*" in as_steward.get(BLOCKED).content.decode()


class TestWorkbench:
    def test_a_customer_that_fell_apart_is_decided_on_alone(self, sign_in: SignIn) -> None:
        merge = held_by_the_till()
        block_value(value=TILL, type="phone", actor=ACTOR)
        user = lead(username="ruth")
        conflict = claim(conflict_id=Conflict.objects.get().pk, actor=actor_for(user))
        page = reverse("resolution:workbench", args=[conflict.pk])
        client = sign_in(user)

        text = client.get(page).content.decode()
        assert "Right as it is" in text
        assert "fall into 2 parts" in text
        assert reverse("resolution:customer", args=[merge.survivor_id]) in text
        assert "A merge is not possible" not in text

        client.post(page, {"action": "accept", "version": conflict.version, "reason": "One firm."})
        assert Conflict.objects.get().outcome == "accepted"

    def test_the_reach_of_a_value_of_no_type_can_be_seen(self, as_lead: Client) -> None:
        assert as_lead.get(BLOCK, {"type": "any", "value": "till_seven"}).status_code == 200
