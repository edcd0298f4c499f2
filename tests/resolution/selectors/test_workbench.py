"""Side by side: rows a template only lays out."""

from __future__ import annotations

import uuid
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.models import Customer
from resolution.errors import InvalidInput, NotFound, UnknownCustomer
from resolution.matching.kernel import score_pair
from resolution.selectors.field_rows import FieldRow, Segment, compare_texts
from resolution.selectors.match_model import live_model
from resolution.selectors.profiles import load_profiles
from resolution.selectors.workbench import FIRST_COLUMNS, Workbench, side_by_side
from resolution.services import judge
from resolution.services.merge import preview_merge
from resolution.types import Actor
from tests.factories import (
    ChannelFactory,
    ConflictFactory,
    CustomerFactory,
    MappingFactory,
    MessageFactory,
    SourceRecordFactory,
    TicketFactory,
)


class TestCompareTexts:
    def test_marks_the_characters_that_differ(self) -> None:
        assert compare_texts("Smyth", "Smith") == (
            Segment("Sm", False), Segment("y", True), Segment("th", False),
        )  # fmt: skip

    def test_marks_what_the_other_lacks(self) -> None:
        assert compare_texts("Anna", "Ann") == (Segment("Ann", False), Segment("a", True))

    def test_equal_texts_do_not_differ(self) -> None:
        assert compare_texts("Anna", "Anna") == (Segment("Anna", False),)

    def test_nothing_differs_from_a_missing_value(self) -> None:
        assert compare_texts("Anna", "") == (Segment("Anna", False),)
        assert compare_texts("", "Anna") == ()

    def test_values_with_little_in_common_differ_as_wholes(self) -> None:
        assert compare_texts("Marcia", "Benjamin") == (Segment("Marcia", True),)

    @pytest.mark.parametrize(("text", "other"), [("Köln", "Koeln"), ("a" * 300, "b"), ("山田", "山本太郎")])
    def test_the_segments_are_the_text(self, text: str, other: str) -> None:
        segments = compare_texts(text, other)
        assert "".join(segment.text for segment in segments) == text
        assert all(a.differs != b.differs for a, b in pairwise(segments))


def bench(*members: Customer, **options: Any) -> Workbench:
    return side_by_side(member_ids=[row.pk for row in members], **options)


def field(made: Workbench, name: str) -> FieldRow:
    return next(row for row in made.fields if row.field == name)


@pytest.mark.django_db
class TestSideBySide:
    def test_has_a_column_for_each_customer_with_its_numbers(self) -> None:
        anna, ann = CustomerFactory(name="Anna"), CustomerFactory(name="Ann")
        MessageFactory.create_batch(2, customer=ann)
        TicketFactory(customer=ann)
        MappingFactory(customer=anna)
        columns = {column.name: column for column in bench(anna, ann).columns}
        assert (columns["Ann"].messages, columns["Ann"].tickets, columns["Anna"].identifiers) == (2, 1, 1)
        assert (columns["Ann"].survivor, columns["Anna"].survivor) == (True, False)

    def test_says_of_each_field_what_differs_and_what_wins_by_which_rule(self) -> None:
        anna, ann = CustomerFactory(city="Bonn", country="DE"), CustomerFactory(city="Ulm", country="DE")
        SourceRecordFactory(customer=anna, data={"city": "Bonn"}, channel__trust=90, channel__name="Shop")
        made = bench(anna, ann)
        city, country = field(made, "city"), field(made, "country")
        assert (city.differs, city.result, city.rule, city.source) == (True, "Bonn", "trusted", str(anna.pk))
        assert city.rule_label == "most trusted channel, the whole address"
        assert {cell.value: (cell.wins, cell.channels) for cell in city.cells} == {
            "Bonn": (True, "Shop"), "Ulm": (False, ""),
        }  # fmt: skip
        assert (country.differs, made.differing) == (False, 1)

    def test_says_over_the_evidence_what_it_speaks_for(self) -> None:
        anna = {"given_name": "Anna", "family_name": "Smith", "birth_date": "1980-02-13"}
        hans = {"given_name": "Hans", "family_name": "Okonkwo", "birth_date": "1955-11-30"}
        assert bench(CustomerFactory(**anna), CustomerFactory(**anna)).why_heading == "Why they may be one"
        assert bench(CustomerFactory(**anna), CustomerFactory(**hans)).why_heading == "Why they may be two"

    def test_marks_differing_characters(self) -> None:
        made = bench(CustomerFactory(family_name="Smith"), CustomerFactory(family_name="Smyth"))
        cells = field(made, "family_name").cells
        marked = [[part.text for part in cell.segments if part.differs] for cell in cells]
        assert sorted(marked) == [["i"], ["y"]]

    def test_follows_picks_and_the_chosen_survivor(self) -> None:
        anna, ann = CustomerFactory(city="Bonn"), CustomerFactory(city="Ulm")
        picks = {"city": str(ann.pk), "name": {"typed": "Anna Smith"}}
        made = bench(anna, ann, survivor_id=anna.pk, picks=picks)
        assert made.plan.survivor == str(anna.pk)
        assert (field(made, "city").result, field(made, "city").picked) == ("Ulm", True)
        assert (field(made, "name").result, field(made, "name").typed) == ("Anna Smith", True)

    def test_shows_the_plan_that_a_merge_follows(self) -> None:
        anna, ann = CustomerFactory(city="Bonn"), CustomerFactory(phone="+4930123456")
        MessageFactory.create_batch(3, customer=ann)
        MappingFactory(customer=ann)
        made = bench(anna, ann, survivor_id=anna.pk)
        preview = preview_merge(member_ids=[anna.pk, ann.pk], survivor_id=anna.pk)
        assert made.plan.fields == preview.fields
        assert {row.relation: row.number for row in made.moved} == preview.rows_by_relation()

    def test_lines_up_identifiers_with_who_holds_them(self) -> None:
        channel = ChannelFactory()
        anna, ann = CustomerFactory(), CustomerFactory()
        MappingFactory(customer=anna, channel=channel, channel_identifier="all@x.org", verified=True)
        MappingFactory(customer=ann, channel=channel, channel_identifier="all@x.org", status="shared")
        MappingFactory(customer=ann, channel=channel, channel_identifier="old@x.org", status="ended")
        made = bench(anna, ann)
        [row] = made.identifiers
        holders = dict(zip((column.customer_id for column in made.columns), row.holders, strict=True))
        assert {key: (holder.status, holder.verified) for key, holder in holders.items()} == {
            str(anna.pk): ("active", True), str(ann.pk): ("shared", False),
        }  # fmt: skip
        assert (row.shared, made.collapsing) == (True, 1)

    def test_p7_gives_the_evidence_a_run_would_give(self) -> None:
        anna = CustomerFactory(given_name="Anna", family_name="Smith", email="anna.smith@x.org")
        ann = CustomerFactory(given_name="Ann", family_name="Smith", email="anna.smith@x.org")
        [pair] = bench(anna, ann).pairs
        profiles = load_profiles([anna.pk, ann.pk])
        score = score_pair(live_model(), profiles[anna.pk], profiles[ann.pk])
        assert pair.weight == score.weight
        assert tuple(step.evidence for step in pair.steps) == score.fields
        assert pair.steps[-1].end == pytest.approx(pair.weight)
        assert field(bench(anna, ann), "email").evidence in score.fields

    def test_compares_every_pair_of_a_group(self) -> None:
        made = bench(*CustomerFactory.create_batch(4))
        assert len({frozenset((pair.left, pair.right)) for pair in made.pairs}) == 6

    def test_takes_the_members_of_a_conflict_with_their_roles_and_its_words(self) -> None:
        anna, ann = CustomerFactory(), CustomerFactory()
        conflict = ConflictFactory(members=[anna, ann])
        conflict.members.filter(customer=anna).update(role="owner")
        made = side_by_side(conflict_id=conflict.pk)
        assert made.conflict is not None
        assert made.conflict.id == conflict.pk
        assert {column.customer_id: column.role for column in made.columns} == {
            str(anna.pk): "owner", str(ann.pk): "member",
        }  # fmt: skip
        assert made.decisions == ("same", "different", "related", "unsure")

    def test_may_narrow_a_conflict_to_some_of_its_members(self) -> None:
        anna, ann, eve = CustomerFactory.create_batch(3)
        conflict = ConflictFactory(members=[anna, ann, eve])
        made = bench(anna, eve, conflict_id=conflict.pk)
        assert {column.customer_id for column in made.columns} == {str(anna.pk), str(eve.pk)}

    def test_p3_shows_what_people_said_before_and_that_it_forbids_the_merge(self) -> None:
        anna, ann = CustomerFactory(name="Anna"), CustomerFactory(name="Ann")
        actor = Actor(kind="user", name="lea")
        judge.judge_pair(left_id=anna.pk, right_id=ann.pk, verdict="different", reason="twins", actor=actor)
        made = bench(anna, ann)
        [verdict] = made.verdicts
        assert (verdict.verdict, verdict.reason, verdict.who) == ("different", "twins", "lea")
        assert "lea judged" in made.plan.blockers[0]
        assert {cell.value for cell in field(made, "name").cells} == {"Anna", "Ann"}

    def test_of_many_members_those_with_a_part_of_their_own_come_first(self) -> None:
        members = CustomerFactory.create_batch(FIRST_COLUMNS + 1)
        conflict = ConflictFactory(members=members)
        conflict.members.filter(customer=members[-1]).update(role="claimant")
        made = side_by_side(conflict_id=conflict.pk)
        assert len(made.columns) == FIRST_COLUMNS
        assert [column.role for column in made.columns].count("claimant") == 1
        assert [row.customer_id for row in made.left_out] == [str(members[-2].pk)]

    def test_too_many_named_without_a_conflict_are_refused(self) -> None:
        with pytest.raises(InvalidInput, match="101 different customers were given"):
            side_by_side(member_ids=[uuid.uuid4() for _ in range(101)])

    def test_one_customer_is_nothing_to_compare(self) -> None:
        anna = CustomerFactory()
        with pytest.raises(InvalidInput, match="a comparison takes 2"):
            bench(anna, anna)

    def test_a_customer_the_conflict_does_not_ask_about_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="does not ask about"):
            bench(*CustomerFactory.create_batch(2), conflict_id=ConflictFactory().pk)

    def test_unknown_ones_are_named(self) -> None:
        with pytest.raises(NotFound, match="no conflict 41"):
            side_by_side(conflict_id=41)
        stranger = uuid.uuid4()
        with pytest.raises(UnknownCustomer, match=str(stranger)):
            side_by_side(member_ids=[stranger, CustomerFactory().pk])

    def test_takes_as_many_queries_for_ten_customers_as_for_two(self) -> None:
        def queries(number: int) -> int:
            members = CustomerFactory.create_batch(number)
            for member in members:
                MappingFactory(customer=member)
                SourceRecordFactory(customer=member)
            with CaptureQueriesContext(connection) as seen:
                bench(*members)
            return len(seen)

        assert queries(2) == queries(10)

    def test_says_what_changed_since_a_pair_was_judged_and_how_they_are_related(self) -> None:
        anna, ann = CustomerFactory(name="Anna"), CustomerFactory(name="Ann")
        actor = Actor(kind="user", name="lea")
        judge.judge_pair(
            left_id=anna.pk, right_id=ann.pk, verdict="related", relation="household", reason="", actor=actor
        )
        [fresh] = bench(anna, ann).verdicts
        MappingFactory(customer=ann)
        [stale] = bench(anna, ann).verdicts
        assert (fresh.relation_label, fresh.changed) == ("One household", "")
        assert stale.changed == "since then e-mail changed"
