"""Values blocked and let free: what leaned on them is found, shown, and looked at again."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from procrastinate.contrib.django.models import ProcrastinateJob

from customers.models import Customer, Mapping
from resolution.errors import BlockedIdentifier, InvalidInput, NotFound, Refused, StaleVersion
from resolution.matching.key_numbers import key_number
from resolution.models import AuditEntry, BlockedValue, BlockingKey, Conflict, IdentifierRule, Merge
from resolution.selectors.profiles import load_profiles
from resolution.services import cache, locks, reevaluate
from resolution.services.blocks import block_value, preview_block, retire_block
from resolution.services.decide import decide_conflict
from resolution.services.find_duplicates import find_duplicates
from resolution.services.importing import import_file, open_file
from resolution.services.link import link_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.profiles import create_customer, update_profile
from resolution.services.queue import claim
from resolution.services.reevaluate import reevaluate_value
from resolution.services.resolve import (
    create_or_resolve_customer,
    find_potential_duplicates,
    resolve_customer_identity,
    resolve_identifiers,
)
from resolution.services.unmerge import undo_merge
from resolution.types import Actor
from tests.factories import (
    ChannelFactory,
    ConflictFactory,
    CustomerFactory,
    MappingFactory,
    actor_for,
    steward,
)
from tests.resolution.batch.files import stranger, write
from tests.resolution.services.promises import keys_out_of_date
from tests.resolution.services.waiting import met_by
from tests.resolution.worker import work

pytestmark = pytest.mark.django_db

ACTOR = Actor(kind="user", name="lena")
TILL = "+4930123456789"


def person(number: int, phone: str = TILL, **fields: Any) -> Customer:
    """Somebody who has nothing with others in common but a telephone."""
    _, given, family, *_ = stranger(number)
    customer = CustomerFactory(**{"given_name": given, "family_name": family, "phone": phone, **fields})
    MappingFactory(customer=customer, identifier_type="phone", channel_identifier=phone)
    return customer


def joined(*customers: Customer) -> Customer:
    merge = merge_customers(member_ids=[row.pk for row in customers], actor=ACTOR)
    return Customer.objects.get(pk=merge.survivor_id)


def block(value: str = TILL, type: str = "phone", **options: Any) -> BlockedValue:
    return block_value(value=value, type=type, actor=ACTOR, **options).row


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


class TestReevaluation:
    def test_a_customer_it_alone_held_together_is_asked_about_with_its_parts_and_merges(self) -> None:
        held = joined(person(1), person(2))

        row = block()

        conflict = Conflict.objects.get()
        assert (conflict.kind, conflict.identifier_value) == ("over_merge", TILL)
        assert [member.customer_id for member in conflict.members.all()] == [held.pk]
        assert "fall into 2 parts" in conflict.reason
        assert f"Merges that leaned on it: {held.merges.get().pk}." in conflict.reason
        assert row.reach["over_merged"] == 1

    def test_one_that_holds_without_it_is_left_alone(self) -> None:
        same = {"given_name": "Anna", "family_name": "Smithers", "birth_date": "1980-02-13"}
        joined(
            person(1, **same, email="a.smithers@post.example"),
            person(2, **same, email="a.smithers@post.example"),
        )

        row = block()

        assert (row.reach["merges"], row.reach["over_merged"]) == (1, 0)
        assert not Conflict.objects.exists()

    def test_one_where_only_one_record_had_it_did_not_lean_on_it(self) -> None:
        joined(person(1), person(2, phone="+4930987654321"))
        assert block().reach["merges"] == 0

    def test_after_seventy_merges_the_whole_chain_is_found_in_one_question(self) -> None:
        chain = person(0)
        for number in range(1, 71):
            chain = joined(chain, person(number))

        found = preview_block(value=TILL, type="phone")
        row = block()

        [apart] = found.over_merged
        assert (len(apart.parts), len(found.merges)) == (71, 70)
        assert row.reach == found.numbers()
        conflict = Conflict.objects.get(kind="over_merge")
        assert "71 records of this customer fall into 71 parts" in conflict.reason
        assert "and 60 more" in conflict.reason

    def test_the_preview_is_what_is_done_and_changes_nothing(self) -> None:
        joined(person(1), person(2))
        before = (AuditEntry.objects.count(), BlockedValue.objects.count())

        found = preview_block(value="030 123456789", type="phone", region="DE")

        assert (AuditEntry.objects.count(), BlockedValue.objects.count()) == before
        assert found.block.value == TILL
        assert block().reach == found.numbers()

    def test_a_question_that_only_it_asked_is_closed_and_another_is_weighed_again(self) -> None:
        strangers = [person(1), person(2)]
        same = {"given_name": "Anna", "family_name": "Smithers", "birth_date": "1980-02-13"}
        alike = [person(number, **same) for number in (3, 4)]
        gone, stays = (ConflictFactory(members=pair, weight=17.0) for pair in (strangers, alike))

        block()

        gone.refresh_from_db()
        stays.refresh_from_db()
        assert (gone.state, gone.outcome) == ("done", "closed")
        assert stays.state == "open"
        assert (stays.weight or 17.0) < 17.0
        assert stays.version == 2

    def test_a_question_about_the_value_itself_is_closed(self) -> None:
        IdentifierRule.objects.filter(identifier_type="phone").update(customers_soft=1)
        person(1)
        link_customer_identifier(
            customer_id=CustomerFactory().pk, channel=ChannelFactory(), identifier_type="phone", value=TILL,
            actor=ACTOR,
        )  # fmt: skip
        assert Conflict.objects.get().kind == "shared_value"
        block()
        assert Conflict.objects.get().outcome == "closed"

    def test_one_that_a_person_called_right_is_not_asked_about_again(self) -> None:
        joined(person(1), person(2))
        row, decider = block(), actor_for(steward())
        conflict = claim(conflict_id=Conflict.objects.get().pk, actor=decider)
        decide_conflict(conflict_id=conflict.pk, decision="accept", version=conflict.version, actor=decider)

        retire_block(block_id=row.pk, actor=ACTOR)
        block()

        assert Conflict.objects.get().outcome == "accepted"

    def test_a_value_that_crosses_its_limit_has_its_merges_looked_at_by_the_worker(self) -> None:
        held = joined(person(1), person(2))
        IdentifierRule.objects.filter(identifier_type="phone").update(customers_soft=1)

        link_customer_identifier(
            customer_id=CustomerFactory().pk, channel=ChannelFactory(), identifier_type="phone",
            value=TILL, actor=ACTOR,
        )  # fmt: skip
        work()

        kinds = dict(Conflict.objects.values_list("kind", "members__customer"))
        assert kinds["over_merge"] == held.pk
        assert "shared_value" in kinds

    def test_the_look_waits_in_the_change_itself_and_names_no_value(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        joined(person(1), person(2))
        IdentifierRule.objects.filter(identifier_type="phone").update(customers_soft=1)
        customer, channel = CustomerFactory(), ChannelFactory()

        def linking() -> object:
            return link_customer_identifier(
                customer_id=customer.pk, channel=channel, identifier_type="phone", value=TILL, actor=ACTOR
            )

        with pytest.raises(ZeroDivisionError), transaction.atomic():
            linking()
            raise ZeroDivisionError
        assert not ProcrastinateJob.objects.exists()

        monkeypatch.setattr(reevaluate, "find_leaning", lambda *args, **kwargs: 1 / 0)
        linking()
        asked = Conflict.objects.get(kind="shared_value")
        job = ProcrastinateJob.objects.get(task_name="reevaluate_conflicts", status="todo")
        assert job.args == {"conflict_ids": [asked.pk], "actor": asdict(ACTOR)}

    def test_of_a_question_decided_meanwhile_nothing_is_looked_at(self) -> None:
        joined(person(1), person(2))
        IdentifierRule.objects.filter(identifier_type="phone").update(customers_soft=1)
        link_customer_identifier(
            customer_id=CustomerFactory().pk, channel=ChannelFactory(), identifier_type="phone", value=TILL,
            actor=ACTOR,
        )  # fmt: skip
        Conflict.objects.update(state="done", outcome="accepted")
        work()
        assert Conflict.objects.count() == 1

    def test_looking_again_asks_once(self) -> None:
        joined(person(1), person(2))
        for _ in range(2):
            reevaluate_value(identifier_type="phone", value=TILL, why="Many have it.", actor=ACTOR)
        assert Conflict.objects.count() == 1

    def test_takes_as_many_queries_for_many_customers_as_for_few(self) -> None:
        def queries(value: str, customers: int, start: int) -> int:
            for number in range(start, start + 2 * customers, 2):
                joined(person(number, phone=value), person(number + 1, phone=value))
            with CaptureQueriesContext(connection) as captured:
                assert block(value).reach["over_merged"] == customers
            return len(captured)

        assert queries("+4930111111112", 2, 0) == queries("+4930222222223", 12, 100)


def over_merged(*, live: bool = True) -> list[tuple[str, str, list[uuid.UUID]]]:
    """The questions about merges: state, outcome, whom they name."""
    asked = Conflict.objects.filter(kind="over_merge").order_by("pk")
    rows = asked.exclude(state="done") if live else asked
    return [(row.state, row.outcome, [member.customer_id for member in row.members.all()]) for row in rows]


def undo(merge: Merge, **options: Any) -> None:
    undo_merge(merge_id=merge.pk, judge_different=False, actor=ACTOR, **options)


class TestUndoing:
    def test_no_more_is_asked_of_a_customer_whose_merges_are_all_undone(self) -> None:
        held = joined(person(1), person(2))
        block()
        assert over_merged() == [("open", "", [held.pk])]

        merge = held.merges.get()
        undo(merge)

        assert over_merged(live=False) == [("done", "closed", [held.pk])]
        told = AuditEntry.objects.get(action="decide")
        assert told.metadata["reason"].startswith(f"Merge {merge.pk} was taken back.")

    def test_one_that_waits_for_another_day_is_not_asked_either(self) -> None:
        held = joined(person(1), person(2))
        block()
        Conflict.objects.update(state="parked")

        undo(held.merges.get())

        assert over_merged() == []

    def test_what_is_left_together_is_asked_with_the_parts_it_has_now(self) -> None:
        people = [person(number) for number in (1, 2, 3)]
        held = joined(*people)
        block()
        leaving = next(row for row in people if row.pk != held.pk)

        undo(held.merges.get(), member_ids=[leaving.pk])

        assert over_merged() == [("open", "", [held.pk])]
        assert "the 2 records of this customer fall into 2 parts" in Conflict.objects.get().reason

    def test_what_is_left_and_hangs_together_without_the_value_is_not_asked_any_more(self) -> None:
        same = {"given_name": "Anna", "family_name": "Smithers", "birth_date": "1980-02-13"}
        alike = [person(number, **same, email="a.smithers@post.example") for number in (1, 2)]
        other = person(3)
        held = merge_customers(
            member_ids=[row.pk for row in (*alike, other)], survivor_id=alike[0].pk, actor=ACTOR
        )
        block()
        assert over_merged() == [("open", "", [alike[0].pk])]

        undo(held, member_ids=[other.pk])

        assert over_merged(live=False) == [("done", "closed", [alike[0].pk])]

    def test_a_branch_that_leaves_is_asked_about_and_who_stays_alone_is_not(self) -> None:
        first, second, alone = (person(number) for number in (1, 2, 3))
        branch = joined(first, second)
        outer = merge_customers(member_ids=[branch.pk, alone.pk], survivor_id=alone.pk, actor=ACTOR)
        block()
        assert over_merged() == [("open", "", [alone.pk])]

        undo(outer)

        assert over_merged() == [("open", "", [branch.pk])]

    def test_of_a_value_that_is_not_blocked_what_it_held_together_is_asked_alone(self) -> None:
        held = joined(person(1), person(2))
        reevaluate_value(identifier_type="phone", value=TILL, why="Too many have it.", actor=ACTOR)
        assert over_merged() == [("open", "", [held.pk])]

        undo(held.merges.get())

        assert over_merged() == []

    def test_an_undo_that_fails_leaves_the_question_asked(self) -> None:
        held = joined(person(1), person(2))
        block()

        with pytest.raises(StaleVersion):
            undo(held.merges.get(), fingerprint="another")

        assert over_merged() == [("open", "", [held.pk])]


class TestLifting:
    def test_the_value_is_evidence_again_and_links_stay_ended(self) -> None:
        someone = person(1)
        row = block()

        lifted = retire_block(block_id=row.pk, reason="It was hers.", actor=ACTOR)

        assert (lifted.state, lifted.retired_by) == ("retired", "lena")
        assert someone.mappings.get().status == "ended"
        assert load_profiles([someone.pk])[someone.pk].phones == (TILL,)
        assert BlockingKey.objects.filter(customer=someone, key=key_number(f"ph:{TILL}")).exists()
        assert AuditEntry.objects.filter(action="unblock").count() == 2

    @pytest.mark.parametrize(
        ("type", "value", "written"),
        [
            ("phone", TILL, {"phone": "+49 (0)30 123456789"}),
            ("phone", TILL, {"phone": "030 / 123 456 789 ext. 12", "country": "DE"}),
            ("phone", TILL, {"phone": "٠٣٠ ١٢٣٤٥٦٧٨٩", "country": "DE"}),
            ("phone", "+18005557673", {"phone": "1-800-555-ROSE", "country": "US"}),
            ("phone", "+4930*", {"phone": "030 123456789", "country": "DE"}),
            ("phone", "*456789", {"phone": "030 12 34 56 789", "country": "DE"}),
            ("email", "anna.smith@post.example", {"email": "Anna Smith <Anna.Smith+News@POST.example>"}),
            ("email", "annasmith@gmail.com", {"email": "Anna.Smith@googlemail.com"}),
            ("email", "till*@gmail.com", {"email": "Till.7+a@GoogleMail.com"}),
            ("email", "anna@xn--mller-kva.example", {"email": "anna@Müller.example"}),
            ("", "anna@post.example", {"email": "ANNA@post.example"}),
            ("", "*1234567*", {"phone": "+49 30 1234567-89"}),
        ],
    )
    def test_who_was_made_with_it_meanwhile_has_its_keys_however_it_was_written(
        self, type: str, value: str, written: dict[str, str]
    ) -> None:
        row = block(value, type=type)
        made = create_customer(fields={"name": "Anna", **written}, actor=ACTOR)
        joined(made, CustomerFactory(name="Anna"))
        other = create_customer(fields={"email": "eve@post.example", "phone": "+49401111111"}, actor=ACTOR)

        retire_block(block_id=row.pk, actor=ACTOR)

        assert keys_out_of_date() == []
        told = AuditEntry.objects.filter(action="unblock", customer__isnull=False)
        assert [entry.customer.canonical_id for entry in told if entry.customer] == [
            Customer.objects.get(pk=made.pk).canonical_id
        ]
        assert Customer.objects.get(pk=other.pk).version == 1

    def test_a_pattern_reaches_who_has_it_in_a_field_however_it_was_written(self) -> None:
        someone = create_customer(fields={"phone": "030 123456789", "country": "DE"}, actor=ACTOR)

        row = block("+4930*")

        assert row.reach["customers"] == 1
        assert not BlockingKey.objects.filter(customer=someone).exists()

    def test_who_came_with_it_meanwhile_has_its_keys(self, tmp_path: Path) -> None:
        row = block()
        message = {"customer_phone": TILL, "sender_name": "Anna Smithers"}
        create_or_resolve_customer(channel=ChannelFactory(), message=message, actor=ACTOR)
        path = write(tmp_path / "people.csv", *(stranger(number, phone=TILL) for number in range(3)))
        import_file(open_file(path=path, channel=ChannelFactory()), actor=ACTOR)

        retire_block(block_id=row.pk, actor=ACTOR)

        assert keys_out_of_date() == []

    def test_what_another_block_covers_stays_blocked(self) -> None:
        row, wider = block(), block("+4930*")
        someone = create_customer(fields={"name": "Anna", "phone": TILL}, actor=ACTOR)

        retire_block(block_id=row.pk, actor=ACTOR)
        assert load_profiles([someone.pk])[someone.pk].phones == ()
        retire_block(block_id=wider.pk, actor=ACTOR)

        assert keys_out_of_date() == []

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("lifted_first", [True, False])
    def test_one_who_is_written_with_it_at_that_moment_has_its_keys(self, lifted_first: bool) -> None:
        row, someone = block(), CustomerFactory(name="Anna")

        def lift() -> object:
            return retire_block(block_id=row.pk, actor=ACTOR)

        def write_it() -> object:
            create_customer(fields={"phone": TILL}, actor=ACTOR)
            return update_profile(customer_id=someone.pk, version=1, changes={"phone": TILL}, actor=ACTOR)

        first, second = (lift, write_it) if lifted_first else (write_it, lift)
        met_by(second, first=first, then=lambda: None)

        assert keys_out_of_date() == []

    def test_it_may_be_blocked_again_and_both_rows_stay(self) -> None:
        retire_block(block_id=block().pk, actor=ACTOR)
        block()
        assert list(BlockedValue.objects.order_by("pk").values_list("state", flat=True)) == [
            "retired",
            "live",
        ]

    def test_lifting_twice_is_refused(self) -> None:
        row = block()
        retire_block(block_id=row.pk, actor=ACTOR)
        with pytest.raises(Refused, match="was lifted by lena already"):
            retire_block(block_id=row.pk, actor=ACTOR)

    def test_an_unknown_one_is_not_found(self) -> None:
        with pytest.raises(NotFound, match="no blocked value 99"):
            retire_block(block_id=99, actor=ACTOR)


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
