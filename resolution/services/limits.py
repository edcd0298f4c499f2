"""How many customers a value may have, and a customer values: counted under the locks, then asked or refused.

Every writer of links comes through here: a claim (`check_link`), a file (`sift`), a merge
(`questions_of_union`, after `limit_plan.bounds_of_union` let it pass).
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Generic, Protocol, TypeVar

from django.db import connection
from django.utils import timezone
from procrastinate.contrib.django import app

from customers.models import Channel
from customers.models import Mapping as Link
from resolution.errors import BlockedIdentifier, LimitReached
from resolution.matching.identifiers import IDENTIFIER_TYPES
from resolution.models import Conflict
from resolution.selectors.identifier_rules import (
    OF_ONE_CHANNEL,
    Rule,
    load_blocklist,
    load_rules,
    scope_of,
    windows,
)
from resolution.services import locks
from resolution.services.audit import Trail
from resolution.services.conflicts import Question
from resolution.services.limit_plan import Crossing, crossing_of, judge_union
from resolution.services.limit_questions import ask, question_of
from resolution.services.merge_plan import CustomerFacts
from resolution.types import Identifier

Kind = Conflict.Kind
COUNTING = "resolution.count_holders"  # the worker's task

_COUNT = """
    WITH link AS MATERIALIZED (
        SELECT id, customer_id, channel_id, normalised, verified FROM customer_identity_mapping
        WHERE status IN ('active', 'shared') AND identifier_type = %(type)s
          AND (normalised = %(value)s OR customer_id = %(customer)s)
          AND id IS DISTINCT FROM %(leaving)s::uuid
          AND (%(since)s::timestamptz IS NULL OR last_seen_at >= %(since)s)
    )
    SELECT
        count(DISTINCT customer_id) FILTER (
            WHERE normalised = %(value)s AND customer_id <> %(customer)s
              AND (%(channel)s::uuid IS NULL OR channel_id = %(channel)s)
        ),
        count(DISTINCT normalised) FILTER (WHERE customer_id = %(customer)s AND normalised <> %(value)s),
        coalesce(bool_or(customer_id = %(customer)s AND normalised = %(value)s), false),
        min(normalised) FILTER (
            WHERE customer_id = %(customer)s AND normalised <> %(value)s AND verified
              AND (%(channel)s::uuid IS NULL OR channel_id = %(channel)s)
        )
    FROM link
"""
_HOLDERS = """
    SELECT wanted.type, wanted.value, found.customer_id
    FROM unnest(%(types)s::text[], %(values)s::text[], %(since)s::timestamptz[])
        AS wanted (type, value, since)
    CROSS JOIN LATERAL (
        SELECT DISTINCT m.customer_id FROM customer_identity_mapping m
        WHERE m.identifier_type = wanted.type AND m.normalised = wanted.value
          AND m.status IN ('active', 'shared')
          AND (wanted.since IS NULL OR m.last_seen_at >= wanted.since)
          AND (NOT m.identifier_type = ANY(%(of_channel)s) OR m.channel_id = %(channel)s)
        LIMIT %(most)s
    ) AS found
"""
_HAS = """
    SELECT DISTINCT customer_id, identifier_type, normalised FROM customer_identity_mapping
    LEFT JOIN unnest(%(types)s::text[], %(since)s::timestamptz[]) AS valid (type, since)
        ON valid.type = identifier_type
    WHERE customer_id = ANY(%(customers)s) AND status IN ('active', 'shared')
      AND (since IS NULL OR last_seen_at >= since)
"""

Value = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Checked:
    """A link that may be made: what was asked about it, and whether its value was `counted` to the end.

    If not, a file that adds to it is on its way, and it is to be counted later (`count_later`).
    """

    asked: int | None = None
    counted: bool = True


def check_link(
    trail: Trail,
    *,
    customer_id: uuid.UUID,
    channel: Channel,
    identifier: Identifier,
    verified: bool,
    leaving: Link | None = None,
) -> Checked:
    """Let a link be made, or refuse it; past a soft limit a person is asked.

    Identifier and customer are locked. `leaving` is the link that ends for this one. Raises
    BlockedIdentifier, LimitReached.
    """
    found = load_blocklist().find(identifier.type, identifier.normalised)
    if found:
        raise BlockedIdentifier(identifier.type, identifier.value, found.why)
    rule = load_rules().get(identifier.type)
    if rule is None:  # a source's own key of a record
        return Checked()
    crossings, counted = _crossings(rule, customer_id, channel, identifier, verified, leaving)
    for crossing in crossings:
        if crossing.hard:
            raise crossing.refusal()
    return Checked(next(iter(ask(trail, crossings)), None), counted)


def count_later(trail: Trail, mapping: Link) -> None:
    """Have the worker count a link's value when this change stands and the file on its way is in.

    The job names the link, whoever has its value by then, and no value: an erasure has to reach into no
    queue.
    """
    later = app.configure_task(COUNTING)
    later.defer(mapping_id=str(mapping.pk), actor=asdict(trail.actor))


def check_verified(*, customer_id: uuid.UUID, channel: Channel, identifier: Identifier) -> None:
    """Refuse a second verified value of an exclusive type. Raises LimitReached."""
    rule = load_rules()[identifier.type]
    if rule.exclusive:
        _refuse_second(rule, identifier, _count(rule, customer_id, channel, identifier, None)[3])


def note_refusal(trail: Trail, error: LimitReached, customer_id: uuid.UUID, channel: Channel) -> None:
    """Ask a person about a link that was refused while the rest of a message went through."""
    facts = error.facts
    if facts.get("kind") in (Kind.SHARED_VALUE, Kind.LIMIT_REACHED):
        ask(
            trail,
            [
                Crossing(
                    facts["kind"], facts["type"], facts["value"], customer_id, facts["count"], facts["limit"],
                    hard=True, channel_id=scope_of(facts["type"], channel.pk),
                )
            ],
        )  # fmt: skip


class StagedLink(Protocol):
    """A link of a file that is about to be made."""

    @property
    def customer_id(self) -> uuid.UUID: ...

    @property
    def identifier(self) -> Identifier: ...


Staged = TypeVar("Staged", bound=StagedLink)


@dataclass(slots=True)
class Sifted(Generic[Staged]):
    """A file's links: those to make, those left out by a block or a limit, and the soft limits crossed."""

    kept: list[Staged] = field(default_factory=list)
    blocked: int = 0
    refused: int = 0
    crossings: dict[tuple[str, str, str], Crossing] = field(default_factory=dict)


def values_near_limits(channel: Channel, identifiers: Iterable[Identifier]) -> list[Value]:
    """Return which of a batch's values come near a limit with it, so that they are to be locked.

    Any other one gets fewer than half of its limit, so that who comes near it by single links (`_crossings`)
    is the only one who has to wait for the batch.
    """
    wanted = Counter((entry.type, entry.normalised) for entry in identifiers)
    rules, near = load_rules(), []
    held = _holders(channel, wanted, rules)
    for value, number in wanted.items():
        if _near(len(held.get(value, ())) + number, _lowest(rules.get(value[0]))):
            near.append(value)
    return near


def sift(channel: Channel, links: Sequence[Staged], *, new_customers: bool) -> Sifted[Staged]:
    """Part a batch's links, in their order, by what is blocked and by the limits; reads only."""
    rules, blocked, sifted = load_rules(), load_blocklist(), Sifted[Staged]()
    held = _holders(channel, {(link.identifier.type, link.identifier.normalised) for link in links}, rules)
    has = defaultdict(set) if new_customers else _values_of({link.customer_id for link in links}, rules)
    for link in links:
        entry = link.identifier
        value = (entry.type, entry.normalised)
        if blocked.find(*value):
            sifted.blocked += 1
            continue
        customers, own = held.setdefault(value, set()), has[link.customer_id, entry.type]
        rule = rules.get(entry.type)
        found = _past(rule, link, customers, own, channel) if rule else []
        if any(crossing.hard for crossing in found):
            sifted.refused += 1
        else:
            customers.add(link.customer_id)
            own.add(entry.normalised)
            sifted.kept.append(link)
        for crossing in found:
            asked = _place(crossing)
            sifted.crossings[asked] = crossing
    return sifted


def questions_of_union(
    survivor: uuid.UUID, members: Sequence[CustomerFacts], rules: Mapping[str, Rule]
) -> list[Question]:
    """Return what is to be asked of a customer that a merge took past a soft limit."""
    return [question_of(entry, [survivor]) for entry in judge_union(members, rules)]


def _crossings(
    rule: Rule,
    customer_id: uuid.UUID,
    channel: Channel,
    identifier: Identifier,
    verified: bool,
    leaving: Link | None,
) -> tuple[list[Crossing], bool]:
    """What a link goes past, and whether no file on its way can add to that."""
    others, values, has_it, second = _count(rule, customer_id, channel, identifier, leaving)
    near, out = (False, True) if leaving else _keep_files_out(rule, others + 1)
    if near and out:
        others, values, has_it, second = _count(rule, customer_id, channel, identifier, leaving)
    if verified and rule.exclusive:
        _refuse_second(rule, identifier, second)
    if has_it:
        return [], out
    scope = scope_of(rule.type, channel.pk)
    found = (
        crossing_of(Kind.LIMIT_REACHED, rule, identifier.normalised, customer_id, values + 1),
        None
        if leaving
        else crossing_of(Kind.SHARED_VALUE, rule, identifier.normalised, customer_id, others + 1, scope),
    )
    return [entry for entry in found if entry], out


def _keep_files_out(rule: Rule, customers: int) -> tuple[bool, bool]:
    """Whether a value is near a limit, and whether no file can add to it until commit.

    Near a hard one a link waits for that. Near a soft one it waits for nobody: the worker counts once the
    file is in.
    """
    if _near(customers, rule.customers_hard):
        locks.keep_files_out()
        return True, True
    if not _near(customers, rule.customers_soft):
        return False, True
    return True, locks.keep_files_out_now()


def _count(
    rule: Rule, customer_id: uuid.UUID, channel: Channel, identifier: Identifier, leaving: Link | None
) -> tuple[int, int, bool, str | None]:
    """Others with the value, other values of the customer, whether it has this one, another verified one."""
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT,
            {
                "type": rule.type,
                "value": identifier.normalised,
                "customer": customer_id,
                "leaving": leaving.pk if leaving else None,
                "channel": scope_of(rule.type, channel.pk),
                "since": rule.begins(timezone.now()),
            },
        )
        others, values, has_it, second = cursor.fetchone()
        return others, values, has_it, second


def _refuse_second(rule: Rule, identifier: Identifier, second: str | None) -> None:
    if second:
        raise LimitReached(
            f"A customer has one verified {IDENTIFIER_TYPES[rule.type].label.lower()}, and this one has"
            f" {second}; {identifier.normalised} cannot be verified beside it.",
            kind="exclusive", type=rule.type, value=identifier.normalised, standing=second,
        )  # fmt: skip


def _past(
    rule: Rule, link: StagedLink, customers: set[uuid.UUID], own: set[str], channel: Channel
) -> list[Crossing]:
    value, customer = link.identifier.normalised, link.customer_id
    if value in own:
        return []
    found = (
        crossing_of(Kind.LIMIT_REACHED, rule, value, customer, len(own) + 1),
        None
        if customer in customers
        else crossing_of(
            Kind.SHARED_VALUE, rule, value, customer, len(customers) + 1, scope_of(rule.type, channel.pk)
        ),
    )
    return [entry for entry in found if entry]


def _place(crossing: Crossing) -> tuple[str, str, str]:
    """What a crossing is about: the value, or the customer."""
    subject = crossing.value if crossing.kind == Kind.SHARED_VALUE else str(crossing.customer_id)
    return crossing.kind, crossing.type, subject


def _holders(
    channel: Channel, values: Iterable[Value], rules: Mapping[str, Rule]
) -> dict[Value, set[uuid.UUID]]:
    counted = [value for value in values if _lowest(rules.get(value[0]))]
    since = windows(rules)
    held: dict[Value, set[uuid.UUID]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            _HOLDERS,
            {
                "types": [type for type, _ in counted],
                "values": [value for _, value in counted],
                "since": [since.get(type) for type, _ in counted],
                "of_channel": list(OF_ONE_CHANNEL),
                "channel": channel.pk,
                "most": _highest(rules) + 1,
            },
        )
        for type, value, customer in cursor.fetchall():
            held.setdefault((type, value), set()).add(customer)
    return held


def _values_of(
    customers: Iterable[uuid.UUID], rules: Mapping[str, Rule]
) -> defaultdict[tuple[uuid.UUID, str], set[str]]:
    has: defaultdict[tuple[uuid.UUID, str], set[str]] = defaultdict(set)
    since = windows(rules)
    with connection.cursor() as cursor:
        cursor.execute(
            _HAS, {"customers": list(customers), "types": list(since), "since": list(since.values())}
        )
        for customer, type, value in cursor.fetchall():
            has[customer, type].add(value)
    return has


def _near(customers: int, limit: int | None) -> bool:
    return bool(limit) and 2 * customers >= (limit or 0)


def _lowest(rule: Rule | None) -> int | None:
    """The lower limit on customers a value."""
    limits = [limit for limit in (rule.customers_soft, rule.customers_hard) if limit] if rule else []
    return min(limits, default=None)


def _highest(rules: Mapping[str, Rule]) -> int:
    """How many customers of a value tell all that any limit asks."""
    limits = [limit for rule in rules.values() for limit in (rule.customers_soft, rule.customers_hard)]
    return max((limit for limit in limits if limit), default=0)
