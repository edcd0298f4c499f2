"""Claims: one conflict, one steward, for as long as the lease lasts."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from resolution.errors import ClaimLost, IllegalTransition, InvalidInput, NotFound, NotPermitted
from resolution.models import Conflict
from resolution.selectors.queue import QueueFilters
from resolution.services.queue import claim, claim_next, park, release, release_lapsed, renew
from resolution.types import Actor
from tests.concurrency import all_at_once
from tests.factories import ConflictFactory, actor_for, steward
from tests.resolution.services.test_merge import outcome

pytestmark = pytest.mark.django_db
MACHINE = Actor.machine("night run")


@pytest.fixture
def ann() -> User:
    return steward(username="ann")


@pytest.fixture
def bob() -> User:
    return steward(username="bob")


def lapse(conflict: Conflict) -> None:
    Conflict.objects.filter(pk=conflict.pk).update(leased_until=timezone.now() - timedelta(seconds=1))


def soon() -> datetime:
    return timezone.now() + timedelta(days=1)


class TestClaimNext:
    def test_leases_the_most_urgent_first(self, ann: User) -> None:
        later, urgent = ConflictFactory(priority=1), ConflictFactory(priority=9)
        claimed = claim_next(actor=actor_for(ann), size=2)
        assert [row.pk for row in claimed] == [urgent.pk, later.pk]
        assert {(row.state, row.assignee, row.version) for row in claimed} == {("claimed", ann, 2)}
        assert all(row.leased_until > timezone.now() for row in claimed)

    def test_takes_no_more_than_asked_for(self, ann: User) -> None:
        ConflictFactory.create_batch(3)
        assert len(claim_next(actor=actor_for(ann), size=2)) == 2

    def test_passes_over_what_another_holds(self, ann: User, bob: User) -> None:
        ConflictFactory()
        claim_next(actor=actor_for(ann))
        assert claim_next(actor=actor_for(bob)) == []

    def test_takes_over_a_lapsed_claim(self, ann: User, bob: User) -> None:
        conflict = ConflictFactory()
        claim_next(actor=actor_for(ann))
        lapse(conflict)
        assert claim_next(actor=actor_for(bob))[0].assignee == bob

    def test_gives_what_came_back_to_its_own_steward_first(self, ann: User, bob: User) -> None:
        ConflictFactory(priority=9)
        returned = ConflictFactory(state="returned", assignee=ann)
        assert claim_next(actor=actor_for(bob), size=2) != [returned]
        assert claim_next(actor=actor_for(ann), size=1) == [returned]

    @pytest.mark.parametrize("gone", [{"is_active": False}, {"is_staff": False}])
    def test_gives_anybody_what_came_back_to_who_does_not_work_the_queue(
        self, ann: User, bob: User, gone: dict[str, bool]
    ) -> None:
        User.objects.filter(pk=ann.pk).update(**gone)
        returned = ConflictFactory(state="returned", assignee=ann, leased_until=soon())
        assert claim_next(actor=actor_for(bob)) == [returned]

    def test_gives_anybody_what_came_back_once_its_time_is_over(self, ann: User, bob: User) -> None:
        returned = ConflictFactory(state="returned", assignee=ann, leased_until=soon())
        assert claim_next(actor=actor_for(bob)) == []
        lapse(returned)
        assert claim_next(actor=actor_for(bob)) == [returned]

    def test_gives_what_came_back_long_ago_to_its_own_steward_once(self, ann: User) -> None:
        returned = ConflictFactory(state="returned", assignee=ann, leased_until=timezone.now())
        assert claim_next(actor=actor_for(ann)) == [returned]

    def test_leaves_what_is_parked_until_its_time(self, ann: User) -> None:
        conflict = ConflictFactory(state="parked", parked_until=soon())
        assert claim_next(actor=actor_for(ann)) == []
        Conflict.objects.update(parked_until=timezone.now())
        assert claim_next(actor=actor_for(ann)) == [conflict]

    def test_narrows_by_the_filters(self, ann: User) -> None:
        ConflictFactory(band="auto")
        wanted = ConflictFactory(band="review")
        assert claim_next(actor=actor_for(ann), filters=QueueFilters(band="review")) == [wanted]

    def test_a_machine_claims_nothing(self) -> None:
        with pytest.raises(NotPermitted, match="night run has no account"):
            claim_next(actor=MACHINE)

    @pytest.mark.parametrize("size", [0, -1, 201])
    def test_a_senseless_size_is_refused(self, ann: User, size: int) -> None:
        with pytest.raises(InvalidInput, match="ask for 1 to 200"):
            claim_next(actor=actor_for(ann), size=size)


class TestClaim:
    def test_takes_a_conflict_by_its_number(self, ann: User) -> None:
        conflict = claim(conflict_id=ConflictFactory().pk, actor=actor_for(ann))
        assert (conflict.state, conflict.assignee, conflict.version) == ("claimed", ann, 2)

    def test_is_refused_naming_who_holds_it(self, ann: User, bob: User) -> None:
        conflict = claim(conflict_id=ConflictFactory().pk, actor=actor_for(ann))
        with pytest.raises(ClaimLost, match="ann has it until"):
            claim(conflict_id=conflict.pk, actor=actor_for(bob))

    def test_ones_own_claim_is_prolonged_and_keeps_its_version(self, ann: User) -> None:
        first = claim(conflict_id=ConflictFactory().pk, actor=actor_for(ann))
        again = claim(conflict_id=first.pk, actor=actor_for(ann))
        assert again.version == first.version
        assert again.leased_until > first.leased_until

    @pytest.mark.parametrize("state", ["parked", "returned", "open"])
    def test_takes_what_waits(self, ann: User, state: str) -> None:
        conflict = ConflictFactory(state=state, assignee=steward(), parked_until=soon())
        assert claim(conflict_id=conflict.pk, actor=actor_for(ann)).parked_until is None

    @pytest.mark.parametrize(("state", "told"), [("done", "is done"), ("decided", "is awaiting approval")])
    def test_what_is_decided_is_not_claimed(self, ann: User, state: str, told: str) -> None:
        conflict = ConflictFactory(state=state, outcome="different" if state == "done" else "")
        with pytest.raises(IllegalTransition, match=told):
            claim(conflict_id=conflict.pk, actor=actor_for(ann))

    def test_an_unknown_conflict_is_named(self, ann: User) -> None:
        with pytest.raises(NotFound, match="no conflict 41"):
            claim(conflict_id=41, actor=actor_for(ann))


class TestGivingBack:
    @pytest.fixture
    def held(self, ann: User) -> Conflict:
        return claim(conflict_id=ConflictFactory().pk, actor=actor_for(ann))

    def test_a_released_conflict_is_open_to_all(self, ann: User, bob: User, held: Conflict) -> None:
        freed = release(conflict_id=held.pk, actor=actor_for(ann))
        assert (freed.state, freed.assignee, freed.leased_until) == ("open", None, None)
        assert claim_next(actor=actor_for(bob)) == [held]

    def test_a_renewed_claim_keeps_its_version(self, ann: User, held: Conflict) -> None:
        renewed = renew(conflict_id=held.pk, actor=actor_for(ann))
        assert (renewed.version, renewed.leased_until > held.leased_until) == (held.version, True)

    def test_a_parked_conflict_waits_with_its_comment(self, ann: User, held: Conflict) -> None:
        until = soon()
        parked = park(conflict_id=held.pk, until=until, comment="asked the shop", actor=actor_for(ann))
        assert (parked.state, parked.parked_until, parked.comment, parked.leased_until) == (
            "parked", until, "asked the shop", None,
        )  # fmt: skip

    @pytest.mark.parametrize("days", [-1, 91])
    def test_a_senseless_moment_is_refused(self, ann: User, held: Conflict, days: int) -> None:
        with pytest.raises(InvalidInput, match=r"parked until .* at the latest"):
            park(
                conflict_id=held.pk,
                until=timezone.now() + timedelta(days=days),
                comment="",
                actor=actor_for(ann),
            )

    def test_a_moment_without_time_zone_is_refused(self, ann: User, held: Conflict) -> None:
        with pytest.raises(InvalidInput, match="no time zone"):
            park(conflict_id=held.pk, until=datetime(2030, 1, 1), actor=actor_for(ann))

    def test_nobody_gives_back_what_another_holds(self, bob: User, held: Conflict) -> None:
        for step in (release, renew):
            with pytest.raises(ClaimLost, match="ann has it until"):
                step(conflict_id=held.pk, actor=actor_for(bob))

    def test_what_was_taken_over_is_lost(self, ann: User, bob: User, held: Conflict) -> None:
        lapse(held)
        claim_next(actor=actor_for(bob))
        with pytest.raises(ClaimLost, match="bob has it until"):
            renew(conflict_id=held.pk, actor=actor_for(ann))

    def test_lapsed_claims_and_due_parkings_go_back_to_the_queue(self, ann: User, held: Conflict) -> None:
        due = ConflictFactory(state="parked", parked_until=timezone.now())
        live = claim(conflict_id=ConflictFactory().pk, actor=actor_for(ann))
        lapse(held)
        assert release_lapsed() == 2
        assert set(Conflict.objects.filter(state="open")) == {held, due}
        assert Conflict.objects.get(state="claimed") == live

    def test_what_was_given_back_and_left_lying_goes_back_to_the_queue(self, ann: User) -> None:
        gone = steward(is_active=False)
        waits = ConflictFactory(state="returned", assignee=ann, leased_until=soon())
        late = ConflictFactory(state="returned", assignee=ann, leased_until=timezone.now(), comment="why?")
        overdue = ConflictFactory(state="returned", assignee=ann, due_at=timezone.now())
        nobodys = ConflictFactory(state="returned", assignee=gone, leased_until=soon())

        assert release_lapsed() == 3

        assert set(Conflict.objects.filter(state="open", assignee=None)) == {late, overdue, nobodys}
        assert Conflict.objects.get(state="returned") == waits
        assert Conflict.objects.get(pk=late.pk).comment == "why?"


@pytest.mark.django_db(transaction=True)
class TestConcurrentClaims:
    def test_ten_stewards_claiming_at_once_never_share_a_conflict(self) -> None:
        ConflictFactory.create_batch(25)
        actors = [actor_for(steward()) for _ in range(10)]
        taken = all_at_once([lambda actor=actor: claim_next(actor=actor, size=3) for actor in actors])
        ids = [row.pk for rows in taken for row in rows]
        assert len(ids) == len(set(ids)) == 25

    def test_one_of_two_who_claim_the_same_conflict_has_it(self) -> None:
        conflict = ConflictFactory()
        actors = [actor_for(steward()) for _ in range(2)]
        calls = [outcome(lambda actor=actor: claim(conflict_id=conflict.pk, actor=actor)) for actor in actors]
        assert sorted(type(result).__name__ for result in all_at_once(calls)) == ["ClaimLost", "Conflict"]
