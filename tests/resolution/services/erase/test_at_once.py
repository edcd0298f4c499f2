"""An erasure that meets another change."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from customers.models import Customer
from resolution.errors import CustomerErased, MergeBlocked
from resolution.models import AuditEntry
from resolution.services import audit
from resolution.services.judge import judge_pair
from resolution.services.link import link_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.resolve import create_or_resolve_customer
from tests.concurrency import all_at_once
from tests.factories import ChannelFactory, CustomerFactory
from tests.resolution.services.erase.scene import ADA, PLANTED, erase, planted_person, traces
from tests.resolution.services.waiting import met_by

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """Whichever comes first: nothing of the person is left, or the other act is refused by name."""

    def test_erasing_and_linking(self) -> None:
        shop = ChannelFactory(code="shop")
        for _ in range(5):
            person = planted_person()
            all_at_once(
                [
                    lambda key=person.pk: erase(key),
                    lambda key=person.pk: or_erased(
                        lambda: link_customer_identifier(
                            customer_id=key, channel=shop, identifier_type="email",
                            value=PLANTED[2], actor=ADA,
                        )
                    ),
                ]
            )  # fmt: skip
            assert traces() == {}
        assert audit.find_break() is None

    def test_erasing_and_merging(self) -> None:
        for _ in range(5):
            person, other = planted_person(), CustomerFactory(name="Bob")
            all_at_once(
                [
                    lambda key=person.pk: erase(key),
                    lambda pair=(person.pk, other.pk): or_erased(
                        lambda: merge_customers(member_ids=pair, survivor_id=pair[1], actor=ADA)
                    ),
                ]
            )
            assert Customer.objects.get(pk=person.pk).status == "erased"
            assert traces() == {}
        assert audit.find_break() is None

    def test_erasing_twice(self) -> None:
        person = planted_person()
        all_at_once([lambda: or_erased(lambda: erase(person))] * 4)
        assert AuditEntry.objects.filter(action="erase").count() == 1
        assert audit.find_break() is None

    def test_p5_erasing_two_whom_one_entry_of_the_trail_names(self) -> None:
        one, other = CustomerFactory(), CustomerFactory()
        judge_pair(left_id=one.pk, right_id=other.pk, verdict="different", reason="", actor=ADA)

        met_by(lambda: erase(other), first=lambda: erase(one), then=lambda: None)

        assert not Customer.objects.active().exists()
        assert audit.find_break() is None

    def test_erasing_and_recognising_a_message(self) -> None:
        shop = ChannelFactory(code="shop")
        person = planted_person()
        link_customer_identifier(
            customer_id=person.pk, channel=shop, identifier_type="email", value=PLANTED[2], actor=ADA
        )
        message = {"customer_email": PLANTED[2], "subject": "Quorlanda asks"}
        answers = all_at_once(
            [
                lambda: erase(person) and None,
                lambda: create_or_resolve_customer(channel=shop, message=message, actor=ADA),
            ]
        )
        resolution = answers[1]
        assert resolution is not None
        if resolution.customer_id == str(person.pk):
            assert traces() == {}
        else:
            assert Customer.objects.active().get().pk == uuid.UUID(str(resolution.customer_id))
        assert audit.find_break() is None


def or_erased(act: Callable[[], Any]) -> Any:
    """Do it, unless the person is gone by then."""
    with suppress(CustomerErased, MergeBlocked):
        return act()
