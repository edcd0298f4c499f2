"""A value blocked: its links end, it is no evidence and no key any more."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from customers.models import Customer, Mapping
from resolution.errors import InvalidInput, Refused
from resolution.models import AuditEntry, BlockedValue, BlockingKey
from resolution.selectors.profiles import load_profiles
from resolution.services import cache
from resolution.services.blocks import block_value, preview_block
from resolution.services.link import link_customer_identifier, unlink_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.resolve import find_potential_duplicates, resolve_customer_identity
from resolution.services.unmerge import undo_merge
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory
from tests.resolution.services.blocks.scene import ACTOR, TILL, block, person

pytestmark = pytest.mark.django_db


class TestBlocking:
    def test_ends_every_link_and_says_so_in_the_trail(self) -> None:
        people = [person(number) for number in range(3)]

        row = block(reason="the shop's till")

        assert set(Mapping.objects.values_list("status", flat=True)) == {"ended"}
        unlinked = AuditEntry.objects.filter(action="unlink", resolution_method="blocked")
        assert {entry.customer_id for entry in unlinked} == {row.pk for row in people}
        entry = AuditEntry.objects.get(action="block", customer__isnull=True)
        assert (entry.identifier_value, entry.metadata["reach"]["links"]) == (TILL, 3)
        assert row.reach["customers"] == 3

    def test_a_link_that_a_merge_folded_does_not_come_back_after_it_was_taken_off_the_survivor(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        owned = MappingFactory(customer=anna, identifier_type="phone", channel_identifier=TILL)
        MappingFactory(
            customer=ann,
            channel=owned.channel,
            identifier_type="phone",
            channel_identifier=TILL,
            status="shared",
        )
        made = merge_customers(member_ids=[anna.pk, ann.pk], survivor_id=anna.pk, actor=ACTOR)
        unlink_customer_identifier(customer_id=anna.pk, mapping_id=owned.pk, actor=ACTOR)

        assert preview_block(value=TILL, type="phone").held.customers == {anna.pk}
        block()
        undo_merge(merge_id=made.pk, actor=ACTOR)

        assert set(Mapping.objects.values_list("status", flat=True)) == {"ended"}

    def test_p8_the_value_is_no_key_and_no_evidence_where_it_still_stands_in_a_field(self) -> None:
        someone = person(1)
        assert load_profiles([someone.pk])[someone.pk].phones == (TILL,)

        block()

        assert load_profiles([someone.pk])[someone.pk].phones == ()
        assert not BlockingKey.objects.filter(key__contains="123456789").exists()
        assert find_potential_duplicates(data={"phone": TILL}) == []

    def test_finds_those_who_have_it_only_in_a_field(self) -> None:
        someone = CustomerFactory(given_name="Anna", phone=TILL)
        person(1)
        link_customer_identifier(
            customer_id=someone.pk, channel=ChannelFactory(), identifier_type="handle", value="anna.s",
            actor=ACTOR,
        )  # fmt: skip
        assert preview_block(value=TILL, type="phone").held.customers >= {someone.pk}

    def test_p10_no_reader_is_served_the_owner_from_the_cache(
        self, django_capture_on_commit_callbacks: Any
    ) -> None:
        owned = person(1).mappings.get()
        look_up = {"channel": owned.channel, "identifier_type": "phone", "value": TILL}
        with django_capture_on_commit_callbacks(execute=True):
            assert resolve_customer_identity(**look_up) == owned.customer_id
        assert isinstance(cache.look_up((owned.channel_id, "phone", TILL)), cache.Hit)

        with django_capture_on_commit_callbacks(execute=True):
            block()

        assert resolve_customer_identity(**look_up) is None

    def test_other_values_stay(self) -> None:
        other = person(1, phone="+4930987654321")
        block()
        assert other.mappings.get().status == "active"

    def test_a_pattern_blocks_all_that_fit_it(self) -> None:
        tills = [
            MappingFactory(channel_identifier=f"till{number}@shop.example").customer for number in range(3)
        ]
        other = MappingFactory(channel_identifier="tina@shop.example")

        row = block("Till*@shop.example", type="email")

        assert (row.value, row.pattern) == ("till*@shop.example", True)
        assert {entry.status for till in tills for entry in till.mappings.all()} == {"ended"}
        other.refresh_from_db()
        assert other.status == "active"

    def test_without_a_type_it_is_blocked_as_any(self) -> None:
        as_handle = MappingFactory(identifier_type="handle", channel_identifier="till_seven")
        as_id = MappingFactory(identifier_type="external_id", channel_identifier="till_seven")
        block("till_seven", type="")
        assert {Mapping.objects.get(pk=row.pk).status for row in (as_handle, as_id)} == {"ended"}

    def test_versions_count_up_so_that_what_was_compared_before_is_stale(self) -> None:
        someone = person(1)
        block()
        assert Customer.objects.get(pk=someone.pk).version > someone.version


class TestRefusals:
    @pytest.mark.parametrize(
        ("value", "type", "sentence"),
        [
            ("", "phone", "blank"),
            ("  \0 ", "phone", "blank"),
            (TILL, "fax", "not a type of identifier"),
            ("123", "phone", "identifies nobody as phone anyway"),
            ("noreply@shop.example", "email", "identifies nobody as email anyway"),
            ("*", "email", "only 0 of its characters are fixed"),
            ("a*b*c*d*e", "email", "has 4"),
            (f"{'x' * 120}*", "email", "at most 100"),
        ],
    )
    def test_what_cannot_be_blocked_is_told(self, value: str, type: str, sentence: str) -> None:
        for act in (preview_block, lambda **given: block_value(**given, actor=ACTOR)):
            with pytest.raises(InvalidInput, match=sentence):
                act(value=value, type=type)  # type: ignore[operator]
        assert not BlockedValue.objects.exists()

    def test_a_value_that_is_blocked_already_is_told_by_whom(self) -> None:
        block()
        with pytest.raises(Refused, match="is blocked already, by lena"):
            block()

    def test_a_reason_too_long_is_told(self) -> None:
        with pytest.raises(InvalidInput, match="501 characters"):
            block(reason="x" * 501)

    def test_a_value_nobody_has_is_blocked_for_the_future(self) -> None:
        assert block().reach["customers"] == 0

    def test_an_unknown_customer_takes_no_part(self) -> None:
        assert uuid.uuid4() not in preview_block(value=TILL, type="phone").held.customers
