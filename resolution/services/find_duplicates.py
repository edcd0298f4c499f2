"""Duplicates found and settled: what policy may settle is merged, what it may not is asked.

`Settler.settle` does so for the customers of one import batch, `find_duplicates` for the whole register. Both
walk `batch.pipeline`, and both act through `merge_until_still` and `ask`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import combinations
from typing import Any

from customers.models import Customer
from resolution.batch.caches import trim_caches
from resolution.batch.collector import seldom_collecting
from resolution.batch.pipeline import (
    Comparison,
    Counts,
    Findings,
    Later,
    candidates_of_register,
    count_large_blocks,
    count_outcomes,
    largest_blocks,
    merges,
)
from resolution.batch.shelf import ProfileShelf
from resolution.matching.kernel import score_pairs
from resolution.matching.model import MatchModel
from resolution.models import Conflict, ConflictMember, MatchRun
from resolution.selectors.judgements import different_pairs
from resolution.selectors.match_model import live_model, live_policy
from resolution.selectors.profiles import load_profiles
from resolution.services import audit, conflicts, locks, merge, runs
from resolution.services.audit import Trail
from resolution.services.contradictions import contradiction_questions
from resolution.types import Actor, Contradiction, Group, PairScore, Profile

KIND = "find_duplicates"
_GROUPS_A_CHANGE = 1000
_MOST_ROUNDS = 5
_QUESTIONS_A_CHANGE = 2000
_QUESTIONS_LOOKED_AT = 1000
_FACTS_IN_A_REASON = 3
_BUSY = "Duplicates are being looked for already; see Runs for how far it is, and start again later."
_STILL_GROWING = (
    f"It kept growing: {_MOST_ROUNDS} rounds of merging came to no end. Look before more is joined."
)


@dataclass(slots=True)
class Settled:
    """What came of comparing, in numbers.

    `merged` counts customers that went into another, `queued` new questions, `waiting` ones that stood
    already, `answered` ones a person had answered, `not_merged` groups that a blocker forbade or that other
    changes had overtaken time and again.
    """

    pairs: int = 0
    skipped_blocks: int = 0
    same_source: int = 0
    merges: int = 0
    merged: int = 0
    not_merged: int = 0
    queued: int = 0
    waiting: int = 0
    answered: int = 0
    closed: int = 0

    def add(self, other: Settled) -> None:
        self.add_counts(other.counts())

    def add_counts(self, counts: dict[str, int]) -> None:
        for entry in fields(self):
            setattr(self, entry.name, getattr(self, entry.name) + counts.get(entry.name, 0))

    def counts(self) -> dict[str, int]:
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}


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


class Settler:
    """Settles customers against the register and each other, inside the caller's change.

    It keeps profiles from one batch to the next and drops those that the trail says have changed since. The
    model stays the one in force when it was made.
    """

    def __init__(self) -> None:
        self._shelf = ProfileShelf()
        self._model = live_model()

    def forget(self) -> None:
        """Keep no profile of a change that was taken back."""
        self._shelf = ProfileShelf()

    def settle(
        self,
        trail: Trail,
        customer_ids: Collection[uuid.UUID],
        profiles: Mapping[uuid.UUID, Profile],
        later: Later | None = None,
    ) -> Settled:
        """Compare these customers with their candidates, merge what holds together and ask the rest.

        `profiles` are those of newcomers as they were made; whoever is still so needs no loading. Customers
        that are not active any more are left out, and so is everybody of `later`.
        """
        if not customer_ids:
            return Settled()
        self._shelf.follow()
        self._shelf.drop(customer_ids)
        living = dict(Customer.objects.active().filter(pk__in=customer_ids).values_list("pk", "version"))
        self._shelf.put_newcomers({key: made for key, made in profiles.items() if living.get(key) == 1})
        comparison, settled = Comparison(self._shelf, self._model, later=later), Settled()
        findings = comparison.compare_some(living)
        questions = merge_until_still(
            comparison, findings, lambda groups: _merge(trail, groups, settled, comparison), settled
        )
        settled.add(_counted(comparison.counts))
        settled.add(ask(trail, questions))
        self._clear_up()
        return settled

    def _clear_up(self) -> None:
        """Leave memory as the next batch is to find it; what stays in between scatters it for good."""
        self._shelf.put_away()
        trim_caches()


@dataclass(slots=True)
class Merged:
    """What became of groups that were to be merged: who survived, which were refused and which overtaken."""

    survivors: set[uuid.UUID] = field(default_factory=set)
    refused: list[merge.RefusedGroup] = field(default_factory=list)
    overtaken: list[merge.RefusedGroup] = field(default_factory=list)

    def add(self, other: Merged) -> None:
        self.survivors |= other.survivors
        self.refused += other.refused
        self.overtaken += other.overtaken

    def give_up(self) -> None:
        """Take it that other changes will come first every time."""
        self.refused, self.overtaken = self.refused + self.overtaken, []


def merge_until_still(
    comparison: Comparison,
    findings: Findings,
    merge_groups: Callable[[Sequence[Group]], Merged],
    settled: Settled,
    *,
    run: MatchRun | None = None,
) -> list[conflicts.Question]:
    """Merge the groups that hold together, compare again whoever has grown, and return what is left to ask.

    A merged customer knows more than its parts did, so it may be found to be one with others. So is compared
    again whoever another change overtook; a group that is overtaken in the last round too is asked.
    """
    questions = questions_of(findings.groups, run=run)
    for rounds_left in reversed(range(_MOST_ROUNDS)):
        holding = [group for group in findings.groups if merges(group)]
        merged = merge_groups(holding)
        if not rounds_left:
            merged.give_up()
        settled.not_merged += len(merged.refused)
        questions += _questions_of_refused(merged.refused, run)
        again = merged.survivors | _forget_overtaken(comparison, merged.overtaken)
        if not again:
            return questions
        compared_again = _members_of(holding) - _members_in(merged.refused)
        findings = comparison.compare_some(again)
        questions = [entry for entry in questions if compared_again.isdisjoint(entry.members)]
        questions += questions_of(findings.groups, run=run)
    unmerged = [group for group in findings.groups if merges(group)]
    return questions + [_question_of_group(group, _STILL_GROWING, run) for group in unmerged]


def _forget_overtaken(comparison: Comparison, overtaken: Sequence[merge.RefusedGroup]) -> set[uuid.UUID]:
    """Return whom the members of these groups stand for by now; the comparison knows them no more."""
    members = _members_in(overtaken)
    living = set(_find_standing(members).of.values())
    comparison.forget(members | living)
    return living


def _members_in(entries: Iterable[merge.RefusedGroup]) -> set[uuid.UUID]:
    return _members_of(entry.group for entry in entries)


def _members_of(groups: Iterable[Group]) -> set[uuid.UUID]:
    return {uuid.UUID(key) for group in groups for key in group.members}


def _merge(
    trail: Trail,
    groups: Sequence[Group],
    settled: Settled,
    comparison: Comparison,
    run: MatchRun | None = None,
) -> Merged:
    """Merge groups within a change, as long as nobody changed since compared, and count them in `settled`.

    The comparison knows the survivors afterwards as they are now, and the absorbed no more.
    """
    done = merge.merge_in_bulk(trail, groups, run=run, seen_versions=comparison.seen)
    settled.add(Settled(merges=len(done.merges), merged=done.absorbed))
    merged = Merged(set(done.survivors), list(done.refused), list(done.overtaken))
    left_whole = _members_in((*done.refused, *done.overtaken))
    comparison.replace(_members_of(groups) - left_whole, done.survivors)
    return merged


def ask(trail: Trail, questions: Iterable[conflicts.Question]) -> Settled:
    """Open conflicts for questions nobody has answered."""
    opened = conflicts.open_conflicts(trail, _on_living_customers(list(questions)))
    return Settled(queued=len(opened.new), waiting=len(opened.refreshed), answered=opened.answered)


def questions_of(groups: Iterable[Group], *, run: MatchRun | None = None) -> list[conflicts.Question]:
    """What is to be asked of these groups: each doubtful pair, and a group that may not merge as a whole."""
    found = list(groups)
    clashes = list(dict.fromkeys(entry for group in found for entry in group.contradictions))
    return [
        *contradiction_questions(clashes, run_id=run.pk if run else None),
        *(question for group in found for question in _questions_of_group(group, run)),
    ]


def find_duplicates(
    *,
    actor: Actor,
    dry_run: bool = False,
    watch: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> RunSummary:
    """Find and settle the duplicates of the whole register; a dry run only counts.

    `watch` is told (stage, done, total), total 0 while unknown. Raises Refused while another run is at work.
    """
    with runs.one_at_a_time(KIND, _BUSY):
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
    settled.add(_counted(comparison.counts))
    settled.skipped_blocks = count_large_blocks()
    with walk.stage("asking", len(questions)) as note:
        for done, batch in _batches(questions, _QUESTIONS_A_CHANGE):
            with audit.change(actor) as trail:
                settled.add(ask(trail, batch))
            note(done)
    with walk.stage("closing"):
        settled.closed += _close_gone_questions(
            actor, {question.key for question in questions}, comparison.model
        )
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
            with audit.change(actor) as trail:
                merged.add(_merge(trail, batch, settled, comparison, run))
            note(done)
        return merged

    return merge_groups


def _counted(counts: Counts) -> Settled:
    return Settled(pairs=counts.pairs, skipped_blocks=counts.skipped_blocks, same_source=counts.same_source)


def _foresee(walk: _Walk, comparison: Comparison) -> RunSummary:
    findings = _compare_register(walk, comparison)
    counts = count_outcomes(findings.groups)
    questions = conflicts.leave_out_answered(questions_of(findings.groups))
    settled = walk.summary.settled
    settled.add(_counted(comparison.counts))
    settled.add(Settled(merges=counts["merges"], merged=counts["merged"], queued=len(questions)))
    settled.skipped_blocks = count_large_blocks()
    return walk.summary


def _questions_of_group(group: Group, run: MatchRun | None) -> Iterator[conflicts.Question]:
    asked = any(set(group.members) <= set(entry.members) for entry in group.contradictions)
    if group.why and len(group.members) > 1 and group.edges and not asked:
        yield _question_of_group(group, group.why, run)
        return
    for score in group.questions:
        yield _question((score.left, score.right), reason_of(score), (score,), run)


def _question_of_group(group: Group, reason: str, run: MatchRun | None) -> conflicts.Question:
    return _question(group.members, reason, (*group.edges, *group.questions), run)


def _questions_of_refused(
    refused: Sequence[merge.RefusedGroup], run: MatchRun | None
) -> list[conflicts.Question]:
    """Ask of every group that could not be merged; one whose members a person told apart contradicts that."""
    different = different_pairs(_members_of(entry.group for entry in refused)) if refused else set()
    told_apart = {id(entry): _told_apart(entry.group, different) for entry in refused}
    clashes = [clash for entry in refused if (clash := told_apart[id(entry)])]
    return [
        *contradiction_questions(clashes, run_id=run.pk if run else None),
        *(
            _question_of_group(entry.group, " ".join(entry.why), run)
            for entry in refused
            if not told_apart[id(entry)]
        ),
    ]


def _told_apart(group: Group, different: Collection[frozenset[uuid.UUID]]) -> Contradiction | None:
    """The contradiction a group is by now, when two of its members were told apart."""
    members = _members_of([group])
    judged = min((sorted(map(str, pair)) for pair in different if pair <= members), default=None)
    if judged is None:
        return None
    return Contradiction((judged[0], judged[1]), group.members, (*group.edges, *group.questions))


def _question(
    members: Sequence[str], reason: str, scores: Sequence[PairScore], run: MatchRun | None
) -> conflicts.Question:
    return conflicts.Question(
        kind=Conflict.Kind.LIKELY_DUPLICATE,
        members={uuid.UUID(key): ConflictMember.Role.MEMBER.value for key in sorted(members)},
        reason=reason,
        scores=scores,
        run_id=run.pk if run else None,
    )


def reason_of(score: PairScore) -> str:
    """Say in a sentence what speaks for one person and what against."""
    if score.hard_conflict:
        return f"Much agrees, but {score.hard_conflict}."
    told = sorted(
        (entry for entry in score.fields if entry.field != "prior"), key=lambda entry: -abs(entry.weight)
    )
    agree = [entry.detail for entry in told if entry.weight > 0 and entry.detail][:_FACTS_IN_A_REASON]
    speak_against = [entry.detail for entry in told if entry.weight < 0 and entry.detail][:_FACTS_IN_A_REASON]
    sentence = "; but ".join(", ".join(side) for side in (agree, speak_against) if side)
    return f"{sentence[0].upper()}{sentence[1:]}." if sentence else "Little is known of either."


@dataclass(frozen=True, slots=True)
class _Standing:
    """Whom ids stand for (`of`), read without locks; the erased stand for nobody."""

    of: dict[uuid.UUID, uuid.UUID]

    def touched(self) -> set[uuid.UUID]:
        return {*self.of, *self.of.values()}

    def holds(self, locked: Mapping[uuid.UUID, Customer]) -> bool:
        return all(
            locked[key].canonical_id == stands_for and locked[stands_for].status == Customer.Status.ACTIVE
            for key, stands_for in self.of.items()
        )


def _on_living_customers(questions: Sequence[conflicts.Question]) -> list[conflicts.Question]:
    """Lock the customers that ids stand for and ask of those; where the sides have become one, nothing is.

    Nor is where one was erased since: its values are in the scores.
    """
    ids = {key for question in questions for key in question.members}
    standing, _ = locks.lock_as_planned(lambda: _find_standing(ids))
    living = [question for question in questions if question.members.keys() <= standing.of.keys()]
    moved = [(question, _moved(question, standing.of)) for question in living]
    return [replace(question, members=members) for question, members in moved if len(members) > 1]


def _find_standing(ids: Collection[uuid.UUID]) -> _Standing:
    rows = Customer.objects.filter(pk__in=ids).exclude(status=Customer.Status.ERASED)
    return _Standing({row[0]: row[1] or row[0] for row in rows.values_list("pk", "merged_into_id")})


def _moved(question: conflicts.Question, standing: dict[uuid.UUID, uuid.UUID]) -> dict[uuid.UUID, str]:
    return {standing[key]: role for key, role in question.members.items()}


def _close_gone_questions(actor: Actor, asked: set[str], model: MatchModel) -> int:
    """Close waiting questions that this run did not ask and whose customers are no longer alike."""
    closed = 0
    for waiting in _waiting_questions():
        gone = _gone_among([entry for entry in waiting if entry.members_key not in asked], model)
        with audit.change(actor) as trail:
            closed += conflicts.close_conflicts(
                trail, gone, outcome=Conflict.Outcome.CLOSED, reason="its customers no longer look alike"
            )
    return closed


def _waiting_questions() -> Iterator[list[Conflict]]:
    """The open questions about likely duplicates, a bounded number at a time, by their numbers."""
    waiting = Conflict.objects.filter(
        kind=Conflict.Kind.LIKELY_DUPLICATE, state=Conflict.State.OPEN, message__isnull=True
    ).order_by("pk")
    last = 0
    while some := list(waiting.filter(pk__gt=last).prefetch_related("members")[:_QUESTIONS_LOOKED_AT]):
        yield some
        last = some[-1].pk


def _gone_among(questions: Sequence[Conflict], model: MatchModel) -> list[int]:
    members = {member.customer_id for entry in questions for member in entry.members.all()}
    profiles = load_profiles(members)
    pairs = {entry.pk: list(_known_pairs(entry, profiles)) for entry in questions}
    scores = score_pairs(model, (pair for found in pairs.values() for pair in found))
    alike = {
        question
        for question, score in zip((key for key, found in pairs.items() for _ in found), scores, strict=True)
        if score.weight >= live_policy().review
    }
    return [question for question in pairs if question not in alike]


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
