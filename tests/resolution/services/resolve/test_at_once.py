"""Many newcomers at once, of whom each is made a customer once."""

from __future__ import annotations

import pytest

from customers.models import Customer, Mapping, Message
from resolution.services.resolve import resolve_identifiers
from tests.concurrency import all_at_once
from tests.factories import ChannelFactory
from tests.resolution.services.resolve.senders import ACTOR, ANNA, receive


@pytest.mark.django_db(transaction=True)
class TestConcurrentNewcomers:
    def test_a_hundred_messages_of_one_new_person_make_one_customer(self) -> None:
        channel = ChannelFactory()
        message = {**ANNA, "sender_id": "annegret@feuerbach.example", "customer_phone": "+4930901820"}
        answers = all_at_once([lambda: receive(channel, message)] * 100)
        assert len({answer.customer_id for answer in answers}) == 1
        assert sorted({answer.status for answer in answers}) == ["created", "matched"]
        assert (Customer.objects.count(), Mapping.objects.count(), Message.objects.count()) == (1, 2, 100)

    def test_identifiers_given_in_any_order_do_not_wait_for_each_other(self) -> None:
        channel = ChannelFactory()
        identifiers = [
            ("email", "annegret@feuerbach.example"),
            ("phone", "+4930901820"),
            ("handle", "@annef"),
        ]
        orders = [identifiers[place:] + identifiers[:place] for place in range(3)] * 4
        answers = all_at_once(
            [
                lambda order=order: resolve_identifiers(channel=channel, identifiers=order, actor=ACTOR)  # type: ignore[misc]
                for order in orders
            ]
        )
        assert len({answer.customer_id for answer in answers}) == 1
        assert Customer.objects.count() == 1

    def test_one_new_person_on_two_channels_at_once_is_one_customer_or_a_question(self) -> None:
        channels = [ChannelFactory(), ChannelFactory()]
        message = {**ANNA, "sender_id": "annegret@feuerbach.example", "customer_phone": "+4930901820"}
        answers = all_at_once([lambda row=row: receive(row, message) for row in channels])  # type: ignore[misc]
        assert sorted(answer.status for answer in answers) == ["created", "linked"]
        assert Customer.objects.count() == 1

    def test_a_person_without_identifiers_is_taken_for_two_by_nobody(self) -> None:
        channel = ChannelFactory()
        answers = all_at_once([lambda: receive(channel, ANNA)] * 8)
        assert len([answer for answer in answers if answer.status == "created"]) == 1

    def test_p6_the_same_message_at_once_is_kept_once(self) -> None:
        channel = ChannelFactory()
        message = {"message_id": "m-1", "sender_id": "annegret@feuerbach.example"}
        answers = all_at_once([lambda: receive(channel, message)] * 20)
        assert len(set(answers)) == 1
        assert Message.objects.count() == 1
