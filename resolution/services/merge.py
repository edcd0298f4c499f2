"""Merging: lock, check, plan, apply, record. One merge or thousands go the same way, `carry_out`."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from customers.models import Customer
from customers.services import merging
from resolution.errors import InvalidInput, MergeBlocked, StaleVersion
from resolution.models import Conflict, MatchRun, Merge
from resolution.relations import MOVED
from resolution.selectors.changes import changed_members, describe_change
from resolution.selectors.customers import fetch_customers
from resolution.selectors.identifier_rules import Rule, load_rules
from resolution.selectors.merge_facts import load_differences, load_facts
from resolution.services import audit, conflict_members, conflicts, keys, limits, locks, proposals
from resolution.services.audit import Trail
from resolution.services.ledger import MAPPINGS, Act, stored_value, write_ledger
from resolution.services.merge_draft import plan_of
from resolution.services.merge_plan import (
    COLLAPSED,
    LAST_INTERACTION,
    OWNING,
    CustomerFacts,
    Picks,
    choose_survivor,
)
from resolution.types import Actor, DifferenceFact, Group, MergePlan, Profile

_BULK = 1000  # groups whose facts are held in memory at a time


@dataclass(frozen=True, slots=True)
class RefusedGroup:
    """A group that was not merged, and why in sentences."""

    group: Group
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What became of many groups: the merges made, customers absorbed by them, groups left alone.

    Of these a blocker forbids the `refused`; a member of the `overtaken` changed since it was compared.
    `survivors` has what matching knows of each survivor now.
    """

    merges: tuple[int, ...]
    absorbed: int
    refused: tuple[RefusedGroup, ...]
    overtaken: tuple[RefusedGroup, ...]
    survivors: Mapping[uuid.UUID, Profile]


@dataclass(frozen=True, slots=True)
class Carried:
    """The merges made, in the order of their acts, and what matching knows of each survivor now."""

    merges: list[Merge]
    survivors: dict[uuid.UUID, Profile]


def preview_merge(
    *, member_ids: Collection[uuid.UUID], survivor_id: uuid.UUID | None = None, picks: Picks | None = None
) -> MergePlan:
    """Return what merge_customers would do now, with every row and blocker. Raises UnknownCustomer."""
    return draft_merge(fetch_customers(member_ids), survivor_id=survivor_id, picks=picks, rows=True).plan


@locks.again_after_deadlock
def merge_customers(
    *,
    member_ids: Collection[uuid.UUID],
    survivor_id: uuid.UUID | None = None,
    picks: Picks | None = None,
    actor: Actor,
    method: str = Merge.Method.MANUAL,
    weight: float | None = None,
    conflict: Conflict | None = None,
    expected_versions: Mapping[uuid.UUID, int] | None = None,
) -> Merge:
    """Make several customers one and return the ledger's row.

    `weight` is that of the weakest edge, log2 odds. `conflict` is the question this answers.
    Raises UnknownCustomer, StaleVersion when `expected_versions` are not today's, MergeBlocked with reasons.
    """
    with audit.change(actor) as trail:
        members = locks.lock_with_absorbed(set(member_ids))
        refuse_stale(members, expected_versions or {})
        act = draft_merge(members, survivor_id=survivor_id, picks=picks)
        conflict_id = conflict.pk if conflict else None
        return merge_locked(trail, replace(act, method=method, weight=weight, conflict_id=conflict_id))


def unify_customer_profile(customer_ids: Sequence[uuid.UUID], actor: Actor) -> uuid.UUID:
    """Make several customers one and return whose id lives on; one id is its own answer.

    Raises InvalidInput for no id at all, else as merge_customers.
    """
    if not customer_ids:
        raise InvalidInput("No customer was given; name at least one id.")
    if len(set(customer_ids)) == 1:
        return next(iter(fetch_customers(customer_ids).values())).canonical_id
    return merge_customers(member_ids=customer_ids, actor=actor).survivor_id


def choose_primary_customer(customer_ids: Collection[uuid.UUID]) -> uuid.UUID:
    """Return whose id a merge would keep: most messages and tickets, most complete, known longest.

    Raises InvalidInput for no id at all, UnknownCustomer.
    """
    if not customer_ids:
        raise InvalidInput("No customer was given; name at least one id.")
    facts = load_facts(fetch_customers(customer_ids).values(), rows=False)
    return uuid.UUID(choose_survivor(list(facts.values())))


def merge_in_bulk(
    trail: Trail,
    groups: Sequence[Group],
    *,
    run: MatchRun | None = None,
    seen_versions: Mapping[uuid.UUID, int] | None = None,
) -> BulkResult:
    """Merge many groups by rule inside one change; a group with a blocker is left alone, not raised.

    `seen_versions` are the customers' when they were compared: a group is left alone when a member has
    another version by now. Raises UnknownCustomer when a member does not exist.
    """
    customers = locks.lock_with_absorbed({uuid.UUID(key) for group in groups for key in group.members})
    taken: set[str] = set()
    refused: list[RefusedGroup] = []
    overtaken: list[RefusedGroup] = []
    merges: list[int] = []
    survivors: dict[uuid.UUID, Profile] = {}
    absorbed = 0
    for start in range(0, len(groups), _BULK):
        current, stale = _leave_out_stale(groups[start : start + _BULK], customers, seen_versions or {})
        acts, left = _draft_groups(current, customers, taken, run)
        carried = carry_out(trail, acts)
        merges += [merge.pk for merge in carried.merges]
        survivors |= carried.survivors
        absorbed += sum(len(act.plan.absorbed) for act in acts)
        refused += left
        overtaken += stale
    return BulkResult(tuple(merges), absorbed, tuple(refused), tuple(overtaken), survivors)


def draft_merge(
    members: Mapping[uuid.UUID, Customer],
    *,
    survivor_id: uuid.UUID | None = None,
    picks: Picks | None = None,
    rows: bool = False,
    overruled: Collection[int] = (),
) -> Act:
    """Load the facts of these customers and plan their merge; `rows` lists every row that moves.

    It is planned as if the judgements `overruled` were withdrawn.
    """
    facts = load_facts(members.values(), rows=rows)
    different = [fact for fact in load_differences(members) if fact.judgement not in overruled]
    plan = plan_of(list(facts.values()), different, load_rules(), survivor_id=survivor_id, picks=picks)
    return Act(plan, members, facts)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One merge among several that are planned together."""

    members: Collection[uuid.UUID]
    survivor_id: uuid.UUID | None = None
    picks: Picks | None = None


def draft_merges(customers: Mapping[uuid.UUID, Customer], wanted: Sequence[Wanted]) -> list[Act]:
    """Plan several merges as `draft_merge` does; facts are loaded once for all."""
    facts = load_facts(customers.values(), rows=False)
    different, rules = load_differences(customers), load_rules()
    return [_draft_one(customers, facts, different, rules, entry) for entry in wanted]


def _draft_one(
    customers: Mapping[uuid.UUID, Customer],
    facts: Mapping[str, CustomerFacts],
    different: Sequence[DifferenceFact],
    rules: Mapping[str, Rule],
    wanted: Wanted,
) -> Act:
    members = {str(key): facts[str(key)] for key in wanted.members}
    plan = plan_of(
        list(members.values()), different, rules, survivor_id=wanted.survivor_id, picks=wanted.picks
    )
    return Act(plan, {key: customers[key] for key in wanted.members}, members)


def refuse_stale(
    members: Mapping[uuid.UUID, Customer],
    seen: Mapping[uuid.UUID, int],
    *,
    since: datetime | None = None,
) -> None:
    """Raise StaleVersion when a member is not at the version seen, saying what changed `since` then."""
    changed = changed_members(members, seen)
    if changed:
        sentences = [describe_change(row, seen[row.pk], since=since) for row in changed]
        raise StaleVersion(
            " ".join(sentences) + " Look at the merge again.", changed=[str(row.pk) for row in changed]
        )


def refuse_blocked(plan: MergePlan) -> None:
    """Raise MergeBlocked with a plan's blockers and the judgements among them, if it has any."""
    if plan.blockers:
        raise MergeBlocked(plan.blockers, [_told(fact) for fact in plan.against])


def merge_locked(trail: Trail, act: Act) -> Merge:
    """Carry out one drafted merge whose members are locked. Raises MergeBlocked."""
    refuse_blocked(act.plan)
    [merge] = carry_out(trail, [act]).merges
    return merge


def carry_out(trail: Trail, acts: Sequence[Act]) -> Carried:
    """Apply merges whose members are locked and whose plans have no blockers; few statements for any number.

    The ledger is written before anything moves, from the rows as they are.
    """
    if not acts:
        return Carried([], {})
    merges = write_ledger(trail, acts)
    redirects = {row.pk: act.survivor.pk for act in acts for row in act.absorbed}
    _move_rows(acts, redirects)
    merging.retire_customers(redirects)
    merging.write_profiles({act.survivor.pk: _profile_after(act) for act in acts})
    survivors = keys.rebuild_keys({*redirects, *redirects.values()})
    conflict_members.retarget_conflicts(trail, redirects)
    proposals.withdraw_overtaken(trail, redirects, but=[act.proposal for act in acts if act.proposal])
    for merge, act in zip(merges, acts, strict=True):
        _record(trail, merge, act)
    _ask_of_many_values(trail, acts)
    return Carried(merges, survivors)


def _ask_of_many_values(trail: Trail, acts: Sequence[Act]) -> None:
    """Ask of the survivors that a merge took past a soft limit."""
    rules = load_rules()
    questions = [
        question
        for act in acts
        for question in limits.questions_of_union(act.survivor.pk, act.members, rules)
    ]
    conflicts.open_conflicts(trail, conflicts.leave_out_accepted(questions))


def _told(fact: DifferenceFact) -> dict[str, Any]:
    return {
        "id": fact.judgement,
        "customer_ids": [fact.left, fact.right],
        "judged_by": fact.who,
        "judged_at": fact.when.isoformat(),
        "reason": fact.reason,
    }


def _leave_out_stale(
    groups: Sequence[Group], customers: Mapping[uuid.UUID, Customer], seen: Mapping[uuid.UUID, int]
) -> tuple[list[Group], list[RefusedGroup]]:
    """Part the groups whose members are still what was compared from those that changed since."""
    current, stale = [], []
    for group in groups:
        changed = changed_members({key: customers[key] for key in map(uuid.UUID, group.members)}, seen)
        if changed:
            stale.append(RefusedGroup(group, tuple(_changed_since(row, seen[row.pk]) for row in changed)))
        else:
            current.append(group)
    return current, stale


def _changed_since(customer: Customer, seen: int) -> str:
    return (
        f"Customer {customer.pk} has changed since it was compared"
        f" (version {seen}, now {customer.version}); compare it again."
    )


def _draft_groups(
    groups: Sequence[Group], customers: Mapping[uuid.UUID, Customer], taken: set[str], run: MatchRun | None
) -> tuple[list[Act], list[RefusedGroup]]:
    """Plan one batch; a customer takes part in one merge of the call at most, which `taken` remembers."""
    ids = [uuid.UUID(key) for group in groups for key in group.members]
    facts = load_facts((customers[key] for key in dict.fromkeys(ids)), rows=False)
    different, rules = load_differences(set(ids)), load_rules()
    acts, refused = [], []
    for group in groups:
        plan = plan_of([facts[key] for key in group.members], different, rules, by_machine=True)
        why = plan.blockers or _overlap(group, taken)
        if why:
            refused.append(RefusedGroup(group, why))
            continue
        taken.update(group.members)
        weight = min((edge.weight for edge in group.edges), default=None)
        acts.append(Act(plan, customers, facts, method=Merge.Method.AUTO, weight=weight, run=run))
    return acts, refused


def _overlap(group: Group, taken: set[str]) -> tuple[str, ...]:
    twice = sorted(taken.intersection(group.members))
    return tuple(f"Customer {key} takes part in another merge of the same run." for key in twice)


def _move_rows(acts: Sequence[Act], redirects: Mapping[uuid.UUID, uuid.UUID]) -> None:
    folded = [uuid.UUID(row.row_id) for act in acts for row in act.plan.collapses]
    merging.set_mapping_status(dict.fromkeys(folded, COLLAPSED))
    for relation in MOVED:
        merging.move_records(relation.table, redirects, keep=folded if relation.name == MAPPINGS else ())


def _profile_after(act: Act) -> dict[str, Any]:
    written = {choice.field: stored_value(choice) for choice in act.plan.fields}
    return merging.snapshot(act.survivor) | written


def _record(trail: Trail, merge: Merge, act: Act) -> None:
    facts: dict[str, Any] = {"merge": merge.pk, "survivor": act.plan.survivor}
    sureness = _confidence(act.weight)
    for row in act.absorbed:
        trail.record(
            "merge", customer_id=row.pk, old_value=row.status, method=act.method, confidence=sureness, **facts
        )
    changed = [choice for choice in act.plan.fields if choice.value != choice.before]
    facts |= {
        "absorbed": list(act.plan.absorbed),
        "fields": [choice.field for choice in changed],
        "conflict": act.conflict_id,
    }
    trail.record(
        "merge",
        customer_id=act.survivor.pk,
        method=act.method,
        confidence=sureness,
        after={choice.field: stored_value(choice) for choice in changed if choice.field != LAST_INTERACTION},
        folded=[row.row_id for row in act.plan.collapses],
        **facts,
    )
    trail.tell("customer.merged", customer_id=act.survivor.pk, **facts)
    for key in act.plan.absorbed:
        reown_all(trail, act.facts[key])


def reown_all(trail: Trail, facts: CustomerFacts) -> None:
    """Note that every identifier a customer owned gets another owner."""
    for row in facts.identifiers:
        if row.status == OWNING:
            trail.reown(uuid.UUID(row.channel_id), row.type, row.normalised)


def _confidence(weight: float | None) -> Decimal | None:
    """The audit's two decimals; rounded down, so that certainty is never claimed."""
    if weight is None:
        return None
    probability = 1 / (1 + 2 ** -min(max(weight, -60.0), 60.0))
    return Decimal(probability).quantize(Decimal("0.01"), ROUND_DOWN)
