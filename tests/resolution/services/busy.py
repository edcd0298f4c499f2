"""Somebody who does one thing after another to the same few customers, as it happens."""

from __future__ import annotations

import random
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from django.contrib.auth.models import User
from django.db.models import Count, Model, Q, QuerySet

from customers.models import Customer, Mapping
from resolution.errors import CustomerErased, InvalidInput, NotFound, Refused, StaleVersion, TryAgain
from resolution.models import BlockedValue, Conflict, IdentifierRule, Merge, MergeProposal
from resolution.services import audit, locks
from resolution.services.approve import (
    approve_proposal,
    propose_merge,
    reject_proposal,
    withdraw_proposal,
)
from resolution.services.blocks import block_value, retire_block
from resolution.services.bulk_proposals import approve_in_bulk, reject_in_bulk
from resolution.services.conflicts import open_conflict
from resolution.services.decide import decide_conflict
from resolution.services.decisions import decisions_for
from resolution.services.erase import erase_customer
from resolution.services.importing import import_file, open_file
from resolution.services.judge import judge_pair
from resolution.services.keys import rebuild_keys
from resolution.services.link import link_customer_identifier, unlink_customer_identifier
from resolution.services.merge import merge_customers, merge_in_bulk
from resolution.services.profiles import create_customer, update_profile
from resolution.services.queue import claim
from resolution.services.resolve import create_or_resolve_customer, resolve_customer_identity
from resolution.services.rules import set_rule
from resolution.services.split import split_customer
from resolution.services.unmerge import plan_unmerge, undo_merge
from resolution.types import Actor, Group
from tests.factories import ChannelFactory, CustomerFactory, MappingFactory, MessageFactory, lead, steward
from tests.resolution.batch.files import csv_text
from tests.resolution.services.test_bulk_proposals import propose_seen

CHANNELS = ("web", "crm")
VALUES = tuple(("email", f"{name}@post.example") for name in ("one", "two", "three", "four", "five"))
HEADER = ("record_id", "first_name", "last_name", "email", "city")
RECORDS = tuple(f"record {number}" for number in range(6))
# What somebody who was overtaken, or asks the impossible, is told.
REFUSALS = (Refused, StaleVersion, NotFound, TryAgain, InvalidInput, CustomerErased)
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
    steward(username="steward")
    lead(username="lead")


@dataclass(slots=True)
class Busy:
    """One at work: `done` counts acts by name, `refused` refusals by class, `seen` the versions acted on.

    `told` are the sentences of the refusals, `words` those that decided conflicts.
    The name of an act is that of its actor too, which finds its rows in the trail.
    """

    chance: random.Random
    acts: Collection[str] = ()
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    seen: list[tuple[uuid.UUID, int]] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    words: list[tuple[int, str]] = field(default_factory=list)

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
            self.told.add(str(error))
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
        link = any_of(Mapping.objects.current(), "identifier is linked")
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

    def decide(self, actor: Actor) -> None:
        """Say any word that decides a question, be it asked just now or claimed by others at work."""
        if self.chance.random() < 0.5:
            ask_about([{row.pk: "member" for row in self.some(self.chance.choice((2, 4)))}], actor)
        worker = signed_in("steward", actor)
        asked = any_of(Conflict.objects.exclude(state__in=["done", "decided"]), "question waits")
        held = claim(conflict_id=asked.pk, actor=worker)
        word = self.chance.choice(decisions_for(held.kind, held.identifier_type))
        decide_conflict(conflict_id=held.pk, decision=word, version=held.version, actor=worker)
        self.words.append((held.pk, word))

    def merge(self, actor: Actor) -> None:
        members = self.some(self.chance.choice((2, 2, 3)))
        versions = {row.pk: row.version for row in members}
        merge_customers(member_ids=list(versions), expected_versions=versions, actor=actor)
        self.seen += versions.items()

    def propose(self, actor: Actor) -> None:
        propose_merge(member_ids=[row.pk for row in self.some(2)], actor=signed_in("steward", actor))

    def approve(self, actor: Actor) -> None:
        waiting = any_of(MergeProposal.objects.filter(state="pending", batch=None), "proposal waits")
        approve_proposal(proposal_id=waiting.pk, actor=signed_in("lead", actor))

    def reject(self, actor: Actor) -> None:
        waiting = any_of(MergeProposal.objects.filter(state="pending", batch=None), "proposal waits")
        reject_proposal(proposal_id=waiting.pk, actor=signed_in("lead", actor))

    def withdraw(self, actor: Actor) -> None:
        waiting = any_of(MergeProposal.objects.filter(state="pending", batch=None), "proposal waits")
        withdraw_proposal(proposal_id=waiting.pk, actor=signed_in("steward", actor))

    def propose_groups(self, actor: Actor) -> None:
        people = self.some(4)
        pairs = [{row.pk: "member" for row in pair} for pair in (people[:2], people[2:])]
        propose_seen(ask_about(pairs, actor), signed_in("steward", actor))

    def approve_groups(self, actor: Actor) -> None:
        waiting = MergeProposal.objects.filter(state="pending", batch__isnull=False)
        batch = any_of(waiting, "batch waits").batch_id
        approve_in_bulk(batch_id=batch or 0, actor=signed_in("lead", actor))

    def reject_groups(self, actor: Actor) -> None:
        waiting = MergeProposal.objects.filter(state="pending", batch__isnull=False)
        batch = any_of(waiting, "batch waits").batch_id
        reject_in_bulk(batch_id=batch or 0, actor=signed_in("lead", actor))

    def merge_groups(self, actor: Actor) -> None:
        groups = [Group(tuple(str(row.pk) for row in self.some(2)), ()) for _ in range(2)]
        merge_by_rule(groups, actor)

    def undo(self, actor: Actor) -> None:
        merge = any_of(Merge.objects.filter(undone_at__isnull=True), "merge stands")
        answers = {ask.row_id: str(merge.survivor_id) for ask in plan_unmerge(merge.pk).asks}
        undo_merge(merge_id=merge.pk, assign=answers, judge_different=self.chance.random() < 0.1, actor=actor)

    def split(self, actor: Actor) -> None:
        owned = Count("mappings", filter=Q(mappings__status="active"))
        several = Customer.objects.active().filter(absorbed=None).annotate(owned=owned).filter(owned__gt=1)
        link = any_of(
            Mapping.objects.owned().filter(customer__in=several.values("pk")), "identifier can leave"
        )
        split_customer(
            customer_id=link.customer_id,
            mapping_ids=[link.pk],
            judge_different=self.chance.random() < 0.1,
            actor=actor,
        )

    def fused(self, actor: Actor) -> Mapping:
        """An identifier of somebody new who has two."""
        customer = create_customer(fields={"name": f"Fused {self.chance.random()}"}, actor=actor)
        for number in range(2):
            link_customer_identifier(
                customer_id=customer.pk,
                channel=CHANNELS[number],
                identifier_type="handle",
                value=f"@fused{customer.pk.hex[-9:]}{number}",
                actor=actor,
            )
        return any_of(Mapping.objects.owned().filter(customer=customer), "identifier can leave")

    def block(self, actor: Actor) -> None:
        kind, value = self.chance.choice(VALUES)
        block_value(value=value, type=kind, actor=actor)

    def lift(self, actor: Actor) -> None:
        block = any_of(BlockedValue.objects.filter(state="live"), "value is blocked")
        retire_block(block_id=block.pk, actor=actor)

    def erase(self, actor: Actor) -> None:
        erase_customer(customer_id=self.some(1)[0].pk, reason="Request 7", actor=actor)

    def change_rule(self, actor: Actor) -> None:
        rule = IdentifierRule.objects.get(identifier_type="email")
        days = self.chance.randint(300, 400)
        changes = {
            "customers_soft": self.chance.randint(2, 6),
            "valid_days": days + (days == rule.valid_days),
        }
        set_rule(
            identifier_type="email", version=rule.version, changes=changes, accept_existing=True, actor=actor
        )

    def take_in_file(self, actor: Actor) -> None:
        """What a source has of a few people, under identifiers that others have too."""
        rows = [
            (
                record,
                f"Given {record}",
                "Neighbour",
                self.chance.choice(VALUES)[1],
                f"Town {self.chance.random()}",
            )
            for record in self.chance.sample(RECORDS, k=4)
        ]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "people.csv"
            path.write_text(csv_text(*rows, header=HEADER))
            import_file(open_file(path=path, channel=self.chance.choice(CHANNELS)), actor=actor)

    def some(self, number: int) -> Sequence[Customer]:
        """As many active customers as wanted, rather the older ones, so that many meet."""
        rows = list(Customer.objects.active().order_by("pk")[:12])
        if len(rows) < number:
            raise NotFound("Too few are left.")
        return self.chance.sample(rows, k=number)


@locks.again_after_deadlock
def merge_by_rule(groups: list[Group], actor: Actor) -> None:
    """Merge as a run over the register does, which begins anew as often as it has to."""
    with audit.change(actor) as trail:
        merge_in_bulk(trail, groups)


@locks.again_after_deadlock
def ask_about(pairs: Sequence[dict[uuid.UUID, str]], actor: Actor) -> set[int]:
    """Ask of each pair whether it is one, and return the conflicts."""
    with audit.change(actor) as trail:
        locked = locks.lock_customers([key for pair in pairs for key in pair])
        living = {key for key, row in locked.items() if row.status == Customer.Status.ACTIVE}
        return {
            open_conflict(trail, kind="likely_duplicate", members=pair, reason="They look alike.").pk
            for pair in pairs
            if pair.keys() <= living
        }


Row = TypeVar("Row", bound=Model)


def any_of(rows: QuerySet[Row], what: str) -> Row:
    row = rows.order_by("?").first()
    if row is None:
        raise NotFound(f"No {what}.")
    return row


def signed_in(account: str, actor: Actor) -> Actor:
    """The actor of an act, who has this account."""
    return Actor(kind=actor.kind, name=actor.name, user_id=User.objects.get(username=account).pk)


ACTS: dict[str, Callable[[Busy, Actor], None]] = {
    act.__name__: act
    for act in (
        Busy.create, Busy.update, Busy.link, Busy.unlink, Busy.message, Busy.look_up, Busy.judge, Busy.decide,
        Busy.merge, Busy.merge_groups, Busy.undo, Busy.split,
        Busy.propose, Busy.approve, Busy.reject, Busy.withdraw, Busy.propose_groups, Busy.approve_groups,
        Busy.reject_groups, Busy.block, Busy.lift, Busy.erase, Busy.change_rule, Busy.take_in_file,
    )
}  # fmt: skip
# The row of the trail that every act of a name leaves once.
LEAVES_ONE = {
    "create": "create", "update": "update", "unlink": "unlink", "judge": "judge",
    "propose": "propose", "approve": "approve", "reject": "reject", "withdraw": "withdraw", "split": "split",
    "change_rule": "rule", "take_in_file": "import",
}  # fmt: skip
