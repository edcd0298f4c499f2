"""Who is this? Messages and requests, from a known identifier to a question for a person."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from decimal import Decimal

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from customers.models import Channel, Customer, Mapping, Message
from resolution.conf import policy
from resolution.errors import DuplicateCustomerError, InvalidInput, UnknownChannel, UnusableIdentifier
from resolution.matching.key_numbers import key_number
from resolution.models import AuditEntry, BlockingKey, Conflict
from resolution.services import resolve
from resolution.services.answer import Answer
from resolution.services.conflicts import scores_in
from resolution.services.intake import Intake
from resolution.services.judge import judge_pair
from resolution.services.keys import rebuild_keys
from resolution.services.merge import merge_customers
from resolution.services.resolve import (
    create_or_resolve_customer,
    find_potential_duplicates,
    resolve_customer_identity,
    resolve_identifiers,
)
from resolution.types import Actor, Band, Resolution
from tests.concurrency import all_at_once
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory

pytestmark = pytest.mark.django_db
ACTOR = Actor(kind="service", name="mailbox")
CACHE_DOWN = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}}

# One person, told by enough that nobody doubts it.
ANNA = {
    "given_name": "Annegret", "family_name": "Feuerbach", "birth_date": "1980-02-01",
    "address": "12 Lindenstrasse", "postcode": "10969", "city": "Berlin",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _bands_far_apart(settings: Settings) -> Iterator[None]:
    """A full name alone lies well within review, one with e-mail and phone well above it."""
    settings.IDENTITY_DESK = {"auto_weight": 8.0, "sample_weight": 7.0, "review_weight": 0.0, "margin": 2.0}
    policy.cache_clear()
    yield
    policy.cache_clear()


@pytest.fixture
def channel() -> Channel:
    return ChannelFactory(code="mailbox")


def known(**fields: object) -> Customer:
    """Make a customer that can be found by what is known of it."""
    customer = CustomerFactory(**fields)
    rebuild_keys([customer.pk])
    return customer


def receive(channel: Channel, message: MappingOf[str, object], **options: object) -> Resolution:
    return create_or_resolve_customer(channel=channel, message=message, actor=ACTOR, **options)  # type: ignore[arg-type]


def customer_of(resolution: Resolution) -> Customer:
    return Customer.objects.get(pk=resolution.customer_id)


class TestResolveCustomerIdentity:
    def look_up(self, mapping: Mapping, value: str, **options: object) -> uuid.UUID | None:
        return resolve_customer_identity(
            channel=mapping.channel, identifier_type=mapping.identifier_type, value=value, **options
        )  # type: ignore[arg-type]

    def test_compares_canonical_values_not_raw_ones(self) -> None:
        mapping = MappingFactory(channel_identifier="anna.smith@example.org")
        assert self.look_up(mapping, " Anna.Smith@EXAMPLE.org ") == mapping.customer_id

    def test_knows_nobody_by_a_value_of_another_channel(self) -> None:
        mapping = MappingFactory(channel_identifier="anna.smith@example.org")
        assert self.look_up(MappingFactory(), mapping.channel_identifier) is None

    @pytest.mark.parametrize("value", ["", "0", "+", "12", "000000000"])
    def test_a_short_or_empty_number_is_nobody(self, value: str) -> None:
        mapping = MappingFactory(identifier_type="phone", channel_identifier="+4930901820")
        assert self.look_up(mapping, value) is None

    @pytest.mark.parametrize("status", ["shared", "ended", "collapsed"])
    def test_only_owned_links_answer(self, status: str) -> None:
        mapping = MappingFactory(status=status)
        assert self.look_up(mapping, mapping.channel_identifier) is None

    def test_a_link_less_sure_than_wanted_does_not_answer(self) -> None:
        mapping = MappingFactory(confidence_score=Decimal("0.79"))
        assert self.look_up(mapping, mapping.channel_identifier) is None
        weak = self.look_up(mapping, mapping.channel_identifier, min_confidence=Decimal("0.50"))
        assert weak == mapping.customer_id

    def test_refuses_an_unknown_type(self) -> None:
        with pytest.raises(InvalidInput, match="is not a type of identifier"):
            resolve_customer_identity(channel=ChannelFactory(), identifier_type="telex", value="1")

    @override_settings(CACHES=CACHE_DOWN)
    def test_answers_from_the_database_when_the_cache_is_down(self) -> None:
        mapping = MappingFactory()
        assert self.look_up(mapping, mapping.channel_identifier) == mapping.customer_id

    @pytest.mark.django_db(transaction=True)
    def test_asks_the_database_for_an_owner_once(self) -> None:
        mapping = MappingFactory()
        first = self.look_up(mapping, mapping.channel_identifier)
        with CaptureQueriesContext(connection) as queries:
            assert self.look_up(mapping, mapping.channel_identifier) == first == mapping.customer_id
        assert len(queries) == 0

    @pytest.mark.django_db(transaction=True)
    def test_a_remembered_weak_link_does_not_answer_who_wants_a_sure_one(self) -> None:
        mapping = MappingFactory(confidence_score=Decimal("0.60"))
        weak = {"min_confidence": Decimal("0.50")}
        assert self.look_up(mapping, mapping.channel_identifier, **weak) == mapping.customer_id
        assert self.look_up(mapping, mapping.channel_identifier) is None


class TestFindPotentialDuplicates:
    def test_finds_by_blocking_keys_best_first(self) -> None:
        near = known(**ANNA)
        nearer = known(**ANNA, email="annegret@feuerbach.example", phone="+4930901820")
        known(name="Bob Jones", birth_date="1955-05-05")
        scores = find_potential_duplicates(data={**ANNA, "email": "annegret@feuerbach.example"})
        assert [score.right for score in scores] == [str(nearer.pk), str(near.pk)]
        assert scores[0].weight > scores[1].weight
        assert {part.field for part in scores[0].fields} >= {"email", "birth_date"}

    def test_never_scans_the_register(self) -> None:
        for number in range(30):
            known(name=f"Person{number} Nobody{number}", birth_date=f"19{40 + number}-01-0{1 + number % 9}")
        anna = known(**ANNA)
        with CaptureQueriesContext(connection) as queries:
            scores = find_potential_duplicates(data=ANNA)
        assert [score.right for score in scores] == [str(anna.pk)]
        # Keys, the two of the profiles, which model is live, and twice what is blocked.
        assert len(queries) == 6
        assert "blocking_keys" in queries[1]["sql"]

    def test_takes_the_same_queries_for_two_candidates_as_for_twenty(self) -> None:
        def count() -> int:
            with CaptureQueriesContext(connection) as queries:
                find_potential_duplicates(data=ANNA)
            return len(queries)

        known(**ANNA), known(**ANNA)
        few = count()
        for _ in range(18):
            known(**ANNA)
        assert count() == few

    def test_a_field_on_one_side_only_is_no_disagreement(self) -> None:
        known(**ANNA)
        (bare,) = find_potential_duplicates(data=ANNA)
        (fuller,) = find_potential_duplicates(data={**ANNA, "email": "annegret@feuerbach.example"})
        assert bare.weight == fuller.weight

    def test_p8_blank_and_junk_find_nobody(self) -> None:
        known(email="test@test.com", phone="000000000", name="unknown")
        assert (
            find_potential_duplicates(data={"email": "test@test.com", "phone": "000000000", "name": " "})
            == []
        )

    def test_leaves_out_what_lies_below_the_threshold_and_beyond_the_limit(self) -> None:
        for _ in range(3):
            known(**ANNA)
        weight = find_potential_duplicates(data=ANNA)[0].weight
        assert len(find_potential_duplicates(data=ANNA, threshold=weight, limit=2)) == 2
        assert find_potential_duplicates(data=ANNA, threshold=weight + 0.1) == []

    def test_absorbed_customers_are_found_as_their_survivor(self) -> None:
        survivor = CustomerFactory(name="Anna Else")
        CustomerFactory(**ANNA, status="merged", merged_into=survivor)
        rebuild_keys([survivor.pk])
        assert [score.right for score in find_potential_duplicates(data=ANNA)] == [str(survivor.pk)]

    @pytest.mark.parametrize(
        ("data", "match"),
        [
            ({"nmae": "Anna"}, "no field “nmae”; it has name, given_name"),
            ({"name": 5}, "name is int; text is wanted"),
        ],
    )
    def test_refuses_what_is_no_record(self, data: dict[str, str], match: str) -> None:
        with pytest.raises(InvalidInput, match=match):
            find_potential_duplicates(data=data)

    def test_takes_any_text(self) -> None:
        known(**ANNA)
        assert (
            find_potential_duplicates(data={"name": "\0\ud800" + "x" * 10_000, "email": "a" * 10_000}) == []
        )


class TestKnownSender:
    def test_is_matched_by_an_identifier_and_the_message_is_kept(self, channel: Channel) -> None:
        mapping = MappingFactory(channel=channel)
        resolution = receive(channel, {"sender_id": mapping.channel_identifier, "content": "Hello"})
        assert (resolution.status, resolution.customer_id) == ("matched", str(mapping.customer_id))
        message = Message.objects.get(pk=resolution.message_id)
        assert (message.customer_id, message.mapping, message.outcome) == (
            mapping.customer_id,
            mapping,
            "linked",
        )
        assert message.reason == f"Known by email {mapping.channel_identifier}."

    def test_is_audited(self, channel: Channel) -> None:
        mapping = MappingFactory(channel=channel)
        resolution = receive(channel, {"sender_id": mapping.channel_identifier})
        entry = AuditEntry.objects.get(action="resolve")
        assert (entry.customer_id, entry.resolution_method) == (mapping.customer_id, "matched")
        assert entry.metadata["message"] == resolution.message_id

    def test_gains_the_other_identifiers_of_the_message(self, channel: Channel) -> None:
        mapping = MappingFactory(channel=channel)
        receive(channel, {"sender_id": mapping.channel_identifier, "customer_phone": "030 901820"})
        phone = Mapping.objects.get(identifier_type="phone")
        assert (phone.customer_id, phone.normalised) == (mapping.customer_id, "+4930901820")
        assert phone.confidence_score == Decimal("0.90")
        assert BlockingKey.objects.filter(
            customer=mapping.customer, key=key_number("ph:+4930901820")
        ).exists()

    def test_gains_values_for_empty_fields_only(self, channel: Channel) -> None:
        anna = CustomerFactory(name="Anna Smith")
        mapping = MappingFactory(channel=channel, customer=anna)
        receive(channel, {"sender_id": mapping.channel_identifier, "name": "A. S.", "city": "Leeds"})
        anna.refresh_from_db()
        assert (anna.name, anna.city, anna.version) == ("Anna Smith", "Leeds", 2)

    def test_is_not_changed_by_a_message_that_says_nothing_new(self, channel: Channel) -> None:
        anna = CustomerFactory(name="Anna Smith", email="anna.smith@example.org")
        MappingFactory(channel=channel, customer=anna, channel_identifier="anna.smith@example.org")
        receive(channel, {"sender_id": "anna.smith@example.org", "name": "Anna Smith"})
        anna.refresh_from_db()
        assert anna.version == 1
        assert anna.last_interaction_at is not None

    def test_is_not_known_by_what_a_text_merely_mentions(self, channel: Channel) -> None:
        other = MappingFactory(channel=channel)
        resolution = receive(
            channel,
            {"sender_id": "bob.jones@example.org", "content": f"Ask {other.channel_identifier}, please."},
        )
        assert resolution.customer_id != str(other.customer_id)
        assert Mapping.objects.get(pk=other.pk).customer_id == other.customer_id


class TestNewSender:
    def test_becomes_a_customer_with_its_fields_and_identifiers(self, channel: Channel) -> None:
        resolution = receive(
            channel, {**ANNA, "sender_id": "Annegret <x>", "customer_email": "Annegret@Feuerbach.example"}
        )
        assert (resolution.status, resolution.band, resolution.confidence) == ("created", Band.NONE, 1.0)
        customer = customer_of(resolution)
        assert (customer.given_name, customer.city, str(customer.birth_date)) == (
            "Annegret",
            "Berlin",
            "1980-02-01",
        )
        assert customer.email == "Annegret@Feuerbach.example"
        assert Mapping.objects.get().normalised == "annegret@feuerbach.example"
        assert Message.objects.get().outcome == "created"
        actions = AuditEntry.objects.order_by("sequence").values_list("action", flat=True)
        assert list(actions) == ["create", "link", "resolve"]

    def test_is_found_by_the_next_message(self, channel: Channel) -> None:
        first = receive(channel, {"sender_id": "whatsapp:+49 30 901820"})
        second = receive(channel, {"customer_phone": "030/901820"})
        assert (second.status, second.customer_id) == ("matched", first.customer_id)

    def test_with_an_address_only_in_the_text_is_known_by_it_weakly(self, channel: Channel) -> None:
        resolution = receive(channel, {"content": "Please write to anna.smith@example.org"})
        assert resolution.status == "created"
        mapping = Mapping.objects.get()
        assert (str(mapping.customer_id), mapping.confidence_score) == (
            resolution.customer_id,
            Decimal("0.50"),
        )

    def test_unusable_values_are_kept_with_the_reason(self, channel: Channel) -> None:
        resolution = receive(
            channel, {"sender_id": "anna.smith@example.org", "customer_phone": "12", "city": "x" * 500}
        )
        notes = Message.objects.get().payload["notes"]
        assert any("customer_phone “12” was not used" in note for note in notes)
        assert any("city has 500 characters" in note for note in notes)
        assert set(notes) <= set(resolution.reasons)


class TestLinkedByScore:
    def test_is_linked_when_everything_fits_with_a_confidence_from_the_score(self, channel: Channel) -> None:
        anna = known(**ANNA, email="annegret@feuerbach.example", phone="+4930901820")
        resolution = receive(
            channel, {**ANNA, "customer_email": "annegret@feuerbach.example", "customer_phone": "030 901820"}
        )
        assert (resolution.status, resolution.customer_id) == ("linked", str(anna.pk))
        assert resolution.band in (Band.AUTO, Band.SAMPLE)
        assert resolution.weight == resolution.candidates[0].weight
        assert {mapping.confidence_score for mapping in Mapping.objects.all()} == {Decimal("0.99")}
        assert Customer.objects.count() == 1

    def test_what_only_a_text_mentions_links_nobody(self, channel: Channel) -> None:
        anna = known(**ANNA, email="annegret@feuerbach.example", phone="+4930901820")
        named = {"given_name": "Annegret", "family_name": "Feuerbach"}
        said = {"content": "I am annegret@feuerbach.example, call +49 30 901820"}
        told = {"customer_email": "annegret@feuerbach.example", "customer_phone": "+4930901820"}
        assert receive(channel, named | told, dry_run=True).status == "linked"
        resolution = receive(channel, named | said)
        assert (resolution.status, resolution.candidates[0].right) == ("review", str(anna.pk))
        assert resolution.reasons[0].startswith("Only what the text mentions says so.")

    def test_what_is_certain_links_though_a_text_mentions_more(self, channel: Channel) -> None:
        anna = known(**ANNA, email="annegret@feuerbach.example", phone="+4930901820")
        told = {"customer_email": "annegret@feuerbach.example", "customer_phone": "+4930901820"}
        message = {**ANNA, **told, "content": "Please ask bob.jones@example.org as well."}
        assert receive(channel, message).customer_id == str(anna.pk)
        assert not Mapping.objects.filter(normalised="bob.jones@example.org").exists()


class TestAmbiguousSender:
    def likely(self) -> tuple[Customer, dict[str, object]]:
        """A customer and a message that is probably, not surely, from the same person."""
        anna = known(given_name="Annegret", family_name="Feuerbach", birth_date="1980-02-01")
        message = {
            "given_name": "Annegret",
            "family_name": "Feuerbach",
            "sender_id": "anne@somewhere.example",
        }
        score = find_potential_duplicates(data={"given_name": "Annegret", "family_name": "Feuerbach"})
        assert score
        return anna, message

    def test_p6_is_never_refused_but_stands_in_until_a_person_decides(self, channel: Channel) -> None:
        anna, message = self.likely()
        resolution = receive(channel, message)
        assert (resolution.status, resolution.band) == ("review", Band.REVIEW)
        provisional = customer_of(resolution)
        conflict = Conflict.objects.get(pk=resolution.conflict_id)
        assert conflict.kind == "likely_duplicate"
        assert set(conflict.members.values_list("customer_id", flat=True)) == {anna.pk, provisional.pk}
        assert {score.left for score in scores_in(conflict.evidence)} == {str(provisional.pk)}
        kept = Message.objects.get()
        assert (kept.outcome, kept.customer, conflict.message) == ("queued", provisional, kept)

    def test_p2_one_merged_while_the_message_was_read_is_asked_about_as_its_survivor(
        self, channel: Channel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        anna, message = self.likely()
        survivor = known()
        find = resolve.find_answer

        def find_and_be_overtaken(newcomer: Intake) -> Answer:
            answer = find(newcomer)
            if Customer.objects.get(pk=anna.pk).status == "active":
                merge_customers(member_ids=[survivor.pk, anna.pk], survivor_id=survivor.pk, actor=ACTOR)
            return answer

        monkeypatch.setattr(resolve, "find_answer", find_and_be_overtaken)
        resolution = receive(channel, message)
        asked = Conflict.objects.get(pk=resolution.conflict_id).members.values_list("customer", flat=True)
        assert set(asked) == {survivor.pk, uuid.UUID(resolution.customer_id)}

    def test_two_that_fit_are_named_as_several_candidates(self, channel: Channel) -> None:
        first, message = self.likely()
        second = known(given_name="Annegret", family_name="Feuerbach", birth_date="1991-07-17")
        resolution = receive(channel, message)
        conflict = Conflict.objects.get(pk=resolution.conflict_id)
        assert conflict.kind == "several_candidates"
        members = set(conflict.members.values_list("customer_id", flat=True))
        assert members == {first.pk, second.pk, uuid.UUID(resolution.customer_id)}

    def test_two_that_were_judged_different_are_a_contradiction(self, channel: Channel) -> None:
        first, message = self.likely()
        second = known(given_name="Annegret", family_name="Feuerbach", birth_date="1991-07-17")
        judge_pair(left_id=first.pk, right_id=second.pk, verdict="different", reason="", actor=ACTOR)
        assert Conflict.objects.get(pk=receive(channel, message).conflict_id).kind == "contradiction"

    def test_the_caller_may_ask_for_an_error_and_then_nothing_is_written(self, channel: Channel) -> None:
        anna, message = self.likely()
        with pytest.raises(DuplicateCustomerError, match=str(anna.pk)):
            receive(channel, message, raise_on_ambiguity=True)
        assert Customer.objects.count() == 1
        assert not Message.objects.exists()

    def test_nothing_is_taken_from_anybody_while_a_person_is_to_decide(self, channel: Channel) -> None:
        _, message = self.likely()
        weak = MappingFactory(
            channel=channel, channel_identifier="anne@somewhere.example", confidence_score=Decimal("0.50")
        )
        assert receive(channel, message).status == "review"
        owner = weak.customer_id
        weak.refresh_from_db()
        assert (weak.status, weak.customer_id) == ("active", owner)


class TestIdentifiersOfSeveralCustomers:
    def two_owners(self, channel: Channel) -> tuple[Mapping, Mapping, dict[str, object]]:
        by_email = MappingFactory(channel=channel, channel_identifier="anna.smith@example.org")
        by_phone = MappingFactory(channel=channel, identifier_type="phone", channel_identifier="+4930901820")
        message = {"customer_phone": "+4930901820", "customer_email": "anna.smith@example.org"}
        return by_email, by_phone, message

    def test_the_message_goes_to_the_most_trusted_one_and_a_person_is_asked(self, channel: Channel) -> None:
        by_email, by_phone, message = self.two_owners(channel)
        resolution = receive(channel, message)
        assert (resolution.status, resolution.customer_id) == ("review", str(by_email.customer_id))
        conflict = Conflict.objects.get(pk=resolution.conflict_id)
        assert conflict.kind == "several_candidates"
        members = set(conflict.members.values_list("customer_id", flat=True))
        assert members == {by_email.customer_id, by_phone.customer_id}
        assert Message.objects.get().outcome == "queued"

    def test_neither_loses_its_identifier(self, channel: Channel) -> None:
        by_email, by_phone, message = self.two_owners(channel)
        receive(channel, message)
        owners = set(Mapping.objects.owned().values_list("customer_id", flat=True))
        assert owners == {by_email.customer_id, by_phone.customer_id}

    def test_p6_a_second_message_asks_the_same_question(self, channel: Channel) -> None:
        _, _, message = self.two_owners(channel)
        assert receive(channel, message).conflict_id == receive(channel, message).conflict_id
        assert Conflict.objects.count() == 1
        assert Message.objects.count() == 2

    def test_p3_once_judged_different_it_is_linked_without_asking_again(self, channel: Channel) -> None:
        by_email, by_phone, message = self.two_owners(channel)
        judge_pair(
            left_id=by_email.customer_id,
            right_id=by_phone.customer_id,
            verdict="different",
            reason="",
            actor=ACTOR,
        )
        resolution = receive(channel, message)
        assert (resolution.status, resolution.customer_id) == ("matched", str(by_email.customer_id))
        assert resolution.reasons[-1] == "A person has judged this before: different."
        assert not Conflict.objects.exists()
        assert Customer.objects.active().count() == 2

    @pytest.mark.parametrize("word", ["related", "unsure"])
    def test_says_the_word_a_person_judged_them_by(self, channel: Channel, word: str) -> None:
        by_email, by_phone, message = self.two_owners(channel)
        judge_pair(
            left_id=by_email.customer_id, right_id=by_phone.customer_id, verdict=word, reason="", actor=ACTOR
        )
        assert receive(channel, message).reasons[-1] == f"A person has judged this before: {word}."


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


@pytest.mark.django_db(transaction=True)
class TestConcurrentNewcomers:
    def test_a_hundred_messages_of_one_new_person_make_one_customer(self) -> None:
        channel = ChannelFactory()
        message = {**ANNA, "sender_id": "annegret@feuerbach.example", "customer_phone": "+4930901820"}
        answers = all_at_once([lambda: receive(channel, message)] * 100)
        assert len({answer.customer_id for answer in answers}) == 1
        assert sorted({answer.status for answer in answers}) == ["created", "matched"]
        assert (Customer.objects.count(), Mapping.objects.count(), Message.objects.count()) == (1, 2, 100)

    def test_identifiers_given_in_any_order_do_not_wait_for_each_other(self) -> None:
        channel = ChannelFactory()
        identifiers = [
            ("email", "annegret@feuerbach.example"),
            ("phone", "+4930901820"),
            ("handle", "@annef"),
        ]
        orders = [identifiers[place:] + identifiers[:place] for place in range(3)] * 4
        answers = all_at_once(
            [
                lambda order=order: resolve_identifiers(channel=channel, identifiers=order, actor=ACTOR)  # type: ignore[misc]
                for order in orders
            ]
        )
        assert len({answer.customer_id for answer in answers}) == 1
        assert Customer.objects.count() == 1

    def test_one_new_person_on_two_channels_at_once_is_one_customer_or_a_question(self) -> None:
        channels = [ChannelFactory(), ChannelFactory()]
        message = {**ANNA, "sender_id": "annegret@feuerbach.example", "customer_phone": "+4930901820"}
        answers = all_at_once([lambda row=row: receive(row, message) for row in channels])  # type: ignore[misc]
        assert sorted(answer.status for answer in answers) == ["created", "linked"]
        assert Customer.objects.count() == 1

    def test_a_person_without_identifiers_is_taken_for_two_by_nobody(self) -> None:
        channel = ChannelFactory()
        answers = all_at_once([lambda: receive(channel, ANNA)] * 8)
        assert len([answer for answer in answers if answer.status == "created"]) == 1

    def test_p6_the_same_message_at_once_is_kept_once(self) -> None:
        channel = ChannelFactory()
        message = {"message_id": "m-1", "sender_id": "annegret@feuerbach.example"}
        answers = all_at_once([lambda: receive(channel, message)] * 20)
        assert len(set(answers)) == 1
        assert Message.objects.count() == 1
