"""Undoing a merge from its page."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from customers.models import Customer, Message
from resolution.models import Judgement, Merge
from resolution.services.merge import merge_customers
from resolution.services.unmerge import undo_merge
from tests.factories import CustomerFactory, MessageFactory, actor_for

pytestmark = pytest.mark.django_db


@pytest.fixture
def kept() -> Customer:
    return CustomerFactory(name="Anna", city="")


@pytest.fixture
def gone() -> Customer:
    return CustomerFactory(name="Ann", city="York")


@pytest.fixture
def merge(kept: Customer, gone: Customer, sara: User) -> Merge:
    return merge_customers(member_ids=[kept.pk, gone.pk], survivor_id=kept.pk, actor=actor_for(sara))


def address(merge: Merge) -> str:
    return reverse("resolution:undo", args=[merge.pk])


class TestPreview:
    def test_says_everything_that_will_happen(self, as_lead: Client, merge: Merge) -> None:
        text = as_lead.get(address(merge)).content.decode()

        assert "sara merged" in text
        assert "York" in text
        assert 'name="judge" value="1" checked' in text

    def test_asks_whose_a_later_message_is(self, as_lead: Client, merge: Merge, kept: Customer) -> None:
        message = MessageFactory(customer=kept, subject="Hello")

        text = as_lead.get(address(merge)).content.decode()

        assert "For you to say" in text
        assert f'name="assign-{message.pk}"' in text

    def test_of_a_merge_undone_already_only_that_is_said(
        self, as_lead: Client, merge: Merge, lena: User, kept: Customer, gone: Customer
    ) -> None:
        undo_merge(merge_id=merge.pk, actor=actor_for(lena))

        text = as_lead.get(address(merge)).content.decode()

        assert "lena undid it" in text
        assert "This is everything that will happen" not in text
        assert '<button class="act act-main">' not in text
        for customer in (kept, gone):
            assert reverse("resolution:customer", args=[customer.pk]) in text

    def test_there_is_no_page_for_an_unknown_merge(self, as_lead: Client) -> None:
        assert as_lead.get(reverse("resolution:undo", args=[987654])).status_code == 404


class TestUndo:
    def test_gives_everybody_back(
        self, as_lead: Client, merge: Merge, kept: Customer, gone: Customer
    ) -> None:
        as_lead.post(address(merge), {"judge": "1"})

        kept.refresh_from_db()
        gone.refresh_from_db()
        assert (kept.city, gone.city, gone.status) == ("", "York", "active")
        assert Judgement.objects.get().verdict == "different"

    def test_without_the_tick_no_verdict_is_written(self, as_lead: Client, merge: Merge) -> None:
        as_lead.post(address(merge), {})

        assert not Judgement.objects.exists()

    def test_an_unanswered_question_is_refused_and_keeps_the_tick_off(
        self, as_lead: Client, merge: Merge, kept: Customer, gone: Customer
    ) -> None:
        MessageFactory(customer=kept, subject="Hello")

        answer = as_lead.post(address(merge), {})

        gone.refresh_from_db()
        assert answer.status_code == 400
        assert gone.status == "merged"
        assert 'name="judge" value="1">' in answer.content.decode()

    def test_sends_a_later_message_where_the_lead_says(
        self, as_lead: Client, merge: Merge, kept: Customer, gone: Customer
    ) -> None:
        message = MessageFactory(customer=kept, subject="Hello")

        as_lead.post(address(merge), {f"assign-{message.pk}": str(gone.pk)})

        assert Message.objects.get().customer_id == gone.pk

    def test_undoing_twice_is_refused(self, as_lead: Client, merge: Merge) -> None:
        as_lead.post(address(merge), {})

        answer = as_lead.post(address(merge), {})

        assert answer.status_code == 409
        assert "there is nothing left to undo" in answer.content.decode()
