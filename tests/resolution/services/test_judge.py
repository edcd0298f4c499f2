"""Verdicts: one live word a pair, superseded and never edited, and what they forbid."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from customers.models import Customer
from resolution.errors import CustomerErased, InvalidInput, MergeBlocked, Refused, UnknownCustomer
from resolution.models import AuditEntry, Conflict, Judgement, OutboxEvent
from resolution.selectors.judgements import different_pairs, fingerprint_of, load_compared, verdicts_on_pairs
from resolution.services import audit
from resolution.services.judge import judge_pair, write_judgement, write_judgements
from resolution.services.merge import merge_customers, preview_merge
from resolution.services.unmerge import undo_merge
from resolution.types import Actor
from tests.concurrency import all_at_once
from tests.factories import ConflictFactory, CustomerFactory, MappingFactory, actor_for, steward
from tests.resolution.services.waiting import met_by

pytestmark = pytest.mark.django_db
ADA = Actor(kind="user", name="ada")


def say(left: Customer, right: Customer, verdict: str, **options: object) -> Judgement:
    options.setdefault("actor", ADA)
    return judge_pair(left_id=left.pk, right_id=right.pk, verdict=verdict, reason="seen", **options)  # type: ignore[arg-type]


def absorb(customer: Customer, into: Customer) -> None:
    Customer.objects.filter(pk=customer.pk).update(status="merged", merged_into=into)


class TestJudgePair:
    def test_orders_the_pair_and_says_who_judged(self) -> None:
        anna, ann, person = CustomerFactory(), CustomerFactory(), steward()
        judgement = say(ann, anna, "related", actor=actor_for(person))
        assert (judgement.left_id, judgement.right_id) == tuple(sorted((anna.pk, ann.pk)))
        assert (judgement.judged_by, judgement.actor_name, judgement.reason) == (
            person,
            person.username,
            "seen",
        )

    def test_is_audited_and_told(self) -> None:
        judgement = say(CustomerFactory(), CustomerFactory(), "different")
        entry = AuditEntry.objects.get(action="judge")
        assert (entry.resolution_method, entry.metadata["judgement"]) == ("different", judgement.pk)
        assert OutboxEvent.objects.get().payload["verdict"] == "different"

    def test_a_later_word_supersedes_and_keeps_the_earlier(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        first, second = say(anna, ann, "different"), say(ann, anna, "same")
        first.refresh_from_db()
        assert (first.verdict, first.superseded_by) == ("different", second)
        assert first.superseded_at is not None
        assert Judgement.objects.filter(superseded_at__isnull=True).get() == second

    def test_closes_the_waiting_question_about_the_two(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        conflict = ConflictFactory(members=[anna, ann])
        say(anna, ann, "different")
        conflict.refresh_from_db()
        assert (conflict.state, conflict.outcome) == ("done", "different")

    def test_leaves_the_conflict_it_was_said_in_to_the_decision(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        conflict = ConflictFactory(members=[anna, ann])
        say(anna, ann, "different", conflict=conflict)
        assert Conflict.objects.get().state == "open"

    def test_leaves_the_question_when_the_word_is_unsure(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        ConflictFactory(members=[anna, ann])
        say(anna, ann, "unsure")
        assert Conflict.objects.get().state == "open"


class TestGroups:
    def test_p3_a_word_on_survivors_withdraws_what_was_said_of_those_they_absorbed(self) -> None:
        anna, ann, bob, rob = CustomerFactory.create_batch(4)
        first = say(ann, rob, "different")
        merge_customers(member_ids=[anna.pk, ann.pk], survivor_id=anna.pk, actor=ADA)
        merge_customers(member_ids=[bob.pk, rob.pk], survivor_id=bob.pk, actor=ADA)
        assert "ada judged" in preview_merge(member_ids=[anna.pk, bob.pk]).blockers[0]

        word = say(anna, bob, "same")

        first.refresh_from_db()
        assert first.superseded_by == word
        assert AuditEntry.objects.filter(action="judge").latest("sequence").metadata["superseded"] == [
            first.pk
        ]
        assert merge_customers(member_ids=[anna.pk, bob.pk], actor=ADA).survivor_id in (anna.pk, bob.pk)

    def test_p3_the_word_of_a_nested_undo_can_be_withdrawn(self) -> None:
        anna, ann, bob = CustomerFactory.create_batch(3)
        inner = merge_customers(member_ids=[anna.pk, ann.pk], survivor_id=anna.pk, actor=ADA)
        merge_customers(member_ids=[anna.pk, bob.pk], survivor_id=bob.pk, actor=ADA)
        undo_merge(merge_id=inner.pk, actor=ADA)
        assert preview_merge(member_ids=[ann.pk, bob.pk]).blockers

        say(bob, ann, "same")

        assert merge_customers(member_ids=[ann.pk, bob.pk], actor=ADA).survivor_id in (ann.pk, bob.pk)

    def test_p3_words_that_say_the_same_stay_with_whom_they_were_said_of(self) -> None:
        anna, ann, bob = CustomerFactory.create_batch(3)
        say(ann, bob, "different")
        merge = merge_customers(member_ids=[anna.pk, ann.pk], survivor_id=anna.pk, actor=ADA)
        say(anna, bob, "different")
        undo_merge(merge_id=merge.pk, judge_different=False, actor=ADA)
        for customer in (anna, ann):
            with pytest.raises(MergeBlocked, match="ada judged"):
                merge_customers(member_ids=[customer.pk, bob.pk], actor=ADA)

    @pytest.mark.parametrize("later", ["unsure", "related"])
    def test_p3_a_later_word_on_survivors_leaves_what_kept_the_absorbed_apart(self, later: str) -> None:
        anna, ann, bob, rob = CustomerFactory.create_batch(4)
        say(ann, rob, "different")
        made = [
            merge_customers(member_ids=[one.pk, two.pk], survivor_id=one.pk, actor=ADA)
            for one, two in ((anna, ann), (bob, rob))
        ]
        say(anna, bob, later)
        for merge in made:
            undo_merge(merge_id=merge.pk, judge_different=False, actor=ADA)
        with pytest.raises(MergeBlocked, match="ada judged"):
            merge_customers(member_ids=[ann.pk, rob.pk], actor=ADA)

    def test_words_on_others_of_the_group_stay(self) -> None:
        anna, ann, bob = CustomerFactory.create_batch(3)
        apart = say(ann, bob, "different")
        say(anna, bob, "same")
        apart.refresh_from_db()
        assert apart.superseded_at is None


def say_of_all(people: Sequence[Customer], verdict: str, *, at_once: bool = True) -> None:
    pairs = [(one.pk, two.pk) for one, two in combinations(people, 2)]
    with audit.change(ADA) as trail:
        if at_once:
            write_judgements(trail, dict.fromkeys(pairs, "seen"), verdict=verdict)
            return
        for left, right in pairs:
            write_judgement(trail, left_id=left, right_id=right, verdict=verdict, reason="seen")


def what_was_written(people: Sequence[Customer]) -> dict[str, Any]:
    """Words, trail, events and questions, with people by their place and numbers left out."""
    places = {row.pk: place for place, row in enumerate(people)}
    words = Judgement.objects.order_by("left", "right", "pk")
    kept = words.values_list("left", "right", "verdict", "reason", "fingerprint", "superseded_by__verdict")
    entries = AuditEntry.objects.filter(action__in=("judge", "decide")).order_by("sequence")
    told = entries.values_list("customer", "action", "resolution_method", "metadata__reason")
    superseding = entries.values_list("metadata__superseded", flat=True)
    events = OutboxEvent.objects.filter(kind="customer.judged")
    return {
        "words": [(places[left], places[right], *rest) for left, right, *rest in kept],
        "trail": Counter((places.get(customer), *rest) for customer, *rest in told),
        "superseding": Counter(len(numbers or ()) for numbers in superseding),
        "told": Counter(event.payload["verdict"] for event in events),
        "questions": list(Conflict.objects.order_by("pk").values_list("state", "outcome")),
    }


class TestManyPairs:
    """A word on every two of many customers, written at once."""

    @pytest.mark.parametrize("verdict", Judgement.Verdict.values)
    def test_writes_what_one_word_after_the_other_writes(self, verdict: str) -> None:
        written = []
        for at_once in (True, False):
            with transaction.atomic():
                people = sorted(CustomerFactory.create_batch(4), key=lambda row: row.pk)
                absorbed = CustomerFactory(name="Absorbed")
                say(people[0], people[1], "different")
                say(people[3], absorbed, "different")
                absorb(absorbed, into=people[2])
                for pair in combinations(people, 2):
                    ConflictFactory(members=pair)
                say_of_all(people, verdict, at_once=at_once)
                written.append(what_was_written([*people, absorbed]))
                transaction.set_rollback(True)
        assert written[0] == written[1]

    def test_p3_same_of_many_withdraws_what_was_said_of_those_each_absorbed(self) -> None:
        people = CustomerFactory.create_batch(3)
        absorbed = CustomerFactory.create_batch(3)
        apart = [say(one, two, "different") for one, two in combinations(absorbed, 2)]
        for one, two in zip(absorbed, people, strict=True):
            absorb(one, into=two)
        say_of_all(people, "same")
        for word in Judgement.objects.filter(pk__in=[row.pk for row in apart]):
            assert word.superseded_by is not None
            assert word.superseded_by.verdict == "same"
        assert not different_pairs([row.pk for row in people])

    def test_p3_same_of_an_absorbed_customer_withdraws_no_word_of_its_survivors_others(self) -> None:
        anna, ann, bob, rob = CustomerFactory.create_batch(4)
        kept = say(ann, rob, "different")
        absorb(ann, into=anna)
        absorb(rob, into=bob)
        with audit.change(ADA) as trail:
            write_judgements(trail, {(anna.pk, rob.pk): "seen"}, verdict="same")
        kept.refresh_from_db()
        assert kept.superseded_at is None

    def test_outdates_the_forms_of_those_that_ask_about_two_of_them(self) -> None:
        people = CustomerFactory.create_batch(3)
        asking = ConflictFactory(members=[*people[:2], CustomerFactory()])
        other = ConflictFactory(members=[people[0], CustomerFactory()])
        say_of_all(people, "unsure")
        assert [Conflict.objects.get(pk=row.pk).version for row in (asking, other)] == [2, 1]

    def test_takes_as_many_statements_for_many_as_for_few(self) -> None:
        counts = []
        for number in (3, 20):
            people = CustomerFactory.create_batch(number)
            say_of_all(people, "different")
            with CaptureQueriesContext(connection) as queries:
                say_of_all(people, "different")
            counts.append(len(queries))
        assert counts[0] == counts[1]

    def test_nothing_is_written_when_one_of_them_was_erased(self) -> None:
        people = [*CustomerFactory.create_batch(3), CustomerFactory(status="erased")]
        with pytest.raises(CustomerErased):
            say_of_all(people, "different")
        assert not Judgement.objects.exists()


class TestRefusals:
    def test_a_customer_with_itself(self) -> None:
        anna = CustomerFactory()
        with pytest.raises(InvalidInput, match="given twice"):
            say(anna, anna, "different")

    def test_an_unknown_verdict_is_named_with_those_there_are(self) -> None:
        with pytest.raises(InvalidInput, match="“maybe” is no verdict; use one of: same, different"):
            say(CustomerFactory(), CustomerFactory(), "maybe")

    def test_an_unknown_customer(self) -> None:
        with pytest.raises(UnknownCustomer):
            say(CustomerFactory(), Customer(id=uuid.uuid4()), "same")

    def test_an_erased_customer(self) -> None:
        with pytest.raises(CustomerErased):
            say(CustomerFactory(), CustomerFactory(status="erased"), "same")

    @pytest.mark.parametrize("siblings", [False, True])
    def test_p3_different_of_two_that_are_merged_into_one(self, siblings: bool) -> None:
        anna, ann, annie = CustomerFactory.create_batch(3)
        absorb(ann, anna)
        absorb(annie, anna)
        with pytest.raises(Refused, match="Undo their merge before judging them"):
            say(ann, annie if siblings else anna, "different")
        assert not Judgement.objects.exists()

    def test_a_merged_customer_names_who_to_judge_instead(self) -> None:
        anna, ann, bob = CustomerFactory.create_batch(3)
        absorb(ann, anna)
        with pytest.raises(Refused, match=f"{ann.pk} was merged into {anna.pk}; judge that one") as refusal:
            say(ann, bob, "same")
        assert refusal.value.facts == {"customer": str(ann.pk), "merged_into": str(anna.pk)}

    @pytest.mark.parametrize("relation", ["cousins", "HOUSEHOLD"])
    def test_an_unknown_relation_is_named_with_those_there_are(self, relation: str) -> None:
        with pytest.raises(InvalidInput, match="no relation; use one of: household, shared_contact"):
            say(CustomerFactory(), CustomerFactory(), "related", relation=relation)

    def test_only_the_related_have_a_relation(self) -> None:
        with pytest.raises(InvalidInput, match="not “related”"):
            say(CustomerFactory(), CustomerFactory(), "different", relation="household")
        with pytest.raises(IntegrityError, match="judgement_relation_of_the_related"), transaction.atomic():
            say(CustomerFactory(), CustomerFactory(), "same")
            Judgement.objects.update(relation="household")


class TestRelations:
    @pytest.mark.parametrize("relation", ["", "household", "shared_contact"])
    def test_the_related_may_say_how(self, relation: str) -> None:
        judgement = say(CustomerFactory(), CustomerFactory(), "related", relation=relation)
        assert judgement.relation == relation
        assert AuditEntry.objects.get().metadata["relation"] == relation


class TestDifferentPairs:
    def test_p3_speaks_for_those_who_absorbed_the_judged(self) -> None:
        anna, ann, bob, bobby = CustomerFactory.create_batch(4)
        say(ann, bobby, "different")
        absorb(ann, anna)
        absorb(bobby, bob)
        assert different_pairs([anna.pk, bob.pk]) == {frozenset({anna.pk, bob.pk})}

    def test_knows_nothing_of_pairs_that_reach_outside(self) -> None:
        anna, bob, carl = CustomerFactory.create_batch(3)
        say(anna, bob, "different")
        assert different_pairs([anna.pk, carl.pk]) == set()

    @pytest.mark.parametrize("later", ["same", "related", "unsure"])
    def test_forgets_what_was_superseded(self, later: str) -> None:
        anna, bob = CustomerFactory(), CustomerFactory()
        say(anna, bob, "different")
        say(anna, bob, later)
        assert different_pairs([anna.pk, bob.pk]) == set()

    def test_asks_the_database_once(self) -> None:
        people = CustomerFactory.create_batch(6)
        for other in people[1:]:
            say(people[0], other, "different")
        with CaptureQueriesContext(connection) as queries:
            assert len(different_pairs([row.pk for row in people])) == 5
        assert len(queries) == 1


class TestFingerprint:
    def test_is_fresh_until_what_was_compared_changes(self) -> None:
        anna, ann = CustomerFactory(name="Anna Smith"), CustomerFactory(name="Ann Smith")
        say(anna, ann, "different")
        pair = frozenset({anna.pk, ann.pk})
        assert verdicts_on_pairs(pair)[pair].fresh
        MappingFactory(customer=anna)
        assert not verdicts_on_pairs(pair)[pair].fresh

    def test_is_the_same_whichever_profile_comes_first(self) -> None:
        anna, ann = CustomerFactory(name="Anna Smith"), CustomerFactory(name="Bob Jones")
        compared = load_compared({anna.pk, ann.pk})
        assert fingerprint_of(compared[anna.pk], compared[ann.pk]) == fingerprint_of(
            compared[ann.pk], compared[anna.pk]
        )

    def test_tells_other_values_apart(self) -> None:
        anna, ann, bob = (CustomerFactory(name=name) for name in ("Anna Smith", "Ann Smith", "Bob Jones"))
        compared = load_compared({anna.pk, ann.pk, bob.pk})
        assert fingerprint_of(compared[anna.pk], compared[ann.pk]) != fingerprint_of(
            compared[anna.pk], compared[bob.pk]
        )

    def test_names_the_fields_that_changed_and_keeps_no_values(self) -> None:
        anna, ann = CustomerFactory(name="Anna Smith"), CustomerFactory(name="Ann Smith")
        judgement = say(anna, ann, "different")
        MappingFactory(customer=anna)
        Customer.objects.filter(pk=ann.pk).update(birth_date="1980-01-02")
        pair = frozenset({anna.pk, ann.pk})
        assert verdicts_on_pairs(pair)[pair].changed == ("emails", "birth_dates")
        assert "smith" not in str(judgement.compared).lower()


class TestSeveralLiveWords:
    @pytest.mark.parametrize("order", [("different", "same"), ("same", "different")])
    def test_p3_different_counts_before_a_later_word_of_those_absorbed(self, order: tuple[str, str]) -> None:
        anna, ann, bob = CustomerFactory.create_batch(3)
        for customer, word in zip((anna, ann), order, strict=True):
            say(customer, bob, word)
        absorb(ann, anna)
        pair = frozenset({anna.pk, bob.pk})
        assert verdicts_on_pairs(pair)[pair].word == "different"

    def test_of_other_words_the_last_counts(self) -> None:
        anna, ann, bob = CustomerFactory.create_batch(3)
        say(anna, bob, "unsure")
        say(ann, bob, "related")
        absorb(ann, anna)
        pair = frozenset({anna.pk, bob.pk})
        assert verdicts_on_pairs(pair)[pair].word == "related"


@pytest.mark.django_db(transaction=True)
class TestConcurrentVerdicts:
    def test_many_words_at_once_leave_one_that_lives(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        all_at_once([lambda word=word: say(anna, ann, word) for word in ("same", "different") * 5])  # type: ignore[misc]
        assert Judgement.objects.count() == 10
        assert Judgement.objects.filter(superseded_at__isnull=True).count() == 1

    def test_p3_a_merge_waits_for_words_that_are_being_written_and_is_refused(self) -> None:
        people = CustomerFactory.create_batch(3)

        def merging() -> object:
            return merge_customers(member_ids=[row.pk for row in people[:2]], actor=ADA)

        with pytest.raises(MergeBlocked, match="ada judged"):
            met_by(merging, first=lambda: say_of_all(people, "different"), then=lambda: None)
        assert Customer.objects.active().count() == 3
