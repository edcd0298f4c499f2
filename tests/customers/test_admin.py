"""The register's lists: what a search finds, and that they stay quick at a million rows."""

from __future__ import annotations

import re
import uuid

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import QuerySet
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from customers import listing
from customers.listing import EstimatingPaginator
from customers.models import Channel, Customer
from resolution.services.merge import merge_customers
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory, actor_for, steward

pytestmark = pytest.mark.django_db

CUSTOMERS = reverse("admin:customers_customer_changelist")


@pytest.fixture
def sara() -> User:
    return steward(username="sara")


@pytest.fixture
def as_steward(client: Client, sara: User) -> Client:
    client.force_login(sara)
    return client


def found(client: Client, term: str, url: str = CUSTOMERS) -> set[uuid.UUID]:
    return {row.pk for row in client.get(url, {"q": term}).context["cl"].result_list}


class TestCustomerSearch:
    @pytest.mark.parametrize("term", ["anna", "ANNA smi", "smith@exam", "1234567", "lamps"])
    def test_finds_by_part_of_name_mail_phone_and_company(self, as_steward: Client, term: str) -> None:
        wanted = CustomerFactory(
            name="Anna Smith", email="smith@example.com", phone="+49 30 1234567", company="Lamps Ltd"
        )
        CustomerFactory(name="Bob Jones")

        assert found(as_steward, term) == {wanted.pk}

    def test_an_id_finds_the_customer_and_who_was_absorbed(self, as_steward: Client, sara: User) -> None:
        kept, gone = CustomerFactory(name="Anna"), CustomerFactory(name="Ann")
        merge_customers(member_ids=[kept.pk, gone.pk], survivor_id=kept.pk, actor=actor_for(sara))

        assert found(as_steward, str(kept.pk)) == {kept.pk, gone.pk}

    def test_too_short_a_term_is_refused_with_a_sentence(self, as_steward: Client) -> None:
        CustomerFactory(name="Li Wei")

        answer = as_steward.get(CUSTOMERS, {"q": "li"})

        assert list(answer.context["cl"].result_list) == []
        assert "type three characters" in answer.content.decode()

    def test_a_short_word_beside_a_long_one_counts(self, as_steward: Client) -> None:
        wanted = CustomerFactory(name="Li Wei")
        CustomerFactory(name="Bo Wei")

        assert found(as_steward, "li wei") == {wanted.pk}

    @pytest.mark.parametrize("column", ["name", "email", "phone", "company"])
    def test_every_searched_column_can_use_its_trigram_index(self, column: str) -> None:
        matching = Customer.objects.filter(**{f"{column}__icontains": "anna"})

        assert f"customer_{column}_trgm" in plan_without_scans(matching)

    def test_the_list_comes_in_the_order_of_an_index(self) -> None:
        assert "customer_newest" in plan_without_scans(Customer.objects.order_by("-created_at", "-id")[:50])


def plan_without_scans(queryset: QuerySet[Customer]) -> str:
    """How PostgreSQL answers when it may not read the whole table, which on few rows is cheapest."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    return queryset.explain()


class TestMappingSearch:
    def test_finds_the_whole_identifier(self, as_steward: Client) -> None:
        wanted = MappingFactory(channel_identifier="anna@example.com")
        MappingFactory()

        url = reverse("admin:customers_mapping_changelist")
        assert found(as_steward, "anna@example.com", url) == {wanted.pk}


class TestNul:
    @pytest.mark.parametrize("query", [{"status__exact": "\0"}, {"q": "anna\0"}, {"a\0": "b"}])
    def test_a_list_refuses_it_with_a_sentence(self, as_steward: Client, query: dict[str, str]) -> None:
        answer = as_steward.get(CUSTOMERS, query)

        assert answer.status_code == 400
        assert "holds a NUL character" in answer.content.decode()

    @pytest.mark.parametrize("name", ["auth_user", "auth_group"])
    def test_so_do_the_lists_of_people_and_roles(self, admin_client: Client, name: str) -> None:
        answer = admin_client.get(reverse(f"admin:{name}_changelist"), {"q": "\0"})

        assert answer.status_code == 400


class TestPaginator:
    def test_counts_a_small_table_exactly(self) -> None:
        CustomerFactory.create_batch(3)

        assert EstimatingPaginator(Customer.objects.order_by("pk"), 50).count == 3

    def test_takes_the_estimate_of_a_large_table(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listing, "COUNTED_EXACTLY", 2)
        CustomerFactory.create_batch(5)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE customers")

        with CaptureQueriesContext(connection) as captured:
            count = EstimatingPaginator(Customer.objects.order_by("pk"), 50).count

        assert (count, str(count)) == (5, "about 5")
        assert any("reltuples" in query["sql"] for query in captured.captured_queries)

    def test_ends_a_filtered_list_at_the_bound(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(listing, "COUNTED_EXACTLY", 2)
        CustomerFactory.create_batch(5, city="Leeds")

        rows = Customer.objects.filter(city="Leeds").order_by("pk")
        count = EstimatingPaginator(rows, 50).count
        assert (count, str(count)) == (3, "more than 2")

    def test_a_list_says_what_is_only_estimated(
        self, as_steward: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listing, "COUNTED_EXACTLY", 2)
        CustomerFactory.create_batch(3)

        text = as_steward.get(CUSTOMERS).content.decode()

        assert re.search(r"about [\d,]+ results", text)


class TestChannels:
    def test_the_code_of_a_channel_never_changes(self, admin_client: Client) -> None:
        channel = ChannelFactory(code="shop", name="Shop")
        form = {"code": "other", "name": "Web shop", "kind": "shop", "trust": 60, "default_region": "DE"}

        admin_client.post(reverse("admin:customers_channel_change", args=[channel.pk]), form)

        channel.refresh_from_db()
        assert (channel.code, channel.name) == ("shop", "Web shop")

    @pytest.mark.parametrize("wrong", [{"trust": 101}, {"default_region": "Germany"}, {"code": "two words"}])
    def test_a_wrong_value_is_refused(self, admin_client: Client, wrong: dict[str, object]) -> None:
        form = {"code": "shop", "name": "Shop", "kind": "shop", "trust": 60, "default_region": "DE"} | wrong

        answer = admin_client.post(reverse("admin:customers_channel_add"), form)

        assert answer.context["adminform"].form.errors
        assert not Channel.objects.filter(name="Shop").exists()
