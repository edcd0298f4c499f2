"""Claims on identifiers: the five outcomes, what each writes down, and what a reader is told afterwards."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest
from django.test import override_settings

from customers.models import Channel, Customer, Mapping
from resolution.errors import (
    CacheUnavailable,
    CustomerErased,
    InvalidInput,
    NotFound,
    UnknownChannel,
    UnknownCustomer,
    UnusableIdentifier,
)
from resolution.matching.key_numbers import key_number
from resolution.models import AuditEntry, BlockingKey, Conflict, OutboxEvent
from resolution.services import audit, cache, claims, link, queue
from resolution.services.decide import decide_conflict
from resolution.services.judge import judge_pair
from resolution.services.link import link_customer_identifier, resolve_conflict, unlink_customer_identifier
from resolution.services.locks import lock_customers
from resolution.services.merge import merge_customers
from resolution.services.profiles import update_profile
from resolution.services.resolve import resolve_customer_identity
from resolution.types import Actor, LinkOutcome
from tests.concurrency import all_at_once
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory, actor_for, steward
from tests.resolution.services.waiting import met_by

pytestmark = pytest.mark.django_db
ACTOR = Actor(kind="service", name="shop")
EMAIL = "anna@factory.example.com"
CACHE_DOWN = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}}


def claim(customer: Customer, channel: Channel, value: str = EMAIL, **options: object) -> LinkOutcome:
    return link_customer_identifier(
        customer_id=customer.pk, channel=channel, identifier_type="email", value=value, actor=ACTOR, **options
    )  # type: ignore[arg-type]


def owned(**fields: object) -> Mapping:
    return MappingFactory(channel_identifier=EMAIL, **fields)


def owner(channel: Channel, value: str = EMAIL) -> uuid.UUID:
    return Mapping.objects.owned().get(channel=channel, normalised=value).customer_id


def last_entry() -> AuditEntry:
    return AuditEntry.objects.latest("sequence")


class TestLinked:
    def test_links_a_value_nobody_owns(self) -> None:
        customer, channel = CustomerFactory(), ChannelFactory()
        outcome = claim(customer, channel, "ANNA@Factory.example.com")
        assert outcome == LinkOutcome("linked", str(customer.pk))
        mapping = Mapping.objects.get(customer=customer)
        assert (mapping.channel_identifier, mapping.normalised) == ("ANNA@Factory.example.com", EMAIL)

    def test_writes_down_who_linked_what(self) -> None:
        customer, channel = CustomerFactory(), ChannelFactory()
        claim(customer, channel, confidence=Decimal("0.9"), verified=True)
        entry = last_entry()
        assert (entry.action, entry.customer_id, entry.channel_id) == ("link", customer.pk, channel.pk)
        assert (entry.identifier_value, entry.confidence_score, entry.actor_name) == (
            EMAIL,
            Decimal("0.90"),
            "shop",
        )
        assert OutboxEvent.objects.get().kind == "identifier.linked"

    def test_makes_the_customer_findable_by_the_value(self) -> None:
        customer = CustomerFactory()
        claim(customer, ChannelFactory())
        assert BlockingKey.objects.filter(customer=customer, key=key_number(f"em:{EMAIL}")).exists()

    def test_takes_a_channel_by_its_code(self) -> None:
        customer = CustomerFactory()
        ChannelFactory(code="shop")
        outcome = link_customer_identifier(
            customer_id=customer.pk, channel="shop", identifier_type="email", value=EMAIL, actor=ACTOR
        )
        assert outcome.action == "linked"

    def test_one_value_on_two_channels_may_have_two_owners(self) -> None:
        first = owned()
        assert claim(CustomerFactory(), ChannelFactory()).action == "linked"
        assert owner(first.channel) == first.customer_id

    def test_a_value_one_shared_so_far_is_owned_when_it_is_free(self) -> None:
        shared = owned(status=Mapping.Status.SHARED)
        assert claim(shared.customer, shared.channel).action == "linked"
        shared.refresh_from_db()
        assert shared.status == Mapping.Status.ACTIVE

    def test_p2_a_merged_id_links_to_its_survivor(self) -> None:
        survivor = CustomerFactory()
        merged = CustomerFactory(status="merged", merged_into=survivor)
        channel = ChannelFactory()
        assert claim(merged, channel).customer_id == str(survivor.pk)
        assert owner(channel) == survivor.pk


class TestUnchanged:
    def test_a_second_claim_of_the_owner_changes_nothing(self) -> None:
        mapping = owned()
        outcome = claim(mapping.customer, mapping.channel)
        assert outcome.action == "unchanged"
        assert not AuditEntry.objects.exists()

    def test_a_surer_claim_of_the_owner_is_noted(self) -> None:
        mapping = owned(confidence_score=Decimal("0.60"))
        assert claim(mapping.customer, mapping.channel, verified=True).action == "unchanged"
        mapping.refresh_from_db()
        assert (mapping.confidence_score, mapping.verified) == (Decimal("1.00"), True)
        assert (last_entry().action, last_entry().old_value) == ("update", "0.60")

    def test_a_weaker_claim_of_the_owner_does_not_weaken_the_link(self) -> None:
        mapping = owned(verified=True)
        claim(mapping.customer, mapping.channel, confidence=Decimal("0.10"))
        mapping.refresh_from_db()
        assert (mapping.confidence_score, mapping.verified) == (Decimal("1.00"), True)

    def test_a_customer_known_to_share_the_value_asks_no_new_question(self) -> None:
        mapping = owned()
        sharer = owned(channel=mapping.channel, status=Mapping.Status.SHARED)
        outcome = claim(sharer.customer, mapping.channel)
        assert (outcome.action, outcome.existing_customer_id) == ("unchanged", str(mapping.customer_id))
        assert not Conflict.objects.exists()


class TestUpdated:
    def test_a_weak_unverified_link_moves_to_the_claimant_at_080(self) -> None:
        weak = owned(confidence_score=Decimal("0.79"))
        claimant = CustomerFactory()
        outcome = claim(claimant, weak.channel)
        assert outcome == LinkOutcome("updated", str(claimant.pk), str(weak.customer_id))
        moved = Mapping.objects.owned().get()
        assert (moved.customer_id, moved.confidence_score) == (claimant.pk, Decimal("0.80"))

    def test_the_old_link_ends_and_stays_readable(self) -> None:
        weak = owned(confidence_score=Decimal("0.50"))
        claim(CustomerFactory(), weak.channel)
        old = Mapping.objects.get(pk=weak.pk)
        assert (old.status, old.customer_id) == (Mapping.Status.ENDED, weak.customer_id)
        assert old.valid_to is not None

    def test_the_move_is_audited_and_told(self) -> None:
        weak = owned(confidence_score=Decimal("0.50"))
        claimant = CustomerFactory()
        claim(claimant, weak.channel)
        entry = last_entry()
        assert (entry.action, entry.customer_id, entry.old_value) == (
            "move",
            claimant.pk,
            str(weak.customer_id),
        )
        assert OutboxEvent.objects.get().payload["from_customer"] == str(weak.customer_id)

    def test_both_customers_are_found_by_what_they_have_now(self) -> None:
        weak = owned(confidence_score=Decimal("0.50"))
        claimant = CustomerFactory()
        claim(claimant, weak.channel)
        assert set(
            BlockingKey.objects.filter(key=key_number(f"em:{EMAIL}")).values_list("customer", flat=True)
        ) == {claimant.pk}


class TestConflicts:
    @pytest.mark.parametrize(
        ("fields", "action", "kind"),
        [
            (
                {"verified": True, "confidence_score": Decimal("0.10")},
                "conflict_verified",
                "verified_identifier",
            ),
            ({"confidence_score": Decimal("0.80")}, "conflict_high_confidence", "high_confidence_identifier"),
        ],
    )
    def test_nothing_moves_and_a_person_is_asked(
        self, fields: dict[str, object], action: str, kind: str
    ) -> None:
        strong = owned(**fields)
        claimant = CustomerFactory()
        outcome = claim(claimant, strong.channel, verified=True)
        assert (outcome.action, outcome.resolution_needed) == (action, True)
        assert owner(strong.channel) == strong.customer_id
        conflict = Conflict.objects.get(pk=outcome.conflict_id)
        assert (conflict.kind, conflict.identifier_value, conflict.channel) == (kind, EMAIL, strong.channel)
        roles = {member.customer_id: member.role for member in conflict.members.all()}
        assert roles == {strong.customer_id: "owner", claimant.pk: "claimant"}

    def test_the_same_claim_twice_asks_once(self) -> None:
        strong, claimant = owned(), CustomerFactory()
        first, second = claim(claimant, strong.channel), claim(claimant, strong.channel)
        assert first.conflict_id == second.conflict_id
        assert AuditEntry.objects.filter(action="conflict").count() == 1

    def test_claims_on_two_identifiers_of_one_owner_are_two_questions(self) -> None:
        strong, claimant = owned(), CustomerFactory()
        other = MappingFactory(customer=strong.customer, channel=strong.channel)
        first = claim(claimant, strong.channel)
        second = claim(claimant, strong.channel, other.channel_identifier)
        assert first.conflict_id != second.conflict_id

    def test_a_verified_identifier_comes_before_everything_else_in_the_queue(self) -> None:
        for mapping in (owned(verified=True), owned()):
            claim(CustomerFactory(), mapping.channel)
        verified, unverified = (
            Conflict.objects.get(kind=kind).priority
            for kind in ("verified_identifier", "high_confidence_identifier")
        )
        assert verified > unverified

    def test_resolve_conflict_is_the_same_rule_under_the_reference_name(self) -> None:
        strong, claimant = owned(verified=True), CustomerFactory()
        outcome = resolve_conflict(
            channel=strong.channel,
            identifier_type="email",
            identifier_value=EMAIL,
            new_customer_id=claimant.pk,
            actor=ACTOR,
        )
        assert outcome.action == "conflict_verified"


class TestDecidedBefore:
    """A person left an identifier with its owner; the same claim comes again."""

    @pytest.fixture
    def strong(self) -> Mapping:
        return owned(verified=True)

    @pytest.fixture
    def claimant(self) -> Customer:
        return CustomerFactory()

    def decided(self, strong: Mapping, claimant: Customer, word: str, **options: object) -> int:
        asked = claim(claimant, strong.channel, **options)
        assert asked.conflict_id is not None
        person = actor_for(steward())
        conflict = queue.claim(conflict_id=asked.conflict_id, actor=person)
        decide_conflict(conflict_id=conflict.pk, decision=word, version=conflict.version, actor=person)
        return conflict.pk

    @pytest.mark.parametrize(
        ("word", "outcome"),
        [("keep_owner", "kept"), ("different", "different"), ("related", "related"), ("unsure", "unsure")],
    )
    def test_the_answer_stands_and_nobody_is_asked(
        self, strong: Mapping, claimant: Customer, word: str, outcome: str
    ) -> None:
        answered = self.decided(strong, claimant, word)
        again = claim(claimant, strong.channel)
        assert (again.action, again.decided, again.conflict_id) == ("conflict_verified", outcome, answered)
        assert not again.resolution_needed
        assert Conflict.objects.count() == 1
        assert owner(strong.channel) == strong.customer_id

    def test_of_a_surely_held_one_too(self, claimant: Customer) -> None:
        strong = owned()
        self.decided(strong, claimant, "keep_owner")
        again = claim(claimant, strong.channel)
        assert (again.action, again.decided) == ("conflict_high_confidence", "kept")

    def test_another_claimant_is_asked_about(self, strong: Mapping, claimant: Customer) -> None:
        self.decided(strong, claimant, "keep_owner")
        assert claim(CustomerFactory(), strong.channel).resolution_needed

    @pytest.mark.parametrize("changed", ["owner", "claimant"])
    def test_once_one_of_them_has_changed_it_is_asked_again(
        self, strong: Mapping, claimant: Customer, changed: str
    ) -> None:
        answered = self.decided(strong, claimant, "keep_owner")
        row = claimant if changed == "claimant" else Customer.objects.get(pk=strong.customer_id)
        update_profile(customer_id=row.pk, version=row.version, changes={"city": "Ulm"}, actor=ACTOR)
        again = claim(claimant, strong.channel)
        assert again.resolution_needed
        assert again.conflict_id != answered

    @pytest.mark.django_db(transaction=True)
    def test_so_it_is_where_the_change_had_begun_before_and_waited_for_the_decision(
        self, strong: Mapping, claimant: Customer
    ) -> None:
        third = CustomerFactory(city="Ulm")
        answered = met_by(
            lambda: merge_customers(
                member_ids=[strong.customer_id, third.pk], survivor_id=strong.customer_id, actor=ACTOR
            ),
            first=lambda: lock_customers([strong.customer_id]),
            then=lambda: self.decided(strong, claimant, "keep_owner"),
        )
        assert answered.survivor_id == strong.customer_id
        assert claim(claimant, strong.channel).resolution_needed

    def test_a_later_word_on_the_two_asks_again(self, strong: Mapping, claimant: Customer) -> None:
        self.decided(strong, claimant, "different")
        judge_pair(left_id=claimant.pk, right_id=strong.customer_id, verdict="same", reason="", actor=ACTOR)
        assert claim(claimant, strong.channel).resolution_needed

    def test_a_claim_that_comes_verified_is_news_once(self, strong: Mapping, claimant: Customer) -> None:
        self.decided(strong, claimant, "keep_owner")
        news = claim(claimant, strong.channel, verified=True)
        assert news.resolution_needed
        assert "claims it as verified for another" in Conflict.objects.get(pk=news.conflict_id).reason

        answered = self.decided(strong, claimant, "keep_owner", verified=True)

        assert claim(claimant, strong.channel, verified=True).conflict_id == answered
        assert claim(claimant, strong.channel).conflict_id == answered

    def test_a_claim_verified_while_it_waits_makes_the_question_so(
        self, strong: Mapping, claimant: Customer
    ) -> None:
        first, second = claim(claimant, strong.channel), claim(claimant, strong.channel, verified=True)
        assert first.conflict_id == second.conflict_id
        assert Conflict.objects.get().verified


def version(customer: Customer) -> int:
    return Customer.objects.get(pk=customer.pk).version


class TestVersions:
    """Who looked at a customer before its identifiers changed looked at another one."""

    def test_a_link_counts(self) -> None:
        customer = CustomerFactory()
        claim(customer, ChannelFactory())
        assert version(customer) == 2

    def test_an_unlink_counts(self) -> None:
        mapping = owned()
        unlink_customer_identifier(customer_id=mapping.customer_id, mapping_id=mapping.pk, actor=ACTOR)
        assert version(mapping.customer) == 2

    def test_a_move_counts_for_both(self) -> None:
        weak, claimant = owned(confidence_score=Decimal("0.50")), CustomerFactory()
        claim(claimant, weak.channel)
        assert (version(weak.customer), version(claimant)) == (2, 2)

    def test_a_claim_that_changes_nothing_does_not_count(self) -> None:
        mapping = owned()
        claim(mapping.customer, mapping.channel)
        assert version(mapping.customer) == 1


class TestUnlink:
    def test_ends_the_link_and_says_why(self) -> None:
        mapping = owned()
        unlink_customer_identifier(
            customer_id=mapping.customer_id,
            mapping_id=mapping.pk,
            actor=ACTOR,
            reason="number was given back",
        )
        mapping.refresh_from_db()
        assert mapping.status == Mapping.Status.ENDED
        assert (last_entry().action, last_entry().metadata["reason"]) == ("unlink", "number was given back")
        assert not BlockingKey.objects.filter(customer=mapping.customer).exists()

    def test_frees_the_value_for_the_next_owner(self) -> None:
        mapping = owned(verified=True)
        unlink_customer_identifier(customer_id=mapping.customer_id, mapping_id=mapping.pk, actor=ACTOR)
        assert claim(CustomerFactory(), mapping.channel).action == "linked"

    def test_refuses_a_link_of_somebody_else(self) -> None:
        mapping = owned()
        with pytest.raises(NotFound, match=f"no identifier {mapping.pk} today"):
            unlink_customer_identifier(customer_id=CustomerFactory().pk, mapping_id=mapping.pk, actor=ACTOR)

    def test_refuses_a_link_that_has_ended(self) -> None:
        mapping = owned(status=Mapping.Status.ENDED)
        with pytest.raises(NotFound):
            unlink_customer_identifier(customer_id=mapping.customer_id, mapping_id=mapping.pk, actor=ACTOR)
        assert not AuditEntry.objects.exists()


class TestRefusals:
    def test_an_unknown_channel_is_named_with_those_there_are(self) -> None:
        ChannelFactory(code="shop")
        for code in ("shoop", "nul\0", "x" * 10_000):
            with pytest.raises(UnknownChannel, match=r"Known channels: .*shop"):
                link_customer_identifier(
                    customer_id=CustomerFactory().pk,
                    channel=code,
                    identifier_type="email",
                    value=EMAIL,
                    actor=ACTOR,
                )

    def test_an_unknown_type_is_named_with_those_there_are(self) -> None:
        with pytest.raises(InvalidInput, match="use one of: email"):
            link_customer_identifier(
                customer_id=CustomerFactory().pk,
                channel=ChannelFactory(),
                identifier_type="telegraph",
                value=EMAIL,
                actor=ACTOR,
            )

    @pytest.mark.parametrize("value", ["", "   ", "test@test.com", "x" * 10_000, "a\0b", "\ud800"])
    def test_a_value_that_identifies_nobody_is_refused_with_the_reason(self, value: str) -> None:
        with pytest.raises(UnusableIdentifier, match="cannot serve as email"):
            claim(CustomerFactory(), ChannelFactory(), value)
        assert not Mapping.objects.exists()

    def test_an_unknown_customer_is_refused(self) -> None:
        with pytest.raises(UnknownCustomer, match="ids are never reused"):
            link_customer_identifier(
                customer_id=uuid.uuid4(),
                channel=ChannelFactory(),
                identifier_type="email",
                value=EMAIL,
                actor=ACTOR,
            )

    def test_an_erased_customer_is_refused(self) -> None:
        with pytest.raises(CustomerErased):
            claim(CustomerFactory(status="erased"), ChannelFactory())

    @pytest.mark.parametrize("confidence", ["-0.01", "1.01", "NaN", "Infinity"])
    def test_a_confidence_that_is_none_is_refused(self, confidence: str) -> None:
        with pytest.raises(InvalidInput, match="a number from 0 to 1 is wanted"):
            claim(CustomerFactory(), ChannelFactory(), confidence=Decimal(confidence))

    @override_settings(CACHES=CACHE_DOWN)
    def test_p10_an_owner_change_is_refused_and_undone_when_the_cache_is_down(self) -> None:
        weak = owned(confidence_score=Decimal("0.50"))
        with pytest.raises(CacheUnavailable):
            claim(CustomerFactory(), weak.channel)
        assert owner(weak.channel) == weak.customer_id
        assert not AuditEntry.objects.exists()

    @override_settings(CACHES=CACHE_DOWN)
    def test_a_new_link_needs_no_cache(self) -> None:
        assert claim(CustomerFactory(), ChannelFactory()).action == "linked"


@pytest.mark.django_db(transaction=True)
class TestReadersAndCommits:
    def look_up(self, channel: Channel) -> uuid.UUID | None:
        return resolve_customer_identity(
            channel=channel, identifier_type="email", value=EMAIL, min_confidence=Decimal("0.50")
        )

    def test_p10_after_a_move_readers_are_told_the_new_owner(self) -> None:
        weak, claimant = owned(confidence_score=Decimal("0.60")), CustomerFactory()
        assert self.look_up(weak.channel) == self.look_up(weak.channel) == weak.customer_id
        claim(claimant, weak.channel)
        assert self.look_up(weak.channel) == self.look_up(weak.channel) == claimant.pk

    def test_p10_a_reader_that_read_the_old_owner_before_the_commit_fills_nothing(self) -> None:
        weak, claimant = owned(confidence_score=Decimal("0.60")), CustomerFactory()
        key = (weak.channel_id, "email", EMAIL)
        slow_reader = cache.look_up(key)
        assert isinstance(slow_reader, cache.Miss)
        claim(claimant, weak.channel)
        assert not cache.fill(key, weak.customer_id, slow_reader.lease)
        assert self.look_up(weak.channel) == claimant.pk

    def test_p10_during_the_commit_readers_use_the_database_and_fill_nothing(self) -> None:
        weak = owned(confidence_score=Decimal("0.60"))
        self.look_up(weak.channel)
        fence = cache.fence(frozenset({(weak.channel_id, "email", EMAIL)}))
        assert self.look_up(weak.channel) == weak.customer_id
        cache.release(frozenset({(weak.channel_id, "email", EMAIL)}), fence)
        assert isinstance(cache.look_up((weak.channel_id, "email", EMAIL)), cache.Miss)

    def test_p10_an_answer_read_in_a_change_that_is_undone_is_not_remembered(self) -> None:
        channel, customer = ChannelFactory(), CustomerFactory()
        with pytest.raises(RuntimeError, match="undone"), audit.change(ACTOR):
            claim(customer, channel)
            assert self.look_up(channel) == customer.pk
            raise RuntimeError("undone")
        assert self.look_up(channel) is None

    def test_p10_after_an_unlink_nobody_is_told_the_old_owner(self) -> None:
        mapping = owned()
        assert self.look_up(mapping.channel) == mapping.customer_id
        unlink_customer_identifier(customer_id=mapping.customer_id, mapping_id=mapping.pk, actor=ACTOR)
        assert self.look_up(mapping.channel) is None


@pytest.mark.django_db(transaction=True)
class TestConcurrentClaims:
    def test_p1_of_many_claims_on_a_free_value_one_owns_it_and_the_others_are_asked_about(self) -> None:
        channel, claimants = ChannelFactory(), CustomerFactory.create_batch(12)
        outcomes = all_at_once([lambda row=row: claim(row, channel) for row in claimants])  # type: ignore[misc]
        assert sorted({outcome.action for outcome in outcomes}) == ["conflict_high_confidence", "linked"]
        assert [outcome.action for outcome in outcomes].count("linked") == 1
        assert Mapping.objects.owned().count() == 1
        assert Conflict.objects.count() == 11

    def test_a_claim_that_meets_a_merge_links_to_the_survivor(self) -> None:
        survivor, merged, channel = CustomerFactory(), CustomerFactory(), ChannelFactory()
        wanted = claims.Claim(channel, link.read_identifier(channel, "email", EMAIL))
        plan = link._plan_claim(merged.pk, wanted)
        Customer.objects.filter(pk=merged.pk).update(status="merged", merged_into=survivor)
        assert not plan.holds({merged.pk: Customer.objects.get(pk=merged.pk)})
        assert claim(merged, channel).customer_id == str(survivor.pk)

    @pytest.mark.parametrize("claimant_shares", [False, True])
    def test_p1_a_value_that_gets_an_owner_at_the_same_moment_is_asked_about(
        self, claimant_shares: bool
    ) -> None:
        channel, other, claimant = ChannelFactory(), CustomerFactory(), CustomerFactory()
        if claimant_shares:
            owned(customer=claimant, channel=channel, status=Mapping.Status.SHARED)
        outcome = met_by(
            lambda: claim(claimant, channel, verified=True),
            first=lambda: owned(customer=other, channel=channel),
            then=lambda: None,
        )
        assert (outcome.action, outcome.existing_customer_id) == ("conflict_high_confidence", str(other.pk))
        assert owner(channel) == other.pk
        assert list(AuditEntry.objects.values_list("action", flat=True)) == ["conflict"]
