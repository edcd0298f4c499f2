"""Side by side: everything a steward needs to decide, as rows a template only lays out."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from django.db.models import Count

from customers.models import Customer
from resolution.errors import InvalidInput
from resolution.models import Conflict, ConflictMember
from resolution.relations import MOVED
from resolution.selectors.customers import fetch_customers
from resolution.selectors.earlier_words import Verdict, verdicts_on
from resolution.selectors.field_rows import FieldRow, column_key, field_rows
from resolution.selectors.identifier_rows import IdentifierRow, identifier_rows
from resolution.selectors.identifier_rules import load_rules
from resolution.selectors.merge_facts import load_differences, load_facts, where_seen
from resolution.selectors.merge_policy import merge_rules, took_back_words
from resolution.selectors.pair_evidence import PairEvidence, evidence_on_pairs
from resolution.selectors.queue import MemberName, QueueRow, conflict_row
from resolution.services.decisions import ASKS_OF_ONE, decisions_for
from resolution.services.merge_draft import plan_of
from resolution.services.merge_plan import MOST_MEMBERS, Picks
from resolution.services.second_person import Reason, circumstances_of, needs_second_person
from resolution.types import MergePlan

# So many members of a conflict stand side by side until others are asked for, and so many pairs are told of.
FIRST_COLUMNS, MOST_PAIRS = 12, 66
# Relation name → customer → number of rows.
Counts: TypeAlias = Mapping[str, Mapping[uuid.UUID, int]]


@dataclass(frozen=True, slots=True)
class Column:
    """One customer of the comparison. `role` is member, owner or claimant; `key` takes its values, if any."""

    customer_id: str
    key: str
    name: str
    role: str
    status: str
    version: int
    messages: int
    tickets: int
    identifiers: int
    created_at: datetime
    last_interaction_at: datetime | None
    survivor: bool


@dataclass(frozen=True, slots=True)
class MovedRows:
    """How many rows of one table go to the survivor."""

    relation: str
    label: str
    number: int


@dataclass(frozen=True, slots=True)
class Workbench:
    """The whole screen. `decisions` are the words decide_conflict takes for this conflict.

    `plan` has the fields, the warnings and the blockers of the merge as it now stands; its moves are
    summed up in `moved`. `differing` counts the rows of `fields` whose values differ. `second_person` has the
    reasons why that merge needs one; without any it passes at once.
    """

    conflict: QueueRow | None
    columns: tuple[Column, ...]
    fields: tuple[FieldRow, ...]
    identifiers: tuple[IdentifierRow, ...]
    pairs: tuple[PairEvidence, ...]
    verdicts: tuple[Verdict, ...]
    plan: MergePlan
    moved: tuple[MovedRows, ...]
    collapsing: int
    decisions: tuple[str, ...]
    second_person: tuple[Reason, ...]

    @property
    def differing(self) -> int:
        return sum(row.differs for row in self.fields)

    @property
    def alone(self) -> bool:
        """Whether it is about one customer, with nobody beside it."""
        return len(self.columns) == 1

    @property
    def asks_of_merge(self) -> bool:
        """Whether a merge of those side by side is still a question."""
        return not self.alone and (self.conflict is None or self.conflict.state != Conflict.State.DONE)

    @property
    def told_pairs(self) -> tuple[PairEvidence, ...]:
        """The pairs a screen tells of: the strongest."""
        return self.pairs[:MOST_PAIRS]

    @property
    def left_out(self) -> tuple[MemberName, ...]:
        """The members of the conflict that have no column."""
        shown = {column.customer_id for column in self.columns}
        members = self.conflict.members if self.conflict else ()
        return tuple(member for member in members if member.customer_id not in shown)

    @property
    def why_heading(self) -> str:
        """What stands over the evidence: that they may be two when nothing in it speaks for one."""
        if self.alone:
            return "What holds it together"
        against = self.pairs and not any(pair.speaks_for for pair in self.pairs)
        return "Why they may be two" if against else "Why they may be one"

    @property
    def propose_label(self) -> str:
        """What the button that merges does: a merge that cannot be or needs a second person is proposed."""
        return "Propose merge" if self.second_person or self.plan.blockers else "Merge at once"


def side_by_side(
    *,
    conflict_id: int | None = None,
    member_ids: Sequence[uuid.UUID] = (),
    survivor_id: uuid.UUID | None = None,
    picks: Picks | None = None,
    user_id: int | None = None,
    overruled: Collection[int] = (),
) -> Workbench:
    """Compare the members of a conflict, or the customers named, or those of the conflict that are named.

    Of a conflict with many members the first are compared, of those named as many as can be merged at once;
    the others are `left_out`. The merge is shown as if the judgements `overruled` were withdrawn. Raises
    NotFound for an unknown conflict, UnknownCustomer, InvalidInput for fewer than two customers, or for too
    many without a conflict.
    """
    conflict = conflict_row(conflict_id, user_id=user_id) if conflict_id is not None else None
    customers = _chosen(conflict, member_ids)
    facts = load_facts(customers.values(), rows=False)
    pairs = evidence_on_pairs(customers)
    decisions = decisions_for(conflict.kind, conflict.identifier_type) if conflict else ()
    different = [fact for fact in load_differences(customers) if fact.judgement not in overruled]
    overruling = different if "same" in decisions else []
    names = {key: fact.name for key, fact in facts.items()}
    plan = plan_of(
        list(facts.values()),
        [] if overruling else different,
        load_rules(),
        survivor_id=survivor_id,
        picks=picks,
        warnings=[
            *(pair.hard_conflict for pair in pairs if pair.hard_conflict),
            *(f"{fact.said(names)}; the merge withdraws that." for fact in overruling),
        ],
    )
    [took_back] = took_back_words([customers], user_id)
    like = circumstances_of(
        plan,
        list(facts.values()),
        hard_conflict=took_back or any(pair.hard_conflict for pair in pairs),
        overruled=[fact.judgement for fact in overruling],
    )
    counts = _row_counts(customers)
    return Workbench(
        conflict=conflict,
        columns=tuple(_columns(customers, counts, conflict, plan)),
        fields=tuple(field_rows(facts, plan, where_seen(customers.values()), pairs)),
        identifiers=tuple(identifier_rows(customers)),
        pairs=pairs,
        verdicts=verdicts_on(customers),
        plan=plan,
        moved=tuple(_moved(plan, counts)),
        collapsing=len(plan.collapses),
        decisions=decisions,
        second_person=needs_second_person(like, merge_rules()),
    )


def _chosen(conflict: QueueRow | None, member_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Customer]:
    asked = _asked(conflict) if conflict else []
    named = list(dict.fromkeys(member_ids))
    wanted = named or asked[:FIRST_COLUMNS]
    strangers = [key for key in wanted if conflict and key not in asked]
    if strangers:
        raise InvalidInput(f"The conflict does not ask about {strangers[0]}.", customer=str(strangers[0]))
    fewest = 1 if conflict and conflict.kind in ASKS_OF_ONE else 2
    if len(wanted) < fewest or (len(wanted) > MOST_MEMBERS and not conflict):
        raise InvalidInput(
            f"{len(wanted)} different customers were given; a comparison takes 2 to {MOST_MEMBERS}."
        )
    found = fetch_customers(wanted[:MOST_MEMBERS])
    return {key: found[key] for key in sorted(found)}


def _asked(conflict: QueueRow) -> list[uuid.UUID]:
    """The members of a conflict, those with a part of their own first."""
    members = sorted(conflict.members, key=lambda member: member.role == ConflictMember.Role.MEMBER)
    return [uuid.UUID(member.customer_id) for member in members]


def _columns(
    customers: Mapping[uuid.UUID, Customer], counts: Counts, conflict: QueueRow | None, plan: MergePlan
) -> Iterator[Column]:
    roles = {member.customer_id: member.role for member in conflict.members} if conflict else {}
    for place, (key, customer) in enumerate(customers.items()):
        yield Column(
            customer_id=str(key),
            key=column_key(place),
            name=customer.display_name,
            role=roles.get(str(key), ConflictMember.Role.MEMBER),
            status=customer.status,
            version=customer.version,
            messages=counts["messages"].get(key, 0),
            tickets=counts["tickets"].get(key, 0),
            identifiers=counts["mappings"].get(key, 0),
            created_at=customer.created_at,
            last_interaction_at=customer.last_interaction_at,
            survivor=str(key) == plan.survivor,
        )


def _row_counts(ids: Iterable[uuid.UUID]) -> Counts:
    """Relation name → customer → rows; one query a relation."""
    return {
        relation.name: dict(
            relation.model._default_manager.filter(customer__in=ids)
            .order_by()
            .values_list("customer")
            .annotate(Count("pk"))
        )
        for relation in MOVED
    }


def _moved(plan: MergePlan, counts: Counts) -> Iterator[MovedRows]:
    absorbed = {uuid.UUID(key) for key in plan.absorbed}
    folding = sum(row.owner != plan.survivor for row in plan.collapses)
    for relation in MOVED:
        number = sum(rows for key, rows in counts[relation.name].items() if key in absorbed)
        staying = folding if relation.name == "mappings" else 0
        if number > staying:
            yield MovedRows(relation.name, relation.label, number - staying)
