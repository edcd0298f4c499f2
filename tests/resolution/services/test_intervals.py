"""Identifiers that pass on: every writer keeps who had them when, and `as_of` tells it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Channel, Customer, Mapping
from resolution.errors import BlockedIdentifier, CustomerErased, DuplicateCustomerError, InvalidInput
from resolution.models import AuditEntry, IdentifierRule
from resolution.services import audit, blocks, cache, claims
from resolution.services.link import link_customer_identifier, unlink_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.resolve import resolve_customer_identity, resolve_identifiers
from resolution.services.unmerge import undo_merge
from resolution.types import Actor, LinkOutcome, Resolution
from tests.concurrency import all_at_once
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory

pytestmark = pytest.mark.django_db
ACTOR = Actor(kind="user", name="lea")
PHONE = "+4922112345678"
HOUR = timedelta(hours=1)


@pytest.fixture
def channel() -> Channel:
    return ChannelFactory(code="shop")


@pytest.fixture
def people(db: None) -> tuple[Customer, Customer]:
    return CustomerFactory(name="Anna"), CustomerFactory(name="Bert")


def had(customer: Customer, channel: Channel, since: datetime, until: datetime | None = None) -> Mapping:
    """Let a customer have the number for a time, or since then."""
    return MappingFactory(
        customer=customer,
        channel=channel,
        identifier_type="phone",
        channel_identifier=PHONE,
        status="ended" if until else "active",
        valid_from=since,
        valid_to=until,
    )


def shared_by(customer: Customer, channel: Channel, since: datetime) -> Mapping:
    """Let a customer use the number while somebody else has it."""
    mapping = had(customer, channel, since, since)
    Mapping.objects.filter(pk=mapping.pk).update(status="shared", valid_to=None)
    mapping.refresh_from_db()
    return mapping


def claim(customer: Customer, channel: Channel, **options: object) -> LinkOutcome:
    return link_customer_identifier(
        customer_id=customer.pk,
        channel=channel,
        identifier_type="phone",
        value=PHONE,
        actor=ACTOR,
        **options,  # type: ignore[arg-type]
    )


def weak(customer: Customer, channel: Channel) -> LinkOutcome:
    return claim(customer, channel, confidence=Decimal("0.50"))


def unlink(mapping: Mapping) -> Mapping:
    return unlink_customer_identifier(customer_id=mapping.customer_id, mapping_id=mapping.pk, actor=ACTOR)


def owner(channel: Channel, as_of: datetime | None = None) -> uuid.UUID | None:
    return resolve_customer_identity(
        channel=channel, identifier_type="phone", value=PHONE, min_confidence=Decimal(0), as_of=as_of
    )


def answer(channel: Channel, as_of: datetime, *values: str, **options: object) -> Resolution:
    return resolve_identifiers(
        channel=channel,
        identifiers=[("phone", value) for value in values or (PHONE,)],
        actor=ACTOR,
        as_of=as_of,
        **options,  # type: ignore[arg-type]
    )


def times() -> list[tuple[uuid.UUID, datetime, datetime | None]]:
    """Who owned the number from when until when, in order."""
    owning = Mapping.objects.filter(status__in=["active", "ended"]).exclude(valid_to=F("valid_from"))
    return list(owning.order_by("valid_from").values_list("customer", "valid_from", "valid_to"))


def ago(hours: float) -> datetime:
    return timezone.now() - hours * HOUR


def two_owners_at_once() -> list[tuple[uuid.UUID, datetime, datetime | None]]:
    pairs = pairwise(times())
    return [late for early, late in pairs if early[2] is None or early[2] > late[1]]


class TestPassingOn:
    def test_p1_a_value_that_moves_keeps_both_truths(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, bert = people
        weak(anna, channel)
        before = timezone.now()
        assert claim(bert, channel).action == "updated"
        [(first, _, end), (second, begin, still)] = times()
        assert (first, second, still) == (anna.pk, bert.pk, None)
        assert end == begin
        assert (owner(channel, before), owner(channel, begin), owner(channel)) == (anna.pk, bert.pk, bert.pk)

    def test_p1_a_value_may_come_back(self, channel: Channel, people: tuple[Customer, Customer]) -> None:
        anna, bert = people
        moments = []
        for someone in (anna, bert, anna):
            Mapping.objects.owned().update(confidence_score=Decimal("0.50"))
            claim(someone, channel)
            moments.append(timezone.now())
        assert [owner(channel, moment) for moment in moments] == [anna.pk, bert.pk, anna.pk]
        assert not two_owners_at_once()

    def test_a_value_that_was_taken_off_is_nobodys_until_it_is_linked_again(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, _ = people
        claim(anna, channel)
        ended = unlink(Mapping.objects.get())
        between = timezone.now()
        claim(anna, channel)
        assert ended.valid_to is not None
        assert owner(channel, ended.valid_to) is None
        assert owner(channel, between) is None
        assert owner(channel, ended.valid_to - timedelta(microseconds=1)) == owner(channel) == anna.pk

    def test_a_value_that_was_shared_is_owned_from_when_it_is_free(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, bert = people
        held = had(anna, channel, ago(5))
        shared = shared_by(bert, channel, ago(4))
        unlink(held)
        claim(bert, channel)
        shared.refresh_from_db()
        assert (shared.status, owner(channel)) == ("active", bert.pk)
        assert owner(channel, ago(3)) == anna.pk
        assert not two_owners_at_once()

    def test_what_was_only_shared_answers_for_no_moment(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, bert = people
        had(anna, channel, ago(5))
        shared = shared_by(bert, channel, ago(9))
        unlink(shared)
        assert (owner(channel, ago(4)), owner(channel, ago(7))) == (anna.pk, None)

    def test_a_block_ends_the_time_of_its_owner_and_of_nobody_else(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, bert = people
        held = had(anna, channel, ago(5))
        shared = shared_by(bert, channel, ago(2))
        blocks.block_value(type="phone", value=PHONE, actor=ACTOR)
        held.refresh_from_db()
        shared.refresh_from_db()
        assert held.valid_to is not None
        assert held.valid_to > held.valid_from
        assert shared.valid_from == shared.valid_to

    @pytest.mark.django_db(transaction=True)
    def test_p1_two_who_take_a_value_at_once_leave_one_owner_at_each_moment(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        weak(CustomerFactory(name="Cleo"), channel)
        claims = [lambda who=who: weak(who, channel) for who in people * 4]
        all_at_once(claims)
        assert Mapping.objects.owned().count() == 1
        assert not two_owners_at_once()
        assert owner(channel) == Mapping.objects.owned().get().customer_id


class TestTheMomentItPassed:
    def test_the_last_owners_time_ends_where_the_new_one_begins(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, bert = people
        had(anna, channel, ago(9), ago(1))
        passed = ago(4)
        assert claim(bert, channel, valid_from=passed).action == "linked"
        assert [(who, end) for who, _, end in times()] == [(anna.pk, passed), (bert.pk, None)]
        assert (owner(channel, ago(5)), owner(channel, passed), owner(channel, ago(2))) == (
            anna.pk,
            bert.pk,
            bert.pk,
        )

    def test_p5_the_trail_tells_whose_time_was_cut_short(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, bert = people
        former, passed = had(anna, channel, ago(9), ago(1)), ago(4)
        claim(bert, channel, valid_from=passed)
        cut, linked = AuditEntry.objects.order_by("sequence")
        assert (cut.action, cut.customer_id, cut.old_value) == (
            "update",
            anna.pk,
            former.valid_to.isoformat(),
        )
        assert cut.metadata["valid_to"] == linked.metadata["valid_from"] == passed.isoformat()
        anna.refresh_from_db()
        assert anna.version == 2

    def test_a_weak_owner_gives_way_from_that_moment(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, bert = people
        had(anna, channel, ago(9))
        Mapping.objects.update(confidence_score=Decimal("0.50"))
        passed = ago(4)
        assert claim(bert, channel, valid_from=passed).action == "updated"
        assert [(who, end) for who, _, end in times()] == [(anna.pk, passed), (bert.pk, None)]

    def test_a_sure_owner_keeps_its_value_and_its_time(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, bert = people
        held = had(anna, channel, ago(9))
        assert claim(bert, channel, valid_from=ago(4)).resolution_needed
        assert times() == [(anna.pk, held.valid_from, None)]

    def test_an_owner_can_be_told_to_have_begun_earlier(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, bert = people
        had(anna, channel, ago(9), ago(3))
        had(bert, channel, ago(1))
        passed = ago(6)
        assert claim(bert, channel, valid_from=passed).action == "unchanged"
        assert [(who, begin) for who, begin, _ in times()][1] == (bert.pk, passed)
        assert not two_owners_at_once()

    @pytest.mark.parametrize("held", [True, False])
    def test_before_the_last_owner_began_is_refused(
        self, held: bool, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, bert = people
        had(anna, channel, ago(5), None if held else ago(2))
        Mapping.objects.update(confidence_score=Decimal("0.50"))
        before = times()
        with pytest.raises(InvalidInput, match=f"was customer {anna.pk}'s from .* before that"):
            claim(bert, channel, valid_from=ago(8))
        assert times() == before

    @pytest.mark.parametrize(
        ("moment", "sentence"),
        [
            (datetime(2100, 1, 1, tzinfo=UTC), "still to come"),
            (datetime(2020, 1, 1), "without a time zone"),
        ],
    )
    def test_a_moment_that_cannot_be_is_refused(
        self, moment: datetime, sentence: str, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        with pytest.raises(InvalidInput, match=sentence):
            claim(people[0], channel, valid_from=moment)
        assert not Mapping.objects.exists()

    def test_another_hosts_clock_that_runs_ahead_leaves_no_overlap(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, bert = people
        ahead = timezone.now() + timedelta(minutes=5)
        had(anna, channel, ago(1), ahead)
        claim(bert, channel)
        assert [(who, begin) for who, begin, _ in times()][1] == (bert.pk, ahead)


class TestMerges:
    def test_p4_before_a_merge_the_answer_tells_who_it_was_then(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, bert = people
        had(bert, channel, ago(5))
        merge_customers(member_ids=[anna.pk, bert.pk], survivor_id=anna.pk, actor=ACTOR)
        [then], [now] = answer(channel, ago(4)).owners, answer(channel, timezone.now()).owners
        assert (then.customer_id, then.canonical_id) == (str(bert.pk), str(anna.pk))
        assert (now.customer_id, now.canonical_id) == (str(anna.pk), str(anna.pk))
        assert owner(channel, ago(4)) == anna.pk

    def test_p4_in_a_chain_of_merges_each_time_has_its_owner(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, bert = people
        cleo = CustomerFactory(name="Cleo")
        had(bert, channel, ago(5))
        merge_customers(member_ids=[anna.pk, bert.pk], survivor_id=anna.pk, actor=ACTOR)
        between = timezone.now()
        merge_customers(member_ids=[anna.pk, cleo.pk], survivor_id=cleo.pk, actor=ACTOR)
        moments = (ago(4), between, timezone.now())
        assert [answer(channel, moment).owners[0].customer_id for moment in moments] == [
            str(bert.pk),
            str(anna.pk),
            str(cleo.pk),
        ]
        assert {owner(channel, moment) for moment in moments} == {cleo.pk}

    def test_p4_a_merge_taken_back_since_never_was_though_its_sides_are_one_again(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, bert = people
        cleo = CustomerFactory(name="Cleo")
        had(bert, channel, ago(5))
        taken_back = merge_customers(member_ids=[anna.pk, bert.pk], survivor_id=anna.pk, actor=ACTOR)
        between = timezone.now()
        merge_customers(member_ids=[anna.pk, cleo.pk], survivor_id=cleo.pk, actor=ACTOR)
        undo_merge(merge_id=taken_back.pk, actor=ACTOR, judge_different=False)
        merge_customers(member_ids=[bert.pk, cleo.pk], survivor_id=cleo.pk, actor=ACTOR)
        [then] = answer(channel, between).owners
        assert (then.customer_id, then.canonical_id) == (str(bert.pk), str(cleo.pk))

    def test_p4_unmerging_gives_intervals_back(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, bert = people
        had(bert, channel, ago(9), ago(7))
        had(anna, channel, ago(6), ago(5))
        had(bert, channel, ago(4))
        before = times()
        merge = merge_customers(member_ids=[anna.pk, bert.pk], survivor_id=anna.pk, actor=ACTOR)
        within = timezone.now()
        undo_merge(merge_id=merge.pk, actor=ACTOR, judge_different=False)
        assert times() == before
        assert [owner(channel, ago(hours)) for hours in (8, 5.5, 3)] == [bert.pk, anna.pk, bert.pk]
        assert owner(channel, within) == bert.pk

    def test_p4_a_link_that_folded_and_came_back_owns_nothing(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, bert = people
        had(anna, channel, ago(5))
        shared = shared_by(bert, channel, ago(8))
        merge = merge_customers(member_ids=[anna.pk, bert.pk], survivor_id=bert.pk, actor=ACTOR)
        shared.refresh_from_db()
        assert (shared.status, owner(channel, ago(4)), owner(channel, ago(7))) == ("collapsed", bert.pk, None)
        undo_merge(merge_id=merge.pk, actor=ACTOR, judge_different=False)
        shared.refresh_from_db()
        assert (shared.status, shared.valid_to, owner(channel)) == ("shared", None, anna.pk)

    def test_p4_what_ended_while_merged_comes_back_ended(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, bert = people
        held = had(bert, channel, ago(5))
        merge = merge_customers(member_ids=[anna.pk, bert.pk], survivor_id=anna.pk, actor=ACTOR)
        held.refresh_from_db()
        ended = unlink(held).valid_to
        undo_merge(merge_id=merge.pk, actor=ACTOR, judge_different=False)
        assert times() == [(bert.pk, held.valid_from, ended)]
        assert (owner(channel, ago(1)), owner(channel)) == (bert.pk, None)

    def test_p3_what_a_person_moves_ends_for_one_and_begins_for_the_other(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, bert = people
        held = had(anna, channel, ago(5))
        with audit.change(ACTOR) as trail:
            claims.move_identifier(trail, held, bert, reason="he has it now")
        [(_, _, end), (_, begin, _)] = times()
        assert end == begin
        assert (owner(channel, ago(4)), owner(channel)) == (anna.pk, bert.pk)


class TestAsOf:
    @pytest.fixture
    def recycled(self, channel: Channel, people: tuple[Customer, Customer]) -> None:
        anna, bert = people
        had(anna, channel, ago(9), ago(5))
        had(bert, channel, ago(3))

    @pytest.mark.usefixtures("recycled")
    def test_answers_and_says_why(self, channel: Channel, people: tuple[Customer, Customer]) -> None:
        anna, _ = people
        found = answer(channel, ago(7))
        assert (found.status, found.customer_id, found.confidence) == ("matched", str(anna.pk), 1.0)
        assert f"phone {PHONE} was customer {anna.pk}'s: from" in found.reasons[0]
        assert found.owners[0].valid_to is not None

    @pytest.mark.usefixtures("recycled")
    @pytest.mark.parametrize(
        ("hours", "sentence"),
        [(10, "its first known owner had it from"), (4, "others had it at other times")],
    )
    def test_a_moment_without_an_owner_is_told(self, hours: int, sentence: str, channel: Channel) -> None:
        found = answer(channel, ago(hours))
        assert (found.status, found.customer_id, found.owners) == ("unknown", None, ())
        assert sentence in found.reasons[0]

    def test_a_value_nobody_ever_had_is_told(self, channel: Channel) -> None:
        assert "Nobody is known ever to have had" in answer(channel, ago(1)).reasons[0]

    @pytest.mark.parametrize(
        ("moment", "sentence"),
        [
            (datetime(2100, 1, 1, tzinfo=UTC), "as_of is 2100-01-01 00:00:00 UTC, which is still to come"),
            (datetime(2020, 1, 1), "as_of is 2020-01-01T00:00:00, without a time zone"),
            (datetime.min.replace(tzinfo=UTC).replace(tzinfo=timezone.get_fixed_timezone(60)), "no date can"),
        ],
    )
    def test_a_moment_that_cannot_be_asked_of_is_refused(
        self, moment: datetime, sentence: str, channel: Channel
    ) -> None:
        with pytest.raises(InvalidInput, match=sentence):
            answer(channel, moment)
        with pytest.raises(InvalidInput, match=sentence):
            owner(channel, moment)

    @pytest.mark.usefixtures("recycled")
    def test_p10_neither_reads_nor_fills_the_cache_nor_writes(
        self, channel: Channel, people: tuple[Customer, Customer], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def no_cache(*_: object) -> None:
            raise AssertionError("the cache was asked")

        for name in ("look_up", "fill"):
            monkeypatch.setattr(cache, name, no_cache)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert owner(channel, ago(7)) == people[0].pk
            assert answer(channel, ago(2)).customer_id == str(people[1].pk)
            assert answer(channel, ago(4)).status == "unknown"
        assert not any(word in query["sql"] for query in queries for word in ("INSERT", "UPDATE", "DELETE"))
        assert not AuditEntry.objects.exists()

    def test_several_customers_are_for_a_person_and_nobody_is_asked(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, bert = people
        had(anna, channel, ago(5))
        other = "+4922187654321"
        MappingFactory(
            customer=bert,
            channel=channel,
            identifier_type="phone",
            channel_identifier=other,
            valid_from=ago(5),
        )
        found = answer(channel, ago(4), PHONE, other)
        assert (found.status, found.customer_id, found.conflict_id) == ("review", str(anna.pk), None)
        assert {row.customer_id for row in found.owners} == {str(anna.pk), str(bert.pk)}
        with pytest.raises(DuplicateCustomerError):
            answer(channel, ago(4), PHONE, other, raise_on_ambiguity=True)

    def test_a_link_too_weak_to_answer_is_told_all_the_same(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        had(people[0], channel, ago(5))
        Mapping.objects.update(confidence_score=Decimal("0.79"))
        found = answer(channel, ago(4))
        assert (found.status, [row.customer_id for row in found.owners]) == ("unknown", [str(people[0].pk)])
        assert "confidence 0.79 only" in found.reasons[0]

    def test_a_link_answers_within_its_types_window(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        anna, _ = people
        had(anna, channel, ago(24 * 90))
        Mapping.objects.update(last_seen_at=ago(24 * 60))
        IdentifierRule.objects.filter(identifier_type="phone").update(valid_days=30)
        asked = (24 * 80, 24 * 31, 24 * 29, 0)
        assert [owner(channel, ago(hours)) for hours in asked] == [anna.pk, anna.pk, None, None]

    @pytest.mark.usefixtures("recycled")
    def test_what_is_blocked_was_nobodys(self, channel: Channel) -> None:
        blocks.block_value(type="phone", value=PHONE, actor=ACTOR)
        assert owner(channel, ago(7)) is None
        with pytest.raises(BlockedIdentifier):
            answer(channel, ago(7))

    @pytest.mark.usefixtures("recycled")
    def test_p2_an_owner_that_was_erased_since_is_told(
        self, channel: Channel, people: tuple[Customer, Customer]
    ) -> None:
        Customer.objects.filter(pk=people[0].pk).update(status="erased")
        with pytest.raises(CustomerErased):
            owner(channel, ago(7))

    @pytest.mark.usefixtures("channel")
    def test_fields_are_refused(self, channel: Channel) -> None:
        with pytest.raises(InvalidInput, match="leave them out"):
            answer(channel, ago(1), fields={"name": "Anna"})

    def test_asks_no_more_of_many_than_of_one(self, channel: Channel) -> None:
        values = [f"+49221123456{number}" for number in range(10, 30)]
        for value in values:
            MappingFactory(
                channel=channel, identifier_type="phone", channel_identifier=value, valid_from=ago(5)
            )
        counts = []
        for few in (values[:2], values):
            with CaptureQueriesContext(connection) as queries:
                assert len(answer(channel, ago(4), *few).owners) == len(few)
            counts.append(len(queries))
        assert counts[0] == counts[1]
