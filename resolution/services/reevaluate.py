"""What was decided on a value, looked at once more after the value was blocked or crossed its limit."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from customers.models import Customer
from resolution.matching.blocked import ANY, Blocked
from resolution.models import Conflict, ConflictMember
from resolution.selectors.identifier_rules import load_blocklist
from resolution.selectors.leaning import Leaning, find_leaning
from resolution.selectors.link_parts import find_link_parts
from resolution.selectors.reach import find_held
from resolution.selectors.records import name_records
from resolution.services import audit, conflicts, limit_follow, live_questions, locks
from resolution.services.audit import Trail
from resolution.services.conflicts import Opened, Question
from resolution.types import Actor

ANY_TYPE = "any"  # a question names its value by a type
MERGES_NAMED = 10
PARTS_NAMED = 4
WITHOUT, WITH = "Without it", "Even with it"


@dataclass(frozen=True, slots=True)
class HolderPlan:
    """The canonical customers that have a value, read without locks."""

    block: Blocked
    customers: frozenset[uuid.UUID]

    def touched(self) -> frozenset[uuid.UUID]:
        return self.customers

    def holds(self, locked: Mapping[uuid.UUID, Customer]) -> bool:
        """Nobody else has it by now, and all of them still stand for themselves."""
        return find_held(self.block).customers == self.customers and all(
            row.status == Customer.Status.ACTIVE for row in locked.values()
        )


def plan_holders(block: Blocked) -> HolderPlan:
    return HolderPlan(block, find_held(block).customers)


def ask_over_merged(
    trail: Trail, block: Blocked, leaning: Iterable[Leaning], why: str, given: str = WITHOUT
) -> Opened:
    """Ask of each customer that a value alone held together, once; `why` says what became of the value.

    `given` says whether they fall apart without the value or with it. The customers are locked. One that a
    person called right as it is is not asked about again.
    """
    apart = [entry for entry in leaning if entry.falls_apart]
    names = _names_of(apart)
    questions = [_question(block, entry, _reason(entry, why, given, names)) for entry in apart]
    return conflicts.open_conflicts(trail, conflicts.leave_out_accepted(questions))


def reevaluate_parted(trail: Trail, customers: Collection[uuid.UUID], why: str) -> None:
    """Ask anew of customers that merges were taken out of, or no more of those that hang together now.

    `why` says what was taken back. The customers are locked, and each stands for itself.
    """
    for block, conflict_ids in _asked_of(customers).items():
        blocked = load_blocklist().find(block.type or ANY_TYPE, block.value) is not None
        leaning = find_leaning(block, customers, all_had_it=blocked)
        opened = ask_over_merged(trail, block, leaning, f"The value {block.value} held it together. {why}")
        _close_others(trail, conflict_ids, opened, f"{why} What is left does not hang on {block.value}")


def reevaluate_lifted(trail: Trail, block: Blocked, customers: Collection[uuid.UUID]) -> None:
    """Ask anew of customers that a value held together, now that it is evidence again, or no more of those
    that hang together with it.

    What another block still covers is asked as before. The customers are locked.
    """
    conflict_ids = _asked_of(customers).get(block, [])
    if not conflict_ids or load_blocklist().find(block.type or ANY_TYPE, block.value):
        return
    named = ConflictMember.objects.filter(conflict__in=conflict_ids).values_list("customer", flat=True)
    why = f"The value {block.value}, which was blocked, is evidence again."
    leaning = find_leaning(None, set(named) & set(customers), all_had_it=True)
    opened = ask_over_merged(trail, block, leaning, why, given=WITH)
    _close_others(trail, conflict_ids, opened, f"{why} What it holds together hangs together")


def _asked_of(customers: Collection[uuid.UUID]) -> dict[Blocked, list[int]]:
    """The live questions about merges of these customers, by the value they name."""
    about = Conflict.objects.exclude(state=Conflict.State.DONE).filter(
        kind=Conflict.Kind.OVER_MERGE, members__customer__in=customers
    )
    asked: defaultdict[Blocked, list[int]] = defaultdict(list)
    for row in about.order_by("pk"):
        asked[_block_of(row)].append(row.pk)
    return asked


def _close_others(trail: Trail, conflict_ids: Collection[int], opened: Opened, reason: str) -> None:
    """Close those of the questions that were not asked anew."""
    live_questions.close_conflicts(
        trail,
        set(conflict_ids) - {*opened.new, *opened.refreshed},
        outcome=Conflict.Outcome.CLOSED,
        reason=reason,
    )


def smallest_part(conflict_id: int) -> tuple[uuid.UUID, ...]:
    """Return the links of the smallest part that the customer of a question falls into; reads only.

    Empty where its single links hang together.
    """
    row = Conflict.objects.get(pk=conflict_id)
    asked = list(row.members.values_list("customer", flat=True))
    parts = [part for found in find_link_parts(_block_of(row), asked).values() for part in found.parts]
    return tuple(link.id for link in parts[-1]) if parts else ()


def _block_of(conflict: Conflict) -> Blocked:
    """The value that a question about merges names."""
    kind = "" if conflict.identifier_type == ANY_TYPE else conflict.identifier_type
    return Blocked(kind, conflict.identifier_value, pattern=ANY in conflict.identifier_value)


@locks.again_after_deadlock
def reevaluate_value(*, identifier_type: str, value: str, why: str, actor: Actor) -> Opened:
    """Ask of every customer that a value alone holds together, in a change of its own. Raises TryAgain.

    With all who have it locked, what is asked about limits is put right too.
    """
    block = Blocked(identifier_type, value)
    with audit.change(actor) as trail:
        plan, _ = locks.lock_as_planned(lambda: plan_holders(block))
        limit_follow.follow(trail, plan.customers, "It was counted again.")
        return ask_over_merged(trail, block, find_leaning(block, plan.customers), why)


def reevaluate_conflicts(*, conflict_ids: Collection[int], actor: Actor) -> int:
    """Look at the values that conflicts name, each in a change of its own; returns the questions asked.

    A value whose conflict was decided meanwhile is left alone. Doing it again asks nothing twice. Raises
    TryAgain.
    """
    asking = Conflict.objects.filter(pk__in=conflict_ids).exclude(state=Conflict.State.DONE)
    opened = [
        reevaluate_value(
            identifier_type=row.identifier_type, value=row.identifier_value, why=row.reason, actor=actor
        )
        for row in asking.exclude(identifier_value="").order_by("pk")
    ]
    return sum(len(entry.new) for entry in opened)


def _names_of(leaning: Sequence[Leaning]) -> dict[str, str]:
    first = {part[0] for entry in leaning for part in entry.parts[:PARTS_NAMED]}
    return name_records([uuid.UUID(key) for key in first])


def _question(block: Blocked, leaning: Leaning, reason: str) -> Question:
    return Question(
        kind=Conflict.Kind.OVER_MERGE,
        members={leaning.customer_id: ConflictMember.Role.MEMBER.value},
        reason=reason,
        scores=leaning.scores,
        identifier_type=block.type or ANY_TYPE,
        identifier_value=block.value,
    )


def _reason(leaning: Leaning, why: str, given: str, names: Mapping[str, str]) -> str:
    """Name the parts and the merges, as far as they fit."""
    told = [why]
    if leaning.records_fall_apart:
        records = sum(map(len, leaning.parts))
        firsts = [(names.get(part[0], part[0]), len(part)) for part in leaning.parts]
        told.append(f"{given} the {records} records of this customer fall into {_parts(firsts)}.")
    if leaning.links:
        firsts = [(part[0].value.text, len(part)) for part in leaning.links]
        told.append(f"{given} its identifiers, linked one by one, fall into {_parts(firsts)}.")
    return " ".join([*told, _merges(leaning.merges)]).strip()


def _parts(firsts: Sequence[tuple[str, int]]) -> str:
    """Name the first parts, each by what it begins with and how much it holds."""
    named = ", ".join(_part(first, number) for first, number in firsts[:PARTS_NAMED])
    more = f" and {len(firsts) - PARTS_NAMED} more" if len(firsts) > PARTS_NAMED else ""
    return f"{len(firsts)} parts: {named}{more}"


def _part(first: str, number: int) -> str:
    return first[:40] if number == 1 else f"{first[:40]} with {number - 1} more"


def _merges(merges: Sequence[int]) -> str:
    if not merges:
        return ""
    shown = ", ".join(map(str, merges[:MERGES_NAMED]))
    rest = f" and {len(merges) - MERGES_NAMED} more" if len(merges) > MERGES_NAMED else ""
    return f"Merges that leaned on it: {shown}{rest}."
