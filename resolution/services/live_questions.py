"""What becomes of questions that were asked: weighed again, outdated, closed when they are none any more."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils import timezone
from psycopg.types.json import Jsonb

from resolution.models import Conflict, ConflictMember
from resolution.selectors.judgements import Pair
from resolution.selectors.reach import WAITING
from resolution.services import locks
from resolution.services.audit import Trail
from resolution.services.conflict_states import states_before
from resolution.services.conflicts import ASKS_OF_PAIRS, LONGEST_REASON, name_members, weighed
from resolution.types import PairScore

State = Conflict.State
_WEIGH_AGAIN = """
    UPDATE conflicts c SET band = n.band, weight = n.weight, evidence = n.evidence,
        reason = coalesce(n.reason, c.reason), version = c.version + 1, updated_at = %(now)s
    FROM jsonb_to_recordset(%(rows)s) AS n (id bigint, band text, weight float8, evidence jsonb, reason text)
    WHERE c.id = n.id AND c.state = ANY(%(states)s)
        AND (c.band, c.weight, c.evidence, c.reason)
            IS DISTINCT FROM (n.band, n.weight, n.evidence, coalesce(n.reason, c.reason))
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a waiting question asked when it was looked at without a lock: of whom, and in which version."""

    members_key: str
    version: int


def lock_as_seen(seen: Mapping[int, Seen]) -> set[int]:
    """Lock those of these conflicts that nobody has touched since they were seen and return their ids."""
    rows = locks.lock_rows(
        Conflict.objects.exclude(state=State.DONE).filter(pk__in=seen).only("members_key", "version")
    )
    return {row.pk for row in rows if Seen(row.members_key, row.version) == seen[row.pk]}


def lock_waiting(conflict_ids: Collection[int]) -> None:
    """Let nobody claim these conflicts until commit; those somebody is at work on are left to them."""
    locks.lock_rows(Conflict.objects.filter(pk__in=conflict_ids, state__in=WAITING).only("pk"))


def close_conflicts(trail: Trail, conflict_ids: Collection[int], *, outcome: str, reason: str) -> int:
    """Close live conflicts whose question has gone, with the reason; return how many were."""
    live = Conflict.objects.filter(pk__in=conflict_ids, state__in=states_before(State.DONE))
    closed = [row.pk for row in locks.lock_rows(live.only("pk"))]
    Conflict.objects.filter(pk__in=closed).update(
        state=State.DONE,
        outcome=outcome,
        leased_until=None,
        parked_until=None,
        decided_at=timezone.now(),
        version=F("version") + 1,
        updated_at=timezone.now(),
    )
    for conflict_id in closed:
        trail.record("decide", method=outcome, conflict=conflict_id, reason=reason)
    return len(closed)


def weigh_again(scores: Mapping[int, Sequence[PairScore]], reasons: Mapping[int, str] | None = None) -> int:
    """Give waiting conflicts the evidence of today, by their ids, and reasons where given.

    Returns how many had other evidence or another reason before.
    """
    told = {key: reason[:LONGEST_REASON] for key, reason in (reasons or {}).items()}
    rows = [{"id": key, "reason": told.get(key), **weighed(found)} for key, found in scores.items()]
    values: dict[str, Any] = {
        "rows": Jsonb(rows),
        "now": timezone.now(),
        "states": list(WAITING),
    }
    with connection.cursor() as cursor:
        cursor.execute(_WEIGH_AGAIN, values)
        return int(cursor.rowcount)


def close_pair_questions(
    trail: Trail, pairs: Collection[Pair], *, outcome: str, reason: str, but: int | None = None
) -> int:
    """Close the waiting questions whether exactly two of these are one, `but` for the one being decided."""
    waiting = Conflict.objects.filter(
        kind__in=ASKS_OF_PAIRS,
        members_key__in=[name_members(pair) for pair in pairs],
        state__in=list(WAITING),
    )
    ids = set(waiting.values_list("pk", flat=True)) - {but}
    return close_conflicts(trail, ids, outcome=outcome, reason=reason)


def outdate_forms(pairs: Collection[Pair], *, but: int | None = None) -> None:
    """Make forms of the live questions that ask about two of these stale: something was said of them since.

    `but` is the one being decided.
    """
    live = Conflict.objects.exclude(state=State.DONE).filter(pk__in=_asking_about(pairs) - {but})
    asking = [row.pk for row in locks.lock_rows(live.only("pk"))]
    Conflict.objects.filter(pk__in=asking).update(version=F("version") + 1, updated_at=timezone.now())


def _asking_about(pairs: Collection[Pair]) -> set[int]:
    named = {key for pair in pairs for key in pair}
    members: defaultdict[int, list[uuid.UUID]] = defaultdict(list)
    rows = ConflictMember.objects.filter(customer__in=named).exclude(conflict__state=State.DONE)
    for conflict, customer in rows.values_list("conflict", "customer"):
        members[conflict].append(customer)
    return {
        key
        for key, ids in members.items()
        if any(map(pairs.__contains__, map(frozenset, combinations(ids, 2))))
    }
