"""Merges a second, in bulk and one by one; merge and undo of customers with a long past."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from benchmarks.ground import Figure, find_set, fresh_database, make_channel, say, stopwatch

if TYPE_CHECKING:
    from customers.models import Channel, Customer
    from resolution.types import Actor

IN_BULK, ONE_BY_ONE = (1_000, 3_000, 10_000), 200
MESSAGES = (100, 1_000, 10_000)
BAR = 300  # merges a second in bulk, on two cores


def measure(
    name: str = "customers_30k", in_bulk: Sequence[int] = IN_BULK, messages: Sequence[int] = MESSAGES
) -> Iterator[Figure]:
    """Merge pairs of a generated set, whoever they are; then customers with many messages."""
    path = find_set(name)
    say("merging")
    with fresh_database("merge"):
        from resolution.services.importing import import_file, open_file
        from resolution.types import Actor

        actor = Actor.machine("benchmark")
        import_file(open_file(path=path, channel=make_channel()), actor=actor, resolve=False)
        pairs = _pairs()
        single = _one_by_one(list(islice(pairs, ONE_BY_ONE)), actor)
        for number in in_bulk:
            bulk = _in_bulk(list(islice(pairs, number)), actor)
            yield Figure(
                f"{number:,} merges of two in bulk, audit included",
                f"{bulk:,.0f} /s",
                f"{single:,.0f} /s one by one",
                f"bar: {BAR} /s; {bulk / single:.1f} times as many as one by one",
            )
        yield from _with_messages(actor, messages)


def _pairs() -> Iterator[tuple[uuid.UUID, uuid.UUID]]:
    from customers.models import Customer

    ids = list(Customer.objects.active().order_by("id").values_list("id", flat=True))
    return zip(ids[::2], ids[1::2], strict=False)


def _in_bulk(pairs: Sequence[tuple[uuid.UUID, uuid.UUID]], actor: Actor) -> float:
    """Merge pairs as a run over the register does, in one change; merges a second."""
    from resolution.batch.collector import seldom_collecting
    from resolution.services import audit, merge
    from resolution.types import Group

    groups = [Group(members=(str(left), str(right)), edges=()) for left, right in pairs]
    with stopwatch() as seconds, seldom_collecting(), audit.change(actor) as trail:
        done = merge.merge_in_bulk(trail, groups)
    assert len(done.merges) == len(pairs)
    return len(pairs) / seconds[0]


def _one_by_one(pairs: Sequence[tuple[uuid.UUID, uuid.UUID]], actor: Actor) -> float:
    from resolution.services.merge import merge_customers

    with stopwatch() as seconds:
        for pair in pairs:
            merge_customers(member_ids=pair, actor=actor)
    return len(pairs) / seconds[0]


def _with_messages(actor: Actor, messages: Sequence[int]) -> Iterator[Figure]:
    """Merge and undo pairs with ever more messages each; the growth is to be no more than theirs."""
    from customers.models import Channel

    channel = Channel.objects.get()
    for number in messages:
        kept, gone, outer = (_customer(channel, number) for _ in range(3))
        merged, nested, undone = _there_and_back(kept, gone, outer, actor)
        yield Figure(
            f"customer with {number:,} messages",
            f"merge {merged * 1000:,.0f} ms, undo {undone * 1000:,.0f} ms",
            f"undo from under a later merge {nested * 1000:,.0f} ms",
            "as many messages on each side",
        )


def _there_and_back(
    kept: Customer, gone: Customer, outer: Customer, actor: Actor
) -> tuple[float, float, float]:
    """Return the seconds of a merge, of its undo under one that absorbed its survivor, of that one's."""
    from resolution.services.merge import merge_customers
    from resolution.services.unmerge import undo_merge

    def merge(into: Customer, other: Customer) -> tuple[int, float]:
        with stopwatch() as seconds:
            made = merge_customers(member_ids=[into.pk, other.pk], survivor_id=into.pk, actor=actor)
        return made.pk, seconds[0]

    def undo(number: int) -> float:
        with stopwatch() as seconds:
            undo_merge(merge_id=number, actor=actor)
        return seconds[0]

    (first, merged), (second, _) = merge(kept, gone), merge(outer, kept)
    nested = undo(first)
    return merged, nested, undo(second)


def _customer(channel: Channel, messages: int) -> Customer:
    """Make a customer with one identifier that all its messages came with."""
    from customers.models import Customer, Mapping, Message

    customer = Customer.objects.create(name="Ann Smith")
    address = f"{customer.pk}@example.com"
    by = Mapping.objects.create(
        customer=customer,
        channel=channel,
        identifier_type="email",
        channel_identifier=address,
        normalised=address,
    )
    rows = (
        Message(channel=channel, customer=customer, mapping=by, outcome=Message.Outcome.LINKED)
        for _ in range(messages)
    )
    Message.objects.bulk_create(rows, batch_size=5_000)
    return customer
