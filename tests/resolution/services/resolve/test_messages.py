"""Messages that come twice, tell nothing usable, or only ask what would be."""

from __future__ import annotations

import pytest

from customers.models import Channel, Customer, Mapping, Message
from resolution.errors import InvalidInput, UnknownChannel
from resolution.models import AuditEntry, BlockingKey
from resolution.services.resolve import create_or_resolve_customer
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory
from tests.resolution.services.resolve.senders import ACTOR, ANNA, known, receive

pytestmark = pytest.mark.django_db


class TestSameMessageTwice:
    MESSAGE = {"message_id": "m-1", "sender_id": "anna.smith@example.org", "content": "Hello"}

    def test_p6_has_the_same_answer_and_no_second_effect(self, channel: Channel) -> None:
        first = receive(channel, self.MESSAGE)
        trail = AuditEntry.objects.count()
        assert receive(channel, self.MESSAGE) == first
        assert (Message.objects.count(), Customer.objects.count()) == (1, 1)
        assert AuditEntry.objects.count() == trail

    def test_p6_a_queued_one_is_answered_with_its_conflict_and_candidates(self, channel: Channel) -> None:
        known(given_name="Annegret", family_name="Feuerbach", birth_date="1980-02-01")
        message = {"message_id": 7, "given_name": "Annegret", "family_name": "Feuerbach", "handle": "@annef"}
        first = receive(channel, message)
        assert first.status == "review"
        assert receive(channel, message) == first

    def test_p2_is_answered_with_whom_its_customer_stands_for_today(self, channel: Channel) -> None:
        first = receive(channel, self.MESSAGE)
        survivor = CustomerFactory()
        Customer.objects.filter(pk=first.customer_id).update(status="merged", merged_into=survivor)
        assert receive(channel, self.MESSAGE).customer_id == str(survivor.pk)

    def test_one_id_on_two_channels_is_two_messages(self, channel: Channel) -> None:
        receive(channel, self.MESSAGE)
        receive(ChannelFactory(), self.MESSAGE)
        assert Message.objects.count() == 2


class TestBadMessages:
    @pytest.mark.parametrize(
        "message", [{}, {"content": "hi"}, {"sender_id": "12"}, {"customer_email": "none@none.com"}]
    )
    def test_p6_one_that_tells_nobody_is_refused_with_a_reason_and_kept(
        self, channel: Channel, message: dict[str, object]
    ) -> None:
        resolution = receive(channel, message)
        assert (resolution.status, resolution.customer_id) == ("unknown", None)
        kept = Message.objects.get()
        assert (kept.outcome, kept.customer) == ("refused", None)
        assert kept.reason.startswith("Nothing here tells who it is.")
        assert AuditEntry.objects.get().action == "refuse"

    @pytest.mark.parametrize(
        ("message", "match"),
        [
            ({"sender_id": ["x"]}, r"sender_id is list \(\['x'\]\); text or a whole number is wanted"),
            ({"sender_id": 12345, "customer_email": {"a": 1}}, r"customer_email is dict .* text or a whole"),
            ({"sender_id": "anna@x.org", "city": 4.5}, r"city is float \(4.5\)"),
            ({"sender_id": True}, r"sender_id is bool \(True\)"),
            ({"content": {"html": "hi"}}, "content is dict"),
        ],
    )
    def test_a_field_of_another_type_is_refused_by_name(
        self, channel: Channel, message: dict[str, object], match: str
    ) -> None:
        with pytest.raises(InvalidInput, match=match) as refusal:
            receive(channel, message)
        assert refusal.value.facts["field"] in message
        assert not Message.objects.exists()

    @pytest.mark.parametrize(
        ("sender", "given"), [("x" * 10_000, f"“{'x' * 60}” (10000 characters)"), (7, "“7” (1 characters)")]
    )
    def test_a_sender_in_no_known_form_is_noted_with_what_is_wanted(
        self, channel: Channel, sender: object, given: str
    ) -> None:
        resolution = receive(channel, {"sender_id": sender})
        assert resolution.status == "unknown"
        assert resolution.reasons[1] == (
            f"sender_id {given} was not used: an e-mail address, a phone number or a handle such as @anna"
            " is wanted"
        )

    def test_any_text_is_taken_and_can_be_read_afterwards(self, channel: Channel) -> None:
        message = {
            "sender_id": "anna.smith@example.org", "content": "nul\0 and \ud800 here",
            "subject": "s" * 10_000, "customer_phone": "9" * 10_000, "received_at": "2026-02-30",
            "extra": {"a\0": [float("nan"), {"deep": "x"}]},
        }  # fmt: skip
        receive(channel, message)
        kept = Message.objects.get()
        assert kept.content == "nul and ? here"
        assert len(kept.subject) == 255
        assert kept.payload["message"]["extra"] == {"a": ["nan", {"deep": "x"}]}

    def test_a_message_nested_without_end_is_cut_off(self, channel: Channel) -> None:
        nested: dict[str, object] = {}
        message: dict[str, object] = {"sender_id": "anna.smith@example.org", "nested": nested}
        for _ in range(200):
            nested["in"] = nested = {}  # type: ignore[assignment]
        assert receive(channel, message).status == "created"

    def test_when_it_was_received_is_kept(self, channel: Channel) -> None:
        receive(channel, {"sender_id": "anna.smith@example.org", "received_at": "2026-01-02T03:04:05+01:00"})
        assert Message.objects.get().received_at.isoformat() == "2026-01-02T02:04:05+00:00"
        assert Customer.objects.get().last_interaction_at == Message.objects.get().received_at

    def test_a_message_id_too_long_to_recognise_is_refused(self, channel: Channel) -> None:
        with pytest.raises(InvalidInput, match="message_id has 300 characters; at most 255 fit"):
            receive(channel, {"message_id": "x" * 300, "sender_id": "anna.smith@example.org"})

    def test_an_unknown_channel_is_refused(self) -> None:
        with pytest.raises(UnknownChannel):
            create_or_resolve_customer(channel="nowhere", message={}, actor=ACTOR)


class TestDryRun:
    @pytest.mark.parametrize("message", [{"sender_id": "anna.smith@example.org"}, {"content": "hi"}, ANNA])
    def test_writes_nothing(self, channel: Channel, message: dict[str, object]) -> None:
        resolution = receive(channel, message, dry_run=True)
        assert (resolution.status, resolution.customer_id) == ("unknown", None)
        assert not any(
            model.objects.exists() for model in (Message, Customer, Mapping, AuditEntry, BlockingKey)
        )

    def test_says_who_it_would_be(self, channel: Channel) -> None:
        mapping = MappingFactory(channel=channel)
        resolution = receive(channel, {"sender_id": mapping.channel_identifier}, dry_run=True)
        assert (resolution.status, resolution.customer_id) == ("matched", str(mapping.customer_id))

    def test_p7_scores_as_the_real_one_does(self, channel: Channel) -> None:
        known(given_name="Annegret", family_name="Feuerbach", birth_date="1980-02-01")
        message = {"given_name": "Annegret", "family_name": "Feuerbach", "handle": "@annef"}
        foreseen, real = receive(channel, message, dry_run=True), receive(channel, message)
        assert (foreseen.weight, foreseen.candidates, foreseen.reasons) == (
            real.weight, real.candidates, real.reasons,
        )  # fmt: skip
