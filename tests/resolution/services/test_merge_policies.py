"""The rules on second persons in force: what passes at once, what waits, who may undo, what changes."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from customers.models import Customer
from resolution.errors import InvalidInput, MakerUndoes, MergeBlocked, NotFound, NotPermitted, StaleVersion
from resolution.models import AuditEntry, Conflict, Merge, MergePolicy, MergeProposal
from resolution.selectors.merge_policy import merge_rules, rules_of, what_if
from resolution.services import audit
from resolution.services.api_keys import make_api_key
from resolution.services.approve import approve_proposal, propose_merge, reject_proposal
from resolution.services.decide import decide_conflict
from resolution.services.judge import judge_pair
from resolution.services.merge import merge_customers
from resolution.services.merge_policies import PolicyChange, change_policies
from resolution.services.queue import claim
from resolution.services.second_person import Rules
from resolution.services.unmerge import undo_merge
from resolution.types import Actor
from tests.factories import ConflictFactory, CustomerFactory, MessageFactory, actor_for, lead, steward

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> Actor:
    return actor_for(steward(username="ann"))


@pytest.fixture
def lea() -> Actor:
    return actor_for(lead(username="lea"))


def switch(**rules: bool) -> None:
    for rule, enabled in rules.items():
        MergePolicy.objects.filter(rule=rule).update(enabled=enabled)


def propose(actor: Actor, *members: Customer, **form: Any) -> MergeProposal:
    rows = members or CustomerFactory.create_batch(2)
    return propose_merge(member_ids=[row.pk for row in rows], survivor_id=rows[0].pk, actor=actor, **form)


def fresh(row: Any) -> Any:
    return type(row).objects.get(pk=row.pk)


def change(rule: str, actor: Actor, version: int = 1, **news: Any) -> MergePolicy:
    [row] = change_policies(changes=[PolicyChange(rule, version, **news)], actor=actor)
    return row


class TestAsShipped:
    def test_the_rules_are_those_the_code_begins_with(self) -> None:
        assert merge_rules() == Rules()

    def test_p9_every_merge_waits_with_its_reason(self, ann: Actor) -> None:
        proposal = propose(ann)
        assert (proposal.state, proposal.merge) == ("pending", None)
        assert [reason["rule"] for reason in proposal.reasons] == ["everything"]

    def test_p9_the_database_lets_none_pass(self, ann: Actor, lea: Actor) -> None:
        done = approve_proposal(proposal_id=propose(ann).pk, actor=lea)
        with pytest.raises(IntegrityError, match="every merge needs a second person"), transaction.atomic():
            MergeProposal.objects.filter(pk=done.pk).update(state="passed", approver=None, reasons=[])


class TestPassing:
    @pytest.fixture(autouse=True)
    def _not_everything(self) -> None:
        switch(everything=False)

    def test_where_no_rule_applies_the_merge_is_done_at_once_and_can_be_undone(
        self, ann: Actor, lea: Actor
    ) -> None:
        anna, eve = CustomerFactory.create_batch(2)
        proposal = propose(ann, anna, eve)
        assert (proposal.state, proposal.approver, proposal.reasons) == ("passed", None, [])
        assert fresh(eve).merged_into == anna
        undo_merge(merge_id=Merge.objects.get().pk, actor=lea)
        assert fresh(eve).status == "active"

    def test_p5_the_trail_says_that_it_passed_and_by_which_rules(self, ann: Actor) -> None:
        propose(ann)
        actions = AuditEntry.objects.order_by("sequence").values_list("action", flat=True)
        assert list(actions) == ["propose", "merge", "merge", "pass"]
        entry = AuditEntry.objects.get(action="pass")
        assert (entry.actor_name, entry.metadata["rules"]["everything"]) == ("ann", False)
        assert entry.metadata["merge"] == Merge.objects.get().pk
        assert audit.find_break() is None

    def test_its_conflict_is_done(self, ann: Actor) -> None:
        conflict = claim(conflict_id=ConflictFactory().pk, actor=ann)
        done = decide_conflict(conflict_id=conflict.pk, decision="same", version=conflict.version, actor=ann)
        assert (done.state, done.outcome) == ("done", "merged")

    def test_a_conflict_that_asks_about_others_too_goes_back(self, ann: Actor) -> None:
        members = CustomerFactory.create_batch(3)
        conflict = claim(conflict_id=ConflictFactory(members=members).pk, actor=ann)
        propose(ann, *members[:2], conflict_id=conflict.pk)
        returned = Conflict.objects.get()
        assert (returned.state, returned.assignee_id) == ("returned", ann.user_id)

    @pytest.mark.parametrize(
        ("rule", "make"),
        [
            ("typed_value", lambda: ({}, {}, {"picks": {"city": {"typed": "Ulm"}}})),
            ("vip", lambda: ({"attributes": {"vip": True}}, {}, {})),
            (
                "hard_conflict",
                lambda: ({"birth_date": "1980-01-01"}, {"birth_date": "1990-12-31"}, {}),
            ),
        ],
    )
    def test_p9_what_a_rule_names_waits(
        self, ann: Actor, rule: str, make: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, other, form = make()
        if rule == "hard_conflict":
            monkeypatch.setattr("resolution.services.approve.contradict_hard", lambda groups: [True])
        proposal = propose(ann, CustomerFactory(**one), CustomerFactory(**other), **form)
        assert (proposal.state, [reason["rule"] for reason in proposal.reasons]) == ("pending", [rule])
        assert not Merge.objects.exists()

    @pytest.mark.parametrize("word", ["same", "related", "unsure"])
    def test_p9_whoever_took_a_different_back_does_not_merge_alone(
        self, ann: Actor, lea: Actor, word: str
    ) -> None:
        anna, eve = CustomerFactory.create_batch(2)
        pair = {"left_id": anna.pk, "right_id": eve.pk, "reason": ""}
        judge_pair(**pair, verdict="different", actor=lea)
        judge_pair(**pair, verdict=word, actor=ann)
        proposal = propose(ann, anna, eve)
        assert (proposal.state, [reason["rule"] for reason in proposal.reasons]) == (
            "pending",
            ["hard_conflict"],
        )

    def test_what_a_colleague_took_back_is_seen_by_two_already(self, ann: Actor, lea: Actor) -> None:
        anna, eve = CustomerFactory.create_batch(2)
        pair = {"left_id": anna.pk, "right_id": eve.pk, "reason": ""}
        judge_pair(**pair, verdict="different", actor=lea)
        judge_pair(**pair, verdict="same", actor=actor_for(steward()))
        assert propose(ann, anna, eve).state == "passed"

    def test_p9_many_records_wait(self, ann: Actor, lea: Actor) -> None:
        change("many_records", lea, number=3)
        anna, eve = CustomerFactory.create_batch(2)
        MessageFactory.create_batch(3, customer=eve)
        assert propose(ann, anna, eve).reasons[0]["sentence"].startswith("3 records move")

    def test_p3_what_was_judged_different_does_not_pass(self, ann: Actor) -> None:
        anna, eve = CustomerFactory.create_batch(2)
        judge_pair(left_id=anna.pk, right_id=eve.pk, verdict="different", reason="", actor=ann)
        with pytest.raises(MergeBlocked):
            propose(ann, anna, eve)

    def test_p9_the_database_refuses_one_that_had_a_reason(self, ann: Actor) -> None:
        done = propose(ann)
        with pytest.raises(IntegrityError, match="p9_passed_had_no_reason"), transaction.atomic():
            MergeProposal.objects.filter(pk=done.pk).update(reasons=[{"rule": "vip", "sentence": "VIP."}])


class TestUndoing:
    def approved(self, ann: Actor, lea: Actor) -> int:
        done = approve_proposal(proposal_id=propose(ann).pk, actor=lea)
        assert done.merge_id is not None
        return done.merge_id

    def test_as_shipped_a_lead_undoes_what_they_approved(self, ann: Actor, lea: Actor) -> None:
        assert undo_merge(merge_id=self.approved(ann, lea), actor=lea).undone_by == "lea"

    def test_p9_with_its_rule_on_another_person_has_to(self, ann: Actor, lea: Actor) -> None:
        merge_id = self.approved(ann, lea)
        switch(unmerge=True)
        for maker in (ann, lea):
            with pytest.raises(MakerUndoes, match="a rule wants another person"):
                undo_merge(merge_id=merge_id, actor=maker)
        assert undo_merge(merge_id=merge_id, actor=actor_for(lead(username="leo"))).undone_by == "leo"

    def test_p9_who_made_it_by_a_key_is_known_in_person_and_the_other_way_round(self) -> None:
        lea, leo = lead(username="lea"), lead(username="leo")
        make_api_key(name="lea's own", user=lea, scopes=["merge"], days=1, actor=actor_for(leo))
        by_key = Actor(kind="service", name="lea's own", user_id=lea.pk)
        switch(unmerge=True)
        for maker, undoer in ((by_key, actor_for(lea)), (actor_for(lea), by_key)):
            members = [row.pk for row in CustomerFactory.create_batch(2)]
            merge = merge_customers(member_ids=members, actor=maker)
            with pytest.raises(MakerUndoes):
                undo_merge(merge_id=merge.pk, actor=undoer)
            assert undo_merge(merge_id=merge.pk, actor=actor_for(leo)).undone_by == "leo"


class TestChanging:
    def test_a_rule_is_changed_audited_and_in_force(self, lea: Actor) -> None:
        row = change("many_records", lea, number=7, enabled=True)
        assert (row.number, row.version, row.changed_by_id) == (7, 2, lea.user_id)
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.resolution_method) == ("policy", "many_records")
        assert (entry.metadata["old"], entry.metadata["new"]) == ({"number": 50}, {"number": 7})
        assert merge_rules().many_records == 7

    def test_what_stays_as_it_is_leaves_no_trace(self, lea: Actor) -> None:
        assert change("vip", lea, attribute="vip", enabled=True).version == 1
        assert not AuditEntry.objects.exists()

    def test_an_older_version_is_refused_and_nothing_is_changed(self, lea: Actor) -> None:
        change("bulk", lea, enabled=False)
        with pytest.raises(StaleVersion, match="is at version 2, and you saw 1"):
            change_policies(
                changes=[PolicyChange("vip", 1, enabled=False), PolicyChange("bulk", 1, enabled=True)],
                actor=lea,
            )
        assert MergePolicy.objects.get(rule="vip").enabled

    @pytest.mark.parametrize(
        ("rule", "news", "sentence"),
        [
            ("many_records", {"number": 0}, "0 records were given; a number from 1"),
            ("vip", {"number": 5}, "vip has no number; only many_records has"),
            ("vip", {"attribute": "  "}, "has 0 characters; 1 to 60 are wanted"),
            ("bulk", {"attribute": "vip"}, "bulk has no attribute; only vip has"),
        ],
    )
    def test_what_a_rule_cannot_be_is_refused(
        self, lea: Actor, rule: str, news: dict[str, Any], sentence: str
    ) -> None:
        with pytest.raises(InvalidInput, match=sentence):
            change(rule, lea, **news)

    def test_an_unknown_rule_is_named_with_those_there_are(self, lea: Actor) -> None:
        with pytest.raises(NotFound, match="no rule “weather”; there are everything, "):
            change("weather", lea, enabled=True)

    def test_a_machine_changes_none(self) -> None:
        with pytest.raises(NotPermitted):
            change("everything", Actor.machine("night run"), enabled=False)

    def test_a_rule_without_its_row_asks_a_second_person(self) -> None:
        assert rules_of([]).everything


class TestWhatIf:
    def test_counts_how_many_of_the_last_would_have_needed_a_second_person(
        self, ann: Actor, lea: Actor
    ) -> None:
        approve_proposal(proposal_id=propose(ann).pk, actor=lea)
        reject_proposal(proposal_id=propose(ann, picks={"city": {"typed": "Ulm"}}).pk, actor=lea)
        propose(ann)
        by_rule = what_if(Rules(everything=False))
        assert (by_rule.decided, by_rule.needing) == (2, 1)
        assert [(rule.rule, rule.number) for rule in by_rule.rules] == [("typed_value", 1)]
        assert what_if(Rules()).needing == 2

    def test_says_which_are_too_old_to_tell(self, ann: Actor, lea: Actor) -> None:
        approve_proposal(proposal_id=propose(ann).pk, actor=lea)
        MergeProposal.objects.update(circumstances={})
        outlook = what_if(Rules())
        assert (outlook.decided, outlook.unknown, outlook.needing) == (1, 1, 0)
