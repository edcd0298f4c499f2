"""Taking members out of a merge row for row: one, several or all, also where later merges stand on it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from customers.models import Customer
from customers.services import merging
from customers.services.statements import array_of, run_statement
from resolution.errors import InvalidInput, MakerUndoes, NotFound, Refused, StaleVersion
from resolution.models import Judgement, Merge, MergeMember, MergeProposal
from resolution.relations import MOVED
from resolution.selectors.accounts import names_of
from resolution.selectors.customers import fetch_customers
from resolution.selectors.judgements import ALWAYS, told_apart_since
from resolution.selectors.merge_policy import merge_rules
from resolution.selectors.unmerge_ground import read_ground
from resolution.services import (
    audit,
    conflict_members,
    judge,
    keys,
    limit_follow,
    locks,
    proposals,
    reevaluate,
)
from resolution.services.audit import Trail
from resolution.services.ledger import MAPPINGS, SQL
from resolution.services.merge_plan import COLLAPSED, LAST_INTERACTION, OWNING
from resolution.services.unmerge_fields import RESTORED, FieldReturn, Profiles
from resolution.services.unmerge_links import Standing
from resolution.services.unmerge_plan import plan_undo
from resolution.services.unmerge_types import (
    Answers,
    Arrival,
    Ground,
    QuestionReturn,
    Side,
    Undo,
    UnmergePlan,
)
from resolution.types import Actor

__all__ = [
    "Arrival",
    "FieldReturn",
    "QuestionReturn",
    "Side",
    "UnmergePlan",
    "plan_unmerge",
    "undo_merge",
]

_LISTED = 5


def plan_unmerge(
    merge_id: int,
    assign: Answers | None = None,
    *,
    assign_others: str = "",
    member_ids: Collection[uuid.UUID] | None = None,
) -> UnmergePlan:
    """Return what undo_merge would do now with these answers. Raises NotFound, InvalidInput."""
    return _plan(read_ground(merge_id, _named(member_ids)), assign or {}, assign_others).plan


@locks.again_after_deadlock
def undo_merge(
    *,
    merge_id: int,
    actor: Actor,
    member_ids: Collection[uuid.UUID] | None = None,
    judge_different: bool = True,
    assign: Answers | None = None,
    assign_others: str = "",
    fingerprint: str = "",
) -> Merge:
    """Take a merge back, or only these members out of it; each leaves with all it had absorbed before.

    `assign` answers the plan's `asks`: row id → customer id (of who stays or of one coming back), both as
    text; `assign_others` is where all go that it leaves out. Unless told otherwise the merge's survivor and
    those who leave are judged different, so that no machine joins them again; from whom the whole was told
    apart meanwhile, those who leave are in any case. `fingerprint` is that of the plan that was looked at.
    Raises NotFound, MakerUndoes where a rule wants another person than those who made the merge, Refused
    when it was done already or somebody was erased, StaleVersion when it would do
    something else than what was looked at, InvalidInput naming rows that still have to be assigned, TryAgain.
    """
    members = _named(member_ids)
    with audit.change(actor) as trail:
        locks.lock_as_planned(lambda: _find_reach(merge_id))
        _refuse_maker(merge_id, actor)
        undo = _plan(read_ground(merge_id, members), assign or {}, assign_others)
        _refuse(undo, fingerprint)
        _apply(trail, undo)
        _close_ledger(undo, actor)
        _record(trail, undo)
        judge.keep_apart(trail, undo.ground.leaving, undo.plan.kept_apart)
        if judge_different:
            _judge_cut(trail, undo)
        return Merge.objects.get(pk=merge_id)


def _plan(ground: Ground, assign: Answers, assign_others: str) -> Undo:
    undo = plan_undo(ground, assign)
    if not (assign_others and undo.plan.asks):
        return undo
    others = dict.fromkeys((row.row_id for row in undo.plan.asks), assign_others)
    return plan_undo(ground, {**others, **assign})


@dataclass(frozen=True, slots=True)
class _Reach:
    """Whom taking out of a merge touches: everyone who is one customer with its survivor by now, and `others`
    whom somebody told apart from any of these."""

    merge: int
    group: frozenset[uuid.UUID]
    others: frozenset[uuid.UUID]

    def touched(self) -> Collection[uuid.UUID]:
        return self.group | self.others

    def holds(self, locked: Mapping[uuid.UUID, Customer]) -> bool:
        return _find_reach(self.merge) == self


def _find_reach(merge_id: int) -> _Reach:
    survivor = Merge.objects.filter(pk=merge_id).values_list("survivor", flat=True).first()
    if survivor is None:
        raise NotFound(f"There is no merge {merge_id}. Check the number.", merge=merge_id)
    root = fetch_customers([survivor])[survivor].canonical_id
    members = Customer.objects.members_of(root).values_list("pk", flat=True)
    group = frozenset({survivor, root, *members})
    words = told_apart_since(dict.fromkeys(group, ALWAYS))
    return _Reach(merge_id, group, frozenset(word.other for word in words))


def _named(member_ids: Collection[uuid.UUID] | None) -> frozenset[uuid.UUID]:
    """Return the members asked for, none for all. Raises InvalidInput when nobody was named."""
    if member_ids is not None and not member_ids:
        raise InvalidInput("No member was named; name at least one, or leave them out to take all back.")
    return frozenset(member_ids or ())


def _refuse_maker(merge_id: int, actor: Actor) -> None:
    """Refuse the account that proposed, approved or made a merge, by a key too, while a rule says so."""
    if not merge_rules().unmerge:
        return
    merge = Merge.objects.get(pk=merge_id)
    proposal = MergeProposal.objects.filter(merge=merge).first()
    makers = {proposal.proposer_id, proposal.approver_id} - {None} if proposal else set()
    made_it = (merge.actor_kind, merge.actor_name) in names_of(actor)
    if made_it or actor.user_id in makers:
        raise MakerUndoes(merge.pk)


def _refuse(undo: Undo, fingerprint: str) -> None:
    plan = undo.plan
    if plan.blockers:
        raise Refused(" ".join(plan.blockers), merge=plan.merge_id)
    if fingerprint and fingerprint != plan.fingerprint:
        raise StaleVersion(
            f"Something has changed since you looked at taking back merge {plan.merge_id}, so other things"
            " would happen now. Look at it again.",
            merge=plan.merge_id,
            fingerprint=plan.fingerprint,
        )
    if plan.asks:
        titles = ", ".join(f"{row.label} “{row.title}” ({row.row_id})" for row in plan.asks[:_LISTED])
        raise InvalidInput(
            f"{len(plan.asks)} rows arrived since merge {plan.merge_id} and nothing tells whose they are:"
            f" {titles}. Assign each to the survivor or to a customer that comes back.",
            rows=[row.row_id for row in plan.asks],
        )


def _apply(trail: Trail, undo: Undo) -> None:
    ground = undo.ground
    _strike_moves(undo)
    _return_links(trail, undo.standings.values())
    tables = {relation.name: relation.table for relation in MOVED}
    for name, owners in undo.owners.items():
        merging.return_records(tables[name], owners)
    merging.restore_customers(ground.leaving, undo.redirects)
    if undo.profiles:
        _write_profiles(ground.tree.root, undo.profiles)
    keys.rebuild_keys({ground.tree.root, *ground.leaving})
    _hand_over_questions(trail, undo)
    parted, why = {ground.tree.root, *ground.leaving}, f"Merge {ground.merge} was taken back."
    reevaluate.reevaluate_parted(trail, parted, why)
    limit_follow.follow(trail, parted, why)
    limit_follow.ask_again(trail, parted)


def _strike_moves(undo: Undo) -> None:
    """Take out of the ledger what this merge and those above it moved of the rows that leave."""
    ground = undo.ground
    leaving = {"merge": ground.merge, "leaving": array_of(ground.leaving)}
    run_statement(SQL / "unmerge_members.sql", leaving)
    merges = [page.merge for page in ground.tree.path(ground.merge)]
    for name, rows in undo.owners.items():
        _strike(merges, name, rows)
    _strike([page.merge for page in ground.tree.pages], MAPPINGS, undo.standings)
    moves = [(move, key) for key, row in undo.standings.items() for move in row.moves]
    values = {
        "merges": array_of(move.merge for move, _ in moves),
        "rows": array_of(key for _, key in moves),
        "owners": array_of(move.owner for move, _ in moves),
        "statuses": array_of(move.status for move, _ in moves),
    }
    run_statement(SQL / "unmerge_moves.sql", values)


def _strike(merges: Iterable[int], relation: str, rows: Iterable[uuid.UUID]) -> None:
    values = {"merges": array_of(merges), "relation": relation, "rows": array_of(rows)}
    run_statement(SQL / "unmerge_give_back.sql", values)


def _return_links(trail: Trail, standings: Iterable[Standing]) -> None:
    """Fold first, move, then unfold: no step may give a customer the same identifier twice."""
    changed = [row for row in standings if row.changed]
    folding = [row for row in changed if row.status == COLLAPSED]
    moving = [row for row in changed if row.customer != row.link.customer]
    merging.set_mapping_status({row.link.id: row.status for row in folding})
    merging.return_records(_table(MAPPINGS), {row.link.id: row.customer for row in moving})
    merging.set_mapping_status({row.link.id: row.status for row in changed if row.status != row.link.status})
    for row in changed:
        if OWNING in (row.status, row.link.status):
            trail.reown(*row.link.key)


def _write_profiles(root: uuid.UUID, profiles: Profiles) -> None:
    """Write the rows that changed, the root's always since it is not what somebody saw, and the ledger."""
    merging.write_profiles({key: profiles.rows[key] for key in {root, *profiles.customers}})
    pages = [
        {"merge": page.merge, "pre_image": page.pre_image, "plan": page.plan}
        for page in profiles.tree.pages
        if page.merge in profiles.pages
    ]
    images = [
        {"merge": merge, "customer": str(customer), "fields": fields}
        for (merge, customer), fields in profiles.images.items()
    ]
    run_statement(SQL / "unmerge_pages.sql", {"pages": json.dumps(pages)})
    run_statement(SQL / "unmerge_images.sql", {"images": json.dumps(images)})


def _hand_over_questions(trail: Trail, undo: Undo) -> None:
    """Open conflicts name whom they are about from now on; proposals that answered them are withdrawn."""
    heirs = {row.conflict_id: uuid.UUID(row.goes_to) if row.goes_to else None for row in undo.plan.questions}
    if not heirs:
        return
    what = f"Merge {undo.ground.merge} was taken back."
    conflict_members.hand_over(trail, undo.ground.tree.root, heirs, reason=what)
    handed = [key for key, heir in heirs.items() if heir]
    proposals.withdraw_moot(trail, handed, answer=f"{what} The question is about another customer now.")


def _close_ledger(undo: Undo, actor: Actor) -> None:
    ground, now = undo.ground, timezone.now()
    done = {"undone_at": now, "undone_by": actor.name}
    MergeMember.objects.filter(merge=ground.merge, customer__in=ground.leaving).update(live=False, **done)
    if undo.plan.ends:
        Merge.objects.filter(pk=ground.merge).update(**done)


def _record(trail: Trail, undo: Undo) -> None:
    ground, plan = undo.ground, undo.plan
    root = ground.tree.root
    facts: dict[str, Any] = {
        "merge": ground.merge,
        "survivor": str(ground.survivor),
        "returned": sorted(map(str, ground.leaving)),
    }
    after = _rewritten_fields(undo)
    touched = {*ground.leaving, ground.survivor, *map(uuid.UUID, after)} - {root}
    for key in sorted(touched):
        trail.record("unmerge", customer_id=key, old_value=str(root), method="manual", **facts)
    restored = [row.field for row in plan.fields if row.fate == RESTORED]
    assigned = {row.row_id: row.goes_to for row in plan.arrivals}
    rewritten = sorted(undo.profiles.pages) if undo.profiles else []
    trail.record(
        "unmerge",
        customer_id=root,
        method="manual",
        fields=restored,
        arrivals=assigned,
        rewritten=rewritten,
        after=after,
        links=_links_after(undo),
        followed={str(key): str(member) for key, member in undo.redirects.items()},
        **facts,
    )
    trail.tell("customer.unmerged", customer_id=root, ended=plan.ends, **facts)


def _rewritten_fields(undo: Undo) -> dict[str, dict[str, Any]]:
    """What is written on whom besides being heard of: customer → field → value."""
    if not undo.profiles:
        return {}
    people = undo.ground.people
    differing = {
        str(key): {
            name: value
            for name, value in undo.profiles.rows[key].items()
            if name != LAST_INTERACTION and value != people[key].profile[name]
        }
        for key in {undo.ground.tree.root, *undo.profiles.customers}
    }
    return {key: fields for key, fields in differing.items() if fields}


def _links_after(undo: Undo) -> dict[str, list[str]]:
    """Where the links that change stand afterwards: link → customer and status."""
    return {
        str(row.link.id): [str(row.customer), row.status] for row in undo.standings.values() if row.changed
    }


def _judge_cut(trail: Trail, undo: Undo) -> None:
    ground = undo.ground
    judge.write_judgements(
        trail,
        {(ground.survivor, key): f"Merge {ground.merge} was undone." for key in ground.leaving},
        verdict=Judgement.Verdict.DIFFERENT,
    )


def _table(name: str) -> str:
    return next(relation.table for relation in MOVED if relation.name == name)
