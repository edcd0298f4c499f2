"""Any forest of merges, any arrivals, any order of undoing: in the end every row is what it was."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customers.models import Customer, Mapping, Message, Ticket
from customers.services import register
from resolution.models import Merge, MergeMember
from resolution.selectors.records import load_records
from resolution.services.keys import rebuild_keys
from resolution.services.unmerge import plan_unmerge, undo_merge
from tests.factories import ChannelFactory, MappingFactory, TicketFactory
from tests.resolution.services.register_state import register_state
from tests.resolution.services.test_unmerge import ACTOR, merge, small_town

pytestmark = pytest.mark.django_db
MORNING = datetime(2024, 6, 1, tzinfo=UTC)


class Town:
    """Six customers, what they were, and what happens to them by chance."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.people = small_town(chance)
        self.before = register_state()
        self.records = load_records([row.pk for row in self.people])
        self.homes = dict(Mapping.objects.values_list("pk", "customer"))
        self.channel = ChannelFactory()
        self.minutes = 0

    def active(self) -> list[Customer]:
        return list(Customer.objects.active().order_by("pk"))

    def merge_some(self) -> None:
        active = self.active()
        if len(active) > 1:
            members = self.chance.sample(active, k=min(len(active), self.chance.choice((2, 2, 3, 4))))
            given: Any = self.chance.choice([None, {"typed": "Ulm"}, str(self.chance.choice(members).pk)])
            merge(*members, picks={"city": given} if given else {})

    def hear(self) -> None:
        """A message comes by an identifier in use, to whoever owns it or shares it now."""
        links = list(Mapping.objects.current().order_by("pk"))
        if links:
            link = self.chance.choice(links)
            self.minutes += 1
            register.store_message(
                Message(
                    customer_id=link.customer_id,
                    channel_id=link.channel_id,
                    mapping=link,
                    outcome=Message.Outcome.LINKED,
                    received_at=MORNING + timedelta(minutes=self.minutes),
                )
            )

    def learn(self) -> None:
        """An identifier nobody had before is linked."""
        customer = self.chance.choice(self.active())
        MappingFactory(customer=customer, channel=self.channel)
        rebuild_keys([customer.pk])

    def open_ticket(self) -> None:
        TicketFactory(customer=self.chance.choice(self.active()), channel=self.channel)

    def undo_some(self) -> None:
        """Take back a whole merge, or one or several of its members, wherever it stands."""
        standing = list(Merge.objects.filter(undone_at__isnull=True).order_by("pk"))
        if not standing:
            return
        made = self.chance.choice(standing)
        members = sorted(MergeMember.objects.filter(merge=made, live=True).values_list("customer", flat=True))
        some = self.chance.sample(members, k=self.chance.randint(1, len(members)))
        wanted = None if self.chance.random() < 0.4 else some
        plan = plan_unmerge(made.pk, member_ids=wanted)
        sides = [plan.survivor.customer_id, *(side.customer_id for side in plan.returning)]
        answers = {row.row_id: self.chance.choice(sides) for row in plan.asks}
        undo_merge(
            merge_id=made.pk,
            actor=ACTOR,
            member_ids=wanted,
            judge_different=False,
            assign=answers,
            fingerprint=plan.fingerprint,
        )

    def live(self, steps: list[str]) -> None:
        acts: dict[str, Callable[[], None]] = {
            "merge": self.merge_some,
            "hear": self.hear,
            "learn": self.learn,
            "ticket": self.open_ticket,
            "undo": self.undo_some,
        }
        for step in steps:
            acts[step]()
            self.check()

    def undo_all(self) -> None:
        while Merge.objects.filter(undone_at__isnull=True).exists():
            self.undo_some()
            self.check()

    def check(self) -> None:
        """Every row is with whoever its first owner is by now, and each value is in use once a customer."""
        check_constraints()
        stands_for = {row.pk: row.canonical_id for row in Customer.objects.all()}
        for message in Message.objects.filter(mapping__in=self.homes):
            assert message.customer_id == stands_for[self.homes[message.mapping_id]]
        using = {
            (stands_for[row["customer_id"]], *value_of(row)) for row in self.before["Mapping"] if in_use(row)
        }
        rows = Mapping.objects.filter(pk__in=self.homes).values()
        found = [(row["customer_id"], *value_of(row)) for row in rows if in_use(row)]
        assert sorted(found) == sorted(using)


def value_of(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["channel_id"], row["identifier_type"], row["normalised"])


def in_use(row: dict[str, Any]) -> bool:
    return row["status"] in ("active", "shared")


def check_constraints() -> None:
    """Let the database check now what it would check at commit."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


@contextmanager
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def owed(town: Town) -> dict[str, list[dict[str, Any]]]:
    """What the first rows have to be by now: as they were, but for having been heard of later."""
    heard: dict[Any, datetime] = {}
    today = (MORNING, MORNING + timedelta(days=1))
    for message in Message.objects.filter(received_at__range=today).select_related("mapping"):
        owner = town.homes.get(message.mapping_id) or message.mapping.customer_id  # type: ignore[union-attr]
        assert message.customer_id == owner
        heard[owner] = max(message.received_at, heard.get(owner, message.received_at))
    expected = {name: [dict(row) for row in rows] for name, rows in town.before.items()}
    for row in expected["Customer"]:
        latest = [moment for moment in (row["last_interaction_at"], heard.get(row["id"])) if moment]
        row["last_interaction_at"] = max(latest, default=None)
    return expected


def assert_restored(town: Town) -> None:
    expected, found = owed(town), register_state()
    for name in ("Customer", "Mapping", "Message", "SourceRecord", "Ticket"):
        first = {row["id"] for row in expected[name]}
        assert [row for row in found[name] if row["id"] in first] == expected[name]
    rebuild_keys([row.pk for row in town.people])
    assert register_state()["BlockingKey"] == found["BlockingKey"]
    assert not Ticket.objects.exclude(customer__status="active").exists()


# Ids are made anew in every play, so what is drawn from them may not count as drawn by hypothesis.
CHANCES = st.builds(random.Random, st.integers(0, 2**32))
STEPS = st.lists(
    st.sampled_from(["merge", "merge", "merge", "hear", "hear", "learn", "ticket", "undo"]), max_size=14
)


def play(chance: random.Random, steps: list[str]) -> None:
    with rolled_back():
        town = Town(chance)
        town.live(steps)
        town.undo_all()
        assert_restored(town)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(chance=CHANCES, steps=STEPS)
def test_p4_any_forest_taken_apart_in_any_order_is_what_it_was(
    chance: random.Random, steps: list[str]
) -> None:
    play(chance, steps)


@pytest.mark.soak
@settings(
    max_examples=1500,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(chance=CHANCES, steps=STEPS)
def test_p4_any_forest_taken_apart_in_any_order_is_what_it_was_for_long(
    chance: random.Random, steps: list[str]
) -> None:
    play(chance, steps)
