"""Which words a new one takes the place of: they end and name it, and are never edited."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from customers.models import Customer
from resolution.models import Judgement
from resolution.selectors.judgements import Pair

# The two a word is on, the lesser id first.
Sides = tuple[uuid.UUID, uuid.UUID]
_NAME_SUCCESSORS = """
    UPDATE judgements AS earlier SET superseded_by_id = later.id
    FROM unnest(%(earlier)s::bigint[], %(later)s::bigint[]) AS later (earlier, id)
    WHERE earlier.id = later.earlier
"""


def sides_of(pair: Iterable[uuid.UUID]) -> Sides:
    left, right = sorted(pair)
    return left, right


def live_words(named: Collection[uuid.UUID]) -> QuerySet[Judgement]:
    """Return the live words on any two of these customers, in the order they were said."""
    return Judgement.objects.filter(left__in=named, right__in=named, superseded_at__isnull=True).order_by(
        "pk"
    )


def end_earlier_words(
    pairs: Collection[Sides], customers: Mapping[uuid.UUID, Customer], verdict: str
) -> dict[Sides, list[int]]:
    """End the words that one on each of these pairs supersedes; return their numbers by pair.

    The customers of the pairs are locked. A constant number of statements.
    """
    found = _superseded(pairs, customers, verdict)
    earlier = [number for numbers in found.values() for number in numbers]
    Judgement.objects.filter(pk__in=earlier).update(superseded_at=timezone.now())
    return found


def name_successors(judgements: Iterable[Judgement], superseded: Mapping[Sides, list[int]]) -> None:
    """Let words that were ended name those that took their place."""
    pairs = [
        (number, judgement.pk)
        for judgement in judgements
        for number in superseded[judgement.left_id, judgement.right_id]
    ]
    if pairs:
        earlier, later = map(list, zip(*pairs, strict=True))
        with connection.cursor() as cursor:
            cursor.execute(_NAME_SUCCESSORS, {"earlier": earlier, "later": later})


def _superseded(
    pairs: Collection[Sides], customers: Mapping[uuid.UUID, Customer], verdict: str
) -> dict[Sides, list[int]]:
    """A pair's own words; and when the two are the same, those that say otherwise of their groups.

    A word on a customer that was absorbed is about that one alone. Any other word than "same" leaves what was
    said of the absorbed, which counts again once they part.
    """
    wholes = _wholes(pairs, customers) if verdict == Judgement.Verdict.SAME else frozenset()
    survivors = _survivors({key for pair in wholes for key in pair})
    found: dict[Sides, list[int]] = {pair: [] for pair in pairs}
    for word in live_words({*customers, *survivors}):
        own = (word.left_id, word.right_id)
        groups = frozenset(survivors.get(key, key) for key in own)
        if own in found:
            found[own].append(word.pk)
        elif groups in wholes and word.verdict != verdict:
            found[sides_of(groups)].append(word.pk)
    return found


def _wholes(pairs: Collection[Sides], customers: Mapping[uuid.UUID, Customer]) -> frozenset[Pair]:
    """The pairs of customers that both stand for themselves, and so for all that they absorbed."""
    merged = {key for key, customer in customers.items() if customer.status == Customer.Status.MERGED}
    return frozenset(frozenset(pair) for pair in pairs if merged.isdisjoint(pair))


def _survivors(customers: Collection[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """Absorbed customer → who of these it was merged into."""
    absorbed = Customer.objects.filter(merged_into__in=customers).only("merged_into")
    return {row.pk: row.canonical_id for row in absorbed}
