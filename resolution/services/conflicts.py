"""Questions to a steward: asked once, of living customers; `live_questions` has what becomes of them."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import combinations, islice
from typing import Any

from django.db import connection
from django.utils import timezone
from psycopg.types.json import Jsonb

from customers.models import Channel, Customer, Message
from resolution.conf import policy
from resolution.matching.decide import band_of
from resolution.models import Conflict, Judgement, MatchRun
from resolution.selectors.judgements import Pair, Verdict, verdicts_on_pairs
from resolution.selectors.match_model import live_policy
from resolution.services.audit import Trail
from resolution.services.conflict_evidence import evidence_of
from resolution.types import Identifier, PairScore

State, Kind, Outcome = Conflict.State, Conflict.Kind, Conflict.Outcome
PRIORITY: dict[str, int] = {
    Kind.VERIFIED_IDENTIFIER: 100,
    Kind.CONTRADICTION: 90,
    Kind.HIGH_CONFIDENCE_IDENTIFIER: 80,
    Kind.SEVERAL_CANDIDATES: 70,
    Kind.OVER_MERGE: 60,
    Kind.LIKELY_DUPLICATE: 50,
    Kind.LIMIT_REACHED: 40,
    Kind.SHARED_VALUE: 40,
}
# Kinds that ask whether customers are one: a person's word on each pair answers them until the data changes.
ASKS_OF_PAIRS = frozenset({Kind.LIKELY_DUPLICATE, Kind.SEVERAL_CANDIDATES, Kind.CONTRADICTION})
ANSWERS = frozenset({"different", "related", "unsure"})
# What a person may have decided of a claim that leaves the identifier where it is.
CLAIMS_LEFT = frozenset({Outcome.KEPT, Outcome.DIFFERENT, Outcome.RELATED, Outcome.UNSURE})
LONGEST_REASON = 500
_BATCH = 2_000
_OPEN = """
    INSERT INTO conflicts AS live (
        kind, members_key, reason, band, weight, evidence, priority, channel_id, identifier_type,
        identifier_value, verified, message_id, run_id, due_at, state, outcome, comment, version, created_at,
        updated_at
    )
    SELECT asked.*, %(due_at)s, 'open', '', '', 1, %(now)s, %(now)s
    FROM jsonb_to_recordset(%(questions)s) AS asked (
        kind text, members_key text, reason text, band text, weight float8, evidence jsonb, priority smallint,
        channel_id uuid, identifier_type text, identifier_value text, verified bool, message_id uuid,
        run_id bigint
    )
    ON CONFLICT (kind, members_key) WHERE NOT state = 'done'
    DO UPDATE SET reason = excluded.reason, band = excluded.band, weight = excluded.weight,
        evidence = excluded.evidence, priority = greatest(live.priority, excluded.priority),
        verified = live.verified OR excluded.verified,
        version = live.version + (
            (live.reason, live.band, live.weight, live.evidence) IS DISTINCT FROM
            (excluded.reason, excluded.band, excluded.weight, excluded.evidence)
        )::int,
        updated_at = excluded.updated_at
    RETURNING id, kind, members_key, xmax = 0
"""
_PUT_MEMBERS = """
    INSERT INTO conflict_members (conflict_id, customer_id, role)
    SELECT * FROM unnest(%s::bigint[], %s::uuid[], %s::text[])
    ON CONFLICT (conflict_id, customer_id) DO UPDATE SET role = excluded.role
"""


@dataclass(frozen=True, slots=True)
class Question:
    """One question to ask: its kind, the canonical customers with their roles, the reason a steward reads."""

    kind: str
    members: Mapping[uuid.UUID, str]
    reason: str
    scores: Sequence[PairScore] = ()
    channel_id: uuid.UUID | None = None
    identifier_type: str = ""
    identifier_value: str = ""
    verified: bool = False
    message_id: uuid.UUID | None = None
    run_id: int | None = None
    priority: int | None = None

    @property
    def key(self) -> str:
        """What it asks: a value that many share is one question, whoever has it by now."""
        members = () if self.kind == Kind.SHARED_VALUE else self.members
        return name_members(members, self.channel_id, self.identifier_type, self.identifier_value)

    @property
    def strongest(self) -> PairScore | None:
        return max(self.scores, key=lambda score: score.weight, default=None)


@dataclass(frozen=True, slots=True)
class Opened:
    """What became of a set of questions: ids of new conflicts, ids of live ones whose evidence is new now,
    and how many a person had answered before."""

    new: tuple[int, ...]
    refreshed: tuple[int, ...]
    answered: int


def name_members(
    ids: Iterable[uuid.UUID], channel_id: uuid.UUID | None = None, identifier_type: str = "", value: str = ""
) -> str:
    """Return one name (64 hex digits) for a set of customers and the identifier in question, if any."""
    named = sorted({str(entry) for entry in ids})
    if identifier_type:
        named += [str(channel_id), identifier_type, value]
    return hashlib.sha256("\0".join(named).encode()).hexdigest()


def open_conflict(
    trail: Trail,
    *,
    kind: str,
    members: Mapping[uuid.UUID, str],
    reason: str,
    scores: Sequence[PairScore] = (),
    channel: Channel | None = None,
    identifier: Identifier | None = None,
    message: Message | None = None,
    run: MatchRun | None = None,
    priority: int | None = None,
) -> Conflict:
    """Ask a question and return its conflict; the live one, with this evidence, if it stands asked already.

    `members` maps canonical customers to their roles (owner, claimant, member).
    """
    question = Question(
        kind=kind,
        members=members,
        reason=reason,
        scores=scores,
        channel_id=channel.pk if channel else None,
        identifier_type=identifier.type if identifier else "",
        identifier_value=identifier.normalised if identifier else "",
        message_id=message.pk if message else None,
        run_id=run.pk if run else None,
        priority=priority,
    )
    return open_question(trail, question)


def open_question(trail: Trail, question: Question) -> Conflict:
    """Ask a question, whatever was answered before; return its conflict as `open_conflict` does."""
    new, refreshed = _ask(trail, [question])
    return Conflict.objects.get(pk=(new or refreshed)[0])


def find_claims_answer(question: Question) -> Conflict | None:
    """Return the decided conflict that answers a claim on an identifier already; None if it is to be asked.

    It does while owner and claimant are what they were, nobody has said another word of them since, and the
    claim is no surer: one that comes verified for the first time is news. Few queries.
    """
    asked = Conflict.objects.filter(
        kind=question.kind, members_key=question.key, members__customer=min(question.members)
    )
    last = asked.order_by("-pk").first()
    if last is None or last.outcome not in CLAIMS_LEFT or question.verified > last.verified:
        return None
    changed = Customer.objects.filter(pk__in=question.members, updated_at__gt=last.decided_at)
    left, right = sorted(question.members)
    judged = Judgement.objects.filter(left=left, right=right, created_at__gt=last.decided_at)
    return None if changed.exists() or judged.exists() else last


def open_conflicts(trail: Trail, questions: Iterable[Question]) -> Opened:
    """Ask thousands of questions, each once; those a person answered on the same data are not asked again."""
    distinct = _distinct(questions)
    unanswered = leave_out_answered(distinct)
    new: list[int] = []
    refreshed: list[int] = []
    for batch in _batches(sorted(unanswered, key=_place)):
        opened, renewed = _ask(trail, batch)
        new += opened
        refreshed += renewed
    return Opened(tuple(new), tuple(refreshed), len(distinct) - len(unanswered))


def leave_out_answered(questions: Sequence[Question]) -> list[Question]:
    """Return the questions nobody has answered, or whose values have changed since they were."""
    asked_of_pairs = [question for question in questions if question.kind in ASKS_OF_PAIRS]
    ids = frozenset[uuid.UUID]().union(*(question.members for question in asked_of_pairs))
    verdicts = verdicts_on_pairs(ids) if ids else {}
    return [_reminded(entry, verdicts) for entry in questions if not _is_answered(entry, verdicts)]


def words_said(question: Question) -> list[str]:
    """Return what people have said of the question's pairs, each word once."""
    verdicts = verdicts_on_pairs(question.members.keys())
    return sorted({verdicts[pair].word for pair in _pairs(question) if pair in verdicts})


def leave_out_accepted(questions: Sequence[Question]) -> list[Question]:
    """Return the questions about values that nobody has called right as they are."""
    accepted = set(
        Conflict.objects.filter(
            state=State.DONE, outcome=Outcome.ACCEPTED, members_key__in=[entry.key for entry in questions]
        ).values_list("kind", "members_key")
    )
    return [entry for entry in questions if (entry.kind, entry.key) not in accepted]


def _ask(trail: Trail, questions: Sequence[Question]) -> tuple[list[int], list[int]]:
    by_key = {(question.kind, question.key): question for question in questions}
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, _columns(questions))
        answers = cursor.fetchall()
    new = {id: by_key[kind, key] for id, kind, key, is_new in answers if is_new}
    put_members(new)
    for conflict_id, question in new.items():
        _record_opening(trail, conflict_id, question)
    return list(new), [id for id, _, _, is_new in answers if not is_new]


def _columns(questions: Sequence[Question]) -> dict[str, Any]:
    now = timezone.now()
    rows = Jsonb([_row(question) for question in questions])
    return {"questions": rows, "now": now, "due_at": now + timedelta(days=policy().review_days)}


def _row(question: Question) -> dict[str, Any]:
    return {
        **weighed(question.scores),
        "kind": question.kind,
        "members_key": question.key,
        "reason": question.reason[:LONGEST_REASON],
        "priority": PRIORITY[question.kind] if question.priority is None else question.priority,
        "channel_id": _text(question.channel_id),
        "identifier_type": question.identifier_type,
        "identifier_value": question.identifier_value,
        "verified": question.verified,
        "message_id": _text(question.message_id),
        "run_id": question.run_id,
    }


def weighed(scores: Sequence[PairScore]) -> dict[str, Any]:
    strongest = max(scores, key=lambda score: score.weight, default=None)
    return {
        "band": band_of(live_policy(), strongest).value if strongest else "",
        "weight": strongest.weight if strongest else None,
        "evidence": evidence_of(scores),
    }


def _text(value: uuid.UUID | None) -> str | None:
    return str(value) if value else None


def put_members(questions: Mapping[int, Question]) -> None:
    """Let conflicts, by their ids, name the members of these questions."""
    rows = [(id, *entry) for id, question in questions.items() for entry in question.members.items()]
    columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
    with connection.cursor() as cursor:
        cursor.execute(_PUT_MEMBERS, columns)


def _record_opening(trail: Trail, conflict_id: int, question: Question) -> None:
    members = [str(entry) for entry in question.members]
    trail.record(
        "conflict",
        customer_id=next(iter(question.members)),
        channel_id=question.channel_id,
        identifier_type=question.identifier_type,
        identifier_value=question.identifier_value,
        method=question.kind,
        conflict=conflict_id,
        members=members,
        reason=question.reason,
    )
    trail.tell("conflict.opened", conflict=conflict_id, conflict_kind=question.kind, members=members)


def _distinct(questions: Iterable[Question]) -> list[Question]:
    """Keep the strongest of the questions that ask the same."""
    kept: dict[tuple[str, str], Question] = {}
    for question in questions:
        rival = kept.setdefault((question.kind, question.key), question)
        if _weight(question) > _weight(rival):
            kept[question.kind, question.key] = question
    return list(kept.values())


def _place(question: Question) -> tuple[str, str]:
    """Where a question comes among those asked at once: in one order, so that no two wait for each other."""
    return question.kind, question.key


def _weight(question: Question) -> float:
    return question.strongest.weight if question.strongest else float("-inf")


def _is_answered(question: Question, verdicts: Mapping[Pair, Verdict]) -> bool:
    if question.kind not in ASKS_OF_PAIRS:
        return False
    answers = [verdicts.get(pair) for pair in _pairs(question)]
    return all(answer is not None and answer.fresh and answer.word in ANSWERS for answer in answers)


def _reminded(question: Question, verdicts: Mapping[Pair, Verdict]) -> Question:
    """Say in the reason that a pair was judged before on other data, and what changed."""
    stale = [verdicts[pair] for pair in _pairs(question) if pair in verdicts and not verdicts[pair].fresh]
    if question.kind not in ASKS_OF_PAIRS or not stale:
        return question
    return replace(question, reason=f"{stale[0].reminder} {question.reason}")


def _pairs(question: Question) -> Iterator[Pair]:
    return map(frozenset, combinations(question.members, 2))


def _batches(questions: Iterable[Question]) -> Iterator[list[Question]]:
    rest = iter(questions)
    while batch := list(islice(rest, _BATCH)):
        yield batch
