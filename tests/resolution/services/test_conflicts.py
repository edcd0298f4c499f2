"""Questions: asked once, in order of urgency, following their customers through merges."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Customer
from resolution.errors import IllegalTransition
from resolution.matching.decide import band_of
from resolution.models import AuditEntry, Conflict, ConflictMember, OutboxEvent
from resolution.selectors.match_model import live_policy
from resolution.services import (
    audit,
    conflict_evidence,
    conflict_members,
    conflict_states,
    conflicts,
    judge,
    live_questions,
)
from resolution.services.conflict_members import Retargeted
from resolution.services.conflicts import Opened, Question, open_conflict, open_conflicts
from resolution.types import Actor, FieldEvidence, Identifier, PairScore
from tests.concurrency import all_at_once
from tests.factories import ChannelFactory, ConflictFactory, CustomerFactory, actor_for, steward
from tests.resolution.services.waiting import met_by

pytestmark = pytest.mark.django_db
ACTOR = Actor.machine("test")


def score(left: Customer, right: Customer, weight: float) -> PairScore:
    evidence = FieldEvidence("email", "exact", "the same mailbox", weight, "a@x.org", "a@x.org")
    return PairScore(str(left.pk), str(right.pk), weight, (evidence,))


def question(
    *members: Customer, weight: float = 3.0, kind: str = "likely_duplicate", **fields: object
) -> Question:
    roles = {row.pk: ConflictMember.Role.MEMBER for row in members}
    scores = (score(members[0], members[1], weight),)
    return Question(kind, roles, "Both look alike.", scores, **fields)  # type: ignore[arg-type]


def ask(*questions: Question) -> Opened:
    with audit.change(ACTOR) as trail:
        return open_conflicts(trail, questions)


def retarget(survivors: dict[Customer, Customer]) -> Retargeted:
    with audit.change(ACTOR) as trail:
        return conflict_members.retarget_conflicts(
            trail, {absorbed.pk: survivor.pk for absorbed, survivor in survivors.items()}
        )


def members(conflict: Conflict) -> dict[uuid.UUID, str]:
    return dict(conflict.members.values_list("customer_id", "role"))


class TestOpenConflict:
    def test_keeps_the_question_with_its_evidence_and_when_it_is_due(self) -> None:
        anna, ann, channel = CustomerFactory(), CustomerFactory(), ChannelFactory()
        with audit.change(ACTOR) as trail:
            conflict = open_conflict(
                trail,
                kind=Conflict.Kind.HIGH_CONFIDENCE_IDENTIFIER,
                members={anna.pk: "owner", ann.pk: "claimant"},
                reason="Claimed.",
                scores=[score(anna, ann, 2.5), score(ann, anna, 9.5)],
                channel=channel,
                identifier=Identifier("email", "A@x.org", "a@x.org"),
            )
        assert (conflict.state, conflict.outcome, conflict.weight) == ("open", "", 9.5)
        assert (conflict.channel, conflict.identifier_value) == (channel, "a@x.org")
        assert members(conflict) == {anna.pk: "owner", ann.pk: "claimant"}
        assert conflict.band == band_of(live_policy(), score(ann, anna, 9.5))
        assert timedelta(days=2) < conflict.due_at - timezone.now() <= timedelta(days=3)

    def test_evidence_comes_back_as_it_was_scored_strongest_first(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        weak, strong = score(anna, ann, 1.0), score(ann, anna, 7.0)
        ask(Question("likely_duplicate", {anna.pk: "member", ann.pk: "member"}, "Alike.", (weak, strong)))
        assert conflict_evidence.scores_in(Conflict.objects.get().evidence) == (strong, weak)

    def test_is_audited_and_told_once(self) -> None:
        pair = question(CustomerFactory(), CustomerFactory())
        ask(pair)
        ask(pair)
        assert AuditEntry.objects.get().action == "conflict"
        assert OutboxEvent.objects.get().kind == "conflict.opened"

    def test_p6_the_same_question_is_asked_once_and_has_the_newest_evidence(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        first = ask(question(anna, ann, weight=2.0))
        second = ask(question(ann, anna, weight=5.0))
        assert (len(first.new), second.new, second.refreshed) == (1, (), first.new)
        assert Conflict.objects.get().weight == 5.0

    @pytest.mark.parametrize(("weight", "version"), [(2.0, 1), (5.0, 2)])
    def test_a_form_is_stale_once_the_evidence_is_another(self, weight: float, version: int) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        ask(question(anna, ann, weight=2.0))
        ask(question(anna, ann, weight=weight))
        assert Conflict.objects.get().version == version

    def test_the_strongest_of_equal_questions_in_one_set_is_asked(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        opened = ask(
            question(anna, ann, weight=2.0), question(ann, anna, weight=5.0), question(anna, ann, weight=1.0)
        )
        assert len(opened.new) == 1
        assert Conflict.objects.get().weight == 5.0

    def test_a_question_that_is_done_may_be_asked_again(self) -> None:
        done = ConflictFactory(state="done", outcome="unsure")
        people = list(Customer.objects.filter(conflict_members__conflict=done))
        assert len(ask(question(*people)).new) == 1

    def test_takes_thousands_in_a_few_statements(self) -> None:
        people = CustomerFactory.create_batch(60)
        pairs = [question(people[0], other) for other in people[1:]]
        with CaptureQueriesContext(
            connection,
        ) as few:
            ask(*pairs[:3])
        with CaptureQueriesContext(connection) as many:
            ask(*pairs[3:])
        assert len(many) == len(few)
        assert ConflictMember.objects.count() == 2 * 59

    def test_a_long_reason_is_cut_not_refused(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        ask(Question("likely_duplicate", {anna.pk: "member", ann.pk: "member"}, "x" * 900))
        assert len(Conflict.objects.get().reason) == 500


class TestAnsweredQuestions:
    def judge(self, left: Customer, right: Customer, verdict: str) -> None:
        judge.judge_pair(
            left_id=left.pk, right_id=right.pk, verdict=verdict, reason="", actor=actor_for(steward())
        )

    @pytest.mark.parametrize("verdict", ["different", "related", "unsure"])
    def test_p3_what_a_person_answered_is_not_asked_again(self, verdict: str) -> None:
        anna, ann = CustomerFactory(name="Anna Smith"), CustomerFactory(name="Ann Smith")
        self.judge(anna, ann, verdict)
        assert ask(question(anna, ann)) == Opened((), (), 1)

    def test_a_pair_judged_the_same_is_still_a_question(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        self.judge(anna, ann, "same")
        assert len(ask(question(anna, ann)).new) == 1

    def test_it_is_asked_again_when_the_data_changed_and_says_so(self) -> None:
        anna, ann = CustomerFactory(name="Anna Smith"), CustomerFactory(name="Ann Smith")
        self.judge(anna, ann, "different")
        Customer.objects.filter(pk=ann.pk).update(name="Anna Smith", city="Leeds")
        ask(question(anna, ann))
        reason = Conflict.objects.get().reason
        assert reason.startswith("Decided before, data changed: ")
        assert " said “not the same” on " in reason
        assert "since then name and address changed." in reason

    def test_it_is_answered_for_those_who_absorbed_the_judged(self) -> None:
        anna, ann, annie = CustomerFactory.create_batch(3, name="Anna Smith")
        self.judge(anna, ann, "related")
        Customer.objects.filter(pk=ann.pk).update(status="merged", merged_into=annie)
        assert ask(question(anna, annie)).answered == 1

    def test_a_group_is_asked_about_while_one_pair_is_not_answered(self) -> None:
        anna, ann, bob = CustomerFactory.create_batch(3)
        self.judge(anna, ann, "different")
        assert len(ask(question(anna, ann, bob)).new) == 1

    def test_a_claim_on_an_identifier_is_asked_whatever_was_said_of_the_pair(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        self.judge(anna, ann, "different")
        claimed = question(
            anna, ann, kind="verified_identifier", identifier_type="email", identifier_value="a@x.org"
        )
        assert len(ask(claimed).new) == 1

    def test_what_was_called_right_is_found_by_what_it_asked_among_however_many(self) -> None:
        asked = question(*CustomerFactory.create_batch(2))
        with CaptureQueriesContext(connection) as queries:
            conflicts.leave_out_accepted([asked])
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute(f"EXPLAIN {queries[0]['sql']}")
            assert "conflict_by_question" in str(cursor.fetchall())


class TestRetargetConflicts:
    def test_an_absorbed_member_is_replaced_by_its_survivor(self) -> None:
        anna, ann, bob = CustomerFactory.create_batch(3)
        conflict = ConflictFactory(members=[ann, bob])
        assert retarget({ann: anna}) == Retargeted(closed=0, renamed=1)
        conflict.refresh_from_db()
        assert set(members(conflict)) == {anna.pk, bob.pk}
        assert (conflict.members_key, conflict.version) == (conflicts.name_members([bob.pk, anna.pk]), 2)

    def test_a_question_the_merge_answered_is_closed_as_merged(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        conflict = ConflictFactory(members=[anna, ann])
        assert retarget({ann: anna}) == Retargeted(closed=1, renamed=0)
        conflict.refresh_from_db()
        assert (conflict.state, conflict.outcome, conflict.version) == ("done", "merged", 2)
        assert AuditEntry.objects.get().metadata["conflict"] == conflict.pk

    def test_a_claimed_question_that_is_closed_frees_its_lease(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        conflict = ConflictFactory(
            members=[anna, ann], state="claimed", assignee=steward(), leased_until=timezone.now()
        )
        retarget({ann: anna})
        conflict.refresh_from_db()
        assert (conflict.state, conflict.leased_until) == ("done", None)

    def test_two_questions_that_become_one_leave_one(self) -> None:
        anna, ann, bob = CustomerFactory.create_batch(3)
        kept, doubled = ConflictFactory(members=[anna, bob]), ConflictFactory(members=[ann, bob])
        assert retarget({ann: anna}) == Retargeted(closed=1, renamed=0)
        kept.refresh_from_db()
        doubled.refresh_from_db()
        assert (kept.state, doubled.state, doubled.outcome) == ("open", "done", "closed")

    def test_two_touched_questions_that_become_one_leave_one(self) -> None:
        anna, ann, annie, bob = CustomerFactory.create_batch(4)
        ConflictFactory(members=[ann, bob])
        ConflictFactory(members=[annie, bob])
        assert retarget({ann: anna, annie: anna}) == Retargeted(closed=1, renamed=1)
        assert Conflict.objects.exclude(state="done").get().members_key == conflicts.name_members(
            [anna.pk, bob.pk]
        )

    def test_of_two_roles_that_meet_the_owner_stays(self) -> None:
        anna, ann, bob = CustomerFactory.create_batch(3)
        roles = {bob.pk: "member", ann.pk: "owner", anna.pk: "claimant"}
        with audit.change(ACTOR) as trail:
            conflict = open_conflict(trail, kind="contradiction", members=roles, reason="Three.")
        retarget({ann: anna})
        assert members(conflict) == {anna.pk: "owner", bob.pk: "member"}

    def test_a_question_about_an_identifier_stays_apart_from_one_about_another(self) -> None:
        anna, ann, bob = CustomerFactory.create_batch(3)
        for value in ("a@x.org", "b@x.org"):
            ask(
                question(
                    ann, bob, kind="verified_identifier", identifier_type="email", identifier_value=value
                )
            )
        assert retarget({ann: anna}) == Retargeted(closed=0, renamed=2)

    def test_questions_that_are_done_keep_naming_whom_they_were_about(self) -> None:
        anna, ann, bob = CustomerFactory.create_batch(3)
        done = ConflictFactory(members=[ann, bob], state="done", outcome="different")
        assert retarget({ann: anna}) == Retargeted(closed=0, renamed=0)
        assert set(members(done)) == {ann.pk, bob.pk}

    def test_takes_the_same_statements_for_two_merges_as_for_many(self) -> None:
        anna, bob = CustomerFactory(), CustomerFactory()
        absorbed = CustomerFactory.create_batch(40)
        for row in absorbed:
            ConflictFactory(members=[row, bob])
            ConflictFactory(members=[row, CustomerFactory()])
        retarget({absorbed[0]: anna})
        with CaptureQueriesContext(connection) as few:
            retarget(dict.fromkeys(absorbed[1:3], anna))
        with CaptureQueriesContext(connection) as many:
            retarget(dict.fromkeys(absorbed[3:], anna))
        assert len(many) == len(few)


class TestTransitions:
    def test_every_state_says_where_it_may_go(self) -> None:
        assert set(conflict_states.TRANSITIONS) == set(Conflict.State.values)
        assert set().union(*conflict_states.TRANSITIONS.values()) <= set(Conflict.State.values)

    def test_nothing_comes_back_from_done(self) -> None:
        conflict = ConflictFactory(state="done", outcome="merged")
        with pytest.raises(IllegalTransition, match=f"Conflict {conflict.pk} is done; it cannot be claimed"):
            conflict_states.check_transition(conflict, "claimed")

    def test_what_awaits_approval_can_only_be_returned_or_done(self) -> None:
        assert conflict_states.TRANSITIONS["decided"] == {"returned", "done"}
        assert conflict_states.states_before("returned") == ["decided"]

    def test_the_database_refuses_a_state_it_does_not_know(self) -> None:
        with pytest.raises(IntegrityError, match="conflict_state_known"), transaction.atomic():
            ConflictFactory(state="lost")

    def test_closing_closes_the_living_only_and_counts_them(self) -> None:
        live, done = ConflictFactory(), ConflictFactory(state="done", outcome="merged")
        with audit.change(ACTOR) as trail:
            closed = live_questions.close_conflicts(
                trail, [live.pk, done.pk], outcome="closed", reason="no longer alike"
            )
        done.refresh_from_db()
        assert (closed, done.outcome) == (1, "merged")


@pytest.mark.django_db(transaction=True)
class TestConcurrentQuestions:
    def test_p6_the_same_question_asked_by_many_at_once_is_one_conflict(self) -> None:
        pair = question(CustomerFactory(), CustomerFactory())
        opened = all_at_once([lambda: ask(pair)] * 12)
        assert sum(len(entry.new) for entry in opened) == 1
        assert Conflict.objects.get().members.count() == 2

    def test_p6_a_question_asked_while_a_merge_comes_to_ask_it_leaves_one(self) -> None:
        anna, ann, bob = CustomerFactory.create_batch(3)
        ConflictFactory(members=[ann, bob])
        done = met_by(
            lambda: retarget({ann: anna}),
            first=lambda: ConflictFactory(members=[anna, bob]),
            then=lambda: None,
        )
        assert done == Retargeted(closed=1, renamed=0)
        assert set(members(Conflict.objects.exclude(state="done").get())) == {anna.pk, bob.pk}

    def test_questions_are_asked_in_one_order_whatever_the_callers(self) -> None:
        people = CustomerFactory.create_batch(8)
        asked = [question(people[0], other) for other in people[1:]]
        ask(*sorted(asked, key=lambda entry: entry.key, reverse=True))
        written = list(Conflict.objects.order_by("pk").values_list("members_key", flat=True))
        assert written == sorted(written)
