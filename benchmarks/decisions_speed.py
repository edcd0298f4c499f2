"""What a decision costs that reaches far: a value blocked that thousands of customers share."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from benchmarks.ground import Figure, fresh_database, make_channel, say, stopwatch

if TYPE_CHECKING:
    from customers.models import Customer

SHARED_BY = (500, 1_500, 5_000)
# Every customer that has the value stands for so many records, brought together by it.
RECORDS_A_CUSTOMER = 2
JUDGED_AT_ONCE = (13, 51, 151)
ONE_BY_ONE = 51


def measure(
    shared_by: Sequence[int] = SHARED_BY, judged: Sequence[int] = JUDGED_AT_ONCE, one_by_one: int = ONE_BY_ONE
) -> Iterator[Figure]:
    """Block a value that many customers share, and judge every two of many."""
    with fresh_database("decisions"):
        yield _measure_blocks(shared_by)
        yield _measure_words(judged, one_by_one)


def _measure_blocks(shared_by: Sequence[int]) -> Figure:
    say("blocking shared values")
    timings = [(number, *_blocked(number, place)) for place, number in enumerate(shared_by)]
    growth = ", ".join(f"{number:,}: {seconds:.2f} s" for number, seconds, _ in timings)
    number, seconds, preview = timings[-1]
    return Figure(
        f"re-evaluation after blocking a value shared by {number:,} customers",
        f"{seconds:.2f} s",
        f"preview {preview:.2f} s",
        f"as many merges, all fallen apart; {growth}",
    )


def _measure_words(judged: Sequence[int], one_by_one: int) -> Figure:
    say("judging every two of many")
    timings = [(number, _judged(number)) for number in judged]
    number, seconds = timings[-1]
    growth = ", ".join(
        f"{number} of {_pairs(number):,} pairs: {seconds:.2f} s" for number, seconds in timings
    )
    return Figure(
        f"“not the same” on a conflict of {number} customers, {_pairs(number):,} pairs",
        f"{seconds:.2f} s",
        f"pair by pair, {one_by_one} customers: {_judged_one_by_one(one_by_one):.2f} s",
        f"audit included; {growth}",
    )


def _pairs(number: int) -> int:
    return number * (number - 1) // 2


def _judged(number: int) -> float:
    """Seconds of deciding a conflict that asks about so many customers."""
    from django.contrib.auth.models import User

    from resolution.models import Conflict, ConflictMember, Judgement
    from resolution.services import audit
    from resolution.services.conflicts import open_conflict
    from resolution.services.decide import decide_conflict
    from resolution.services.queue import claim
    from resolution.types import Actor

    user, _ = User.objects.get_or_create(username="benchmark")
    actor = Actor(kind="user", name=user.username, user_id=user.pk)
    with audit.change(actor) as trail:
        asked = open_conflict(
            trail,
            kind=Conflict.Kind.LIKELY_DUPLICATE,
            members=dict.fromkeys((row.pk for row in _people(number)), ConflictMember.Role.MEMBER.value),
            reason="They look alike.",
        )
    conflict = claim(conflict_id=asked.pk, actor=actor)
    with stopwatch() as done:
        decide_conflict(
            conflict_id=conflict.pk, decision="different", version=conflict.version, reason="", actor=actor
        )
    if Judgement.objects.filter(conflict=conflict).count() != _pairs(number):
        raise AssertionError(f"not every two of {number} customers were judged")
    return done[0]


def _judged_one_by_one(number: int) -> float:
    """Seconds of saying the same of every two of them, one after the other in one change."""
    from resolution.services import audit
    from resolution.services.judge import write_judgement
    from resolution.types import Actor

    people = [row.pk for row in _people(number)]
    with stopwatch() as done, audit.change(Actor.machine("benchmark")) as trail:
        for left, right in combinations(people, 2):
            write_judgement(trail, left_id=left, right_id=right, verdict="different", reason="")
    return done[0]


def _people(number: int) -> list[Customer]:
    from customers.models import Customer

    chance = random.Random(number)
    return Customer.objects.bulk_create(
        Customer(given_name=_word(chance, 3), family_name=_word(chance, 4), city=_word(chance, 3))
        for _ in range(number)
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
