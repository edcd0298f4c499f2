"""Undoing a merge from its page."""

from __future__ import annotations

import uuid

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from customers.models import Customer, Message
from resolution.admin import undo
from resolution.models import Judgement, Merge
from resolution.services.merge import merge_customers
from resolution.services.unmerge import undo_merge
from tests.factories import ConflictFactory, CustomerFactory, MappingFactory, MessageFactory, actor_for

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


def merge_of_three(kept: Customer, gone: Customer, by: User) -> Merge:
    members = [kept.pk, gone.pk, CustomerFactory(name="Eve").pk]
    return merge_customers(member_ids=members, survivor_id=kept.pk, actor=actor_for(by))


class TestPreview:
    def test_says_everything_that_will_happen(self, as_lead: Client, merge: Merge) -> None:
        text = as_lead.get(address(merge)).content.decode()

        assert "sara merged" in text
        assert "York" in text
        assert 'name="judge" value="1" checked' in text

    def test_names_whom_a_later_message_goes_to(
        self, as_lead: Client, kept: Customer, gone: Customer, sara: User
    ) -> None:
        address_of_ann = MappingFactory(customer=gone)
        merge = merge_customers(member_ids=[kept.pk, gone.pk], survivor_id=kept.pk, actor=actor_for(sara))
        MessageFactory(customer=kept, mapping=address_of_ann, subject="Hello")

        text = as_lead.get(address(merge)).content.decode()

        assert '<td data-label="Goes to">Ann <' in text

    def test_asks_whose_a_later_message_is(self, as_lead: Client, merge: Merge, kept: Customer) -> None:
        message = MessageFactory(customer=kept, subject="Hello")

        text = as_lead.get(address(merge)).content.decode()

        assert "For you to say" in text
        assert f'name="assign-{message.pk}"' in text
        survivor = Customer.objects.get(pk=kept.pk)
        assert f"stays with <strong>{survivor.display_name}</strong>" in text
        assert "goes to <strong>Ann</strong>" in text
        assert "What arrived since" not in text  # nothing else did

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

    def test_of_a_single_member_names_it_and_says_that_the_others_stay(
        self, as_lead: Client, kept: Customer, gone: Customer, sara: User
    ) -> None:
        made = merge_of_three(kept, gone, sara)

        text = as_lead.get(f"{address(made)}?member={gone.pk}").content.decode()

        assert f"Take Ann out of merge {made.pk}?" in text
        assert "The others stay merged." in text
        assert f'name="member" value="{gone.pk}"' in text

    def test_under_a_later_merge_says_with_whom_the_rest_stays(
        self, as_lead: Client, merge: Merge, kept: Customer, sara: User
    ) -> None:
        top = CustomerFactory(name="Annabel")
        merge_customers(member_ids=[top.pk, kept.pk], survivor_id=top.pk, actor=actor_for(sara))

        text = as_lead.get(address(merge)).content.decode()

        assert "later merges put that into <strong>Annabel</strong>" in text

    def test_shows_the_open_questions_it_touches(self, as_lead: Client, merge: Merge, kept: Customer) -> None:
        asked = ConflictFactory(members=[kept, CustomerFactory()])

        text = as_lead.get(address(merge)).content.decode()

        assert reverse("resolution:workbench", args=[asked.pk]) in text

    def test_what_is_no_member_is_refused(self, as_lead: Client, merge: Merge) -> None:
        for given in ("nobody", str(CustomerFactory().pk)):
            assert as_lead.get(f"{address(merge)}?member={given}").status_code == 400

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

    def test_of_more_than_a_form_has_room_for_the_rest_goes_in_one_answer(
        self, as_lead: Client, merge: Merge, kept: Customer, gone: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(undo, "MOST_ASKED", 2)
        MessageFactory.create_batch(5, customer=kept)

        asked = as_lead.get(address(merge))
        [first, second] = (row.row_id for row, _ in asked.context["asks"])
        form = {f"assign-{first}": str(kept.pk), f"assign-{second}": str(gone.pk), "others": str(gone.pk)}
        as_lead.post(address(merge), form)

        text = asked.content.decode()
        assert "3 more rows are too many" in text
        assert "all others go to <strong>Ann</strong>" in text
        assert (kept.messages.count(), gone.messages.count()) == (1, 4)
        assert kept.messages.get().pk == uuid.UUID(first)

    def test_a_rest_that_goes_to_a_stranger_is_refused_and_kept(
        self, as_lead: Client, merge: Merge, kept: Customer
    ) -> None:
        MessageFactory(customer=kept)

        answer = as_lead.post(address(merge), {"others": "nobody"})

        assert answer.status_code == 400
        assert "cannot go to nobody" in answer.content.decode()

    def test_takes_a_single_member_out(
        self, as_lead: Client, kept: Customer, gone: Customer, sara: User
    ) -> None:
        made = merge_of_three(kept, gone, sara)

        answer = as_lead.post(address(made), {"member": str(gone.pk)}, follow=True)

        gone.refresh_from_db()
        made.refresh_from_db()
        text = answer.content.decode()
        assert (gone.status, made.undone_at) == ("active", None)
        assert "goes on without those taken out" in text
        assert "taken out by lena" in text

    def test_what_arrived_since_the_preview_is_shown_first(
        self, as_lead: Client, merge: Merge, kept: Customer, gone: Customer
    ) -> None:
        seen = as_lead.get(address(merge)).context["plan"].fingerprint
        MessageFactory(customer=kept, subject="Hello")

        answer = as_lead.post(address(merge), {"fingerprint": seen})

        gone.refresh_from_db()
        assert (answer.status_code, gone.status) == (409, "merged")
        assert "Hello" in answer.content.decode()

    def test_undoing_twice_is_refused(self, as_lead: Client, merge: Merge) -> None:
        as_lead.post(address(merge), {})

        answer = as_lead.post(address(merge), {})

        assert answer.status_code == 409
        assert "there is nothing left to undo" in answer.content.decode()

    def test_taking_a_member_out_twice_is_refused_naming_it(
        self, as_lead: Client, kept: Customer, gone: Customer, sara: User
    ) -> None:
        made = merge_of_three(kept, gone, sara)
        as_lead.post(address(made), {"member": str(gone.pk)})

        answer = as_lead.post(address(made), {"member": str(gone.pk)})

        assert answer.status_code == 409
        assert f"Ann ({gone.pk}) was taken out of merge {made.pk} on " in answer.content.decode()
