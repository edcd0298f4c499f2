"""Human verdicts on pairs, seen from the customers those pairs stand for today."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import connection
from django.db.models import Q

from customers.models import Customer
from resolution.models import Judgement
from resolution.selectors.labels import compared_label
from resolution.selectors.profiles import load_profiles
from resolution.types import Profile

# A verdict names customers as they were judged; each side may have been absorbed since.
_LIVE = """
    WITH member AS MATERIALIZED (
        SELECT id, coalesce(merged_into_id, id) AS canonical FROM customers
        WHERE id = ANY(%(ids)s) OR merged_into_id = ANY(%(ids)s)
    )
    SELECT l.canonical, r.canonical, j.verdict, j.fingerprint, j.compared, j.actor_name, j.created_at
    FROM judgements j
    JOIN member l ON l.id = j.left_id
    JOIN member r ON r.id = j.right_id
    WHERE j.superseded_at IS NULL AND l.canonical <> r.canonical
    ORDER BY j.id
"""

ALWAYS = datetime.min.replace(tzinfo=UTC)
Pair = frozenset[uuid.UUID]
# Field → digest of its values; fields without a value are left out.
Digests = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Compared:
    """What is compared of one customer, canonical, so that spelling is no change.

    In full, and a digest (16 hex digits) of each field that has a value.
    """

    text: str
    digests: Digests


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person said of a pair; `fresh` while the values they compared are still the same.

    `changed` names the fields that are not; it is empty for words that were kept without digests.
    """

    word: str
    fresh: bool
    who: str
    when: datetime
    changed: tuple[str, ...] = ()

    @property
    def reminder(self) -> str:
        """Say in a sentence what was decided before and what has changed since."""
        said = Judgement.Verdict(self.word).label.lower()
        since = describe_change(self.changed)
        return f"Decided before, data changed: {self.who} said “{said}” on {self.when:%d %B %Y}; {since}."


@dataclass(frozen=True, slots=True)
class KeptApart:
    """A live word that a customer and another one are two, which also goes with a part that leaves it."""

    judgement: int
    other: uuid.UUID
    other_name: str
    who: str
    when: datetime
    reason: str


class _Live(NamedTuple):
    """One live judgement, its sides as they stand today."""

    left: uuid.UUID
    right: uuid.UUID
    word: str
    mark: str
    compared: str
    who: str
    when: datetime

    @property
    def pair(self) -> Pair:
        return frozenset((self.left, self.right))


def different_pairs(ids: Collection[uuid.UUID]) -> set[Pair]:
    """Return the pairs of canonical customers, among those given, that may not become one (P3). One query."""
    return {row.pair for row in _live_judgements(ids) if row.word == Judgement.Verdict.DIFFERENT}


def verdicts_on_pairs(ids: Collection[uuid.UUID]) -> dict[Pair, Verdict]:
    """Return the verdict that counts on each judged pair among the canonical `ids`. At most three queries.

    Merged customers may bring several live words on one pair: *different* goes before all, then the last.
    """
    live = sorted(_live_judgements(ids), key=lambda row: row.word == Judgement.Verdict.DIFFERENT)
    judged = {row.pair: row for row in live}
    compared = load_compared(frozenset().union(*judged)) if judged else {}
    return {pair: _verdict(row, compared) for pair, row in judged.items() if pair <= compared.keys()}


def told_apart_since(whole: Mapping[uuid.UUID, datetime]) -> tuple[KeptApart, ...]:
    """Return the live words that told customers apart from others after the moment given with each.

    One for each of the others, the earliest; of the erased there is none. One query.
    """
    found = Judgement.objects.filter(
        Q(left__in=whole) | Q(right__in=whole),
        verdict=Judgement.Verdict.DIFFERENT,
        superseded_at__isnull=True,
    )
    words: dict[uuid.UUID, KeptApart] = {}
    for row in found.select_related("left", "right").order_by("pk"):
        for said_of, other in ((row.left, row.right), (row.right, row.left)):
            if (
                row.created_at > whole.get(said_of.pk, row.created_at)
                and other.pk not in whole
                and other.status != Customer.Status.ERASED
            ):
                words.setdefault(
                    other.pk,
                    KeptApart(
                        row.pk, other.pk, other.display_name, row.actor_name, row.created_at, row.reason
                    ),
                )
    return tuple(words.values())


def changed_fields(compared: Mapping[str, Digests], left: Compared, right: Compared) -> tuple[str, ...]:
    """Name the fields whose canonical values are not those that were compared; none when none were kept."""
    if not compared:
        return ()
    now = {"left": left.digests, "right": right.digests}
    differing = {
        field
        for side, before in compared.items()
        for field in {*before, *now[side]}
        if before.get(field) != now[side].get(field)
    }
    return tuple(field for field in _fields() if field in differing)


def describe_change(changed: Iterable[str]) -> str:
    """Say which fields changed: "since then e-mail and phone changed"."""
    *others, last = [compared_label(field) for field in changed] or ["the data"]
    named = f"{', '.join(others)} and {last}" if others else last
    return f"since then {named} changed"


def load_compared(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Compared]:
    """Return what is compared of each active customer of `ids`; queries as `load_profiles`."""
    return {key: _compared(profile) for key, profile in load_profiles(ids).items()}


def fingerprint_of(one: Compared, other: Compared) -> str:
    """Return the SHA-256 (hex) of what is compared between two customers, whichever comes first."""
    return hashlib.sha256("\n".join(sorted((one.text, other.text))).encode()).hexdigest()


def _compared(profile: Profile) -> Compared:
    values = _ordered(profile)
    digests = {
        field: hashlib.sha256(json.dumps(given).encode()).hexdigest()[:16]
        for field, given in values.items()
        if given
    }
    return Compared(json.dumps(values, sort_keys=True), digests)


def _verdict(row: _Live, compared: Mapping[uuid.UUID, Compared]) -> Verdict:
    left, right = compared[row.left], compared[row.right]
    if row.mark == fingerprint_of(left, right):
        return Verdict(row.word, True, row.who, row.when)
    return Verdict(row.word, False, row.who, row.when, changed_fields(json.loads(row.compared), left, right))


def _ordered(profile: Profile) -> dict[str, list[str]]:
    values = asdict(profile)
    del values["key"]
    return {
        name: sorted(json.dumps(value, sort_keys=True) for value in given) for name, given in values.items()
    }


def _fields() -> list[str]:
    return [name for name in Profile.__slots__ if name != "key"]


def _live_judgements(ids: Collection[uuid.UUID]) -> list[_Live]:
    with connection.cursor() as cursor:
        cursor.execute(_LIVE, {"ids": list(ids)})
        return [_Live(*row) for row in cursor.fetchall()]
