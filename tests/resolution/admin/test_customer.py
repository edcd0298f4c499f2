"""The customer page: what is known, editing, linking, unlinking, looking for duplicates."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from customers.models import Customer, Mapping
from resolution.models import AuditEntry, Conflict
from resolution.services.link import link_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.profiles import create_customer, update_profile
from resolution.services.unmerge import undo_merge
from resolution.types import Actor
from tests.factories import (
    ChannelFactory,
    CustomerFactory,
    MappingFactory,
    MessageFactory,
    actor_for,
    steward,
)

pytestmark = pytest.mark.django_db


def url(name: str, *ids: object) -> str:
    return reverse(f"resolution:{name}", args=ids)


class TestPage:
    def test_shows_values_identifiers_and_what_happened(self, as_steward: Client) -> None:
        mapping = MappingFactory(customer__name="Anna Smith", verified=True)
        MessageFactory(customer=mapping.customer, subject="Where is my order?")

        text = as_steward.get(url("customer", mapping.customer_id)).content.decode()

        assert "Anna Smith" in text
        assert mapping.channel_identifier in text
        assert "✓ verified" in text
        assert "Where is my order?" in text

    def test_a_merged_value_names_whom_it_is_from_until_the_merge_is_undone(
        self, as_steward: Client, sara: User
    ) -> None:
        kept, gone = CustomerFactory(name="Anna Smith"), CustomerFactory(name="Anna Smith", city="Ulm")
        made = merge_customers(member_ids=[gone.pk, kept.pk], survivor_id=kept.pk, actor=actor_for(sara))
        brought = f'· the only value · <a class="nowrap" href="#merge-{made.pk}">merge {made.pk}</a>'

        assert brought in as_steward.get(url("customer", kept.pk)).content.decode()

        undo_merge(merge_id=made.pk, actor=Actor(kind="user", name="lena"))
        assert brought not in as_steward.get(url("customer", kept.pk)).content.decode()

    def test_is_what_the_admin_list_opens(self, as_steward: Client) -> None:
        customer = CustomerFactory(name="Anna Smith")

        text = as_steward.get(reverse("admin:customers_customer_changelist")).content.decode()

        assert url("customer", customer.pk) in text

    def test_a_merged_customer_says_who_it_is_now(self, as_steward: Client, sara: User) -> None:
        gone, kept = CustomerFactory(name="Ann"), CustomerFactory(name="Anna")
        merge_customers(member_ids=[gone.pk, kept.pk], survivor_id=kept.pk, actor=actor_for(sara))

        text = as_steward.get(url("customer", gone.pk)).content.decode()

        assert "This customer was merged." in text
        assert url("customer", kept.pk) in text
        assert url("edit-customer", gone.pk) not in text

    def test_how_it_was_built_offers_undo_to_a_lead_only(
        self, as_steward: Client, as_lead: Client, sara: User
    ) -> None:
        gone, kept = CustomerFactory(name="Ann"), CustomerFactory(name="Anna")
        merge = merge_customers(member_ids=[gone.pk, kept.pk], survivor_id=kept.pk, actor=actor_for(sara))

        assert url("undo", merge.pk) in as_lead.get(url("customer", kept.pk)).content.decode()
        assert url("undo", merge.pk) not in as_steward.get(url("customer", kept.pk)).content.decode()

    def test_there_is_no_page_for_an_unknown_id(self, as_steward: Client) -> None:
        assert as_steward.get(url("customer", uuid.uuid4())).status_code == 404

    def test_a_moment_that_is_none_is_refused(self, as_steward: Client) -> None:
        customer = CustomerFactory(name="Anna")

        assert as_steward.get(url("customer", customer.pk), {"before": "yesterday"}).status_code == 400

    def test_names_are_shown_as_text_not_as_markup(self, as_steward: Client) -> None:
        customer = CustomerFactory(name="<script>alert(1)</script>")

        text = as_steward.get(url("customer", customer.pk)).content.decode()

        assert "<script>alert(1)" not in text
        assert "&lt;script&gt;alert(1)" in text


class TestEdit:
    def test_saves_through_the_service_with_a_trail(self, as_steward: Client) -> None:
        customer = CustomerFactory(name="Anna", city="Leeds")
        form = {"name": "Anna", "city": "York", "version": 1}

        answer = as_steward.post(url("edit-customer", customer.pk), form)

        customer.refresh_from_db()
        assert answer["Location"] == url("customer", customer.pk)
        assert (customer.city, customer.version) == ("York", 2)
        assert AuditEntry.objects.get(customer=customer, action="update").actor_name == "sara"

    def test_a_birth_date_stays_when_another_field_is_saved(self, as_steward: Client) -> None:
        customer = CustomerFactory(name="Anna", city="Leeds", birth_date=date(1971, 3, 4))
        page = as_steward.get(url("edit-customer", customer.pk))
        # A browser leaves a date field empty unless its value is written year first.
        assert 'name="birth_date" value="1971-03-04"' in page.content.decode()

        as_steward.post(url("edit-customer", customer.pk), page.context["form"].initial | {"city": "York"})

        customer.refresh_from_db()
        assert (customer.city, customer.birth_date) == ("York", date(1971, 3, 4))

    def test_a_stale_form_is_refused_and_shows_what_is_stored_now(self, as_steward: Client) -> None:
        customer = CustomerFactory(name="Anna", city="Leeds")
        tom = actor_for(steward(username="tom"))
        update_profile(customer_id=customer.pk, version=1, changes={"city": "Hull"}, actor=tom)

        form = {"name": "Anna", "city": "York", "version": 1}
        answer = as_steward.post(url("edit-customer", customer.pk), form)

        text = answer.content.decode()
        customer.refresh_from_db()
        assert answer.status_code == 409
        assert customer.city == "Hull"
        assert "City: Hull" in text
        assert 'value="York"' in text

    def test_a_stale_form_can_be_saved_once_seen(self, as_steward: Client) -> None:
        customer = CustomerFactory(name="Anna", city="Leeds")
        tom = actor_for(steward(username="tom"))
        update_profile(customer_id=customer.pk, version=1, changes={"city": "Hull"}, actor=tom)
        form = {"name": "Anna", "city": "York", "version": 1}
        seen = as_steward.post(url("edit-customer", customer.pk), form).context["form"]

        as_steward.post(url("edit-customer", customer.pk), form | {"version": seen["version"].value()})

        customer.refresh_from_db()
        assert customer.city == "York"

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("birth_date", "soon"),
            ("birth_date", "2999-01-01"),
            ("name", "x" * 300),
            ("city", "Le\0eds"),
            ("version", "x"),
        ],
    )
    def test_a_wrong_value_is_told_at_its_field(self, as_steward: Client, field: str, value: str) -> None:
        customer = CustomerFactory(name="Anna")

        answer = as_steward.post(
            url("edit-customer", customer.pk), {"name": "Anna", "version": 1} | {field: value}
        )

        customer.refresh_from_db()
        assert answer.context["form"].errors
        assert customer.version == 1

    def test_adds_a_customer(self, as_steward: Client) -> None:
        as_steward.post(url("add-customer"), {"name": "Anna Smith", "email": "anna@example.com"})

        assert Customer.objects.get().email == "anna@example.com"

    def test_an_empty_customer_is_refused(self, as_steward: Client) -> None:
        answer = as_steward.post(url("add-customer"), {"name": ""})

        assert answer.status_code == 400
        assert "Nothing is known of this customer" in answer.content.decode()


class TestIdentifiers:
    def test_links_one(self, as_steward: Client) -> None:
        customer, channel = CustomerFactory(name="Anna"), ChannelFactory()
        form = {
            "channel": channel.pk,
            "identifier_type": "email",
            "value": "Anna@Example.com",
            "verified": "on",
        }

        as_steward.post(url("link-identifier", customer.pk), form)

        linked = Mapping.objects.get()
        assert (linked.customer_id, linked.verified) == (customer.pk, True)

    def test_a_claim_on_anothers_identifier_moves_nothing_and_opens_the_question(
        self, as_steward: Client
    ) -> None:
        owned, customer = MappingFactory(verified=True), CustomerFactory(name="Anna")
        form = {"channel": owned.channel_id, "identifier_type": "email", "value": owned.channel_identifier}

        answer = as_steward.post(url("link-identifier", customer.pk), form)

        assert answer["Location"] == url("workbench", Conflict.objects.get().pk)
        assert Mapping.objects.owned().get().customer_id == owned.customer_id

    def test_a_claim_that_was_decided_before_says_how_and_where(self, as_steward: Client) -> None:
        owned, customer = MappingFactory(verified=True), CustomerFactory(name="Anna")
        form = {"channel": owned.channel_id, "identifier_type": "email", "value": owned.channel_identifier}
        as_steward.post(url("link-identifier", customer.pk), form)
        Conflict.objects.update(state="done", outcome="kept", decided_at=timezone.now())

        answer = as_steward.post(url("link-identifier", customer.pk), form, follow=True)

        text = answer.content.decode()
        assert "decided this before: identifier kept by its owner." in text
        assert url("workbench", Conflict.objects.get().pk) in text

    @pytest.mark.parametrize(
        ("value", "sentence"),
        [("not an address", "cannot serve as"), ("x" * 10_000, "at most 255"), ("", "required")],
    )
    def test_an_unusable_one_is_refused_with_a_sentence(
        self, as_steward: Client, value: str, sentence: str
    ) -> None:
        customer, channel = CustomerFactory(name="Anna"), ChannelFactory()
        form = {"channel": channel.pk, "identifier_type": "email", "value": value}

        answer = as_steward.post(url("link-identifier", customer.pk), form, follow=True)

        assert sentence in answer.content.decode()
        assert not Mapping.objects.exists()

    def test_unlinking_asks_first(self, as_steward: Client) -> None:
        mapping = MappingFactory()

        text = as_steward.get(url("unlink-identifier", mapping.customer_id, mapping.pk)).content.decode()

        mapping.refresh_from_db()
        assert mapping.channel_identifier in text
        assert mapping.status == "active"

    def test_unlinks_with_the_reason_in_the_trail(self, as_steward: Client) -> None:
        mapping = MappingFactory()

        address = url("unlink-identifier", mapping.customer_id, mapping.pk)
        as_steward.post(address, {"reason": "left the firm"})

        mapping.refresh_from_db()
        assert mapping.status == "ended"
        assert AuditEntry.objects.get(action="unlink").metadata["reason"] == "left the firm"

    def test_anothers_identifier_is_not_found_here(self, as_steward: Client) -> None:
        mapping, customer = MappingFactory(), CustomerFactory(name="Anna")

        assert as_steward.get(url("unlink-identifier", customer.pk, mapping.pk)).status_code == 404


class TestPastIdentifiers:
    def test_tells_from_when_until_when_and_who_has_it_now(self, as_steward: Client) -> None:
        link = {"channel": ChannelFactory(), "channel_identifier": "anna@example.com"}
        had = MappingFactory(
            **link,
            status="ended",
            valid_from=datetime(2024, 1, 2, tzinfo=UTC),
            valid_to=datetime(2024, 3, 4, tzinfo=UTC),
        )
        has = MappingFactory(**link, customer__name="Bert Jones")

        text = as_steward.get(url("customer", had.customer_id)).content.decode()

        assert "2 Jan 2024 00:00" in text
        assert "4 Mar 2024 00:00" in text
        assert f'<a href="{url("customer", has.customer_id)}">Bert Jones</a>' in text
        assert url("unlink-identifier", had.customer_id, had.pk) not in text

    def test_says_that_nobody_has_it_or_this_customer_again(self, as_steward: Client) -> None:
        had = MappingFactory(status="ended")
        page = url("customer", had.customer_id)
        assert '<span class="quiet">nobody</span>' in as_steward.get(page).content.decode()

        MappingFactory(customer=had.customer, channel=had.channel, channel_identifier=had.channel_identifier)
        assert "this customer again" in as_steward.get(page).content.decode()

    def test_says_that_there_are_none(self, as_steward: Client) -> None:
        customer = CustomerFactory(name="Anna")

        assert "No identifier has passed on" in as_steward.get(url("customer", customer.pk)).content.decode()

    def test_one_that_ended_cannot_be_unlinked_again(self, as_steward: Client) -> None:
        had = MappingFactory(status="ended")

        assert as_steward.get(url("unlink-identifier", had.customer_id, had.pk)).status_code == 404

    def test_a_recycled_one_is_linked_from_the_moment_it_passed(self, as_steward: Client) -> None:
        customer, channel = CustomerFactory(name="Anna"), ChannelFactory()
        form = {
            "channel": channel.pk, "identifier_type": "email", "value": "anna@example.com",
            "valid_from": "2024-01-02T03:04",
        }  # fmt: skip

        as_steward.post(url("link-identifier", customer.pk), form)

        assert Mapping.objects.get().valid_from == datetime(2024, 1, 2, 3, 4, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("moment", "sentence"), [("2100-01-01T00:00", "still to come"), ("soon", "Theirs since, if not now:")]
    )
    def test_a_moment_that_cannot_be_is_refused(self, as_steward: Client, moment: str, sentence: str) -> None:
        customer, channel = CustomerFactory(name="Anna"), ChannelFactory()
        form = {
            "channel": channel.pk,
            "identifier_type": "email",
            "value": "a@example.com",
            "valid_from": moment,
        }

        answer = as_steward.post(url("link-identifier", customer.pk), form, follow=True)

        assert sentence in answer.content.decode()
        assert not Mapping.objects.exists()


class TestDuplicates:
    def test_lists_the_likeliest_with_what_tells(self, as_steward: Client, sara: User) -> None:
        known = {"name": "Anna Smith", "email": "anna.smith@example.com", "birth_date": "1980-02-03"}
        first = create_customer(fields=known, actor=actor_for(sara))
        second = create_customer(fields=known | {"name": "Ann Smith"}, actor=actor_for(sara))
        create_customer(fields={"name": "Bob Jones", "email": "bob@example.org"}, actor=actor_for(sara))

        answer = as_steward.get(url("duplicates", first.pk))

        assert [entry["customer"].pk for entry in answer.context["candidates"]] == [second.pk]
        assert "same mailbox" in answer.content.decode()

    def test_says_that_nobody_comes_near(self, as_steward: Client, sara: User) -> None:
        alone = create_customer(fields={"name": "Anna Smith"}, actor=actor_for(sara))

        assert "Nobody comes near" in as_steward.get(url("duplicates", alone.pk)).content.decode()


class TestAsItWas:
    def test_shows_then_beside_now_and_marks_what_differs(self, as_steward: Client, sara: User) -> None:
        actor = actor_for(sara)
        customer = create_customer(fields={"name": "Anna Smith", "city": "Bonn"}, actor=actor)
        then = timezone.now()
        update_profile(customer_id=customer.pk, version=1, changes={"city": "Kiel"}, actor=actor)
        link_customer_identifier(
            customer_id=customer.pk,
            channel=ChannelFactory(),
            identifier_type="email",
            value="anna@post.example",
            actor=actor,
        )

        answer = as_steward.get(url("customer-as-of", customer.pk), {"moment": then.isoformat()})

        sides = answer.context["sides"]
        assert [(row.label, row.then, row.now) for row in sides.fields if row.differs] == [
            ("City", "Bonn", "Kiel")
        ]
        assert [(row.then, row.now.status) for row in sides.identifiers] == [(None, "active")]
        text = answer.content.decode()
        assert text.count('class="differs"') == 2
        assert "not linked" in text

    def test_is_asked_for_by_a_plain_form_on_the_customers_page(self, as_steward: Client) -> None:
        customer = CustomerFactory(name="Anna Smith")
        text = as_steward.get(url("customer", customer.pk)).content.decode()
        assert f'method="get" action="{url("customer-as-of", customer.pk)}"' in text

    def test_a_browsers_moment_is_of_the_desks_own_zone(self, as_steward: Client, sara: User) -> None:
        customer = create_customer(fields={"name": "Anna Smith"}, actor=actor_for(sara))
        given = timezone.localtime().strftime("%Y-%m-%dT%H:%M:%S.%f")
        answer = as_steward.get(url("customer-as-of", customer.pk), {"moment": given})
        assert (answer.status_code, answer.context["sides"].differing) == (200, 0)
        assert "nothing differs" in answer.content.decode()

    def test_of_a_merged_one_says_whom_it_stood_for(self, as_steward: Client, sara: User) -> None:
        actor = actor_for(sara)
        anna, ann = (create_customer(fields={"name": name}, actor=actor) for name in ("Anna", "Ann"))
        then = timezone.now()
        merge_customers(member_ids=[anna.pk, ann.pk], survivor_id=anna.pk, actor=actor)
        answer = as_steward.get(url("customer-as-of", ann.pk), {"moment": then.isoformat()})
        sides = answer.context["sides"]
        assert (sides.canonical_then, sides.canonical_now) == (str(ann.pk), str(anna.pk))
        assert "Its id stands for" in answer.content.decode()

    @pytest.mark.parametrize(
        ("moment", "status", "sentence"),
        [
            ("", 400, "is no moment"),
            ("9999-99-99T00:00", 400, "is no moment"),
            ("0001-01-01T00:00+14:00", 400, "is no moment"),
            ("2999-01-01T00:00", 400, "is still to come"),
            ("2020-01-01T00:00", 404, "it was created on"),
        ],
    )
    def test_says_why_a_moment_cannot_be_shown(
        self, as_steward: Client, sara: User, moment: str, status: int, sentence: str
    ) -> None:
        customer = create_customer(fields={"name": "Anna Smith"}, actor=actor_for(sara))
        answer = as_steward.get(url("customer-as-of", customer.pk), {"moment": moment})
        assert answer.status_code == status
        assert sentence in answer.content.decode()

    def test_knows_no_stranger(self, as_steward: Client) -> None:
        assert as_steward.get(url("customer-as-of", uuid.uuid4())).status_code == 404
