"""Two people whom single links made one: asked about when the value that brought them together is blocked."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from customers.models import Channel, Customer, Mapping
from resolution.conf import policy
from resolution.models import AuditEntry, Conflict, IdentifierRule
from resolution.services.audit import Trail
from resolution.services.blocks import preview_block
from resolution.services.decide import decide_conflict
from resolution.services.link import link_customer_identifier, unlink_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.queue import claim
from resolution.services.reevaluate import reevaluate_value, smallest_part
from resolution.services.resolve import create_or_resolve_customer, resolve_identifiers
from resolution.services.split import split_customer
from resolution.services.unmerge import undo_merge
from resolution.types import Resolution
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory, actor_for, steward
from tests.resolution.services.blocks.scene import ACTOR, TILL, block
from tests.resolution.services.promises import broken_promises

pytestmark = pytest.mark.django_db
ANNA, BEN, CARA = "anna@x.org", "ben@y.org", "cara@z.org"
ANNA_IN_FULL = {
    "given_name": "Annegret", "family_name": "Feuerbach", "birth_date": "1980-02-01",
    "address": "12 Lindenstrasse", "postcode": "10969", "city": "Berlin",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _policy_of_each_test() -> Iterator[None]:
    yield
    policy.cache_clear()


@pytest.fixture
def shop(db: None) -> Channel:
    return ChannelFactory(code="shop", name="Shop")


def wrote(shop: Channel, email: str, phone: str = TILL, **fields: str) -> Resolution:
    """A message from an address with the till's number."""
    message = {"sender_id": email, "customer_phone": phone, "content": "Hello", **fields}
    return create_or_resolve_customer(channel=shop, message=message, actor=ACTOR)


def asked(shop: Channel, *identifiers: tuple[str, str]) -> Resolution:
    return resolve_identifiers(channel=shop, identifiers=identifiers, actor=ACTOR)


@pytest.fixture
def fused(shop: Channel) -> Customer:
    """Anna and Ben, who each wrote once and gave the till's number."""
    first, second = wrote(shop, ANNA), wrote(shop, BEN)
    assert first.customer_id == second.customer_id
    return Customer.objects.get(pk=first.customer_id)


def link_of(value: str) -> Mapping:
    return Mapping.objects.get(channel_identifier=value, status="active")


def live() -> list[uuid.UUID]:
    """Whom the live questions about parts name."""
    rows = Conflict.objects.filter(kind="over_merge").exclude(state="done").order_by("pk")
    return [key for row in rows for key in row.members.values_list("customer", flat=True)]


class TestBlocking:
    def test_two_that_wrote_with_one_number_are_asked_about_with_their_parts(self, fused: Customer) -> None:
        row = block()

        conflict = Conflict.objects.get()
        assert (conflict.kind, conflict.identifier_value) == ("over_merge", TILL)
        assert live() == [fused.pk]
        assert f"fall into 2 parts: {ANNA}, {BEN}." in conflict.reason
        assert (row.reach["over_merged"], row.reach["merges"]) == (1, 0)
        entry = AuditEntry.objects.get(action="conflict")
        assert (entry.customer_id, entry.resolution_method) == (fused.pk, "over_merge")
        assert broken_promises() == []

    def test_the_preview_is_what_is_done_and_names_the_links(self, fused: Customer) -> None:
        found = preview_block(value=TILL, type="phone")
        [apart] = found.over_merged
        assert [[link.id for link in part] for part in apart.links] == [[link_of(ANNA).pk], [link_of(BEN).pk]]
        assert not Conflict.objects.exists()
        assert block().reach == found.numbers()

    def test_so_are_two_of_requests_without_a_message(self, shop: Channel) -> None:
        for email in (ANNA, BEN):
            asked(shop, ("email", email), ("phone", TILL))
        assert block().reach["over_merged"] == 1

    def test_and_where_the_number_was_there_first(self, shop: Channel) -> None:
        asked(shop, ("phone", TILL))
        for email in (ANNA, BEN):
            asked(shop, ("email", email), ("phone", TILL))
        assert block().reach["over_merged"] == 1

    @pytest.mark.parametrize(("alike", "number"), [(ANNA_IN_FULL, 0), ({"given_name": "Annegret"}, 1)])
    def test_and_who_was_recognised_by_a_score_that_it_decided(
        self, shop: Channel, settings: Settings, alike: dict[str, str], number: int
    ) -> None:
        settings.IDENTITY_DESK = {"auto_weight": 3.0, "sample_weight": 2.0, "review_weight": 0.0}
        policy.cache_clear()
        first = wrote(shop, ANNA, **alike)
        second = wrote(ChannelFactory(code="mail"), BEN, **alike)
        assert (second.status, second.customer_id) == ("linked", first.customer_id)
        assert block().reach["over_merged"] == number

    def test_a_pattern_that_covers_it_asks_too(self, fused: Customer) -> None:
        assert block("+49301234*").reach["over_merged"] == 1

    def test_what_one_message_brought_is_held_by_it(self, shop: Channel, fused: Customer) -> None:
        asked(shop, ("email", ANNA), ("email", BEN))
        assert block().reach["over_merged"] == 0
        assert not Conflict.objects.exists()

    def test_who_came_by_another_identifier_goes_with_it(self, shop: Channel, fused: Customer) -> None:
        asked(shop, ("email", BEN), ("email", CARA))
        block()
        assert f"parts: {BEN} with 1 more, {ANNA}." in Conflict.objects.get().reason

    def test_what_a_person_linked_or_is_verified_stays(self, shop: Channel) -> None:
        first = wrote(shop, ANNA)
        link_customer_identifier(
            customer_id=uuid.UUID(first.customer_id), channel=shop, identifier_type="email", value=CARA,
            actor=ACTOR,
        )  # fmt: skip
        wrote(shop, BEN)
        Mapping.objects.filter(channel_identifier=BEN).update(verified=True)
        assert block().reach["over_merged"] == 0

    def test_where_nothing_tells_how_they_came_nobody_is_asked(self, shop: Channel) -> None:
        customer = CustomerFactory()
        for type, value in (("email", ANNA), ("email", BEN), ("phone", TILL)):
            MappingFactory(customer=customer, channel=shop, identifier_type=type, channel_identifier=value)
        assert preview_block(value=TILL, type="phone").untold == 1
        reach = block().reach
        assert (reach["over_merged"], reach["untold"]) == (0, 1)

    def test_one_that_a_person_called_right_is_not_asked_again(self, fused: Customer) -> None:
        block()
        decider = actor_for(steward())
        conflict = claim(conflict_id=Conflict.objects.get().pk, actor=decider)
        decide_conflict(conflict_id=conflict.pk, decision="accept", version=conflict.version, actor=decider)
        reevaluate_value(identifier_type="phone", value=TILL, why="Again.", actor=ACTOR)
        assert live() == []

    def test_a_value_past_its_limit_asks_as_well_and_once(self, fused: Customer) -> None:
        for _ in range(2):
            reevaluate_value(identifier_type="phone", value=TILL, why="Too many have it.", actor=ACTOR)
        assert live() == [fused.pk]

    def test_takes_as_many_queries_for_many_customers_as_for_few(self, shop: Channel) -> None:
        def queries(value: str, customers: int) -> int:
            for number in range(customers):
                channel = ChannelFactory()
                for email in ("a", "b"):
                    wrote(channel, f"{email}{number}{value[-4:]}@x{number}.org", phone=value)
            with CaptureQueriesContext(connection) as captured:
                assert block(value).reach["over_merged"] == customers
            return len(captured)

        IdentifierRule.objects.update(customers_soft=None, customers_hard=None)
        assert queries("+4930111111112", 2) == queries("+4930222222223", 6)


@pytest.fixture
def earlier_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries tell of who was recognised as they once did: neither by what, nor what decided a score."""
    real = Trail.record

    def record(trail: Trail, action: str, **facts: Any) -> None:
        left_out = ("known", "decisive") if action == "resolve" else ()
        real(trail, action, **{name: fact for name, fact in facts.items() if name not in left_out})

    monkeypatch.setattr(Trail, "record", record)


@pytest.mark.usefixtures("earlier_release")
class TestWrittenByAnEarlierRelease:
    def test_the_message_tells_what_came_with_what(self, fused: Customer) -> None:
        assert preview_block(value=TILL, type="phone").untold == 0
        assert block().reach["over_merged"] == 1
        assert live() == [fused.pk]
        assert f"parts: {ANNA}, {BEN}." in Conflict.objects.get().reason

    def test_what_one_message_brought_is_held_by_it(self, shop: Channel) -> None:
        wrote(shop, ANNA)
        wrote(shop, BEN)
        wrote(shop, ANNA, customer_email=BEN)
        assert block().reach["over_merged"] == 0

    def test_a_request_without_a_message_is_left_and_the_preview_says_so(self, shop: Channel) -> None:
        asked(shop, ("email", ANNA), ("phone", TILL))
        asked(shop, ("email", BEN), ("phone", TILL))
        reach = preview_block(value=TILL, type="phone")
        assert (len(reach.over_merged), reach.untold) == (0, 1)

    def test_who_was_recognised_by_a_score_is_left_and_the_preview_says_so(self, shop: Channel) -> None:
        wrote(shop, ANNA, **ANNA_IN_FULL)
        other = ChannelFactory(code="other")
        found = wrote(other, BEN, phone="+4930555666", **ANNA_IN_FULL)
        wrote(other, CARA, phone="+4930555666")
        assert found.status == "linked"
        assert preview_block(value="+4930555666", type="phone").untold == 1

    def test_what_a_person_linked_is_told(self, shop: Channel) -> None:
        customer = CustomerFactory()
        for type, value in (("email", ANNA), ("email", BEN), ("phone", TILL)):
            link_customer_identifier(
                customer_id=customer.pk, channel=shop, identifier_type=type, value=value, actor=ACTOR
            )
        assert preview_block(value=TILL, type="phone").untold == 0


class TestMerged:
    def test_a_records_own_links_are_looked_at_and_asked_of_it_alone_after_an_undo(
        self, fused: Customer
    ) -> None:
        other = CustomerFactory(name="Olga")
        MappingFactory(customer=other, channel_identifier="olga@o.org")
        made = merge_customers(member_ids=[fused.pk, other.pk], survivor_id=other.pk, actor=ACTOR)

        block()
        assert live() == [other.pk]
        assert BEN in Conflict.objects.get().reason

        undo_merge(merge_id=made.pk, judge_different=False, actor=ACTOR)
        assert live() == [fused.pk]
        assert broken_promises() == []


class TestParting:
    def test_the_smallest_part_is_named_and_once_it_left_nothing_is_asked(self, fused: Customer) -> None:
        block()
        leaving = smallest_part(Conflict.objects.get().pk)
        assert leaving == (link_of(BEN).pk,)

        new = split_customer(customer_id=fused.pk, mapping_ids=leaving, actor=ACTOR).customer

        assert live() == []
        assert link_of(BEN).customer_id == new.pk
        assert broken_promises() == []

    def test_of_three_parts_the_two_that_are_left_are_asked_about(
        self, shop: Channel, fused: Customer
    ) -> None:
        wrote(shop, CARA)
        block()
        conflict = Conflict.objects.get()
        split_customer(customer_id=fused.pk, mapping_ids=smallest_part(conflict.pk), actor=ACTOR)
        assert live() == [fused.pk]
        conflict.refresh_from_db()
        assert f"fall into 2 parts: {ANNA}, {BEN}." in conflict.reason

    def test_taking_the_other_part_off_answers_the_question(self, fused: Customer) -> None:
        block()
        unlink_customer_identifier(customer_id=fused.pk, mapping_id=link_of(BEN).pk, actor=ACTOR)
        assert live() == []
        told = AuditEntry.objects.get(action="decide")
        assert told.metadata["reason"].startswith(f"{BEN} was taken off.")
