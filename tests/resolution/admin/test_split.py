"""Splitting a customer from its page."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from customers.models import Channel, Customer, Mapping
from resolution.models import Conflict, Judgement
from resolution.services.blocks import block_value
from resolution.services.merge import merge_customers
from resolution.services.profiles import update_profile
from resolution.services.resolve import resolve_identifiers
from tests.factories import ConflictFactory, CustomerFactory, MappingFactory, MessageFactory
from tests.resolution.services.test_split import ANNA, EVE, LEA, both, link_of, shop

__all__ = ["both", "shop"]

pytestmark = pytest.mark.django_db
TILL = "+4930123456789"


def address(customer: Customer) -> str:
    return reverse("resolution:split", args=[customer.pk])


def brought_together(shop: Channel) -> Customer:
    """Anna and Eve, whom one number made one customer."""
    for email in (ANNA, EVE):
        found = resolve_identifiers(channel=shop, identifiers=[("email", email), ("phone", TILL)], actor=LEA)
    return Customer.objects.get(pk=found.customer_id)


def filled_in(page: Any, **changes: str) -> dict[str, Any]:
    """The form of the preview as the page filled it in."""
    inputs = re.findall(r"<input type=\"[a-z]+\" name=\"([^\"]+)\" value=\"([^\"]*)\"", page.content.decode())
    return {**dict(inputs), **changes}


class TestChoosing:
    def test_lists_the_identifiers_with_what_came_by_each(self, as_lead: Client, both: Customer) -> None:
        MessageFactory(customer=both, mapping=link_of(both, EVE))
        text = as_lead.get(address(both)).content.decode()
        assert f'value="{link_of(both, ANNA).pk}"' in text
        assert "1 message · 0 tickets" in text

    def test_the_customers_page_leads_there_while_no_merge_stands(
        self, as_lead: Client, as_steward: Client, both: Customer
    ) -> None:
        page = reverse("resolution:customer", args=[both.pk])
        assert address(both) in as_lead.get(page).content.decode()
        assert address(both) not in as_steward.get(page).content.decode()
        merge_customers(member_ids=[both.pk, CustomerFactory().pk], survivor_id=both.pk, actor=LEA)
        assert address(both) not in as_lead.get(page).content.decode()

    @pytest.mark.parametrize("kind", ["over_merge", "limit_reached"])
    def test_so_does_a_question_about_one_customer(self, as_lead: Client, both: Customer, kind: str) -> None:
        conflict = ConflictFactory(members=[both], kind=kind)
        text = as_lead.get(reverse("resolution:workbench", args=[conflict.pk])).content.decode()
        assert f'<a href="{address(both)}" class="act act-main">Split Anna…</a>' in text
        assert "Merged customer" not in text
        assert "What a merge moves" not in text
        assert 'class="bench-row agrees" data-field="name"' in text
        assert 'class="bench-row agrees void" data-field="company"' in text

    def test_a_question_about_a_value_ticks_the_smaller_part(self, as_lead: Client, shop: Channel) -> None:
        fused = brought_together(shop)
        block_value(value=TILL, type="phone", actor=LEA)
        conflict = Conflict.objects.get(kind="over_merge")

        bench = as_lead.get(reverse("resolution:workbench", args=[conflict.pk])).content.decode()
        [link] = re.findall(rf'<a href="({re.escape(address(fused))}[^"]*)"[^>]*>Split', bench)
        page = as_lead.get(html.unescape(link)).content.decode()

        assert "Ticked are the identifiers of the smaller part" in page
        assert re.findall(r'value="([^"]+)" checked', page) == [str(link_of(fused, EVE).pk)]

    def test_what_is_no_identifier_cannot_be_ticked(self, as_lead: Client, both: Customer) -> None:
        assert as_lead.get(address(both), {"tick": "x"}).status_code == 400

    def test_a_merge_that_stands_is_named_before_anything_is_ticked(
        self, as_lead: Client, both: Customer
    ) -> None:
        made = merge_customers(member_ids=[both.pk, CustomerFactory().pk], survivor_id=both.pk, actor=LEA)
        text = as_lead.get(address(both)).content.decode()
        assert f"Merge {made.pk} is part of this customer; take it back first" in text
        assert "See what leaves" not in text

    def test_what_is_no_identifier_is_refused(self, as_lead: Client, both: Customer) -> None:
        assert as_lead.get(address(both), {"leaves": "x"}).status_code == 400
        stranger = MappingFactory().pk
        answer = as_lead.get(address(both), {"leaves": str(stranger)})
        assert f"does not own identifier {stranger}" in answer.content.decode()


class TestSplitting:
    def test_shows_everything_then_does_it(self, as_lead: Client, both: Customer) -> None:
        page = as_lead.get(address(both), {"leaves": str(link_of(both, EVE).pk)})
        assert not Judgement.objects.exists()

        form = filled_in(page, **{"new-name": "Eve Brown", "reason": "two sisters"})
        answer = as_lead.post(address(both), form)

        new = Customer.objects.exclude(pk=both.pk).get()
        assert answer.headers["Location"] == reverse("resolution:customer", args=[new.pk])
        assert (new.name, new.email) == ("Eve Brown", EVE)
        assert Mapping.objects.get(channel_identifier=EVE, status="active").customer_id == new.pk
        assert Judgement.objects.get().reason == "two sisters"

    def test_what_changed_meanwhile_is_told_and_what_was_typed_stays(
        self, as_lead: Client, both: Customer
    ) -> None:
        page = as_lead.get(address(both), {"leaves": str(link_of(both, EVE).pk)})
        version = Customer.objects.get(pk=both.pk).version
        update_profile(customer_id=both.pk, version=version, changes={"city": "Ulm"}, actor=LEA)

        answer = as_lead.post(address(both), filled_in(page, **{"new-name": "Eve Brown"}))

        text = answer.content.decode()
        assert answer.status_code == 409
        assert "Something has changed since you looked at splitting Anna" in text
        assert 'name="new-name" value="Eve Brown"' in text
        assert Customer.objects.count() == 1

    def test_a_value_that_does_not_fit_is_told_and_what_was_typed_stays(
        self, as_lead: Client, both: Customer
    ) -> None:
        page = as_lead.get(address(both), {"leaves": str(link_of(both, EVE).pk)})

        answer = as_lead.post(address(both), filled_in(page, **{"new-name": "x" * 300, "new-city": "Ulm"}))

        text = answer.content.decode()
        assert "name has 300 characters; at most 255 fit" in text
        assert 'name="new-city" value="Ulm"' in text
        assert Customer.objects.count() == 1

    def test_all_of_them_is_refused_before_the_act(self, as_lead: Client, both: Customer) -> None:
        ids = [str(link_of(both, value).pk) for value in (ANNA, EVE)]
        text = as_lead.get(address(both), {"leaves": ids}).content.decode()
        assert "at least one stays, with the part that keeps the id" in text
        assert ">Split</button>" not in text

    def test_stewards_may_not(self, as_steward: Client, both: Customer) -> None:
        answer = as_steward.post(address(both), {"leaves": str(link_of(both, EVE).pk)})
        assert answer.status_code == 403
        assert Customer.objects.count() == 1
