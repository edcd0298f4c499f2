"""Identifiers of an import linked set by set, in the order of their rows; those seen again noted."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from customers.ids import uuid7
from customers.models import Channel, Customer
from customers.models import Mapping as Link
from customers.services import register
from customers.services.copying import copy_rows
from resolution.batch.records import IDENTIFIER_FIELDS, Record, shows
from resolution.batch.sql import read_sql
from resolution.selectors.identifier_rules import load_rules, windows
from resolution.selectors.merge_facts import load_differences
from resolution.services import keys, limit_follow, limits, locks
from resolution.services.audit import Trail, link_facts
from resolution.services.claims import OUT_OF_WINDOW
from resolution.services.limit_questions import ask
from resolution.services.staged import METHOD, Taken, fetch
from resolution.types import Identifier

# How sure a link from a file is; the source's own id is certain.
FILE_CONFIDENCE = Decimal("0.90")
CERTAIN = Decimal("1.00")
SIGHTINGS_APART = timedelta(hours=1)
_STAGED = (
    "place", "id", "customer_id", "identifier_type", "channel_identifier", "normalised", "confidence_score",
    "verified",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FileLink:
    """An identifier about to be linked."""

    id: uuid.UUID
    customer_id: uuid.UUID
    identifier: Identifier
    confidence: Decimal
    verified: bool


def link_from_file(customer_id: uuid.UUID, identifier: Identifier) -> FileLink:
    return FileLink(uuid7(), customer_id, identifier, FILE_CONFIDENCE, verified=False)


def see_again(channel: Channel, records: Sequence[Record]) -> None:
    """Note of the links that known records show again that they were seen now.

    That is no change: it leaves no trail, counts no version up and waits for nobody. It is noted once an hour
    at most, which a window of days does not feel. A source's own ids have no window and stay as they are.
    """
    now, by_key = timezone.now(), {record.key: record for record in records}
    facts = {
        "channel": channel.pk,
        "keys": list(by_key),
        "types": list(IDENTIFIER_FIELDS),
        "before": now - SIGHTINGS_APART,
    }
    seen = [
        link
        for key, link, *identifier in (fetch(read_sql("sightings"), facts) if records else ())
        if shows(by_key[key].data, channel.default_region, *identifier)
    ]
    if seen:
        with connection.cursor() as cursor:
            cursor.execute(read_sql("see_links"), {"links": seen, "now": now})


def link_identifiers(
    trail: Trail,
    channel: Channel,
    links: Sequence[FileLink],
    now: datetime,
    taken: Taken,
    *,
    new_customers: bool = False,
) -> None:
    """Link identifiers in their order: first come owns, whoever comes later shares.

    An owner not seen within its type's window gives way. What is blocked and what a hard limit refuses is
    left out and counted; past a soft one a person is asked.
    """
    sifted = limits.sift(channel, links, new_customers=new_customers)
    taken.links_blocked += sifted.blocked
    taken.links_refused += sifted.refused
    links = sifted.kept
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE staged_identifiers")
    copy_rows("staged_identifiers", _STAGED, (_staged(place, link) for place, link in enumerate(links)))
    former = _end_lapsed_owners(trail, channel, now)
    actions = dict(fetch(read_sql("link_identifiers"), {"channel": channel.pk, "now": now}))
    for link in links:
        if action := actions.get(link.id):
            _record_link(trail, channel, link, action, former.get(link.id) if action == "link" else None)
    keys.rebuild_keys(set(former.values()))
    if former:
        limit_follow.follow(trail, set(former.values()), "An identifier passed to another customer.")
    ask(trail, list(sifted.crossings.values()))


@dataclass(frozen=True, slots=True)
class _Lapsed:
    """The owners out of their window whose values were staged, read without locks.

    `claims` is by the owner's link: the owner, the new link and who claims. Who was told apart from the owner
    by a person takes nothing.
    """

    claims: dict[uuid.UUID, tuple[uuid.UUID, uuid.UUID, uuid.UUID]]

    @classmethod
    def find(cls, valid: Mapping[str, Any]) -> _Lapsed:
        found = fetch(read_sql("lapsed_owners"), valid)
        people = {person for _, owner, _, claimant in found for person in (owner, claimant)}
        apart = {frozenset((fact.left, fact.right)) for fact in load_differences(people)} if found else ()
        return cls(
            {
                owned: (owner, link, claimant)
                for owned, owner, link, claimant in found
                if frozenset((str(owner), str(claimant))) not in apart
            }
        )

    @property
    def owners(self) -> list[uuid.UUID]:
        return [owner for owner, _, _ in self.claims.values()]

    def touched(self) -> Collection[uuid.UUID]:
        return frozenset(self.owners)

    def holds(self, locked: Mapping[uuid.UUID, Customer]) -> bool:
        """They still own what they owned; a merge takes links along."""
        owned = dict(Link.objects.owned().filter(pk__in=self.claims).values_list("pk", "customer"))
        return all(owned.get(link) == owner for link, (owner, _, _) in self.claims.items())


def _end_lapsed_owners(trail: Trail, channel: Channel, now: datetime) -> dict[uuid.UUID, uuid.UUID]:
    """End the owners out of their window whose values were staged; return whose each value was, by new link.

    Raises TryAgain when the owners are merged every time before they are locked.
    """
    since = windows(load_rules())
    if not since:
        return {}
    valid = {"types": list(since), "since": list(since.values()), "channel": channel.pk, "now": now}
    lapsed, _ = locks.lock_as_planned(lambda: _Lapsed.find(valid))
    if not lapsed.claims:
        return {}
    seen = {"links": list(lapsed.claims), "owners": lapsed.owners}
    former = {}
    for owned, owner, type, raw, value, confidence, verified in fetch(read_sql("end_lapsed"), valid | seen):
        _, link, claimant = lapsed.claims[owned]
        former[link] = owner
        trail.reown(channel.pk, type, value)
        trail.record(
            "lose",
            customer_id=owner,
            channel_id=channel.pk,
            identifier_type=type,
            identifier_value=value,
            old_value=str(owner),
            method=METHOD,
            confidence=confidence,
            **link_facts(owned, raw, value, verified=verified),
            to=str(claimant),
        )
    register.count_changes(set(former.values()))
    return former


def _staged(place: int, link: FileLink) -> tuple[Any, ...]:
    entry = link.identifier
    return (
        place,
        link.id,
        link.customer_id,
        entry.type,
        entry.value,
        entry.normalised,
        link.confidence,
        link.verified,
    )


def _record_link(
    trail: Trail, channel: Channel, link: FileLink, action: str, former: uuid.UUID | None
) -> None:
    """Write down a link that was made, or with a `former` owner moved."""
    moved: dict[str, Any] = {"old_value": str(former), "reason": OUT_OF_WINDOW} if former else {}
    trail.record(
        "move" if former else action,
        customer_id=link.customer_id,
        channel_id=channel.pk,
        identifier_type=link.identifier.type,
        identifier_value=link.identifier.normalised,
        method=METHOD,
        confidence=link.confidence,
        **moved,
        **link_facts(
            link.id,
            link.identifier.value,
            link.identifier.normalised,
            verified=link.verified and action == "link",
        ),
    )
    if former:
        trail.tell(
            "identifier.moved",
            customer_id=link.customer_id,
            identifier_type=link.identifier.type,
            from_customer=str(former),
        )
