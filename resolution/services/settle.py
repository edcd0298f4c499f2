"""Groups that hold together merged, and what is left of them asked.

`Settler` does so for the customers of one import batch; `find_duplicates` walks the same way over the whole
register, in changes of its own.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields

from customers.models import Customer
from resolution.batch.caches import trim_caches
from resolution.batch.pipeline import Comparison, Counts, Findings, Later, merges
from resolution.batch.shelf import ProfileShelf
from resolution.models import MatchRun
from resolution.selectors.match_model import live_model
from resolution.services import conflicts, merge
from resolution.services.audit import Trail
from resolution.services.questions import (
    find_standing,
    members_of,
    on_living_customers,
    question_of_group,
    questions_of,
    questions_of_refused,
)
from resolution.types import Group, Profile

_MOST_ROUNDS = 5
_STILL_GROWING = (
    f"It kept growing: {_MOST_ROUNDS} rounds of merging came to no end. Look before more is joined."
)


@dataclass(slots=True)
class Settled:
    """What came of comparing, in numbers.

    `merged` counts customers that went into another, `queued` new questions, `waiting` ones that stood
    already, `answered` ones a person had answered, `not_merged` groups that a blocker forbade or that other
    changes had overtaken time and again, `left` waiting questions that another change came to while they were
    weighed.
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
    left: int = 0

    def add(self, other: Settled) -> None:
        self.add_counts(other.counts())

    def add_counts(self, counts: dict[str, int]) -> None:
        for entry in fields(self):
            setattr(self, entry.name, getattr(self, entry.name) + counts.get(entry.name, 0))

    def counts(self) -> dict[str, int]:
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}


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

        def merge_groups(groups: Sequence[Group]) -> Merged:
            merged = merge_compared(trail, groups, comparison)
            settled.add(merged.settled)
            return merged

        questions = merge_until_still(comparison, findings, merge_groups, settled)
        settled.add(counted(comparison.counts))
        settled.add(ask(trail, questions))
        self._clear_up()
        return settled

    def _clear_up(self) -> None:
        """Leave memory as the next batch is to find it; what stays in between scatters it for good."""
        self._shelf.put_away()
        trim_caches()


@dataclass(slots=True)
class Merged:
    """What became of groups that were to be merged: in numbers, and who."""

    settled: Settled = field(default_factory=Settled)
    survivors: set[uuid.UUID] = field(default_factory=set)
    refused: list[merge.RefusedGroup] = field(default_factory=list)
    overtaken: list[merge.RefusedGroup] = field(default_factory=list)

    def add(self, other: Merged) -> None:
        self.settled.add(other.settled)
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
        questions += questions_of_refused(merged.refused, run)
        again = merged.survivors | _forget_overtaken(comparison, merged.overtaken)
        if not again:
            return questions
        compared_again = members_of(holding) - _members_in(merged.refused)
        findings = comparison.compare_some(again)
        questions = [entry for entry in questions if compared_again.isdisjoint(entry.members)]
        questions += questions_of(findings.groups, run=run)
    unmerged = [group for group in findings.groups if merges(group)]
    return questions + [question_of_group(group, _STILL_GROWING, run) for group in unmerged]


def _forget_overtaken(comparison: Comparison, overtaken: Sequence[merge.RefusedGroup]) -> set[uuid.UUID]:
    """Return whom the members of these groups stand for by now; the comparison knows them no more."""
    members = _members_in(overtaken)
    living = set(find_standing(members).of.values())
    comparison.forget(members | living)
    return living


def _members_in(entries: Iterable[merge.RefusedGroup]) -> set[uuid.UUID]:
    return members_of(entry.group for entry in entries)


def merge_compared(
    trail: Trail, groups: Sequence[Group], comparison: Comparison, run: MatchRun | None = None
) -> Merged:
    """Merge groups within a change, as long as nobody changed since compared.

    The comparison knows the survivors afterwards as they are now, and the absorbed no more.
    """
    done = merge.merge_in_bulk(trail, groups, run=run, seen_versions=comparison.seen)
    settled = Settled(merges=len(done.merges), merged=done.absorbed)
    merged = Merged(settled, set(done.survivors), list(done.refused), list(done.overtaken))
    left_whole = _members_in((*done.refused, *done.overtaken))
    comparison.replace(members_of(groups) - left_whole, done.survivors)
    return merged


def counted(counts: Counts) -> Settled:
    return Settled(pairs=counts.pairs, skipped_blocks=counts.skipped_blocks, same_source=counts.same_source)


def ask(trail: Trail, questions: Iterable[conflicts.Question]) -> Settled:
    """Open conflicts for questions nobody has answered."""
    opened = conflicts.open_conflicts(trail, on_living_customers(list(questions)))
    return Settled(queued=len(opened.new), waiting=len(opened.refreshed), answered=opened.answered)
