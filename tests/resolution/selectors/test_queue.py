"""The queue as data."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from resolution.errors import InvalidInput, NotFound
from resolution.selectors.queue import QueueFilters, Tally, conflict_row, my_work, queue_counts, queue_page
from resolution.services.queue import claim
from tests.factories import ConflictFactory, CustomerFactory, actor_for, steward

pytestmark = pytest.mark.django_db


class TestQueuePage:
    def test_shows_the_most_urgent_first_and_nothing_done(self) -> None:
        low, high = ConflictFactory(priority=1), ConflictFactory(priority=9)
        ConflictFactory(state="done", outcome="different")
        assert [row.id for row in queue_page(QueueFilters()).rows] == [high.pk, low.pk]

    def test_names_the_members_with_their_roles(self) -> None:
        anna = CustomerFactory(name="Anna")
        ConflictFactory(members=[anna, CustomerFactory(name="Ann")])
        [row] = queue_page(QueueFilters()).rows
        assert [(member.name, member.role) for member in row.members] == [
            ("Anna", "member"),
            ("Ann", "member"),
        ]

    def test_pages_follow_each_other_without_gap_or_repeat(self) -> None:
        made = {row.pk for row in ConflictFactory.create_batch(7, priority=5)} | {
            row.pk for row in ConflictFactory.create_batch(3, priority=7)
        }
        seen: list[int] = []
        cursor = ""
        while True:
            page = queue_page(QueueFilters(), after=cursor, size=4)
            seen += [row.id for row in page.rows]
            cursor = page.next_cursor
            if not cursor:
                break
        assert sorted(seen) == sorted(made)
        assert len(seen) == 10

    def test_an_unreadable_cursor_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="begin at its first page"):
            queue_page(QueueFilters(), after="nonsense")

    def test_narrows_by_each_filter(self) -> None:
        ann = steward()
        wanted = ConflictFactory(
            kind="several_candidates", band="review", state="returned", assignee=ann,
            due_at=timezone.now() - timedelta(hours=1),
        )  # fmt: skip
        ConflictFactory()
        for filters in (
            QueueFilters(kind="several_candidates"), QueueFilters(band="review"),
            QueueFilters(state="returned"), QueueFilters(assignee="me"),
            QueueFilters(assignee=str(ann.pk)), QueueFilters(age="overdue"),
        ):  # fmt: skip
            assert [row.id for row in queue_page(filters, user_id=ann.pk).rows] == [wanted.pk], filters

    def test_nobodys_and_nearly_due_ones_can_be_asked_for(self) -> None:
        due = ConflictFactory(due_at=timezone.now() + timedelta(hours=2))
        ConflictFactory(assignee=steward())
        assert [row.id for row in queue_page(QueueFilters(assignee="nobody", age="today")).rows] == [due.pk]

    @pytest.mark.parametrize(
        "filters",
        [
            QueueFilters(assignee="bob"), QueueFilters(age="ancient"), QueueFilters(kind="zzz"),
            QueueFilters(band="sure"), QueueFilters(state="a\0"),
        ],
    )  # fmt: skip
    def test_a_filter_that_says_nothing_is_refused(self, filters: QueueFilters) -> None:
        with pytest.raises(InvalidInput, match="use"):
            queue_page(filters)

    def test_takes_as_many_queries_for_thirty_rows_as_for_two(self) -> None:
        def queries() -> int:
            with CaptureQueriesContext(connection) as seen:
                queue_page(QueueFilters())
            return len(seen)

        ConflictFactory.create_batch(2)
        few = queries()
        ConflictFactory.create_batch(28)
        assert queries() == few


class TestConflictRow:
    def test_tells_who_holds_it_and_whose_it_is(self) -> None:
        ann, bob = steward(username="ann"), steward()
        conflict = claim(conflict_id=ConflictFactory().pk, actor=actor_for(ann))
        hers, his = (conflict_row(conflict.pk, user_id=user.pk) for user in (ann, bob))
        assert (hers.holder, hers.mine, hers.claimable) == ("ann", True, False)
        assert (his.holder, his.mine, his.claimable) == ("ann", False, False)

    def test_a_lapsed_claim_is_nobodys_and_claimable(self) -> None:
        moment = timezone.now() - timedelta(seconds=1)
        conflict = ConflictFactory(state="claimed", assignee=steward(), leased_until=moment)
        row = conflict_row(conflict.pk)
        assert (row.holder, row.claimable) == ("", True)

    def test_an_unknown_one_is_named(self) -> None:
        with pytest.raises(NotFound, match="no conflict 41"):
            conflict_row(41)


class TestQueueCounts:
    def test_counts_what_is_not_done(self) -> None:
        ConflictFactory.create_batch(2, band="review")
        ConflictFactory(kind="contradiction", state="parked", due_at=timezone.now())
        ConflictFactory(state="done", outcome="merged")
        counts = queue_counts()
        assert (counts.total, counts.overdue) == (3, 1)
        assert counts.kinds == (
            Tally("likely_duplicate", "Likely duplicate", 2), Tally("contradiction", "Contradiction", 1),
        )  # fmt: skip
        assert counts.bands == (Tally("review", "To review", 2), Tally("", "Not scored", 1))
        assert {(entry.value, entry.number) for entry in counts.states} == {("open", 2), ("parked", 1)}


class TestMyWork:
    def test_shows_claimed_returned_and_due_ones_of_this_person_alone(self) -> None:
        ann, bob = steward(), steward()
        claimed = claim(conflict_id=ConflictFactory().pk, actor=actor_for(ann))
        claim(conflict_id=ConflictFactory().pk, actor=actor_for(bob))
        returned = ConflictFactory(state="returned", assignee=ann)
        due = ConflictFactory(state="parked", assignee=ann, parked_until=timezone.now())
        ConflictFactory(state="parked", assignee=ann, parked_until=timezone.now() + timedelta(days=1))
        ConflictFactory(state="done", outcome="different", decided_by=ann, decided_at=timezone.now())
        work = my_work(ann.pk)
        found = [[row.id for row in rows] for rows in (work.claimed, work.returned, work.parked_due)]
        assert found == [[claimed.pk], [returned.pk], [due.pk]]
        assert (work.decided_today, work.proposals_waiting) == (1, 0)
