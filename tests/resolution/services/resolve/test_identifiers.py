"""Who has these identifiers? Without a message."""

from __future__ import annotations

from decimal import Decimal

import pytest

from customers.models import Channel, Customer, Message
from resolution.errors import InvalidInput, UnusableIdentifier
from resolution.models import AuditEntry
from resolution.services.resolve import resolve_identifiers
from resolution.types import Resolution
from tests.factories import MappingFactory
from tests.resolution.services.resolve.senders import ACTOR, customer_of

pytestmark = pytest.mark.django_db


class TestResolveIdentifiers:
    def ask(self, channel: Channel, *identifiers: tuple[str, str], **options: object) -> Resolution:
        return resolve_identifiers(channel=channel, identifiers=identifiers, actor=ACTOR, **options)  # type: ignore[arg-type]

    def test_answers_for_a_known_identifier_and_writes_nothing(self, channel: Channel) -> None:
        mapping = MappingFactory(channel=channel, confidence_score=Decimal("0.85"))
        resolution = self.ask(channel, ("email", mapping.channel_identifier))
        assert (resolution.status, resolution.customer_id) == ("matched", str(mapping.customer_id))
        assert resolution.confidence == 0.85
        assert not AuditEntry.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_says_when_the_cache_knew(self) -> None:
        mapping = MappingFactory()
        answers = [self.ask(mapping.channel, ("email", mapping.channel_identifier)) for _ in range(2)]
        assert [answer.cached for answer in answers] == [False, True]

    def test_makes_a_customer_of_somebody_new(self, channel: Channel) -> None:
        resolution = self.ask(channel, ("email", "anna.smith@example.org"), fields={"name": "Anna Smith"})
        assert resolution.status == "created"
        assert customer_of(resolution).name == "Anna Smith"
        assert not Message.objects.exists()

    def test_uses_the_most_trusted_identifier_whatever_the_order(self, channel: Channel) -> None:
        phone = MappingFactory(channel=channel, identifier_type="phone", channel_identifier="+4930901820")
        ours = MappingFactory(channel=channel, identifier_type="external_id", channel_identifier="C-1")
        resolution = self.ask(channel, ("phone", phone.channel_identifier), ("external_id", "C-1"))
        assert resolution.customer_id == str(ours.customer_id)

    def test_passes_over_one_that_cannot_be_used_and_says_so(self, channel: Channel) -> None:
        mapping = MappingFactory(channel=channel)
        resolution = self.ask(channel, ("phone", "12"), ("email", mapping.channel_identifier))
        assert resolution.status == "matched"
        assert any("phone “12” was not used" in reason for reason in resolution.reasons)

    def test_refuses_when_none_can_be_used(self, channel: Channel) -> None:
        with pytest.raises(UnusableIdentifier, match="“12” cannot serve as phone"):
            self.ask(channel, ("phone", "12"))

    def test_refuses_nothing_at_all(self, channel: Channel) -> None:
        with pytest.raises(InvalidInput, match="give an identifier, a name or a company"):
            self.ask(channel, fields={"city": "Leeds"})

    @pytest.mark.parametrize(
        ("fields", "match"),
        [
            ({"nmae": "x"}, "no field “nmae”"),
            ({"name": 5}, "name is int; text is wanted"),
            ({"birth_date": "yesterday"}, "a date such as 1980-02-01 is wanted"),
            ({"postcode": "1" * 21}, "postcode has 21 characters; at most 20 fit"),
        ],
    )
    def test_refuses_fields_that_cannot_be_stored(
        self, channel: Channel, fields: dict[str, object], match: str
    ) -> None:
        with pytest.raises(InvalidInput, match=match):
            self.ask(channel, ("email", "anna.smith@example.org"), fields=fields)
        assert not Customer.objects.exists()
