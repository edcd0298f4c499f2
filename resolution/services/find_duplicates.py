"""Duplicates of the whole register: what policy may settle is merged, what it may not is asked.

It walks `batch.pipeline` and acts, as the import of a file does, through `settle` and `questions`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations, islice
from typing import Any, TypeVar

from customers.models import Customer
from resolution.batch.collector import seldom_collecting
from resolution.batch.pipeline import (
    Comparison,
    Findings,
    candidates_of_register,
    count_large_blocks,
    count_outcomes,
    largest_blocks,
    merges,
)
from resolution.matching.kernel import score_pairs
from resolution.matching.model import MatchModel
from resolution.models import Conflict, MatchRun
from resolution.selectors.match_model import live_policy
from resolution.selectors.profiles import load_profiles
from resolution.services import audit, conflicts, live_questions, locks, runs
from resolution.services.audit import Trail
from resolution.services.questions import members_of, question_of_pair, questions_of
from resolution.services.settle import Merged, Settled, ask, counted, merge_compared, merge_until_still
from resolution.types import Actor, Group, PairScore, Profile

KIND = "find_duplicates"
_GROUPS_A_CHANGE = 1000
_QUESTIONS_A_CHANGE = 2000
_QUESTIONS_LOOKED_AT = 1000
_BUSY = "Duplicates are being looked for already; see Runs for how far it is, and start again later."
Result = TypeVar("Result")


@dataclass(slots=True)
class RunSummary:
    """What a run did: numbers, seconds a stage, the largest blocks (key, customers)."""

    run_id: int | None
    customers: int = 0
    settled: Settled = field(default_factory=Settled)
    timings: dict[str, float] = field(default_factory=dict)
    blocks: list[tuple[str, int]] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return sum(self.timings.values())


def find_duplicates(
    *,
    actor: Actor,
    dry_run: bool = False,
    watch: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> RunSummary:
    """Find and settle the duplicates of the whole register; a dry run only counts.

    `watch` is told (stage, done, total), total 0 while unknown. Raises Refused while another run is at work.
    """
    asked = None if dry_run else MatchRun(kind=KIND, actor_name=actor.name)
    with runs.one_at_a_time(KIND, _BUSY, asked):
        comparison = Comparison()
        run = None if dry_run else runs.begin(KIND, comparison.model.version, actor)
        walk = _Walk(run, watch)
        with runs.closing(run), seldom_collecting():
            if run is None:
                return _foresee(walk, comparison)
            return _settle_register(walk, comparison, run, actor)


class _Walk(runs.Walk):
    """A run over the register and what it has come to so far."""

    def __init__(self, run: MatchRun | None, watch: Callable[[str, int, int], None]) -> None:
        self.summary = RunSummary(run.pk if run else None, customers=Customer.objects.active().count())
        super().__init__(run, watch, self.summary.timings, self.summary.settled.counts)


def _compare_register(walk: _Walk, comparison: Comparison) -> Findings:
    with walk.stage("comparing") as note, candidates_of_register() as pairs:
        findings = comparison.compare(pairs, watch=note)
    walk.summary.blocks = largest_blocks()
    return findings


def _settle_register(walk: _Walk, comparison: Comparison, run: MatchRun, actor: Actor) -> RunSummary:
    settled = walk.summary.settled
    findings = _compare_register(walk, comparison)
    with walk.stage("merging", sum(map(merges, findings.groups))) as note:
        merge_groups = _merging_in_changes(actor, run, settled, comparison, note)
        questions = merge_until_still(comparison, findings, merge_groups, settled, run=run)
    settled.add(counted(comparison.counts))
    settled.skipped_blocks = count_large_blocks()
    with walk.stage("asking", len(questions)) as note:
        for done, batch in _batches(questions, _QUESTIONS_A_CHANGE):
            settled.add(_as_change(actor, partial(ask, questions=batch)))
            note(done)
    with walk.stage("closing"):
        settled.add(_look_again_at_waiting(actor, _Asked.by(questions, comparison.seen), comparison.model))
    _finish(walk, run, actor)
    return walk.summary


def _merging_in_changes(
    actor: Actor,
    run: MatchRun,
    settled: Settled,
    comparison: Comparison,
    note: Callable[[int], None],
) -> Callable[[Sequence[Group]], Merged]:
    """A function that merges any number of groups, a thousand a change, so that a crash costs little."""

    def merge_groups(groups: Sequence[Group]) -> Merged:
        merged = Merged()
        for done, batch in _batches(groups, _GROUPS_A_CHANGE):
            merge_batch = partial(merge_compared, groups=batch, comparison=comparison, run=run)
            some = _as_change(actor, merge_batch, forget=comparison.undoing(members_of(batch)))
            settled.add(some.settled)
            merged.add(some)
            note(done)
        return merged

    return merge_groups


def _as_change(
    actor: Actor, act: Callable[[Trail], Result], forget: Callable[[], None] = lambda: None
) -> Result:
    """Do a part of a run as a change of its own, anew where another change came between."""

    def change() -> Result:
        with audit.change(actor) as trail:
            return act(trail)

    return locks.retried(change, forget)


def _foresee(walk: _Walk, comparison: Comparison) -> RunSummary:
    findings = _compare_register(walk, comparison)
    counts = count_outcomes(findings.groups)
    questions = conflicts.leave_out_answered(questions_of(findings.groups))
    settled = walk.summary.settled
    settled.add(counted(comparison.counts))
    settled.add(Settled(merges=counts["merges"], merged=counts["merged"], queued=len(questions)))
    settled.skipped_blocks = count_large_blocks()
    return walk.summary


@dataclass(frozen=True, slots=True)
class _Weighed:
    """Waiting questions as they were weighed without a lock: what each asked, of whom in which version, and
    the scores of its pairs."""

    seen: Mapping[int, live_questions.Seen]
    members: Mapping[int, frozenset[uuid.UUID]]
    versions: Mapping[uuid.UUID, int]
    scores: Mapping[int, list[PairScore]]

    @classmethod
    def now(cls, questions: Sequence[Conflict], model: MatchModel) -> _Weighed:
        """Versions first: a change in between then shows as a version that is no longer the customer's."""
        members = {
            entry.pk: frozenset(member.customer_id for member in entry.members.all()) for entry in questions
        }
        return cls(
            seen={entry.pk: live_questions.Seen(entry.members_key, entry.version) for entry in questions},
            members=members,
            versions=_versions_of({key for ids in members.values() for key in ids}),
            scores=_score_again(questions, model),
        )

    def lock_unchanged(self) -> set[int]:
        """Lock those that nobody has touched since, nor any of their customers, and return their numbers."""
        locked = locks.lock_customers(self.versions.keys())
        changed = {key for key, row in locked.items() if row.version != self.versions[key]}
        return live_questions.lock_as_seen(
            {key: seen for key, seen in self.seen.items() if changed.isdisjoint(self.members[key])}
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """The names of the questions a run asked, and of those nobody of whom has changed since compared."""

    names: frozenset[str]
    as_they_are: frozenset[str]

    @classmethod
    def by(cls, questions: Sequence[conflicts.Question], seen: Mapping[uuid.UUID, int]) -> _Asked:
        versions = _versions_of({key for question in questions for key in question.members})
        unchanged = {key for key, version in versions.items() if seen.get(key) == version}
        return cls(
            frozenset(question.key for question in questions),
            frozenset(question.key for question in questions if question.members.keys() <= unchanged),
        )


def _versions_of(ids: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    return dict(Customer.objects.filter(pk__in=ids).values_list("pk", "version"))


def _look_again_at_waiting(actor: Actor, asked: _Asked, model: MatchModel) -> Settled:
    """Look at the waiting questions this run did not ask, or asked of customers that have changed meanwhile.

    Those whose customers are no longer alike are closed. The others wait on with the evidence of today, a
    pair that this run did not ask with the reason as well: why it was once held back may be so no more. One
    that another change came to in between, or to one of its customers, is left as that made it.
    """
    settled = Settled()
    for waiting in _waiting_questions():
        unsure = [entry for entry in waiting if entry.members_key not in asked.as_they_are]
        weigh = partial(_close_or_weigh, weighed=_Weighed.now(unsure, model), asked=asked.names)
        settled.add(_as_change(actor, weigh))
    return settled


def _close_or_weigh(trail: Trail, weighed: _Weighed, asked: Collection[str]) -> Settled:
    still = weighed.lock_unchanged()
    alike = {key: weighed.scores[key] for key in still if any(map(_is_alike, weighed.scores[key]))}
    closed = live_questions.close_conflicts(
        trail,
        still - alike.keys(),
        outcome=Conflict.Outcome.CLOSED,
        reason="its customers no longer look alike",
    )
    questions = [question_of_pair(found[0]) for found in alike.values() if len(found) == 1]
    unanswered = conflicts.leave_out_answered(questions)
    reasons = {entry.key: entry.reason for entry in unanswered if entry.key not in asked}
    told = {key: reason for key in alike if (reason := reasons.get(weighed.seen[key].members_key))}
    live_questions.weigh_again(alike, told)
    return Settled(closed=closed, left=len(weighed.seen) - len(still))


def _is_alike(score: PairScore) -> bool:
    return score.weight >= live_policy().review


def _waiting_questions() -> Iterator[list[Conflict]]:
    """The open questions about likely duplicates, a bounded number at a time, by their numbers."""
    waiting = Conflict.objects.filter(
        kind=Conflict.Kind.LIKELY_DUPLICATE, state=Conflict.State.OPEN, message__isnull=True
    ).order_by("pk")
    last = 0
    while some := list(waiting.filter(pk__gt=last).prefetch_related("members")[:_QUESTIONS_LOOKED_AT]):
        yield some
        last = some[-1].pk


def _score_again(questions: Sequence[Conflict], model: MatchModel) -> dict[int, list[PairScore]]:
    """Score every pair of these questions as they are now, by question."""
    members = {member.customer_id for entry in questions for member in entry.members.all()}
    profiles = load_profiles(members)
    pairs = {entry.pk: list(_known_pairs(entry, profiles)) for entry in questions}
    scores = iter(score_pairs(model, (pair for found in pairs.values() for pair in found)))
    return {key: list(islice(scores, len(found))) for key, found in pairs.items()}


def _known_pairs(
    conflict: Conflict, profiles: Mapping[uuid.UUID, Profile]
) -> Iterator[tuple[Profile, Profile]]:
    members = [member.customer_id for member in conflict.members.all() if member.customer_id in profiles]
    yield from combinations([profiles[key] for key in members], 2)


def _finish(walk: _Walk, run: MatchRun, actor: Actor) -> None:
    counts = walk.summary.settled.counts() | {"customers": walk.summary.customers}
    with audit.change(actor) as trail:
        runs.finish(run, counts, walk.summary.timings)
        trail.record("run", method=KIND, run=run.pk, model=run.model_version, counts=counts)


def _batches(entries: Sequence[Any], size: int) -> Iterator[tuple[int, Sequence[Any]]]:
    """Cut a sequence; each piece comes with how many are done once it is."""
    for start in range(0, len(entries), size):
        piece = entries[start : start + size]
        yield start + len(piece), piece
