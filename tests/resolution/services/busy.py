"""Somebody who does one thing after another to the same few customers, as it happens."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from customers.models import Customer, Mapping
from resolution.errors import InvalidInput, NotFound, Refused, StaleVersion, TryAgain
from resolution.models import Merge
from resolution.services import audit
from resolution.services.judge import judge_pair
from resolution.services.keys import rebuild_keys
from resolution.services.link import link_customer_identifier, unlink_customer_identifier
from resolution.services.merge import merge_customers, merge_in_bulk
from resolution.services.profiles import create_customer, update_profile
from resolution.services.resolve import create_or_resolve_customer, resolve_customer_identity
from resolution.services.unmerge import plan_unmerge, undo_merge
from resolution.types import Actor, Group
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory, MessageFactory

CHANNELS = ("web", "crm")
VALUES = tuple(("email", f"{name}@post.example") for name in ("one", "two", "three", "four"))
# What somebody who was overtaken, or asks the impossible, is told.
REFUSALS = (Refused, StaleVersion, NotFound, TryAgain, InvalidInput)
WORDS = ("same", "related", "unsure", "unsure", "different")


def settle_a_neighbourhood(customers: int = 12) -> None:
    """A dozen customers who have few identifiers between them."""
    people = [CustomerFactory(name=f"Neighbour {number}") for number in range(customers)]
    for code in CHANNELS:
        channel = ChannelFactory(code=code)
        for (kind, value), owner in zip(VALUES, people, strict=False):
            link = MappingFactory(
                customer=owner, channel=channel, identifier_type=kind, channel_identifier=value
            )
            MessageFactory(customer=owner, channel=channel, mapping=link)
    rebuild_keys([person.pk for person in people])


@dataclass(slots=True)
class Busy:
    """One at work: `done` counts acts by name, `refused` refusals by class, `seen` the versions acted on.

    The name of an act is that of its actor too, which finds its rows in the trail.
    """

    chance: random.Random
    acts: Collection[str] = ()
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    seen: list[tuple[uuid.UUID, int]] = field(default_factory=list)

    def work(self, times: int) -> Busy:
        names = list(self.acts or ACTS)
        for _ in range(times):
            self.act(self.chance.choice(names))
        return self

    def act(self, name: str) -> None:
        try:
            ACTS[name](self, Actor(kind="user", name=name))
        except REFUSALS as error:
            self.refused[type(error).__name__] += 1
        else:
            self.done[name] += 1

    def create(self, actor: Actor) -> None:
        create_customer(fields={"name": f"Newcomer {self.chance.random()}"}, actor=actor)

    def update(self, actor: Actor) -> None:
        [customer] = self.some(1)
        changes = {"city": f"Town {self.chance.random()}"}
        update_profile(customer_id=customer.pk, version=customer.version, changes=changes, actor=actor)
        self.seen.append((customer.pk, customer.version))

    def link(self, actor: Actor) -> None:
        kind, value = self.chance.choice(VALUES)
        link_customer_identifier(
            customer_id=self.some(1)[0].pk,
            channel=self.chance.choice(CHANNELS),
            identifier_type=kind,
            value=value,
            confidence=self.chance.choice([Decimal("0.50"), Decimal("0.90")]),
            actor=actor,
        )

    def unlink(self, actor: Actor) -> None:
        link = Mapping.objects.current().order_by("?").first()
        if link is None:
            raise NotFound("Nobody has an identifier.")
        unlink_customer_identifier(customer_id=link.customer_id, mapping_id=link.pk, actor=actor)

    def message(self, actor: Actor) -> None:
        _, email = self.chance.choice(VALUES)
        message = {"customer_email": email, "content": "Hello"}
        create_or_resolve_customer(channel=self.chance.choice(CHANNELS), message=message, actor=actor)

    def look_up(self, actor: Actor) -> None:
        kind, value = self.chance.choice(VALUES)
        resolve_customer_identity(channel=self.chance.choice(CHANNELS), identifier_type=kind, value=value)

    def judge(self, actor: Actor) -> None:
        one, other = self.some(2)
        judge_pair(
            left_id=one.pk, right_id=other.pk, verdict=self.chance.choice(WORDS), reason="", actor=actor
        )

    def merge(self, actor: Actor) -> None:
        members = self.some(self.chance.choice((2, 2, 3)))
        versions = {row.pk: row.version for row in members}
        merge_customers(member_ids=list(versions), expected_versions=versions, actor=actor)
        self.seen += versions.items()

    def merge_groups(self, actor: Actor) -> None:
        groups = [Group(tuple(str(row.pk) for row in self.some(2)), ()) for _ in range(2)]
        with audit.change(actor) as trail:
            merge_in_bulk(trail, groups)

    def undo(self, actor: Actor) -> None:
        merge = Merge.objects.filter(undone_at__isnull=True).order_by("?").first()
        if merge is None:
            raise NotFound("No merge stands.")
        answers = {ask.row_id: str(merge.survivor_id) for ask in plan_unmerge(merge.pk).asks}
        undo_merge(merge_id=merge.pk, assign=answers, judge_different=self.chance.random() < 0.1, actor=actor)

    def some(self, number: int) -> Sequence[Customer]:
        """As many active customers as wanted, rather the older ones, so that many meet."""
        rows = list(Customer.objects.active().order_by("pk")[:12])
        if len(rows) < number:
            raise NotFound("Too few are left.")
        return self.chance.sample(rows, k=number)


ACTS: dict[str, Callable[[Busy, Actor], None]] = {
    act.__name__: act
    for act in (
        Busy.create, Busy.update, Busy.link, Busy.unlink, Busy.message, Busy.look_up, Busy.judge, Busy.merge,
        Busy.merge_groups, Busy.undo,
    )
}  # fmt: skip
# The row of the trail that every act of a name leaves once.
LEAVES_ONE = {
    "create": "create", "update": "update", "unlink": "unlink", "message": "resolve", "judge": "judge",
}  # fmt: skip
