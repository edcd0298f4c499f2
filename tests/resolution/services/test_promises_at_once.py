"""Sixteen at work on a dozen customers at once: no deadlock, no update lost, no promise broken."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from django.db import connection

from resolution.models import AuditEntry, Merge
from tests.concurrency import all_at_once
from tests.resolution.services.busy import LEAVES_ONE, Busy, settle_a_neighbourhood
from tests.resolution.services.promises import broken_promises
from tests.resolution.services.waiting import sessions, wait_for_silence

AT_ONCE = 16
EACH, SOAK_EACH = 40, 2000  # acts


def deadlocks() -> int:
    """How many deadlocks the server has broken in this database; a session tells of its own as it ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def work_at_once(each: int, seed: int) -> None:
    settle_a_neighbourhood()
    here, before = sessions(), deadlocks()
    people = [Busy(random.Random(seed + number)) for number in range(AT_ONCE)]
    all_at_once([lambda person=person: person.work(each) for person in people])  # type: ignore[misc]
    wait_for_silence(here)
    assert deadlocks() == before
    assert broken_promises() == []
    assert_nothing_lost(people)


def assert_nothing_lost(people: list[Busy]) -> None:
    """Every act that was not refused left its row, and no two acted on the same version of a customer."""
    done = sum((person.done for person in people), Counter[str]())
    seen = Counter(entry for person in people for entry in person.seen)
    assert [entry for entry, times in seen.items() if times > 1] == []
    for name, action in LEAVES_ONE.items():
        rows = AuditEntry.objects.filter(actor_name=name, action=action)
        assert rows.count() == done[name], name
    assert Merge.objects.filter(actor_name="merge").count() == done["merge"]
    assert Merge.objects.filter(undone_by="undo").count() == done["undo"]
    assert min(done[name] for name in ("merge", "merge_groups", "undo", *LEAVES_ONE)) > 0


@pytest.mark.django_db(transaction=True)
class TestManyAtOnce:
    def test_p1_p2_p3_p4_p5_p6_p10_hold_and_nobody_waits_for_ever(self) -> None:
        work_at_once(EACH, seed=1)

    @pytest.mark.soak
    def test_p1_p2_p3_p4_p5_hold_over_thousands_of_acts(self) -> None:
        work_at_once(SOAK_EACH, seed=random.randrange(2**32))
