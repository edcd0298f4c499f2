"""Sixteen at work on a dozen customers at once: no deadlock, no update lost, no promise broken.

An import, which locks thousands of rows, may wait crosswise with another act: either begins anew, and nobody
hears of it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection

import pytest
from django.db import connection

from customers.models import Message
from resolution.models import AuditEntry, BlockedValue, Conflict, Merge
from tests.concurrency import all_at_once
from tests.resolution.services.busy import (
    ACTS,
    CHANNELS,
    LEAVES_ONE,
    VALUES,
    Busy,
    settle_a_neighbourhood,
)
from tests.resolution.services.promises import broken_promises
from tests.resolution.services.waiting import sessions, wait_for_silence

AT_ONCE = 16
EACH, SOAK_EACH = 40, 2000  # acts a round
MOST_ROUNDS = 10  # until every act was done by somebody
BECOMES = {"keep_owner": "kept", "move_identifier": "moved", "accept": "accepted"}
ONLINE = tuple(name for name in ACTS if name != "take_in_file")


def deadlocks() -> int:
    """How many deadlocks the server has broken in this database; a session tells of its own as it ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def work_at_once(each: int, seed: int, acts: Collection[str]) -> int:
    """Let everybody do so many acts; return how many deadlocks the server broke."""
    settle_a_neighbourhood()
    here, before = sessions(), deadlocks()
    people = [Busy(random.Random(seed + number), acts=acts) for number in range(AT_ONCE)]
    for _ in range(MOST_ROUNDS):
        all_at_once([lambda person=person: person.work(each) for person in people])  # type: ignore[misc]
        if not never_done(people, acts):
            break
    wait_for_silence(here)
    assert broken_promises() == []
    assert_nothing_lost(people, acts)
    return deadlocks() - before


def never_done(people: list[Busy], acts: Collection[str]) -> list[str]:
    """The acts that were refused, or had nothing to act on, every time."""
    return [name for name in acts if not any(person.done[name] for person in people)]


def assert_nothing_lost(people: list[Busy], acts: Collection[str]) -> None:
    """Every act that was not refused left its row, and no two acted on the same version of a customer."""
    done = sum((person.done for person in people), Counter[str]())
    seen = Counter(entry for person in people for entry in person.seen)
    assert [entry for entry, times in seen.items() if times > 1] == []
    assert "waited for each other" not in " ".join(sentence for person in people for sentence in person.told)
    for name in LEAVES_ONE.keys() & set(acts):
        rows = AuditEntry.objects.filter(actor_name=name, action=LEAVES_ONE[name])
        assert rows.count() == done[name], name
    assert_words_stand(people)
    assert Merge.objects.filter(actor_name="merge").count() == done["merge"]
    assert Merge.objects.filter(undone_by="undo").count() == done["undo"]
    assert Message.objects.count() == len(CHANNELS) * len(VALUES) + done["message"]
    assert BlockedValue.objects.filter(made_by="block").count() == done["block"]
    assert BlockedValue.objects.filter(retired_by="lift").count() == done["lift"]
    assert never_done(people, acts) == []


def assert_words_stand(people: list[Busy]) -> None:
    """What anybody said of a conflict became of it; "same" proposed a merge instead."""
    words = [entry for person in people for entry in person.words]
    settled = {conflict: word for conflict, word in words if word != "same"}
    proposed = AuditEntry.objects.filter(actor_name="decide", action="propose")
    assert proposed.count() + len(settled) == len(words)
    for row in Conflict.objects.filter(pk__in=settled):
        assert (row.state, row.outcome) == ("done", BECOMES.get(settled[row.pk], settled[row.pk]))


@pytest.mark.django_db(transaction=True)
class TestManyAtOnce:
    def test_p1_p2_p3_p4_p5_p6_p10_hold_and_nobody_waits_for_ever(self) -> None:
        assert work_at_once(EACH, 1, ONLINE) == 0

    def test_p1_p2_p3_p4_p5_p6_p10_hold_while_files_are_taken_in(self) -> None:
        work_at_once(EACH, 2, ACTS)

    @pytest.mark.soak
    def test_p1_p2_p3_p4_p5_hold_over_thousands_of_acts(self) -> None:
        assert work_at_once(SOAK_EACH, random.randrange(2**32), ONLINE) == 0

    @pytest.mark.soak
    def test_p1_p2_p3_p4_p5_hold_over_thousands_of_acts_and_files(self) -> None:
        work_at_once(SOAK_EACH, random.randrange(2**32), ACTS)
