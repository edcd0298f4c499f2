"""What a decision costs that reaches far: a value blocked that thousands of customers share."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from benchmarks.ground import Figure, fresh_database, make_channel, say, stopwatch

SHARED_BY = (500, 1_500, 5_000)
# Every customer that has the value stands for so many records, brought together by it.
RECORDS_A_CUSTOMER = 2


def measure(shared_by: Sequence[int] = SHARED_BY) -> Iterator[Figure]:
    """Block a value that many customers share, and look again at all that leaned on it."""
    say("blocking shared values")
    with fresh_database("decisions"):
        timings = [(number, *_blocked(number, place)) for place, number in enumerate(shared_by)]
    growth = ", ".join(f"{number:,}: {seconds:.2f} s" for number, seconds, _ in timings)
    number, seconds, preview = timings[-1]
    yield Figure(
        f"re-evaluation after blocking a value shared by {number:,} customers",
        f"{seconds:.2f} s",
        f"preview {preview:.2f} s",
        f"as many merges, all fallen apart; {growth}",
    )


def _blocked(number: int, place: int) -> tuple[float, float]:
    """Seconds of blocking and of its preview, with as many merged customers as named."""
    from resolution.services.blocks import block_value, preview_block
    from resolution.types import Actor

    actor, value = Actor.machine("benchmark"), f"+4930{70_000_000 + place}1"
    _share(value, number, place)
    with stopwatch() as shown:
        preview_block(value=value, type="phone")
    with stopwatch() as done:
        numbers = block_value(value=value, type="phone", actor=actor).reach.numbers()
    if (numbers["customers"], numbers["over_merged"]) != (number, number):
        raise AssertionError(f"{number} customers were to fall apart, and these did: {numbers}")
    return done[0], shown[0]


def _share(value: str, number: int, place: int) -> None:
    """Make customers that have nothing but one value in common, and merge them by twos."""
    from django.db import connection

    from customers.models import Channel, Customer, Mapping
    from resolution.services import audit, keys
    from resolution.services.merge import merge_in_bulk
    from resolution.types import Actor, Group

    chance = random.Random(place)
    channel = Channel.objects.get(code=make_channel())
    people = Customer.objects.bulk_create(
        Customer(given_name=_word(chance, 3), family_name=_word(chance, 4), phone=value)
        for _ in range(number * RECORDS_A_CUSTOMER)
    )
    Mapping.objects.bulk_create(
        Mapping(
            customer=row, channel=channel, identifier_type="phone", channel_identifier=value,
            normalised=value, status="active" if row is people[0] else "shared",
        )
        for row in people
    )  # fmt: skip
    ids = [str(row.pk) for row in people]
    pairs = zip(ids[::RECORDS_A_CUSTOMER], ids[1::RECORDS_A_CUSTOMER], strict=True)
    with audit.change(Actor.machine("benchmark")) as trail:
        keys.rebuild_keys([row.pk for row in people])
        merge_in_bulk(trail, [Group(members=pair, edges=()) for pair in pairs])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _word(chance: random.Random, syllables: int) -> str:
    return "".join(chance.choice("bdfgklmnprst") + chance.choice("aeiou") for _ in range(syllables)).title()
