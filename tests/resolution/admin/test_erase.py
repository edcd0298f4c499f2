"""Erasing a person from the customer's page."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from customers.models import Customer
from resolution.models import AuditEntry, Merge
from resolution.services.merge import merge_customers
from tests.factories import CustomerFactory, MessageFactory, actor_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna() -> Customer:
    return CustomerFactory(name="Anna Planted")


def address(customer: Customer, name: str = "erase") -> str:
    return reverse(f"resolution:{name}", args=[customer.pk])


def absorbed_into(customer: Customer, by: User) -> Customer:
    other: Customer = CustomerFactory(name="A. Planted")
    merge_customers(member_ids=[customer.pk, other.pk], survivor_id=customer.pk, actor=actor_for(by))
    return other


class TestPreview:
    def test_says_what_goes_and_what_stays_in_numbers_and_that_it_is_for_good(
        self, as_lead: Client, anna: Customer
    ) -> None:
        MessageFactory.create_batch(3, customer=anna)

        text = as_lead.get(address(anna)).content.decode()

        assert "Erase Anna Planted?" in text
        assert '<dt>Messages emptied</dt><dd class="number">3</dd>' in text
        assert "Tickets emptied" not in text  # there are none
        assert "What stays, without any value" in text
        assert "This cannot be taken back." in text
        assert Customer.objects.get(pk=anna.pk).status == "active"

    def test_of_an_absorbed_id_says_that_the_whole_person_goes(
        self, as_lead: Client, anna: Customer, lena: User
    ) -> None:
        other = absorbed_into(anna, lena)

        text = as_lead.get(address(other)).content.decode()

        assert "so the whole person is erased" in text
        assert str(other.pk) in text

    def test_stands_behind_a_link_for_those_who_may(
        self, as_lead: Client, as_steward: Client, anna: Customer
    ) -> None:
        page = address(anna, "customer")

        assert address(anna).encode() in as_lead.get(page).content
        assert address(anna).encode() not in as_steward.get(page).content


class TestErase:
    def test_does_it_and_says_what_is_left_to_do(self, as_lead: Client, anna: Customer) -> None:
        answer = as_lead.post(address(anna), {"reason": "Request 4711"}, follow=True)

        assert "The person is erased" in answer.content.decode()
        assert Customer.objects.get(pk=anna.pk).status == "erased"
        assert AuditEntry.objects.get(action="erase").actor_name == "lena"
        page = as_lead.get(address(anna, "customer")).content.decode()
        assert "This person was erased." in page
        assert address(anna) not in page
        assert "Profile" not in page

    def test_offers_no_undo_of_the_merges_it_ended(self, as_lead: Client, anna: Customer, lena: User) -> None:
        absorbed_into(anna, lena)
        undo = reverse("resolution:undo", args=[Merge.objects.get().pk])
        assert undo in as_lead.get(address(anna, "customer")).content.decode()

        as_lead.post(address(anna), {"reason": "Request 4711"})

        assert undo not in as_lead.get(address(anna, "customer")).content.decode()

    def test_without_a_reason_comes_back_with_the_sentence(self, as_lead: Client, anna: Customer) -> None:
        answer = as_lead.post(address(anna), {"reason": ""})

        assert answer.status_code == 400
        assert "No reason was given" in answer.content.decode()
        assert Customer.objects.get(pk=anna.pk).status == "active"

    def test_a_reason_that_names_the_person_comes_back_as_typed(
        self, as_lead: Client, anna: Customer
    ) -> None:
        answer = as_lead.post(address(anna), {"reason": "Anna Planted wrote"})

        assert answer.status_code == 400
        assert 'value="Anna Planted wrote"' in answer.content.decode()

    def test_somebody_merged_in_meanwhile_is_shown_first(
        self, as_lead: Client, anna: Customer, lena: User
    ) -> None:
        seen = as_lead.get(address(anna)).context["plan"].fingerprint
        absorbed_into(anna, lena)

        answer = as_lead.post(address(anna), {"reason": "Request 4711", "fingerprint": seen})

        assert answer.status_code == 409
        assert "Other ids stand for this person" in answer.content.decode()
        assert Customer.objects.get(pk=anna.pk).status == "active"

    def test_a_second_time_is_refused_in_a_sentence(self, as_lead: Client, anna: Customer) -> None:
        as_lead.post(address(anna), {"reason": "Request 4711"})

        for answer in (as_lead.get(address(anna)), as_lead.post(address(anna), {"reason": "Again"})):
            assert answer.status_code == 409
            assert "was erased; only the id remains" in answer.content.decode()

    def test_a_steward_may_not(self, as_steward: Client, anna: Customer) -> None:
        answer = as_steward.post(address(anna), {"reason": "Request 4711"})

        assert answer.status_code == 403
        assert "Only leads and administrators erase persons" in answer.content.decode()
        assert Customer.objects.get(pk=anna.pk).status == "active"
