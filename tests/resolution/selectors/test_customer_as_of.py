"""A customer as it was: act by act, equal to what the tables said, or a sentence why it cannot be told."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Channel, Customer, Mapping, SourceRecord
from resolution.errors import CustomerErased, InvalidInput, PastUnknown, UnknownCustomer
from resolution.models import AuditEntry, IdentifierRule
from resolution.selectors.customer_as_of import CustomerThen, customer_as_of
from resolution.services import audit
from resolution.services.blocks import block_value
from resolution.services.importing import import_file, open_file
from resolution.services.keys import rebuild_keys
from resolution.services.link import link_customer_identifier, unlink_customer_identifier
from resolution.services.merge import merge_customers, merge_in_bulk
from resolution.services.profiles import create_customer, update_profile
from resolution.services.resolve import resolve_identifiers
from resolution.services.unmerge import undo_merge
from resolution.types import Actor, Group
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory
from tests.resolution.batch.files import csv_text
from tests.resolution.services.memory import Memory

pytestmark = pytest.mark.django_db
ACTOR = Actor(kind="user", name="ada")
EMAIL = "anna@post.example"


@pytest.fixture
def channel() -> Channel:
    return ChannelFactory(code="web")


def made(name: str = "Anna Smithers", **fields: object) -> Customer:
    return create_customer(fields={"name": name, **fields}, actor=ACTOR)


def linked(customer: Customer, channel: Channel, value: str = EMAIL, **options: object) -> Mapping:
    link_customer_identifier(
        customer_id=customer.pk, channel=channel, identifier_type="email", value=value, actor=ACTOR, **options
    )  # type: ignore[arg-type]
    return Mapping.objects.owned().get(customer=customer, channel=channel, identifier_type="email")


def now(customer: Customer) -> CustomerThen:
    return customer_as_of(customer.pk, timezone.now())


def imported(folder: Path, settings: object, *lines: tuple[str, ...]) -> list[Customer]:
    """Take in a file of these records, none of them merged, and return whom they speak for, as they came."""
    settings.VAR_DIR = folder  # type: ignore[attr-defined]
    path = folder / "people.csv"
    path.write_text(csv_text(*lines, header=("record_id", "first_name", "email")))
    import_file(open_file(path=path, channel="web"), actor=ACTOR, resolve=False)
    return [SourceRecord.objects.get(source_key=line[0]).customer for line in lines]


@pytest.fixture
def sharing(channel: Channel, tmp_path: Path, settings: object) -> list[Customer]:
    """Two of a file with one e-mail address: the first owns it, the second only shares it."""
    return imported(tmp_path, settings, ("a", "Anna", EMAIL), ("b", "Ann", EMAIL))


def statuses(then: CustomerThen) -> list[tuple[str, str]]:
    return [(link.value, link.status) for link in then.identifiers]


def mailbox_of(customer: Customer) -> list[str]:
    """How the links of the one e-mail address stand that the trail gives a customer now."""
    return [status for value, status in statuses(now(customer)) if value == EMAIL]


class TestEveryAct:
    """Each ends with asking the trail for what the tables said after every step."""

    @pytest.fixture(autouse=True)
    def memory(self) -> Iterator[Memory]:
        memory = Memory()
        yield memory
        memory.remember()
        memory.check()

    def test_create_and_update(self, memory: Memory) -> None:
        anna = made(city="Bonn", birth_date="1980-02-01")
        memory.remember()
        changes = {"city": "", "company": "Okonkwo Ltd"}
        update_profile(customer_id=anna.pk, version=anna.version, changes=changes, actor=ACTOR)
        assert now(anna).fields["company"] == "Okonkwo Ltd"

    def test_link_as_it_came_confirm_and_unlink(self, memory: Memory, channel: Channel) -> None:
        anna = made()
        link = linked(anna, channel, " Anna@Post.example", confidence=Decimal("0.70"))
        memory.remember()
        linked(anna, channel, confidence=Decimal("0.95"), verified=True)
        memory.remember()
        unlink_customer_identifier(customer_id=anna.pk, mapping_id=link.pk, actor=ACTOR)
        assert statuses(now(anna)) == [("Anna@Post.example", "ended")]

    def test_a_move_takes_from_one_and_gives_to_the_other(self, memory: Memory, channel: Channel) -> None:
        anna, boris = made(), made("Boris Okonkwo")
        linked(anna, channel, confidence=Decimal("0.50"))
        memory.remember()
        linked(boris, channel)
        assert statuses(now(anna)) == [(EMAIL, "ended")]
        assert [link.owns for link in now(boris).identifiers] == [True]
        assert AuditEntry.objects.get(action="lose").customer == anna

    def test_resolve(self, memory: Memory, channel: Channel) -> None:
        for name in ("Anna Smithers", "Anna Smithers-Okonkwo"):
            resolve_identifiers(
                channel=channel,
                identifiers=[("email", EMAIL)],
                fields={"name": name, "city": name},
                actor=ACTOR,
            )
            memory.remember()

    def test_import_and_import_of_changes(
        self, memory: Memory, channel: Channel, tmp_path: Path, settings: object
    ) -> None:
        settings.VAR_DIR = tmp_path  # type: ignore[attr-defined]
        for place, city in enumerate(("Bonn", "Ulm")):
            path = tmp_path / "people.csv"
            lines = (
                ("a", "Anna", "1.2.1980", "Anna@Post.example", city),
                ("b", "Ann", "", f"anna{place or ''}@post.example", "Delft"),
            )
            header = ("record_id", "first_name", "birth_date", "email", "city")
            path.write_text(csv_text(*lines, header=header))
            import_file(open_file(path=path, channel="web"), actor=ACTOR, resolve=False)
            memory.remember()
        assert {link.status for row in Customer.objects.all() for link in now(row).identifiers} == {
            "active", "shared",
        }  # fmt: skip

    def test_merge_and_unmerge(self, memory: Memory, channel: Channel) -> None:
        anna, ann = made(city="Bonn"), made("Ann Smithers", city="Ulm", company="Okonkwo Ltd")
        linked(anna, channel), linked(ann, channel, "ann@post.example")
        memory.remember()
        merge = merge_customers(
            member_ids=[anna.pk, ann.pk], survivor_id=anna.pk, picks={"city": {"typed": "Kiel"}}, actor=ACTOR
        )
        memory.remember()
        assert now(ann).canonical_id == anna.pk
        assert now(anna).fields["city"] == "Kiel"
        undo_merge(merge_id=merge.pk, actor=ACTOR)

    def test_a_link_folds_into_an_equal_one_and_parts_again(
        self, memory: Memory, channel: Channel, sharing: list[Customer]
    ) -> None:
        memory.remember()
        anna, ann = sharing
        merge = merge_customers(member_ids=[anna.pk, ann.pk], survivor_id=anna.pk, actor=ACTOR)
        memory.remember()
        assert (mailbox_of(anna), mailbox_of(ann)) == (["active"], ["collapsed"])
        undo_merge(merge_id=merge.pk, actor=ACTOR)
        assert (mailbox_of(anna), mailbox_of(ann)) == (["active"], ["shared"])

    def test_a_link_that_was_shared_owns_its_value_once_it_is_free(
        self, memory: Memory, channel: Channel, sharing: list[Customer]
    ) -> None:
        anna, ann = sharing
        memory.remember()
        owned = Mapping.objects.owned().get(customer=anna, identifier_type="email")
        unlink_customer_identifier(customer_id=anna.pk, mapping_id=owned.pk, actor=ACTOR)
        memory.remember()
        assert (mailbox_of(anna), mailbox_of(ann)) == (["ended"], ["shared"])
        linked(ann, channel)
        assert (mailbox_of(anna), mailbox_of(ann)) == (["ended"], ["active"])

    def test_an_import_takes_over_from_an_owner_out_of_its_window(
        self, memory: Memory, channel: Channel, tmp_path: Path, settings: object
    ) -> None:
        anna = made()
        linked(anna, channel)
        memory.remember()
        IdentifierRule.objects.filter(identifier_type="email").update(valid_days=30)
        Mapping.objects.update(last_seen_at=timezone.now() - timedelta(days=100))
        [boris] = imported(tmp_path, settings, ("b", "Boris", EMAIL))
        assert (mailbox_of(anna), mailbox_of(boris)) == (["ended"], ["active"])

    def test_a_branch_and_a_member_under_a_later_merge(self, memory: Memory, channel: Channel) -> None:
        people = [made(f"Anna Smithers {place}") for place in range(5)]
        for place, person in enumerate(people):
            linked(person, channel, f"anna{place}@post.example")
        inner = merge_customers(
            member_ids=[row.pk for row in people[1:4]], survivor_id=people[1].pk, actor=ACTOR
        )
        outer = merge_customers(
            member_ids=[people[0].pk, people[1].pk, people[4].pk], survivor_id=people[0].pk, actor=ACTOR
        )
        memory.remember()
        assert now(people[2]).merged_into == people[0].pk
        undo_merge(merge_id=inner.pk, member_ids=[people[3].pk], actor=ACTOR)
        memory.remember()
        undo_merge(merge_id=outer.pk, member_ids=[people[1].pk], actor=ACTOR)
        assert now(people[2]).merged_into == people[1].pk

    def test_many_merges_at_once(self, memory: Memory, channel: Channel) -> None:
        pairs = [(made(f"Anna {place}"), made(f"Ann {place}")) for place in range(3)]
        for _, ann in pairs:
            linked(ann, channel, f"{ann.pk.hex}@post.example")
        memory.remember()
        with audit.change(ACTOR) as trail:
            merge_in_bulk(trail, [Group((str(anna.pk), str(ann.pk)), ()) for anna, ann in pairs])

    def test_a_blocked_value(self, memory: Memory, channel: Channel) -> None:
        anna = made()
        linked(anna, channel)
        memory.remember()
        block_value(value=EMAIL, type="email", actor=ACTOR)
        assert statuses(now(anna)) == [(EMAIL, "ended")]


class TestMoments:
    def test_two_acts_of_one_change_are_one_moment_in_their_order(self, channel: Channel) -> None:
        anna = made()
        with audit.change(ACTOR) as trail:
            for value in ("one", "two"):
                trail.record("update", customer_id=anna.pk, before={}, after={"city": value})
        moment = AuditEntry.objects.latest("sequence").created_at
        assert customer_as_of(anna.pk, moment).fields["city"] == "two"

    def test_changes_of_one_microsecond_are_told_in_their_order(self) -> None:
        with patch.object(audit.timezone, "now", return_value=datetime(2026, 1, 1, tzinfo=UTC)):
            anna = made()
            for city in ("Bonn", "Ulm", "Bonn", "Kiel"):
                anna.refresh_from_db()
                update_profile(customer_id=anna.pk, version=anna.version, changes={"city": city}, actor=ACTOR)
        assert customer_as_of(anna.pk, datetime(2026, 1, 1, tzinfo=UTC)).fields["city"] == "Kiel"

    def test_a_clock_that_goes_back_does_not_take_the_trail_along(self) -> None:
        anna = made()
        created = AuditEntry.objects.get().created_at
        with patch.object(audit.timezone, "now", return_value=created - timedelta(hours=1)):
            update_profile(customer_id=anna.pk, version=1, changes={"city": "Ulm"}, actor=ACTOR)
        assert AuditEntry.objects.latest("sequence").created_at == created
        with pytest.raises(PastUnknown, match="it was created on"):
            customer_as_of(anna.pk, created - timedelta(minutes=1))

    def test_a_moment_needs_a_zone(self) -> None:
        with pytest.raises(InvalidInput, match="without a time zone"):
            customer_as_of(made().pk, datetime(2026, 1, 1))

    def test_a_moment_has_passed(self) -> None:
        with pytest.raises(InvalidInput, match="is still to come"):
            customer_as_of(made().pk, timezone.now() + timedelta(minutes=1))

    def test_before_it_was_created_there_is_nothing(self) -> None:
        before = timezone.now()
        anna = made()
        with pytest.raises(PastUnknown, match="it was created on") as refused:
            customer_as_of(anna.pk, before)
        assert refused.value.facts["known_from"] == AuditEntry.objects.get().created_at.isoformat()

    def test_who_was_never_created_is_unknown(self) -> None:
        with pytest.raises(UnknownCustomer):
            customer_as_of(uuid.uuid4(), timezone.now())


class TestErased:
    def test_of_an_erased_customer_nothing_is_told(self) -> None:
        anna = made()
        Customer.objects.filter(pk=anna.pk).update(status="erased")
        with pytest.raises(CustomerErased):
            now(anna)

    def test_nor_of_the_time_somebody_was_one_with_it(self) -> None:
        anna, ann = made(), made("Ann Smithers")
        apart = timezone.now()
        merge = merge_customers(member_ids=[anna.pk, ann.pk], survivor_id=anna.pk, actor=ACTOR)
        undo_merge(merge_id=merge.pk, actor=ACTOR)
        Customer.objects.filter(pk=ann.pk).update(status="erased")
        with pytest.raises(PastUnknown, match="erased since"):
            now(anna)
        assert customer_as_of(anna.pk, apart).fields["name"] == "Anna Smithers"


class TestRowsOfEarlierReleases:
    """The trail says plainly from when it knows, and guesses nothing."""

    def test_who_an_earlier_release_created_is_known_once_written_down(self, channel: Channel) -> None:
        anna = CustomerFactory(name="Anna Smithers")
        linked(anna, channel)
        early = timezone.now()
        with pytest.raises(PastUnknown, match=r"run manage\.py note_customers"):
            customer_as_of(anna.pk, early)

        call_command("note_customers")

        assert (now(anna).fields["name"], statuses(now(anna))) == ("Anna Smithers", [(EMAIL, "active")])
        with pytest.raises(PastUnknown, match="it is known from") as refused:
            customer_as_of(anna.pk, early)
        assert (
            refused.value.facts["known_from"] == AuditEntry.objects.latest("sequence").created_at.isoformat()
        )

    def test_who_absorbed_one_of_them_is_not_known_any_more(self, channel: Channel) -> None:
        anna, ann = made(), CustomerFactory(name="Ann Smithers")
        MappingFactory(customer=ann, channel=channel)
        rebuild_keys([ann.pk])
        before = timezone.now()
        merge_customers(member_ids=[anna.pk, ann.pk], survivor_id=anna.pk, actor=ACTOR)
        assert customer_as_of(anna.pk, before).identifiers == ()
        with pytest.raises(PastUnknown, match="does not hold enough"):
            now(anna)

        call_command("note_customers")

        assert len(now(anna).identifiers) == 1
        assert now(ann).merged_into == anna.pk

    def test_a_row_without_its_facts_is_no_row_that_changed_nothing(self) -> None:
        anna = made()
        with audit.change(ACTOR) as trail:
            trail.record("merge", customer_id=anna.pk)
        with pytest.raises(PastUnknown, match="does not hold enough"):
            now(anna)

    def test_nobody_is_written_down_twice(self) -> None:
        CustomerFactory(name="Ann Smithers")
        made()
        call_command("note_customers")
        call_command("note_customers")
        assert AuditEntry.objects.filter(action="note").count() == 1
        call_command("note_customers", "--all")
        assert AuditEntry.objects.filter(action="note").count() == 3


class TestCost:
    def test_asks_three_times_however_long_the_past(self, channel: Channel) -> None:
        anna, others = made(), [made(f"Anna {place}") for place in range(6)]
        for place in range(300):
            anna.refresh_from_db()
            update_profile(
                customer_id=anna.pk, version=anna.version, changes={"city": str(place)}, actor=ACTOR
            )
        merge_customers(member_ids=[anna.pk, *(row.pk for row in others)], survivor_id=anna.pk, actor=ACTOR)
        with CaptureQueriesContext(connection) as queries:
            assert now(anna).fields["city"] == "299"
        assert len(queries) == 3
