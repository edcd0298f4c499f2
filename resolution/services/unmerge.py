"""Taking a merge back row for row, also under later merges of the same survivor."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.utils import timezone

from customers.models import Customer
from customers.services import merging
from resolution.errors import InvalidInput, LaterMergeStands, MakerUndoes, NotFound, Refused
from resolution.models import Conflict, ConflictMember, Judgement, Merge, MergeProposal
from resolution.relations import MOVED
from resolution.selectors.customers import fetch_customers
from resolution.selectors.merge_policy import merge_rules
from resolution.services import audit, conflicts, judge, keys, locks
from resolution.services.audit import Trail
from resolution.services.ledger import MAPPINGS
from resolution.services.merge_plan import OWNING
from resolution.services.unmerge_plan import (
    Answers,
    Arrival,
    FieldReturn,
    Side,
    Standing,
    Undo,
    UnmergePlan,
    absorbing_merge,
    members_of,
    plan_undo,
    read_ground,
)
from resolution.types import Actor

__all__ = ["Arrival", "FieldReturn", "Side", "UnmergePlan", "plan_unmerge", "undo_merge"]

_LISTED = 5


def plan_unmerge(merge_id: int, assign: Answers | None = None) -> UnmergePlan:
    """Return what undo_merge would do now with these answers. Raises NotFound, InvalidInput."""
    merge = Merge.objects.filter(pk=merge_id).first()
    if merge is None:
        raise NotFound(f"There is no merge {merge_id}. Check the number.", merge=merge_id)
    ground = read_ground(merge, fetch_customers(members_of(merge)))
    return plan_undo(ground, assign or {}).plan


def undo_merge(
    *,
    merge_id: int,
    actor: Actor,
    judge_different: bool = True,
    assign: Answers | None = None,
) -> Merge:
    """Take a merge back.

    `assign` answers the plan's `asks`: row id → customer id (of the survivor or of one coming back), both as
    text. Unless told otherwise the two sides are judged different, so that no machine joins them again.
    Raises NotFound, MakerUndoes where a rule wants another person than those who made the merge, Refused when
    undone already, LaterMergeStands when the survivor was absorbed since, InvalidInput naming the rows that
    still have to be assigned.
    """
    with audit.change(actor) as trail:
        merge = _lock(merge_id)
        _refuse_maker(merge, actor)
        undo = plan_undo(read_ground(merge, fetch_customers(members_of(merge))), assign or {})
        _refuse(undo)
        _apply(trail, undo)
        _close_ledger(undo, actor)
        _record(trail, undo)
        if judge_different:
            _judge_cut(trail, undo)
        return merge


def _lock(merge_id: int) -> Merge:
    """Lock a merge's customers and those whose redirects it bent, then the merge."""
    found = Merge.objects.filter(pk=merge_id).first()
    if found is not None:
        locks.lock_with_absorbed(members_of(found))
    return locks.lock_row(Merge, merge_id)


def _refuse_maker(merge: Merge, actor: Actor) -> None:
    """Refuse who proposed, approved or made a merge, while the rule on undoing is switched on."""
    if not merge_rules().unmerge:
        return
    proposal = MergeProposal.objects.filter(merge=merge).first()
    makers = {proposal.proposer_id, proposal.approver_id} - {None} if proposal else set()
    made_it = (merge.actor_kind, merge.actor_name) == (actor.kind, actor.name)
    if made_it or actor.user_id in makers:
        raise MakerUndoes(merge.pk)


def _refuse(undo: Undo) -> None:
    merge, survivor = undo.ground.merge, undo.ground.survivor
    later = absorbing_merge(survivor)
    if later and not merge.undone_at:
        raise LaterMergeStands(merge.pk, later)
    if undo.plan.blockers:
        raise Refused(" ".join(undo.plan.blockers), merge=merge.pk)
    if undo.plan.asks:
        asked = undo.plan.asks
        titles = ", ".join(f"{row.label} “{row.title}” ({row.row_id})" for row in asked[:_LISTED])
        raise InvalidInput(
            f"{len(asked)} rows arrived since merge {merge.pk} and nothing tells whose they are: {titles}."
            " Assign each to the survivor or to a customer that comes back.",
            rows=[row.row_id for row in asked],
        )


def _apply(trail: Trail, undo: Undo) -> None:
    ground = undo.ground
    _return_links(trail, undo)
    tables = {relation.name: relation.table for relation in MOVED}
    for name, owners in undo.owners.items():
        merging.return_records(tables[name], owners)
    merging.restore_customers(list(ground.absorbed), undo.redirects)
    merging.write_profiles({ground.survivor.pk: undo.profile, **_profiles_heard_of(undo)})
    for heir, field, before in undo.inherits:
        heir.pre_image[field] = before
        heir.save(update_fields=["pre_image"])
    keys.rebuild_keys(set(ground.sides))
    _hand_over_questions(undo)


def _return_links(trail: Trail, undo: Undo) -> None:
    """Fold first, move, then unfold: no step may give a customer the same identifier twice."""
    changed = [standing for standing in undo.standings.values() if standing.changed]
    moved = {row.link.pk: row.customer_id for row in changed if row.customer_id != row.link.customer_id}
    merging.return_records(_table(MAPPINGS), moved)
    merging.set_mapping_status({row.link.pk: row.status for row in changed if row.status != row.link.status})
    for standing in changed:
        if OWNING in (standing.status, standing.link.status):
            trail.reown(*standing.key)


def _profiles_heard_of(undo: Undo) -> dict[uuid.UUID, dict[str, object]]:
    """Returning customers that get newer messages or tickets were heard of later than they knew."""
    heard: dict[uuid.UUID, datetime] = {}
    for row in undo.plan.arrivals:
        if row.relation in ("messages", "tickets") and row.goes_to:
            owner = uuid.UUID(row.goes_to)
            heard[owner] = max(row.at, heard.get(owner, row.at))
    return {
        key: merging.snapshot(customer) | {"last_interaction_at": _latest(customer, heard[key]).isoformat()}
        for key, customer in undo.ground.absorbed.items()
        if key in heard
    }


def _latest(customer: Customer, heard: datetime) -> datetime:
    """What came after the merge may have been sent long before it."""
    return max(customer.last_interaction_at or heard, heard)


def _hand_over_questions(undo: Undo) -> None:
    """Open conflicts about an identifier that goes back name its owner of now instead of the survivor."""
    survivor = undo.ground.survivor.pk
    owners: dict[tuple[uuid.UUID | None, str, str], uuid.UUID] = {
        row.key: row.customer_id for row in undo.standings.values() if _goes_to_another(row, survivor)
    }
    asked = Conflict.objects.filter(
        identifier_type__in={kind for _, kind, _ in owners},
        identifier_value__in={value for _, _, value in owners},
        pk__in=ConflictMember.objects.filter(customer=survivor).values("conflict"),
    ).exclude(state=Conflict.State.DONE)
    for conflict in locks.lock_rows(asked):
        owner = owners.get((conflict.channel_id, conflict.identifier_type, conflict.identifier_value))
        if owner:
            _name_owner(conflict, survivor, owner)


def _goes_to_another(standing: Standing, survivor: uuid.UUID) -> bool:
    return standing.status == OWNING and standing.changed and standing.customer_id != survivor


def _name_owner(conflict: Conflict, before: uuid.UUID, owner: uuid.UUID) -> None:
    members = ConflictMember.objects.filter(conflict=conflict)
    members.filter(customer=before).update(customer=owner)
    names = members.values_list("customer", flat=True)
    conflict.members_key = conflicts.name_members(
        names, conflict.channel_id, conflict.identifier_type, conflict.identifier_value
    )
    conflict.version += 1
    conflict.save(update_fields=["members_key", "version", "updated_at"])


def _close_ledger(undo: Undo, actor: Actor) -> None:
    merge = undo.ground.merge
    merge.undone_at = timezone.now()
    merge.undone_by = actor.name
    merge.save(update_fields=["undone_at", "undone_by"])
    merge.members.update(live=False)


def _record(trail: Trail, undo: Undo) -> None:
    merge, survivor = undo.ground.merge, undo.ground.survivor
    facts: dict[str, Any] = {
        "merge": merge.pk,
        "survivor": str(survivor.pk),
        "returned": sorted(map(str, undo.ground.absorbed)),
    }
    restored = [row.field for row in undo.plan.fields if row.fate == "restored"]
    assigned = {row.row_id: row.goes_to for row in undo.plan.arrivals}
    for key in undo.ground.absorbed:
        trail.record("unmerge", customer_id=key, old_value=str(survivor.pk), method="manual", **facts)
    trail.record(
        "unmerge", customer_id=survivor.pk, method="manual", fields=restored, arrivals=assigned, **facts
    )
    trail.tell("customer.unmerged", customer_id=survivor.pk, **facts)


def _judge_cut(trail: Trail, undo: Undo) -> None:
    for key in undo.ground.absorbed:
        judge.write_judgement(
            trail,
            left_id=undo.ground.survivor.pk,
            right_id=key,
            verdict=Judgement.Verdict.DIFFERENT,
            reason=f"Merge {undo.ground.merge.pk} was undone.",
        )


def _table(name: str) -> str:
    return next(relation.table for relation in MOVED if relation.name == name)
