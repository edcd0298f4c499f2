"""What a comparison of customers leaves to ask: the questions of its groups, of those who live by now."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from customers.models import Customer
from resolution.models import Conflict, ConflictMember, MatchRun
from resolution.selectors.judgements import different_pairs
from resolution.services import conflicts, locks, merge
from resolution.services.contradictions import contradiction_questions
from resolution.types import Contradiction, Group, PairScore

_FACTS_IN_A_REASON = 3


def questions_of(groups: Iterable[Group], *, run: MatchRun | None = None) -> list[conflicts.Question]:
    """What is to be asked of these groups: each doubtful pair, and a group that may not merge as a whole."""
    found = list(groups)
    clashes = list(dict.fromkeys(entry for group in found for entry in group.contradictions))
    return [
        *contradiction_questions(clashes, run_id=run.pk if run else None),
        *(question for group in found for question in _questions_of_group(group, run)),
    ]


def _questions_of_group(group: Group, run: MatchRun | None) -> Iterator[conflicts.Question]:
    asked = any(set(group.members) <= set(entry.members) for entry in group.contradictions)
    if group.why and len(group.members) > 1 and group.edges and not asked:
        yield question_of_group(group, group.why, run)
        return
    for score in group.questions:
        yield question_of_pair(score, run)


def question_of_pair(score: PairScore, run: MatchRun | None = None) -> conflicts.Question:
    return _question((score.left, score.right), reason_of(score), (score,), run)


def question_of_group(group: Group, reason: str, run: MatchRun | None) -> conflicts.Question:
    return _question(group.members, reason, (*group.edges, *group.questions), run)


def questions_of_refused(
    refused: Sequence[merge.RefusedGroup], run: MatchRun | None
) -> list[conflicts.Question]:
    """Ask of every group that could not be merged; one whose members a person told apart contradicts that."""
    different = different_pairs(members_of(entry.group for entry in refused)) if refused else set()
    told_apart = {id(entry): _told_apart(entry.group, different) for entry in refused}
    clashes = [clash for entry in refused if (clash := told_apart[id(entry)])]
    return [
        *contradiction_questions(clashes, run_id=run.pk if run else None),
        *(
            question_of_group(entry.group, " ".join(entry.why), run)
            for entry in refused
            if not told_apart[id(entry)]
        ),
    ]


def _told_apart(group: Group, different: Collection[frozenset[uuid.UUID]]) -> Contradiction | None:
    """The contradiction a group is by now, when two of its members were told apart."""
    members = members_of([group])
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


def members_of(groups: Iterable[Group]) -> set[uuid.UUID]:
    return {uuid.UUID(key) for group in groups for key in group.members}


@dataclass(frozen=True, slots=True)
class Standing:
    """Whom ids stand for (`of`), read without locks; the erased stand for nobody."""

    of: dict[uuid.UUID, uuid.UUID]

    def touched(self) -> set[uuid.UUID]:
        return {*self.of, *self.of.values()}

    def holds(self, locked: Mapping[uuid.UUID, Customer]) -> bool:
        return all(
            locked[key].canonical_id == stands_for and locked[stands_for].status == Customer.Status.ACTIVE
            for key, stands_for in self.of.items()
        )


def find_standing(ids: Collection[uuid.UUID]) -> Standing:
    rows = Customer.objects.filter(pk__in=ids).exclude(status=Customer.Status.ERASED)
    return Standing({row[0]: row[1] or row[0] for row in rows.values_list("pk", "merged_into_id")})


def on_living_customers(questions: Sequence[conflicts.Question]) -> list[conflicts.Question]:
    """Lock the customers that ids stand for and ask of those; where the sides have become one, nothing is.

    Nor is where one was erased since: its values are in the scores.
    """
    ids = {key for question in questions for key in question.members}
    standing, _ = locks.lock_as_planned(lambda: find_standing(ids))
    living = [question for question in questions if question.members.keys() <= standing.of.keys()]
    moved = [(question, _moved(question, standing.of)) for question in living]
    return [replace(question, members=members) for question, members in moved if len(members) > 1]


def _moved(question: conflicts.Question, standing: dict[uuid.UUID, uuid.UUID]) -> dict[uuid.UUID, str]:
    return {standing[key]: role for key, role in question.members.items()}
