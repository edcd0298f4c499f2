"""Home and the queue."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from resolution.models import Conflict
from resolution.services import approve, queue
from tests.factories import ConflictFactory, CustomerFactory, actor_for, steward
from tests.resolution.admin.forms import workbench_form

pytestmark = pytest.mark.django_db

QUEUE = reverse("resolution:queue")
HOME = reverse("admin:index")


def page(client: Client, url: str = QUEUE, **filters: str) -> str:
    answer = client.get(url, filters)
    assert answer.status_code == 200
    return answer.content.decode()


class TestHome:
    def test_says_that_nothing_waits(self, as_steward: Client) -> None:
        text = page(as_steward, HOME)

        assert "Nothing waits" in text
        assert "Start: take the next ones" not in text

    def test_counts_what_waits_by_reason(self, as_steward: Client) -> None:
        ConflictFactory.create_batch(3, band="review")
        ConflictFactory(kind="shared_value")

        text = page(as_steward, HOME)

        assert "4 decisions waiting" in text
        assert f"{QUEUE}?kind=likely_duplicate" in text
        assert f"{QUEUE}?kind=shared_value" in text

    def test_shows_what_i_hold_and_what_was_given_back(self, as_steward: Client, sara: User) -> None:
        held = ConflictFactory(members=[CustomerFactory(name="Ann Held"), CustomerFactory()])
        queue.claim(conflict_id=held.pk, actor=actor_for(sara))
        ConflictFactory(
            members=[CustomerFactory(name="Bea Back"), CustomerFactory()],
            state="returned", assignee=sara, comment="look at the birth date",
        )  # fmt: skip

        text = page(as_steward, HOME)

        assert "Ann Held" in text
        assert "Bea Back" in text
        assert "given back to you: look at the birth date" in text
        assert "Go on with my work" in text

    def test_shows_a_lead_how_many_merges_wait_for_approval(
        self, as_lead: Client, as_steward: Client, sara: User
    ) -> None:
        pair = [CustomerFactory(name="Ann Lee").pk, CustomerFactory(name="Anna Lee").pk]
        approve.propose_merge(member_ids=pair, actor=actor_for(sara))

        assert "Waiting for approval" in page(as_lead, HOME)
        assert "from sara" in page(as_lead, HOME)
        assert "Waiting for approval" not in page(as_steward, HOME)

    def test_counts_every_merge_a_lead_may_answer_and_shows_those_first(
        self, as_lead: Client, sara: User, lena: User
    ) -> None:
        for user in (lena, *[sara] * 105):
            pair = [CustomerFactory().pk, CustomerFactory().pk]
            approve.propose_merge(member_ids=pair, actor=actor_for(user))

        text = page(as_lead, HOME)

        assert '<span class="number">105</span>' in text
        assert "1 of your own waits for somebody else" in text
        assert text.count("from sara") == 4
        assert "yours, for somebody else" not in text


class TestQueue:
    def test_shows_who_is_asked_about_and_why(self, as_steward: Client) -> None:
        pair = [CustomerFactory(name="Ann Lee"), CustomerFactory(name="Anna Lee")]
        ConflictFactory(members=pair, reason="Same mailbox.", band="review", weight=3.2)

        text = page(as_steward)

        assert "Ann Lee" in text
        assert "Anna Lee" in text
        assert "Same mailbox." in text
        assert "needs a person" in text
        assert "+3.2" in text

    def test_narrows_by_reason_and_age(self, as_steward: Client) -> None:
        late = timezone.now() - timedelta(days=1)
        ConflictFactory(reason="Wanted.", kind="shared_value", due_at=late)
        ConflictFactory(reason="Not due.", kind="shared_value")
        ConflictFactory(reason="Other kind.", due_at=late)

        text = page(as_steward, kind="shared_value", age="overdue")

        assert "Wanted." in text
        assert "Not due." not in text
        assert "Other kind." not in text

    def test_narrows_to_what_one_colleague_holds(self, as_steward: Client, sara: User) -> None:
        tom, tina = steward(username="tom"), steward(username="tina")
        queue.claim(conflict_id=ConflictFactory(reason="Held by Tom.").pk, actor=actor_for(tom))
        queue.claim(conflict_id=ConflictFactory(reason="Held by me.").pk, actor=actor_for(sara))
        ConflictFactory(state="done", outcome="merged", assignee=tina)

        text = page(as_steward, assignee=str(tom.pk))

        assert f'<option value="{tom.pk}" selected>tom</option>' in text
        for other in (tina, sara):
            assert f'<option value="{other.pk}"' not in text
        assert "Held by Tom." in text
        assert "Held by me." not in text

    @pytest.mark.parametrize(("days", "shown"), [("1", {2, 5, 9}), ("3", {5, 9}), ("7", {9})])
    def test_narrows_to_what_was_asked_some_days_ago(
        self, as_steward: Client, days: str, shown: set[int]
    ) -> None:
        for age in (0, 2, 5, 9):
            asked = ConflictFactory(reason=f"Asked {age} days ago.")
            Conflict.objects.filter(pk=asked.pk).update(created_at=timezone.now() - timedelta(days=age))

        text = page(as_steward, age=days)

        assert {age for age in (0, 2, 5, 9) if f"Asked {age} days ago." in text} == shown

    def test_an_age_it_does_not_know_is_refused(self, as_steward: Client) -> None:
        answer = as_steward.get(QUEUE, {"age": "2"})

        assert answer.status_code == 400
        assert "use overdue, today or a number of days: 1, 3, 7." in answer.content.decode()

    def test_turns_pages_by_cursor_without_losing_a_row(self, as_steward: Client) -> None:
        for number in range(55):
            ConflictFactory(reason=f"Reason {number:03}.")

        first = as_steward.get(QUEUE)
        second = as_steward.get(first.context["next_page"])

        shown = [row.reason for answer in (first, second) for row in answer.context["page"].rows]
        assert sorted(shown) == [f"Reason {number:03}." for number in range(55)]
        assert second.context["next_page"] == ""

    def test_an_unreadable_cursor_is_refused_with_a_sentence(self, as_steward: Client) -> None:
        answer = as_steward.get(QUEUE, {"after": "nonsense"})

        assert answer.status_code == 400
        assert "is no cursor of this list" in answer.content.decode()

    @pytest.mark.parametrize("name", ["kind", "band", "state"])
    def test_an_unknown_word_in_a_filter_is_refused_with_those_it_knows(
        self, as_steward: Client, name: str
    ) -> None:
        answer = as_steward.get(QUEUE, {name: "zzz"})

        assert answer.status_code == 400
        assert f"“zzz” is no {name}; use " in answer.content.decode()

    def test_scores_the_two_sides_of_a_claim_as_their_workbench_does(self, as_steward: Client) -> None:
        pair = [
            CustomerFactory(name="Ann Lee", email="ann@example.com"),
            CustomerFactory(name="Bob Ray", email="bob@example.com"),
        ]
        conflict = ConflictFactory(kind="high_confidence_identifier", members=pair)

        [row] = as_steward.get(QUEUE).context["page"].rows
        bench = as_steward.get(reverse("resolution:workbench", args=[conflict.pk])).context["workbench"]

        assert row.band == bench.pairs[0].band == "none"
        assert row.weight == bench.pairs[0].weight

    def test_says_when_filters_hide_everything(self, as_steward: Client) -> None:
        ConflictFactory()

        assert "Nothing matches these filters" in page(as_steward, kind="over_merge")


class TestClaim:
    def test_takes_the_next_ones_and_opens_the_first(self, as_steward: Client, sara: User) -> None:
        urgent = ConflictFactory(priority=9)
        ConflictFactory()

        answer = as_steward.post(reverse("resolution:claim-next"))

        assert answer["Location"] == reverse("resolution:workbench", args=[urgent.pk])
        assert Conflict.objects.filter(assignee=sara, state="claimed").count() == 2

    def test_takes_only_what_the_filters_show(self, as_steward: Client) -> None:
        ConflictFactory()
        wanted = ConflictFactory(kind="shared_value")

        as_steward.post(reverse("resolution:claim-next"), {"kind": "shared_value"})

        assert [row.pk for row in Conflict.objects.filter(state="claimed")] == [wanted.pk]

    def test_offers_what_i_skipped_after_everything_else(self, as_steward: Client) -> None:
        skipped = ConflictFactory(priority=9)
        other = ConflictFactory()
        as_steward.post(reverse("resolution:claim", args=[skipped.pk]))
        page_of_skipped = reverse("resolution:workbench", args=[skipped.pk])
        as_steward.post(page_of_skipped, workbench_form(skipped, "release"))

        answer = as_steward.post(reverse("resolution:claim-next"))

        assert answer["Location"] == reverse("resolution:workbench", args=[other.pk])
        assert Conflict.objects.filter(state="claimed").count() == 2

    def test_says_when_nothing_is_free(self, as_steward: Client) -> None:
        answer = as_steward.post(reverse("resolution:claim-next"), follow=True)

        assert "Nothing is free to take" in answer.content.decode()

    def test_a_conflict_somebody_holds_is_not_taken_from_them(self, as_steward: Client) -> None:
        tom = steward(username="tom")
        conflict = ConflictFactory()
        queue.claim(conflict_id=conflict.pk, actor=actor_for(tom))

        answer = as_steward.post(reverse("resolution:claim", args=[conflict.pk]))

        assert answer.status_code == 409
        assert "tom has it until" in answer.content.decode()
        assert Conflict.objects.get().assignee == tom

    def test_a_link_cannot_claim(self, as_steward: Client) -> None:
        conflict = ConflictFactory()

        assert as_steward.get(reverse("resolution:claim", args=[conflict.pk])).status_code == 405


class TestRenew:
    def test_prolongs_my_claim(self, as_steward: Client, sara: User) -> None:
        conflict = queue.claim(conflict_id=ConflictFactory().pk, actor=actor_for(sara))
        soon = timezone.now() + timedelta(seconds=5)
        Conflict.objects.update(leased_until=soon)

        answer = as_steward.post(reverse("resolution:renew", args=[conflict.pk]))

        assert answer.status_code == 204
        assert Conflict.objects.get().leased_until > soon

    def test_tells_whose_it_is_when_it_was_lost(self, as_steward: Client) -> None:
        conflict = ConflictFactory()
        queue.claim(conflict_id=conflict.pk, actor=actor_for(steward(username="tom")))

        answer = as_steward.post(reverse("resolution:renew", args=[conflict.pk]))

        assert answer.status_code == 409
        assert "tom has it until" in answer.content.decode()
