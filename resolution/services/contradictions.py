"""A person told two customers apart and something would make them one all the same: the edges, in words."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from string import ascii_uppercase

from customers.models import Customer
from resolution.models import Conflict, ConflictMember
from resolution.selectors.merge_facts import load_differences
from resolution.services.conflicts import Question
from resolution.types import Contradiction, DifferenceFact, PairScore

_NAME_LENGTH = 40
_EDGES_TOLD = 5


def contradiction_questions(found: Iterable[Contradiction], *, run_id: int | None = None) -> list[Question]:
    """Return what is to be asked of each contradiction; a constant number of queries.

    One whose judgement was superseded meanwhile asks nothing; the next comparison tells.
    """
    entries = list(found)
    facts = load_differences({uuid.UUID(key) for entry in entries for key in entry.judged}) if entries else []
    said = {frozenset((fact.left, fact.right)): fact for fact in facts}
    names = names_of({key for entry in entries for key in entry.members})
    return [
        Question(
            kind=Conflict.Kind.CONTRADICTION,
            members={uuid.UUID(key): ConflictMember.Role.MEMBER.value for key in entry.members},
            reason=tell_contradiction(said[frozenset(entry.judged)], entry.edges, names),
            scores=entry.edges,
            run_id=run_id,
        )
        for entry in entries
        if frozenset(entry.judged) in said
    ]


def explain_contradiction(
    judged: DifferenceFact, edges: Sequence[PairScore], members: Collection[uuid.UUID]
) -> str:
    """Say what a person said and which weights speak against it; one query for the names."""
    return tell_contradiction(judged, edges, names_of(map(str, members)))


def tell_contradiction(judged: DifferenceFact, edges: Sequence[PairScore], names: Mapping[str, str]) -> str:
    """Say it in a sentence: the two told apart are A and B, by whom and when; then what each edge weighs."""
    against = [edge for edge in edges if {edge.left, edge.right} != {judged.left, judged.right}]
    told = sorted(against, key=lambda edge: -edge.weight)[:_EDGES_TOLD]
    letters = _letters(judged, told)
    between = [key for key in letters if key not in (judged.left, judged.right)]
    weights = ", ".join(_edge(letters, edge) for edge in told)
    called = {key: f"{letter} {names.get(key, key)[:_NAME_LENGTH]}" for key, letter in letters.items()}
    but = f"{called[between[0]]} fits both" if len(between) == 1 else _hold_together(called, between)
    return f"{describe_difference(judged, called)}, but {but}{f': {weights}' if weights else ''}."


def describe_difference(judged: DifferenceFact, names: Mapping[str, str]) -> str:
    """Say who told whom apart, and when; no full stop."""
    left, right = names.get(judged.left, judged.left), names.get(judged.right, judged.right)
    return f"{judged.who} judged {left} and {right} not the same on {judged.when:%d %B %Y}"


def _hold_together(called: Mapping[str, str], between: Sequence[str]) -> str:
    if not between:
        return "much speaks for one person"
    return f"{' and '.join(called[key] for key in between)} hold them together"


def _letters(judged: DifferenceFact, edges: Sequence[PairScore]) -> dict[str, str]:
    keys = dict.fromkeys(
        [judged.left, judged.right, *(key for edge in edges for key in (edge.left, edge.right))]
    )
    return dict(zip(keys, ascii_uppercase, strict=False))


def _edge(letters: Mapping[str, str], edge: PairScore) -> str:
    """An edge with its weight in log2 odds: "A–C +9.2"."""
    ends = sorted((letters[edge.left], letters[edge.right]))
    return f"{'–'.join(ends)} {edge.weight:+.1f}"


def names_of(ids: Iterable[str]) -> dict[str, str]:
    """Return what customers are called, by id."""
    rows = Customer.objects.filter(pk__in=[uuid.UUID(key) for key in ids])
    return {str(row.pk): row.display_name for row in rows}
