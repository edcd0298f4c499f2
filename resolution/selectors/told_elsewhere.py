"""What rows about others still tell of a person who once was part of those, or whose identifier passed on.

Nobody who parted from them is named in such a row: it is found by the values it tells.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection
from django.db.models import Q

from customers.models import PROFILE_FIELDS, Customer, Message
from customers.models import Mapping as Link
from resolution.matching.reasons import as_text
from resolution.models import AuditEntry, Conflict, IdempotencyRecord, Judgement, MergeProposal
from resolution.selectors.judgements import fingerprint_of, load_compared
from resolution.selectors.profiles import RECORD_COLUMNS, load_profiles, profile_of, record_of
from resolution.types import Profile

# What a question is about: the channel, or any; identifier type; normalised value
Place = tuple[uuid.UUID | None, str, str]
# Where somebody lives is told of many, and not looked for.
_NAMING = ("name", "given_name", "family_name", "email", "phone", "company", "birth_date", "address")
_WRITTEN = ("channel_identifier", "normalised")
_SHORTEST = 3  # a shorter value stands in many a text by chance
_CHUNK = 1_000
# Written so that a past can be replayed from them, and found by the identifier they are about.
_OF_LINKS = ("link", "unlink", "share", "move", "lose")

_CONFLICTS = """
    SELECT id FROM conflicts
    WHERE NOT id = ANY(%(conflicts)s)
      AND (id IN (SELECT conflict_id FROM conflict_members WHERE customer_id = ANY(%(met)s))
           OR EXISTS (SELECT FROM jsonb_path_query(evidence, '$[*]') AS pair
                      WHERE pair ->> 'left' = ANY(%(names)s) OR pair ->> 'right' = ANY(%(names)s)))
    ORDER BY id
"""
_MESSAGES = """
    SELECT id FROM messages
    WHERE EXISTS (SELECT FROM jsonb_path_query(payload, '$.answer.candidates[*]') AS pair
                  WHERE pair ->> 'left' = ANY(%(names)s) OR pair ->> 'right' = ANY(%(names)s))
    ORDER BY id
"""
_ANSWERS = "SELECT id FROM idempotency_records WHERE response::text LIKE ANY(%(patterns)s::text[])"


@dataclass(frozen=True, slots=True)
class Told:
    """Each customer somebody met → the values that were that person's and are not the customer's own today.

    Folded, as they were written and as they are compared.
    """

    values: Mapping[uuid.UUID, frozenset[str]]
    patterns: Mapping[uuid.UUID, re.Pattern[str]]

    @classmethod
    def of(cls, people: Collection[uuid.UUID], met: Collection[uuid.UUID]) -> Told:
        theirs = _named_by_ever(people) if met else frozenset()
        values = {key: theirs - own for key, own in _named_by_today(met).items()}
        patterns = {key: _any_of(found) for key, found in values.items()}
        return cls(values, {key: pattern for key, pattern in patterns.items() if pattern})

    def in_text(self, text: str, holders: Collection[uuid.UUID]) -> bool:
        """Whether a text about these customers tells of the person."""
        folded = text.casefold()
        return any(key in self.patterns and self.patterns[key].search(folded) for key in holders)

    def in_pair(self, pair: Mapping[str, Any]) -> bool:
        """Whether a stored pair score tells of the person what it says of a customer."""
        return any(self._in_side(pair, side) for side in ("left", "right"))

    def _in_side(self, pair: Mapping[str, Any], side: str) -> bool:
        key = _id_in(pair[side])
        if key is None or key not in self.values:
            return False
        texts = [part[side].casefold() for part in pair["fields"]]
        return not self.values[key].isdisjoint(texts) or any(self.in_text(text, [key]) for text in texts)


@dataclass(frozen=True, slots=True)
class Traces:
    """Rows about others that tell of a person: of conflicts, proposals and judgements what people wrote and
    what was compared, of messages the candidates, answers and entries whole."""

    conflicts: tuple[int, ...] = ()
    proposals: tuple[int, ...] = ()
    judgements: tuple[int, ...] = ()
    mentions: tuple[uuid.UUID, ...] = ()
    answers: tuple[int, ...] = ()
    entries: tuple[int, ...] = ()

    @property
    def number(self) -> int:
        """How many there are beside the trail's entries."""
        return sum(map(len, (self.conflicts, self.proposals, self.judgements, self.mentions, self.answers)))


def find_traces(told: Told, freed: Collection[Place], *, but: Traces) -> Traces:
    """Return the rows that tell of a person whom they do not name, `but` for those that do.

    Reads the messages, the questions and the stored answers once from end to end.
    """
    if not told.patterns:
        return Traces()
    met = sorted(told.values)
    names = list(map(str, met))
    named = {
        "met": met,
        "names": names,
        "patterns": [f"%{name}%" for name in names],
        "conflicts": list(but.conflicts),
    }
    return Traces(
        conflicts=tuple(_conflicts(told, _found(_CONFLICTS, named), freed)),
        proposals=tuple(key for key in _proposals(told) if key not in but.proposals),
        judgements=tuple(key for key in _judgements(told) if key not in but.judgements),
        mentions=tuple(_messages(told, set(_found(_MESSAGES, named)).difference(but.mentions))),
        answers=tuple(_answers(told, _found(_ANSWERS, named))),
        entries=tuple(_entries(told)),
    )


def values_now(customers: Collection[uuid.UUID]) -> Iterator[tuple[uuid.UUID, str]]:
    """Give what these have today, profile and identifiers, each with its customer."""
    for key, *values in Customer.objects.filter(pk__in=customers).values_list("pk", *PROFILE_FIELDS):
        yield from ((key, str(value)) for value in values if value)
    links = Link.objects.filter(customer__in=customers).exclude(status=Link.Status.ENDED)
    for key, *values in links.values_list("customer", "channel_identifier", "normalised"):
        yield from ((key, value) for value in values)


def records_before(people: Collection[uuid.UUID]) -> Iterator[dict[str, str]]:
    """Give what the trail tells of these customers' profiles, field → value, as each entry wrote it."""
    acts = AuditEntry.objects.filter(customer__in=people, action__in=("create", "update", "note"))
    for facts in acts.values_list("metadata", flat=True):
        for fields in (facts.get("before", {}), facts.get("after", {})):
            yield {name: value for name, value in fields.items() if isinstance(value, str) and value}


def _named_by_today(customers: Collection[uuid.UUID]) -> dict[uuid.UUID, set[str]]:
    """Customer → the values that tell who it is, folded, as they are written and as they are compared."""
    found: dict[uuid.UUID, set[str]] = {key: set() for key in customers}
    for row in Customer.objects.filter(pk__in=customers).values("pk", *_NAMING):
        found[row.pop("pk")].update(str(value).casefold() for value in row.values() if value)
    links = Link.objects.filter(customer__in=customers).exclude(status=Link.Status.ENDED)
    for key, *values in links.values_list("customer", "channel_identifier", "normalised"):
        found[key].update(value.casefold() for value in values)
    for key, profile in load_profiles(customers).items():
        found[key].update(_compared(profile))
    return found


def _named_by_ever(people: Collection[uuid.UUID]) -> frozenset[str]:
    """The values that tell who a person is or was, with all their ids."""
    found = set().union(*_named_by_today(people).values())
    ended = Link.objects.filter(customer__in=people, status=Link.Status.ENDED)
    found.update(value.casefold() for pair in ended.values_list(*_WRITTEN) for value in pair)
    for record in records_before(people):
        found.update(value.casefold() for name, value in record.items() if name in _NAMING)
        known = {name: value for name, value in record.items() if name in RECORD_COLUMNS}
        found.update(_compared(profile_of(min(people), [record_of(known)], [], "")))
    return frozenset(found)


def _compared(profile: Profile) -> Iterator[str]:
    """The canonical values of a profile as evidence tells them; an address also without its town."""
    for name in profile.names:
        yield from filter(None, (name.given, name.family))
    for address in profile.addresses:
        yield from (
            {as_text(address), as_text(replace(address, postcode="", city=""))} if address.house else ()
        )
    for values in (profile.emails, profile.phones, profile.birth_dates, profile.companies):
        yield from values
    for values in (profile.external_ids, profile.handles):
        yield from (value.casefold() for value in values)


def _any_of(values: Collection[str]) -> re.Pattern[str] | None:
    """What finds any of these as whole words."""
    long = sorted((re.escape(value) for value in values if len(value) >= _SHORTEST), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(long)})(?!\w)") if long else None


def _conflicts(told: Told, ids: Collection[int], freed: Collection[Place]) -> Iterator[int]:
    rows = Conflict.objects.filter(pk__in=ids).order_by("pk").prefetch_related("members")
    for row in rows.iterator(chunk_size=_CHUNK):
        about = [member.customer_id for member in row.members.all()]
        if (
            (row.channel_id, row.identifier_type, row.identifier_value) in freed
            or told.in_text(f"{row.reason} {row.comment}", about)
            or any(map(told.in_pair, row.evidence))
        ):
            yield row.pk


def _proposals(told: Told) -> Iterator[int]:
    rows = MergeProposal.objects.filter(members__customer__in=told.patterns).distinct().order_by("pk")
    for row in rows.prefetch_related("members"):
        written = json.dumps([row.picks, row.comment, row.answer], ensure_ascii=False)
        if told.in_text(written, [member.customer_id for member in row.members.all()]):
            yield row.pk


def _judgements(told: Told) -> Iterator[int]:
    """Words whose reason tells of the person, or that compared other data than their customers have today."""
    met = list(told.patterns)
    rows = list(
        Judgement.objects.filter(Q(left__in=met) | Q(right__in=met))
        .exclude(fingerprint="")
        .order_by("pk")
        .select_related("left", "right")
    )
    compared = load_compared({side.canonical_id for row in rows for side in (row.left, row.right)})
    for row in rows:
        left, right = (compared.get(side.canonical_id) for side in (row.left, row.right))
        fresh = left and right and row.fingerprint == fingerprint_of(left, right)
        if not fresh or told.in_text(row.reason, (row.left_id, row.right_id)):
            yield row.pk


def _messages(told: Told, ids: Collection[uuid.UUID]) -> Iterator[uuid.UUID]:
    for row in Message.objects.filter(pk__in=ids).order_by("pk").only("payload").iterator(chunk_size=_CHUNK):
        if any(map(told.in_pair, row.payload.get("answer", {}).get("candidates", ()))):
            yield row.pk


def _answers(told: Told, ids: Collection[int]) -> Iterator[int]:
    for row in IdempotencyRecord.objects.filter(pk__in=ids).order_by("pk").iterator(chunk_size=_CHUNK):
        written = json.dumps(row.response, ensure_ascii=False)
        if told.in_text(written, [key for key in told.patterns if str(key) in written]):
            yield row.pk


def _entries(told: Told) -> Iterator[int]:
    """What the trail tells of them; links stay, whose values are found by the identifier."""
    about = AuditEntry.objects.filter(customer__in=told.patterns, erased_by__isnull=True)
    rows = about.exclude(action__in=(*_OF_LINKS, "erase")).order_by("sequence")
    for row in rows.only("sequence", "customer", "metadata", "old_value").iterator(chunk_size=_CHUNK):
        written = json.dumps([row.old_value, row.metadata], ensure_ascii=False)
        if row.customer_id and told.in_text(written, [row.customer_id]):
            yield row.sequence


def _id_in(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _found(query: str, named: Mapping[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query, named)
        return [key for (key,) in cursor.fetchall()]
