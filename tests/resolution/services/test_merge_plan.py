"""The plan: everything decided before anything is touched."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from resolution.services.merge_plan import (
    CustomerFacts,
    IdentifierFact,
    Picks,
    ValueFact,
    choose_survivor,
    plan_hash,
    plan_merge,
)
from resolution.types import DifferenceFact, MergePlan

FIELDS = (
    "name", "given_name", "family_name", "email", "birth_date",
    "address", "postcode", "city", "region", "country",
)  # fmt: skip
LIMITS = dict.fromkeys(FIELDS, 255)
MOMENT = datetime(2024, 5, 1, tzinfo=UTC)


def facts(id: str, **fields: object) -> CustomerFacts:
    values = {name: ValueFact(str(fields.pop(name, ""))) for name in FIELDS}
    defaults: dict[str, object] = {
        "name": values["name"].value or id, "status": "active", "merged_into": "", "version": 1,
        "created_at": MOMENT, "interactions": 0,
    }  # fmt: skip
    return CustomerFacts(id=id, values=values, **(defaults | fields))


def link(row_id: str, *, status: str = "active", value: str = "x@x.org", **more: object) -> IdentifierFact:
    known: dict[str, object] = {"verified": False, "confidence": 1.0}
    return IdentifierFact(row_id, "web", "email", value, status, **(known | more))


def plan(
    *members: CustomerFacts,
    survivor_id: str | None = "a",
    picks: Picks | None = None,
    different: tuple[DifferenceFact, ...] = (),
) -> MergePlan:
    return plan_merge(
        members=members, survivor_id=survivor_id, picks=picks, limits=LIMITS, different=different
    )


def blocker(made: MergePlan) -> str:
    [sentence] = made.blockers
    return sentence


class TestPlanMerge:
    def test_names_every_fields_winner_with_its_source_and_rule(self) -> None:
        made = plan(facts("a", name="Anna"), facts("b", email="b@x.org"))
        chosen = {choice.field: (choice.value, choice.source, choice.rule) for choice in made.fields}
        assert chosen["name"] == ("Anna", "a", "only")
        assert chosen["email"] == ("b@x.org", "b", "only")

    def test_lists_every_row_that_moves(self) -> None:
        absorbed = facts("b", rows={"messages": ("m1", "m2"), "tickets": ("t1",)}, identifiers=(link("i1"),))
        made = plan(facts("a", rows={"messages": ("m0",)}), absorbed)
        assert made.rows_by_relation() == {"mappings": 1, "messages": 2, "tickets": 1}
        assert {move.owner for move in made.moves} == {"b"}

    def test_takes_any_number_of_members(self) -> None:
        made = plan(*(facts(id) for id in "dcba"))
        assert made.absorbed == ("b", "c", "d")

    def test_one_address_is_kept_together_when_only_length_tells(self) -> None:
        long_street = facts("a", address="Langer Weg 17 Hinterhaus", city="Ulm")
        long_town = facts("b", address="Weg 1", city="Bad Neuenahr")
        chosen = {choice.field: choice.source for choice in plan(long_street, long_town).fields}
        assert chosen["address"] == chosen["city"] == "a"

    def test_attributes_are_joined_and_the_survivors_stand(self) -> None:
        made = plan(facts("a", attributes={"vip": True}), facts("b", attributes={"vip": False, "size": "M"}))
        joined = next(choice for choice in made.fields if choice.field == "attributes")
        assert joined.value == '{"size": "M", "vip": true}'
        assert joined.before == '{"vip": true}'

    def test_the_latest_interaction_is_kept(self) -> None:
        made = plan(facts("a"), facts("b", last_interaction_at=MOMENT))
        assert made.fields[-1].field == "last_interaction_at"
        assert made.fields[-1].value == MOMENT.isoformat()


class TestCollapses:
    def test_the_owning_link_stays_and_the_shared_one_folds_on_either_side(self) -> None:
        made = plan(
            facts("a", identifiers=(link("a1", status="shared"),)), facts("b", identifiers=(link("b1"),))
        )
        [fold] = made.collapses
        assert (fold.row_id, fold.owner, fold.before) == ("a1", "a", (("status", "shared"),))
        assert [move.row_id for move in made.moves] == ["b1"]

    def test_of_two_shared_links_the_verified_one_stays(self) -> None:
        made = plan(
            facts("a", identifiers=(link("a1", status="shared"),)),
            facts("b", identifiers=(link("b1", status="shared", verified=True),)),
        )
        assert [fold.row_id for fold in made.collapses] == ["a1"]

    def test_of_two_equal_shared_links_the_survivors_stays(self) -> None:
        shared = [facts(id, identifiers=(link(f"{id}1", status="shared"),)) for id in "abc"]
        assert [fold.row_id for fold in plan(*shared, survivor_id="b").collapses] == ["a1", "c1"]

    def test_an_ended_link_folds_with_nothing_and_moves(self) -> None:
        made = plan(
            facts("a", identifiers=(link("a1"),)), facts("b", identifiers=(link("b1", status="ended"),))
        )
        assert made.collapses == ()
        assert [move.row_id for move in made.moves] == ["b1"]


class TestChooseSurvivor:
    def test_most_interactions_come_first(self) -> None:
        assert choose_survivor([facts("a", name="Anna"), facts("b", interactions=3)]) == "b"

    def test_then_the_most_complete(self) -> None:
        assert choose_survivor([facts("a"), facts("b", name="Anna")]) == "b"

    def test_then_the_oldest(self) -> None:
        young = facts("a", created_at=datetime(2025, 1, 1, tzinfo=UTC))
        assert choose_survivor([young, facts("b")]) == "b"

    def test_the_plan_chooses_by_it_when_nobody_is_named(self) -> None:
        assert plan(facts("a"), facts("b", interactions=1), survivor_id=None).survivor == "b"


class TestBlockers:
    def test_one_customer_is_no_merge(self) -> None:
        assert "at least two" in blocker(plan(facts("a")))

    def test_a_customer_with_itself_is_no_merge(self) -> None:
        assert "at least two different" in blocker(plan(facts("a"), facts("a")))

    def test_a_merged_member_is_named_with_its_survivor(self) -> None:
        gone = facts("b", name="Bea", status="merged", merged_into="z")
        assert blocker(plan(facts("a"), gone)) == "Bea (b) was already merged into z; merge that one."

    def test_an_erased_member_is_named(self) -> None:
        assert "Customer b was erased" in blocker(plan(facts("a"), facts("b", status="erased")))

    def test_the_survivor_must_be_a_member(self) -> None:
        assert "survivor z is not one" in blocker(plan(facts("a"), facts("b"), survivor_id="z"))

    def test_p3_a_judgement_inside_says_who_and_when(self) -> None:
        word = DifferenceFact("a", "b", "Ann", MOMENT)
        sentence = blocker(plan(facts("a", name="Eva"), facts("b", name="Eve"), different=(word,)))
        assert sentence.startswith("Ann judged Eva and Eve not the same on 01 May 2024")

    def test_a_plan_with_blockers_moves_nothing(self) -> None:
        made = plan(facts("a"), facts("b", status="erased", identifiers=(link("b1"),)))
        assert (made.fields, made.moves, made.collapses) == ((), (), ())

    @pytest.mark.parametrize(
        ("picks", "expected"),
        [
            ({"shoe_size": "a"}, "no field “shoe_size”"),
            ({"name": "z"}, "cannot be taken from z"),
            ({"name": {"typed": "x" * 256}}, "256 characters; at most 255"),
            ({"name": {"typed": "Anna\0"}}, "NUL"),
            ({"birth_date": {"typed": "31.12.80"}}, "write it as 1980-12-31"),
            ({"birth_date": {"typed": "19801231"}}, "write it as 1980-12-31"),
            ({"birth_date": {"typed": "2999-01-01"}}, "birth date is 2999-01-01; a day from 1850-01-01 to"),
            ({"name": {"written": "Anna"}}, "customer's id or a typed text"),
            ({"name": {"typed": 7}}, "customer's id or a typed text"),
        ],
    )
    def test_a_pick_that_cannot_be_followed_is_named(self, picks: Picks, expected: str) -> None:
        assert expected in blocker(plan(facts("a"), facts("b"), picks=picks))

    def test_an_empty_typed_birth_date_is_fine(self) -> None:
        made = plan(facts("a", birth_date="1980-12-31"), facts("b"), picks={"birth_date": {"typed": ""}})
        assert made.blockers == ()


class TestPlanHash:
    def test_is_the_same_whatever_the_order_of_the_members(self) -> None:
        assert plan_hash(plan(facts("a"), facts("b"))) == plan_hash(plan(facts("b"), facts("a")))

    def test_a_message_that_arrives_changes_nothing(self) -> None:
        busier = facts("b", rows={"messages": ("m1",)}, last_interaction_at=MOMENT)
        assert plan_hash(plan(facts("a"), busier)) == plan_hash(plan(facts("a"), facts("b")))

    @pytest.mark.parametrize("change", [{"version": 2}, {"values": {"email": ValueFact("new@x.org")}}])
    def test_a_changed_member_changes_it(self, change: dict[str, object]) -> None:
        member = facts("b")
        if "values" in change:
            change = {"values": {**member.values, **change["values"]}}
        assert plan_hash(plan(facts("a"), replace(member, **change))) != plan_hash(plan(facts("a"), member))
