"""Whoever writes links or keys obeys a block, also one that comes at that moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from customers.models import Customer, Mapping
from resolution.errors import BlockedIdentifier
from resolution.models import BlockingKey
from resolution.services import locks
from resolution.services.find_duplicates import find_duplicates
from resolution.services.importing import import_file, open_file
from resolution.services.link import link_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.profiles import create_customer, update_profile
from resolution.services.resolve import create_or_resolve_customer, resolve_identifiers
from resolution.services.unmerge import undo_merge
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory
from tests.resolution.batch.files import stranger, write
from tests.resolution.services.blocks.scene import ACTOR, TILL, block, person
from tests.resolution.services.promises import keys_out_of_date
from tests.resolution.services.waiting import met_by

pytestmark = pytest.mark.django_db


class TestWriters:
    def test_a_claim_is_refused_in_a_sentence(self) -> None:
        block(reason="the shop's till")
        with pytest.raises(
            BlockedIdentifier, match=r"cannot serve as phone: it is blocked \(the shop's till"
        ):
            link_customer_identifier(
                customer_id=CustomerFactory().pk, channel=ChannelFactory(), identifier_type="phone",
                value="030 123456789", actor=ACTOR,
            )  # fmt: skip

    def test_a_message_goes_through_without_it_and_says_so(self) -> None:
        block()
        answer = create_or_resolve_customer(
            channel=ChannelFactory(),
            message={"sender_id": "anna@post.example", "customer_phone": "030 123456789"},
            actor=ACTOR,
        )
        customer = Customer.objects.get(pk=answer.customer_id)
        assert [row.identifier_type for row in customer.mappings.all()] == ["email"]
        assert customer.phone == ""
        assert any("was not used: it is blocked" in reason for reason in answer.reasons)

    def test_a_message_of_nothing_else_is_kept_and_creates_nobody(self) -> None:
        block()
        answer = create_or_resolve_customer(
            channel=ChannelFactory(), message={"customer_phone": "030 123456789"}, actor=ACTOR
        )
        assert (answer.status, answer.customer_id) == ("unknown", None)

    @pytest.mark.parametrize("dry_run", [True, False])
    def test_a_request_of_nothing_else_is_refused(self, dry_run: bool) -> None:
        block()
        with pytest.raises(BlockedIdentifier):
            resolve_identifiers(
                channel=ChannelFactory(), identifiers=[("phone", TILL)], actor=ACTOR, dry_run=dry_run
            )

    def test_an_import_links_and_compares_nothing_by_it_and_counts_it(self, tmp_path: Path) -> None:
        block()
        path = write(tmp_path / "people.csv", *(stranger(number, phone=TILL) for number in range(3)))

        summary = import_file(open_file(path=path, channel=ChannelFactory()), actor=ACTOR)

        assert (summary.rows["created"], summary.counts()["links_blocked"]) == (3, 3)
        assert not Mapping.objects.filter(normalised=TILL).exists()
        assert not BlockingKey.objects.filter(key__startswith="ph:").exists()

    def test_a_search_for_duplicates_knows_nothing_of_it(self) -> None:
        same = {"given_name": "Anna", "family_name": "Smithers"}
        for number in range(2):
            person(number, **same)
        block()
        counts = find_duplicates(actor=ACTOR).settled.counts()
        assert counts["merged"] == 0

    def test_undoing_a_merge_brings_no_blocked_link_back(self) -> None:
        channel = ChannelFactory()
        first, second = CustomerFactory(name="Ann"), CustomerFactory(name="Zoe")
        values = {"channel": channel, "identifier_type": "phone", "channel_identifier": TILL}
        MappingFactory(customer=first, **values)
        MappingFactory(customer=second, status="shared", **values)
        merge = merge_customers(member_ids=[first.pk, second.pk], actor=ACTOR)

        block()
        undo_merge(merge_id=merge.pk, actor=ACTOR)

        assert set(Mapping.objects.values_list("status", flat=True)) == {"ended"}

    @pytest.mark.django_db(transaction=True)
    def test_a_claim_that_meets_a_block_waits_and_is_refused(self) -> None:
        customer, channel = CustomerFactory(), ChannelFactory()

        def claiming() -> object:
            return link_customer_identifier(
                customer_id=customer.pk, channel=channel, identifier_type="phone", value=TILL, actor=ACTOR
            )

        with pytest.raises(BlockedIdentifier):
            met_by(claiming, first=lambda: block(), then=lambda: None)
        assert not Mapping.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_a_block_that_meets_a_claim_waits_and_ends_its_link(self) -> None:
        customer, channel = CustomerFactory(), ChannelFactory()

        def claiming() -> object:
            return link_customer_identifier(
                customer_id=customer.pk, channel=channel, identifier_type="phone", value=TILL, actor=ACTOR
            )

        met_by(block, first=claiming, then=lambda: None)

        assert Mapping.objects.get().status == "ended"

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("changed", [False, True])
    def test_p8_a_block_that_meets_a_typed_value_waits_and_takes_its_key(self, changed: bool) -> None:
        anna = create_customer(fields={"name": "Anna Smith"}, actor=ACTOR)

        def typing() -> object:
            if changed:
                return update_profile(customer_id=anna.pk, version=1, changes={"phone": TILL}, actor=ACTOR)
            return create_customer(fields={"name": "Zoe Xu", "phone": TILL}, actor=ACTOR)

        met_by(block, first=typing, then=lambda: None)

        assert Customer.objects.filter(phone=TILL).exists()
        assert keys_out_of_date() == []

    @pytest.mark.django_db(transaction=True)
    def test_p8_a_merge_that_types_a_value_leaves_no_key_of_a_block_it_met(self) -> None:
        pair = [create_customer(fields={"name": name}, actor=ACTOR) for name in ("Anna Smith", "Ann Smith")]

        def merging() -> object:
            typed = {"phone": {"typed": TILL}}
            return merge_customers(member_ids=[row.pk for row in pair], picks=typed, actor=ACTOR)

        met_by(block, first=merging, then=lambda: None)

        assert Customer.objects.active().get().phone == TILL
        assert keys_out_of_date() == []

    @pytest.mark.django_db(transaction=True)
    def test_whoever_waits_for_a_block_holds_no_customer_it_may_want(self) -> None:
        anna = person(1)
        changing = update_profile.__wrapped__  # type: ignore[attr-defined]  # begins no second time

        met_by(
            lambda: changing(customer_id=anna.pk, version=1, changes={"name": "Anna"}, actor=ACTOR),
            first=locks.hold_blocklist,
            then=lambda: locks.lock_customers([anna.pk]),
        )

        assert Customer.objects.get(pk=anna.pk).name == "Anna"
