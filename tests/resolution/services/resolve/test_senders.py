"""Who sent this message? Somebody known, somebody new, or a question for a person."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest

from customers.models import Channel, Customer, Mapping, Message
from resolution.errors import DuplicateCustomerError
from resolution.matching.key_numbers import key_number
from resolution.models import AuditEntry, BlockingKey, Conflict
from resolution.services import resolve
from resolution.services.answer import Answer
from resolution.services.conflict_evidence import scores_in
from resolution.services.intake import Intake
from resolution.services.judge import judge_pair
from resolution.services.merge import merge_customers
from resolution.services.resolve import find_potential_duplicates
from resolution.types import Band
from tests.factories import CustomerFactory, MappingFactory
from tests.resolution.services.resolve.senders import ACTOR, ANNA, customer_of, known, receive

pytestmark = pytest.mark.django_db


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

    @pytest.mark.parametrize("day", ["31/31/1990", "2999-01-01", "next week"])
    def test_a_birth_date_nobody_can_have_is_told(self, channel: Channel, day: str) -> None:
        resolution = receive(channel, {"sender_id": "anna.smith@example.org", "birth_date": day})
        assert any(f"birth_date “{day}” was not used" in note for note in resolution.reasons)
        assert Customer.objects.get().birth_date is None

    @pytest.mark.parametrize("day", ["01.01.1900", "n/a"])
    def test_p8_a_placeholder_for_a_birth_date_is_passed_over(self, channel: Channel, day: str) -> None:
        resolution = receive(channel, {"sender_id": "anna.smith@example.org", "birth_date": day})
        assert not any("birth_date" in note for note in resolution.reasons)


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
