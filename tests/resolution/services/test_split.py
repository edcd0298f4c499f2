"""Splitting a customer whom no merge made two: what leaves, what stays, and how to take it back."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Channel, Customer, Mapping
from resolution.batch.records import SOURCE_ID
from resolution.errors import InvalidInput, LinkerSplits, MergeBlocked, Refused, StaleVersion, UnknownCustomer
from resolution.models import AuditEntry, Conflict, Judgement, MergePolicy, MergeProposal, OutboxEvent
from resolution.selectors.customer_as_of import customer_as_of
from resolution.selectors.customers import get_canonical
from resolution.selectors.history import customer_history
from resolution.services import audit, conflicts
from resolution.services.api_keys import make_api_key
from resolution.services.approve import propose_merge
from resolution.services.erase import erase_customer
from resolution.services.judge import judge_pair
from resolution.services.keys import rebuild_keys
from resolution.services.link import link_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.profiles import create_customer, update_profile
from resolution.services.resolve import resolve_customer_identity
from resolution.services.split import preview_split, split_customer
from resolution.services.split_plan import SplitPlan
from resolution.services.unmerge import undo_merge
from resolution.types import Actor
from tests.concurrency import all_at_once
from tests.factories import (
    ChannelFactory,
    ConflictFactory,
    CustomerFactory,
    MappingFactory,
    MessageFactory,
    SourceRecordFactory,
    TicketFactory,
    actor_for,
    lead,
    steward,
)
from tests.resolution.services.promises import broken_promises, rows_of_the_trail, untold_changes
from tests.resolution.services.register_state import register_state
from tests.resolution.services.test_merge import outcome

pytestmark = pytest.mark.django_db
LEA, TOM = Actor(kind="user", name="lea"), Actor(kind="user", name="tom")
ANNA, EVE = "anna@x.org", "eve@x.org"


@pytest.fixture
def shop(db: None) -> Channel:
    return ChannelFactory(code="shop", name="Shop")


@pytest.fixture
def both(shop: Channel) -> Customer:
    """Anna and Eve as one customer, by two identifiers that were linked to it."""
    customer = create_customer(fields={"name": "Anna", "email": ANNA, "city": "Bonn"}, actor=TOM)
    for value in (ANNA, EVE):
        link_customer_identifier(
            customer_id=customer.pk, channel=shop, identifier_type="email", value=value, actor=TOM
        )
    return customer


def link_of(customer: Customer, value: str) -> Mapping:
    return Mapping.objects.get(customer=customer, channel_identifier=value, status="active")


def fresh(customer: Customer) -> Customer:
    return Customer.objects.get(pk=customer.pk)


def plan_of(customer: Customer, *values: str, **options: Any) -> SplitPlan:
    return preview_split(
        customer_id=customer.pk, mapping_ids=[link_of(customer, value).pk for value in values], **options
    )


def split(customer: Customer, *values: str, actor: Actor = LEA, **options: Any) -> Customer:
    ids = [link_of(customer, value).pk for value in values]
    return split_customer(customer_id=customer.pk, mapping_ids=ids, actor=actor, **options).customer


class TestWhatLeaves:
    def test_on_a_split_the_part_that_holds_the_anchor_keeps_the_id(self, both: Customer) -> None:
        new = split(both, EVE)
        assert get_canonical(both.pk).pk == both.pk != new.pk
        assert (fresh(both).status, new.status) == ("active", "active")
        assert link_of(both, ANNA).customer_id == both.pk

    def test_p1_the_identifier_has_one_owner_the_new_customer(self, both: Customer, shop: Channel) -> None:
        new = split(both, EVE)
        assert link_of(new, EVE).customer_id == new.pk
        owner = resolve_customer_identity(channel=shop, identifier_type="email", value=EVE)
        assert owner == new.pk
        assert broken_promises() == []

    def test_messages_and_tickets_go_by_the_identifier_they_came_with(self, both: Customer) -> None:
        for value in (ANNA, EVE):
            MessageFactory(customer=both, mapping=link_of(both, value), subject=value)
            TicketFactory(customer=both, mapping=link_of(both, value), subject=value)
        MessageFactory(customer=both, subject="by nothing")
        new = split(both, EVE)
        assert list(new.messages.values_list("subject", "mapping")) == [(EVE, link_of(new, EVE).pk)]
        assert list(new.tickets.values_list("subject", flat=True)) == [EVE]
        assert set(both.messages.values_list("subject", flat=True)) == {ANNA, "by nothing"}

    def test_a_source_record_goes_only_when_all_it_came_with_leaves(
        self, both: Customer, shop: Channel
    ) -> None:
        hers = SourceRecordFactory(customer=both, channel=shop, data={"email": EVE, "name": "Eve"})
        mixed = SourceRecordFactory(customer=both, channel=shop, data={"email": EVE, "phone": ANNA})
        silent = SourceRecordFactory(customer=both, channel=shop, data={"city": "Bonn"})
        plan = plan_of(both, EVE)
        assert ([row.id for row in plan.records], plan.records_staying) == ([hers.pk], 2)
        new = split(both, EVE)
        assert set(new.source_records.values_list("pk", flat=True)) == {hers.pk}
        assert set(both.source_records.values_list("pk", flat=True)) == {mixed.pk, silent.pk}

    def test_a_record_takes_its_sources_own_key_along_and_may_be_chosen_by_it(
        self, both: Customer, shop: Channel
    ) -> None:
        place = {"customer": both, "channel": shop, "identifier_type": SOURCE_ID}
        for key in ("r1", "r2"):
            MappingFactory(**place, channel_identifier=key, normalised=key, verified=True)
        SourceRecordFactory(customer=both, channel=shop, source_key="r1", data={"email": EVE})
        SourceRecordFactory(customer=both, channel=shop, source_key="r2", data={"name": "Eve"})
        new = split(both, EVE, "r2")
        owned = new.mappings.filter(status="active").values_list("channel_identifier", flat=True)
        assert set(owned) == {EVE, "r1", "r2"}
        assert new.source_records.count() == 2

    def test_a_value_only_the_leaving_show_goes_along_and_the_next_surest_takes_its_place(
        self, both: Customer, shop: Channel
    ) -> None:
        SourceRecordFactory(customer=both, channel=shop, data={"email": ANNA, "name": "Anna", "city": "Bonn"})
        new = split(both, ANNA)
        assert (new.name, new.email, new.city) == ("Anna", ANNA, "Bonn")
        kept = fresh(both)
        assert (kept.name, kept.email, kept.city) == ("", EVE, "")

    def test_what_is_given_goes_before_what_is_found(self, both: Customer) -> None:
        new = split(both, EVE, fields={"name": "Eve Brown"})
        assert (new.name, new.email) == ("Eve Brown", EVE)
        assert fresh(both).name == "Anna"

    def test_each_was_last_heard_of_by_its_own_messages(self, both: Customer) -> None:
        early, late = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 6, 1, tzinfo=UTC)
        MessageFactory(customer=both, mapping=link_of(both, ANNA), received_at=early)
        MessageFactory(customer=both, mapping=link_of(both, EVE), received_at=late)
        Customer.objects.filter(pk=both.pk).update(last_interaction_at=late)
        new = split(both, EVE)
        assert (fresh(both).last_interaction_at, new.last_interaction_at) == (early, late)

    def test_the_preview_is_what_happens(self, both: Customer) -> None:
        plan = plan_of(both, EVE)
        new = split(both, EVE, fingerprint=plan.fingerprint, fields={"name": "Eve"})
        told = {part.field: (part.stays, part.goes) for part in plan.fields}
        assert told["email"] == (fresh(both).email, new.email) == (ANNA, EVE)
        assert (told["city"], new.name) == (("Bonn", ""), "Eve")

    def test_asks_the_same_of_the_database_for_ten_identifiers_as_for_two(self, both: Customer) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as seen:
                plan_of(both, EVE)
            return len(seen)

        few = queries()
        MappingFactory.create_batch(8, customer=both)
        assert queries() == few


class TestTheTrail:
    def test_p5_tells_every_change_and_stays_chained(self, both: Customer) -> None:
        since, before = audit.head(), register_state()
        new = split(both, EVE, reason="two sisters")
        told = rows_of_the_trail(since)
        assert untold_changes(before, register_state(), told) == []
        assert audit.find_break() is None
        entry = AuditEntry.objects.get(action="split")
        assert (entry.customer_id, entry.actor_name) == (both.pk, "lea")
        assert (entry.metadata["into"], entry.metadata["reason"]) == (str(new.pk), "two sisters")

    def test_history_before_and_after_is_what_the_tables_said(self, both: Customer) -> None:
        before = timezone.now()
        new = split(both, EVE)
        now = timezone.now()
        assert {link.value for link in customer_as_of(both.pk, before).identifiers} == {ANNA, EVE}
        current = {link.value for link in customer_as_of(both.pk, now).identifiers if link.owns}
        assert current == {ANNA}
        then = customer_as_of(new.pk, now)
        assert [link.value for link in then.identifiers if link.owns] == [EVE]
        assert then.fields["email"] == EVE

    def test_the_timeline_names_the_new_customer(self, both: Customer) -> None:
        split(both, EVE, fields={"name": "Eve Brown"}, reason="two sisters")
        told = {entry.kind: entry.detail for entry in customer_history(both.pk).entries}
        assert told["split"] == "Eve Brown · two sisters"

    def test_tells_other_systems(self, both: Customer) -> None:
        new = split(both, EVE)
        event = OutboxEvent.objects.get(kind="customer.split")
        assert (event.customer_id, event.payload["into"]) == (both.pk, str(new.pk))


class TestTakingItBack:
    def test_p2_p4_merging_back_gives_all_to_one_and_undoing_that_gives_both_back(
        self, both: Customer
    ) -> None:
        MessageFactory(customer=both, mapping=link_of(both, EVE))
        new = split(both, EVE, judge_different=False)
        apart = register_state()
        made = merge_customers(member_ids=[both.pk, new.pk], survivor_id=both.pk, actor=LEA)
        assert get_canonical(new.pk).pk == both.pk
        owned = Mapping.objects.filter(customer=both, status="active")
        assert set(owned.values_list("channel_identifier", flat=True)) == {ANNA, EVE}
        assert both.messages.count() == 1
        undo_merge(merge_id=made.pk, judge_different=False, actor=TOM)
        assert register_state() == apart
        assert broken_promises() == []

    def test_p3_they_are_judged_different_so_that_nobody_joins_them_again(self, both: Customer) -> None:
        new = split(both, EVE)
        assert Judgement.objects.get().verdict == "different"
        with pytest.raises(MergeBlocked, match="not the same"):
            merge_customers(member_ids=[both.pk, new.pk], actor=LEA)

    def test_unless_told_otherwise(self, both: Customer) -> None:
        split(both, EVE, judge_different=False)
        assert not Judgement.objects.exists()


class TestWords:
    def test_p3_not_the_same_as_the_whole_counts_for_the_new_customer_too(self, both: Customer) -> None:
        other = create_customer(fields={"name": "Other"}, actor=TOM)
        judge_pair(left_id=both.pk, right_id=other.pk, verdict="different", reason="by eve's", actor=TOM)
        [shown] = plan_of(both, EVE).kept_apart
        assert (shown.other_name, shown.who) == ("Other", "tom")
        new = split(both, EVE, judge_different=False)
        with pytest.raises(MergeBlocked, match="not the same"):
            merge_customers(member_ids=[other.pk, new.pk], actor=LEA)


class TestContacts:
    """A profile holds a contact as it does wherever one comes in, and as the preview shows it."""

    @pytest.mark.parametrize(
        ("came_as", "normalised", "held"),
        [
            ("whatsapp:+49 1520 1234567", "+4915201234567", "+49 1520 1234567"),
            (f"+49 1520 1234567{' ' * 40}ext", "+4915201234567", "+4915201234567"),
        ],
    )
    def test_without_scheme_or_in_its_short_form(
        self, both: Customer, shop: Channel, came_as: str, normalised: str, held: str
    ) -> None:
        MappingFactory(
            customer=both, channel=shop, identifier_type="phone", channel_identifier=came_as,
            normalised=normalised,
        )  # fmt: skip
        plan = plan_of(both, came_as)
        new = split(both, came_as, fingerprint=plan.fingerprint)
        shown = {part.field: part.goes for part in plan.fields}
        assert shown["phone"] == new.phone == held

    def test_what_a_record_says_is_shown_as_it_is_stored_or_left_out(
        self, both: Customer, shop: Channel
    ) -> None:
        said = {"email": EVE, "name": " Eve  Brown ", "birth_date": "01.02.1980", "city": "x" * 300}
        SourceRecordFactory(customer=both, channel=shop, data=said)
        plan = plan_of(both, EVE)
        new = split(both, EVE, fingerprint=plan.fingerprint)
        shown = {part.field: part.goes for part in plan.fields}
        assert (shown["name"], shown["birth_date"], shown["city"]) == (
            new.name, str(new.birth_date), new.city,
        )  # fmt: skip
        assert (str(new.birth_date), new.city) == ("1980-02-01", "")


class TestErasing:
    def test_either_is_erased_without_the_other(self, both: Customer) -> None:
        new = split(both, EVE)
        erase_customer(customer_id=new.pk, reason="asked for", actor=LEA)
        assert (fresh(new).status, fresh(both).status) == ("erased", "active")
        assert link_of(both, ANNA).customer_id == both.pk
        assert audit.find_break() is None
        assert customer_as_of(both.pk, timezone.now()).fields["name"] == "Anna"
        erase_customer(customer_id=both.pk, reason="asked for", actor=LEA)
        assert broken_promises() == []


class TestQuestions:
    def test_one_about_what_left_asks_about_the_new_customer(self, both: Customer, shop: Channel) -> None:
        claimant = CustomerFactory()
        claimed = link_customer_identifier(
            customer_id=claimant.pk, channel=shop, identifier_type="email", value=EVE, actor=TOM
        )
        assert [row.id for row in plan_of(both, EVE).handed] == [claimed.conflict_id]
        new = split(both, EVE)
        members = Conflict.objects.get(pk=claimed.conflict_id).members
        assert set(members.values_list("customer", "role")) == {(new.pk, "owner"), (claimant.pk, "claimant")}

    def test_one_about_what_stays_goes_on_but_not_as_it_was_seen(self, both: Customer) -> None:
        other = CustomerFactory()
        with audit.change(LEA) as trail:
            roles = dict.fromkeys([both.pk, other.pk], "member")
            asked = conflicts.open_conflict(trail, kind="likely_duplicate", members=roles, reason="Alike.")
        split(both, EVE)
        asked.refresh_from_db()
        assert set(asked.members.values_list("customer", flat=True)) == {both.pk, other.pk}
        assert (asked.state, asked.version) == ("open", 2)

    def test_one_that_shows_what_leaves_stays_to_be_looked_at_again(self, both: Customer) -> None:
        other = CustomerFactory()
        shown = {"left": str(both.pk), "right": str(other.pk), "weight": 6.0, "hard_conflict": ""}
        part = {"field": "email", "level": "exact", "detail": "", "weight": 6.0, "left": EVE, "right": EVE}
        asked = ConflictFactory(members=[both, other], evidence=[shown | {"fields": [part]}])
        plan = plan_of(both, EVE)
        assert ([row.id for row in plan.handed], [row.id for row in plan.shaken]) == ([], [asked.pk])
        assert plan_of(both, ANNA).shaken == ()

    def test_a_proposal_that_names_it_is_stale(self, both: Customer) -> None:
        proposal = propose_merge(
            member_ids=[both.pk, CustomerFactory().pk], actor=actor_for(steward(username="ann"))
        )
        split(both, EVE)
        seen = proposal.members.get(customer=both).seen_version
        assert fresh(both).version > seen
        assert MergeProposal.objects.get().state == "pending"


class TestRefusals:
    def test_all_identifiers_or_none(self, both: Customer) -> None:
        with pytest.raises(Refused, match="at least one stays, with the part that keeps the id"):
            split(both, ANNA, EVE)
        with pytest.raises(Refused, match="No identifier was chosen"):
            split(both)
        assert Customer.objects.count() == 1

    def test_an_identifier_it_does_not_own(self, both: Customer) -> None:
        stranger = MappingFactory()
        with pytest.raises(InvalidInput, match=f"does not own identifier {stranger.pk}"):
            split_customer(customer_id=both.pk, mapping_ids=[stranger.pk], actor=LEA)

    def test_a_merged_customer_names_its_survivor_and_a_merge_is_taken_back_first(
        self, both: Customer
    ) -> None:
        other = CustomerFactory()
        made = merge_customers(member_ids=[both.pk, other.pk], survivor_id=both.pk, actor=LEA)
        with pytest.raises(Refused, match=f"Merge {made.pk} is part of this customer; take it back first"):
            split(both, EVE)
        with pytest.raises(Refused, match=f"was merged into {both.pk}"):
            split_customer(customer_id=other.pk, mapping_ids=[], actor=LEA)

    def test_what_changed_since_it_was_looked_at(self, both: Customer) -> None:
        plan = plan_of(both, EVE)
        update_profile(customer_id=both.pk, version=fresh(both).version, changes={"city": "Ulm"}, actor=TOM)
        with pytest.raises(StaleVersion, match="Something has changed since you looked"):
            split(both, EVE, fingerprint=plan.fingerprint)

    def test_a_message_that_came_since_it_was_looked_at_is_a_change(self, both: Customer) -> None:
        plan = plan_of(both, EVE)
        MessageFactory(customer=both, mapping=link_of(both, EVE))
        with pytest.raises(StaleVersion):
            split(both, EVE, fingerprint=plan.fingerprint)

    def test_p9_who_linked_it_while_the_rule_on_undoing_is_on(self, both: Customer) -> None:
        MergePolicy.objects.filter(rule="unmerge").update(enabled=True)
        with pytest.raises(LinkerSplits):
            split(both, EVE, actor=TOM)
        assert split(both, EVE, actor=LEA).status == "active"

    def test_p9_who_linked_it_by_a_key_is_known_in_person_and_the_other_way_round(
        self, both: Customer, shop: Channel
    ) -> None:
        MergePolicy.objects.filter(rule="unmerge").update(enabled=True)
        kim = lead(username="kim")
        make_api_key(name="kim's own", user=kim, scopes=["link"], days=1, actor=LEA)
        in_person, by_key = actor_for(kim), Actor(kind="service", name="kim's own", user_id=kim.pk)
        for linker, value, splitter in ((in_person, "a@x.org", by_key), (by_key, "b@x.org", in_person)):
            link_customer_identifier(
                customer_id=both.pk, channel=shop, identifier_type="email", value=value, actor=linker
            )
            with pytest.raises(LinkerSplits):
                split(both, value, actor=splitter)
        assert split(both, "b@x.org", actor=LEA).status == "active"

    def test_a_wrong_field_is_named(self, both: Customer) -> None:
        with pytest.raises(InvalidInput, match="no field “shoe_size”"):
            split(both, EVE, fields={"shoe_size": "41"})

    def test_an_unknown_customer(self) -> None:
        with pytest.raises(UnknownCustomer, match="no customer"):
            split_customer(customer_id=uuid.uuid4(), mapping_ids=[], actor=LEA)


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_p1_two_who_split_the_same_identifier_off_make_one_customer(self, both: Customer) -> None:
        chosen = [link_of(both, EVE).pk]
        rebuild_keys([both.pk])

        def act() -> object:
            return split_customer(customer_id=both.pk, mapping_ids=chosen, actor=LEA)

        results = all_at_once([outcome(act), outcome(act)])
        assert sorted(isinstance(result, Exception) for result in results) == [False, True]
        assert Customer.objects.count() == 2
        assert broken_promises() == []
