"""What leaned on a value is looked at again: after a block, a limit, an undo."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from procrastinate.contrib.django.models import ProcrastinateJob

from customers.models import Customer
from resolution.errors import IllegalTransition, StaleVersion
from resolution.models import AuditEntry, BlockedValue, Conflict, IdentifierRule, Merge
from resolution.selectors.reach import Reach
from resolution.services import blocks, reevaluate
from resolution.services.blocks import preview_block, retire_block
from resolution.services.decide import decide_conflict
from resolution.services.link import link_customer_identifier
from resolution.services.merge import merge_customers
from resolution.services.profiles import create_customer, update_profile
from resolution.services.queue import claim
from resolution.services.reevaluate import reevaluate_value
from resolution.services.unmerge import undo_merge
from tests.factories import ChannelFactory, ConflictFactory, CustomerFactory, actor_for, steward
from tests.resolution.services.blocks.scene import ACTOR, TILL, block, joined, person
from tests.resolution.services.waiting import elsewhere, met_by
from tests.resolution.worker import work

pytestmark = pytest.mark.django_db


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


@pytest.mark.django_db(transaction=True)
class TestMetByOthers:
    """Questions of two that have the value and a third that has not, while another session is at work."""

    @pytest.fixture
    def third(self) -> Customer:
        return create_customer(fields={"name": "Boris Okonkwo"}, actor=ACTOR)

    @pytest.fixture
    def asked(self, third: Customer) -> Conflict:
        same = {"given_name": "Anna", "family_name": "Smithers", "birth_date": "1980-02-13"}
        return ConflictFactory(members=[person(1, **same), person(2), third], weight=17.0)

    @staticmethod
    def like_the_first(third: Customer) -> object:
        fields = {"name": "", "given_name": "Anna", "family_name": "Smithers", "birth_date": "1980-02-13"}
        return update_profile(customer_id=third.pk, version=1, changes=fields, actor=ACTOR)

    def test_a_third_that_changes_first_is_weighed_as_it_is_then(
        self, asked: Conflict, third: Customer
    ) -> None:
        met_by(block, first=lambda: self.like_the_first(third), then=lambda: None)

        asked.refresh_from_db()
        assert (asked.state, asked.version) == ("open", 2)

    def test_a_third_that_would_change_meanwhile_waits_for_the_block(
        self, asked: Conflict, third: Customer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = blocks.measure_reach
        with elsewhere(lambda: self.like_the_first(third)) as change:
            begun = []

            def measured_then(*args: Any) -> Reach:
                found = real(*args)
                begun.append(change())
                assert not begun[0].done()
                return found

            monkeypatch.setattr(blocks, "measure_reach", measured_then)
            block()
            begun[0].result()

        asked.refresh_from_db()
        assert (asked.state, asked.outcome) == ("done", "closed")
        assert Customer.objects.get(pk=third.pk).given_name == "Anna"

    def test_one_that_a_steward_claims_meanwhile_is_not_closed_under_their_hands(
        self, asked: Conflict, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real, me = blocks.measure_reach, actor_for(steward())
        with elsewhere(lambda: claim(conflict_id=asked.pk, actor=me)) as claiming:
            begun = []

            def measured_then(*args: Any) -> Reach:
                found = real(*args)
                begun.append(claiming())
                return found

            monkeypatch.setattr(blocks, "measure_reach", measured_then)
            block()
            with pytest.raises(IllegalTransition):
                begun[0].result()

        asked.refresh_from_db()
        assert (asked.state, asked.assignee) == ("done", None)


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
