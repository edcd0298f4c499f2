"""The ledger of merges: all it takes to explain one and take it back, written before anything moves."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.db import connection
from django.utils import timezone

from customers.models import Customer
from customers.services import merging
from customers.services.copying import copy_rows
from customers.services.statements import array_of, run_statement
from resolution.models import MatchRun, Merge, MergeProposal
from resolution.relations import MOVED
from resolution.services.audit import Trail
from resolution.services.merge_plan import CustomerFacts
from resolution.types import FieldChoice, MergePlan

SQL = Path(__file__).parent / "sql"
MAPPINGS = "mappings"  # what MergeMove.relation calls identifiers, as the registry does
_COLUMNS = (
    "id", "survivor_id", "method", "weight", "plan", "pre_image", "actor_kind", "actor_name", "run_id",
    "created_at", "undone_by",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Act:
    """One merge about to be carried out: its plan, what the plan was made from, and what it goes by."""

    plan: MergePlan
    customers: Mapping[uuid.UUID, Customer]
    facts: Mapping[str, CustomerFacts]
    method: str = Merge.Method.MANUAL
    weight: float | None = None
    run: MatchRun | None = None
    conflict_id: int | None = None
    proposal: MergeProposal | None = None

    def for_proposal(self, proposal: MergeProposal) -> Act:
        """The same merge, as the answer to a proposal."""
        return replace(self, proposal=proposal, conflict_id=proposal.conflict_id)

    @property
    def survivor(self) -> Customer:
        return self.customers[uuid.UUID(self.plan.survivor)]

    @property
    def absorbed(self) -> list[Customer]:
        return [self.customers[uuid.UUID(key)] for key in self.plan.absorbed]

    @property
    def members(self) -> list[CustomerFacts]:
        return [self.facts[key] for key in (self.plan.survivor, *self.plan.absorbed)]


def write_ledger(trail: Trail, acts: Sequence[Act]) -> list[Merge]:
    """Write down merges whose members are locked: who, by which plan, which rows will move from where.

    Returns the merges in the order of the acts; few statements for any number.
    """
    merges = _write_merges(trail, acts)
    both = list(zip(merges, acts, strict=True))
    values = {
        "merges": array_of(merge.pk for merge, act in both for _ in act.absorbed),
        "absorbed": array_of(row.pk for _, act in both for row in act.absorbed),
    }
    folding = {
        "folding_merges": array_of(merge.pk for merge, act in both for _ in act.plan.collapses),
        "folding": array_of(row.row_id for _, act in both for row in act.plan.collapses),
    }
    run_statement(SQL / "ledger_members.sql", values)
    run_statement(SQL / "ledger_mappings.sql", values | folding)
    for relation in MOVED:
        if relation.name != MAPPINGS:
            run_statement(SQL / "ledger_rows.sql", values | {"relation": relation.name}, table=relation.table)
    return merges


def _write_merges(trail: Trail, acts: Sequence[Act]) -> list[Merge]:
    """COPY the merges under numbers drawn beforehand, which is how thousands get theirs back."""
    merges = [_merge(number, trail, act) for number, act in zip(_numbers(len(acts)), acts, strict=True)]
    copy_rows("merges", _COLUMNS, ([getattr(merge, name) for name in _COLUMNS] for merge in merges))
    return merges


def _merge(number: int, trail: Trail, act: Act) -> Merge:
    return Merge(
        id=number,
        survivor=act.survivor,
        method=act.method,
        weight=act.weight,
        plan=_stored_plan(act.plan),
        pre_image=merging.snapshot(act.survivor),
        actor_kind=trail.actor.kind,
        actor_name=trail.actor.name,
        run=act.run,
        created_at=timezone.now(),
    )


def _numbers(count: int) -> Iterator[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('merges', 'id')) FROM generate_series(1, %s)", [count]
        )
        yield from (number for (number,) in cursor.fetchall())


def _stored_plan(plan: MergePlan) -> dict[str, Any]:
    """What the ledger keeps: every field with a value, as it was written, whose it was and by which rule."""
    return {
        choice.field: {"value": stored_value(choice), "source": choice.source, "rule": choice.rule}
        for choice in plan.fields
        if choice.value or choice.before
    }


def stored_value(choice: FieldChoice) -> Any:
    """A choice's value as merging.snapshot writes that field."""
    match choice.field:
        case "attributes":
            return json.loads(choice.value)
        case "birth_date" | "last_interaction_at":
            return choice.value or None
        case _:
            return choice.value
