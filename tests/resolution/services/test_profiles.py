"""Customers made and changed by hand: checked, versioned, findable, audited."""

from __future__ import annotations

import uuid
from datetime import date

import pytest

from customers.models import Customer
from resolution.errors import CustomerErased, InvalidInput, Refused, StaleVersion, UnknownCustomer
from resolution.matching.key_numbers import key_number
from resolution.models import AuditEntry, BlockingKey, OutboxEvent
from resolution.services.profiles import create_customer, update_profile
from resolution.services.resolve import find_potential_duplicates
from resolution.types import Actor
from tests.concurrency import all_at_once
from tests.factories import CustomerFactory

pytestmark = pytest.mark.django_db
ADA = Actor(kind="user", name="ada")


def update(customer: Customer, version: int = 1, **changes: object) -> Customer:
    return update_profile(customer_id=customer.pk, version=version, changes=changes, actor=ADA)


class TestCreateCustomer:
    def test_stores_cleaned_fields_and_is_found_by_them(self) -> None:
        customer = create_customer(fields={"name": " Anna\0  Smith ", "birth_date": "1980-02-01"}, actor=ADA)
        customer.refresh_from_db()
        assert (customer.name, customer.birth_date) == ("Anna Smith", date(1980, 2, 1))
        found = find_potential_duplicates(
            data={"name": "Anna Smith", "birth_date": "1980-02-01"}, threshold=-20
        )
        assert [score.right for score in found] == [str(customer.pk)]

    def test_is_audited_and_told(self) -> None:
        customer = create_customer(fields={"name": "Anna Smith"}, actor=ADA)
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.customer, entry.metadata["after"]) == (
            "create",
            customer,
            {"name": "Anna Smith"},
        )
        assert OutboxEvent.objects.get().kind == "customer.created"

    @pytest.mark.parametrize("fields", [{}, {"name": "  "}, {"birth_date": None}])
    def test_refuses_a_customer_nothing_is_known_of(self, fields: dict[str, object]) -> None:
        with pytest.raises(InvalidInput, match="Nothing is known of this customer"):
            create_customer(fields=fields, actor=ADA)
        assert not Customer.objects.exists()

    @pytest.mark.parametrize(
        ("fields", "match"),
        [
            ({"status": "erased"}, "has no field “status”"),
            ({"name": ["Anna"]}, "name is list; text is wanted"),
            ({"name": "x" * 10_000}, "name has 10000 characters; at most 255 fit"),
            ({"birth_date": "30.02.1980"}, "a date such as 1980-02-01 is wanted"),
            ({"birth_date": "2999-01-01"}, "is 2999-01-01; a day from 1850-01-01 to today"),
            ({"birth_date": date(1849, 12, 31)}, "is 1849-12-31; a day from 1850-01-01 to today"),
        ],
    )
    def test_refuses_fields_that_cannot_be_stored(self, fields: dict[str, object], match: str) -> None:
        with pytest.raises(InvalidInput, match=match):
            create_customer(fields=fields, actor=ADA)


class TestUpdateProfile:
    def test_changes_fields_and_counts_the_version_up(self) -> None:
        customer = CustomerFactory(name="Anna Smith", city="Leeds")
        update(customer, name="Anna Jones", city="")
        customer.refresh_from_db()
        assert (customer.name, customer.city, customer.version) == ("Anna Jones", "", 2)

    def test_writes_down_what_it_was_and_what_it_is(self) -> None:
        update(CustomerFactory(name="Anna Smith", city="Leeds"), name="Anna Jones", city="Leeds")
        metadata = AuditEntry.objects.get().metadata
        assert (metadata["before"], metadata["after"]) == ({"name": "Anna Smith"}, {"name": "Anna Jones"})
        assert OutboxEvent.objects.get().payload == {"fields": ["name"], "version": 2}

    def test_moves_the_blocking_keys_along(self) -> None:
        customer = CustomerFactory(email="anna.smith@example.org")
        update(customer, email="anna.jones@example.org")
        keys = set(BlockingKey.objects.filter(customer=customer).values_list("key", flat=True))
        assert key_number("em:anna.jones@example.org") in keys
        assert key_number("em:anna.smith@example.org") not in keys

    def test_the_same_values_change_nothing(self) -> None:
        customer = CustomerFactory(name="Anna Smith")
        assert update(customer, name="Anna Smith").version == 1
        assert not AuditEntry.objects.exists()

    def test_a_stale_form_is_refused(self) -> None:
        customer = CustomerFactory(name="Anna Smith")
        update(customer, name="Anna Jones")
        with pytest.raises(StaleVersion, match="is at version 2, and you saw 1") as refusal:
            update(customer, name="Ann")
        assert refusal.value.facts["version"] == 2
        customer.refresh_from_db()
        assert customer.name == "Anna Jones"

    def test_a_merged_customer_is_refused_naming_its_survivor(self) -> None:
        survivor = CustomerFactory()
        with pytest.raises(Refused, match=f"was merged into {survivor.pk}"):
            update(CustomerFactory(status="merged", merged_into=survivor), name="Ann")

    def test_an_erased_and_an_unknown_one_are_refused(self) -> None:
        with pytest.raises(CustomerErased):
            update(CustomerFactory(status="erased"), name="Ann")
        with pytest.raises(UnknownCustomer):
            update(Customer(id=uuid.uuid4()), name="Ann")


@pytest.mark.django_db(transaction=True)
class TestConcurrentUpdates:
    def test_of_many_who_saw_one_version_one_changes_it(self) -> None:
        customer = CustomerFactory(name="Anna")

        def rename(number: int) -> bool:
            try:
                update(customer, name=f"Anna {number}")
            except StaleVersion:
                return False
            return True

        done = all_at_once([lambda number=number: rename(number) for number in range(12)])  # type: ignore[misc]
        assert sum(done) == 1
        customer.refresh_from_db()
        assert customer.version == 2
