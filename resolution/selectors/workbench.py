"""Side by side: everything a steward needs to decide, as rows a template only lays out."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import TypeAlias

from django.db.models import Count, Q
from rapidfuzz.distance import Levenshtein

from customers.models import PROFILE_FIELDS, Customer
from customers.models import Mapping as Link
from resolution.errors import InvalidInput
from resolution.matching.decide import band_of
from resolution.matching.kernel import score_pairs
from resolution.models import ConflictMember, Judgement
from resolution.relations import MOVED
from resolution.selectors.customers import fetch_customers
from resolution.selectors.identifier_rules import load_rules
from resolution.selectors.judgements import changed_fields, describe_change, fingerprint_of
from resolution.selectors.labels import field_label, type_label
from resolution.selectors.match_model import live_model, live_policy
from resolution.selectors.merge_facts import load_differences, load_facts, where_seen
from resolution.selectors.merge_policy import merge_rules
from resolution.selectors.profiles import load_profiles
from resolution.selectors.queue import QueueRow, conflict_row
from resolution.services.decisions import ASKS_OF_ONE, decisions_for
from resolution.services.merge_draft import plan_of
from resolution.services.merge_plan import CURRENT, CustomerFacts, Picks, ValueFact
from resolution.services.second_person import Reason, circumstances_of, needs_second_person
from resolution.services.survivorship import RULES, TYPED
from resolution.types import FieldChoice, FieldEvidence, MergePlan, PairScore, Profile

MOST_COLUMNS = 50
LEAST_ALIKE = 0.5  # of 1; below it single characters are not worth marking
# The scored field that speaks for a profile field.
SCORED_AS = {
    "given_name": "given_name", "family_name": "family_name", "email": "email", "phone": "phone",
    "company": "company", "birth_date": "birth_date", "address": "address",
}  # fmt: skip

# Relation name → customer → number of rows.
Counts: TypeAlias = Mapping[str, Mapping[uuid.UUID, int]]


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of characters, and whether it differs from the value it is compared with."""

    text: str
    differs: bool


@dataclass(frozen=True, slots=True)
class Column:
    """One customer of the comparison. `role` is member, owner or claimant."""

    customer_id: str
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
class Cell:
    """One value of one field; `channels` says where it was seen, `wins` if the result takes it."""

    customer_id: str
    value: str
    segments: tuple[Segment, ...]
    wins: bool
    verified: bool
    channels: str


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field across all customers, and what the merged customer will have.

    `rule` is the code of types.FieldChoice, `rule_label` the phrase for it. `source` is a customer id or
    "typed". `evidence` is the field's part in the match weight of a pair, only when two are compared.
    """

    field: str
    label: str
    cells: tuple[Cell, ...]
    differs: bool
    result: str
    source: str
    rule: str
    rule_label: str
    picked: bool
    typed: bool
    evidence: FieldEvidence | None


@dataclass(frozen=True, slots=True)
class HeldIdentifier:
    """How one customer holds an identifier; `status` is empty when it does not."""

    customer_id: str
    mapping_id: str
    status: str
    verified: bool
    confidence: str


@dataclass(frozen=True, slots=True)
class IdentifierRow:
    """One identifier across all customers, a holder a column."""

    type: str
    type_label: str
    value: str
    channel: str
    holders: tuple[HeldIdentifier, ...]
    shared: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One bar of a pair's waterfall: from `start` to `end`, in log2 odds."""

    evidence: FieldEvidence
    label: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class PairEvidence:
    """Why two customers are, or are not, one person."""

    left: str
    left_name: str
    right: str
    right_name: str
    weight: float
    probability: float
    band: str
    steps: tuple[Step, ...]
    hard_conflict: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person said before about two of these customers.

    `changed` says in words what has changed since, empty while what was compared is still the same.
    """

    left_name: str
    right_name: str
    verdict: str
    verdict_label: str
    relation_label: str
    changed: str
    reason: str
    who: str
    when: datetime


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


def side_by_side(
    *,
    conflict_id: int | None = None,
    member_ids: Sequence[uuid.UUID] = (),
    survivor_id: uuid.UUID | None = None,
    picks: Picks | None = None,
    user_id: int | None = None,
) -> Workbench:
    """Compare the members of a conflict, or the customers named, or those of the conflict that are named.

    Raises NotFound for an unknown conflict, UnknownCustomer, InvalidInput for fewer than two customers.
    """
    conflict = conflict_row(conflict_id, user_id=user_id) if conflict_id is not None else None
    customers = _chosen(conflict, member_ids)
    facts = load_facts(customers.values(), rows=False)
    pairs = _pairs(customers)
    decisions = decisions_for(conflict.kind, conflict.identifier_type) if conflict else ()
    different = load_differences(customers)
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
            *(f"{fact.said(names)}; proposing the merge withdraws that." for fact in overruling),
        ],
    )
    like = circumstances_of(
        plan,
        list(facts.values()),
        hard_conflict=bool(overruling) or any(pair.hard_conflict for pair in pairs),
    )
    links = _links(customers)
    counts = _row_counts(customers)
    return Workbench(
        conflict=conflict,
        columns=tuple(_columns(customers, counts, conflict, plan)),
        fields=tuple(_field_rows(facts, plan, where_seen(customers.values()), pairs)),
        identifiers=tuple(_identifier_rows(customers, links)),
        pairs=pairs,
        verdicts=_verdicts(customers),
        plan=plan,
        moved=tuple(_moved(plan, counts)),
        collapsing=len(plan.collapses),
        decisions=decisions,
        second_person=needs_second_person(like, merge_rules()),
    )


def compare_texts(text: str, other: str) -> tuple[Segment, ...]:
    """Cut `text` into runs that `other` has too and runs it does not; together they are the text.

    Capital letters count as differences. A value without counterpart does not differ: there is nothing to
    compare it with. Values with little in common differ as wholes: what they share by chance tells nothing.
    """
    if not text or not other:
        return (Segment(text, differs=False),) if text else ()
    if Levenshtein.normalized_similarity(other, text) < LEAST_ALIKE:
        return (Segment(text, differs=True),)
    pieces: list[Segment] = []
    for step in Levenshtein.opcodes(other, text):
        run = text[step.dest_start : step.dest_end]
        differs = step.tag != "equal"
        if run and pieces and pieces[-1].differs == differs:
            run = pieces.pop().text + run
        if run:
            pieces.append(Segment(run, differs))
    return tuple(pieces)


def _chosen(conflict: QueueRow | None, member_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Customer]:
    asked = [uuid.UUID(member.customer_id) for member in conflict.members] if conflict else []
    wanted = list(dict.fromkeys(member_ids)) or asked
    strangers = [key for key in wanted if conflict and key not in asked]
    if strangers:
        raise InvalidInput(f"The conflict does not ask about {strangers[0]}.", customer=str(strangers[0]))
    fewest = 1 if conflict and conflict.kind in ASKS_OF_ONE else 2
    if not fewest <= len(wanted) <= MOST_COLUMNS:
        raise InvalidInput(
            f"{len(wanted)} different customers were given; a comparison takes 2 to {MOST_COLUMNS}."
        )
    found = fetch_customers(wanted)
    return {key: found[key] for key in sorted(wanted)}


# --- columns ---


def _columns(
    customers: Mapping[uuid.UUID, Customer], counts: Counts, conflict: QueueRow | None, plan: MergePlan
) -> Iterator[Column]:
    roles = {member.customer_id: member.role for member in conflict.members} if conflict else {}
    for key, customer in customers.items():
        yield Column(
            customer_id=str(key),
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


# --- fields ---


def _field_rows(
    facts: Mapping[str, CustomerFacts],
    plan: MergePlan,
    seen_on: Mapping[tuple[str, str], str],
    pairs: Sequence[PairEvidence],
) -> Iterator[FieldRow]:
    chosen = {choice.field: choice for choice in plan.fields}
    evidence = _evidence(pairs)
    for name in PROFILE_FIELDS:
        values = {key: member.values[name].value for key, member in facts.items()}
        choice = chosen.get(name)
        filled = {value for value in values.values() if value}
        yield FieldRow(
            field=name,
            label=field_label(name),
            cells=tuple(
                _cell(key, facts[key].values[name], values, choice, seen_on.get((key, name), ""))
                for key in values
            ),
            differs=len(filled) > 1,
            result=choice.value if choice else "",
            source=choice.source if choice else "",
            rule=choice.rule if choice else "",
            rule_label=RULES[choice.rule] if choice else "",
            picked=choice is not None and choice.rule == "picked",
            typed=choice is not None and choice.source == TYPED,
            evidence=evidence.get(name),
        )


def _cell(
    key: str, fact: ValueFact, values: Mapping[str, str], choice: FieldChoice | None, channels: str
) -> Cell:
    """Mark a value's characters against the first other customer that has another one."""
    others = [value for other, value in values.items() if other != key and value]
    rival = next((value for value in others if value != fact.value), fact.value if others else "")
    return Cell(
        customer_id=key,
        value=fact.value,
        segments=compare_texts(fact.value, rival),
        wins=choice is not None and choice.source == key and bool(fact.value),
        verified=fact.verified,
        channels=channels,
    )


def _evidence(pairs: Sequence[PairEvidence]) -> dict[str, FieldEvidence]:
    """Return each profile field's part in the weight, where just one pair is compared."""
    if len(pairs) != 1:
        return {}
    parts = {step.evidence.field: step.evidence for step in pairs[0].steps}
    return {name: parts[scored] for name, scored in SCORED_AS.items() if scored in parts}


# --- identifiers ---


def _links(ids: Iterable[uuid.UUID]) -> list[Link]:
    rows = Link.objects.filter(customer__in=ids).select_related("channel")
    return list(rows.order_by("identifier_type", "normalised", "pk"))


def _identifier_rows(ids: Iterable[uuid.UUID], links: Sequence[Link]) -> Iterator[IdentifierRow]:
    rows: defaultdict[tuple[str, str, uuid.UUID], dict[uuid.UUID, Link]] = defaultdict(dict)
    for link in links:
        if link.status in CURRENT:
            rows[link.identifier_type, link.normalised, link.channel_id][link.customer_id] = link
    for held in rows.values():
        first = next(iter(held.values()))
        yield IdentifierRow(
            type=first.identifier_type,
            type_label=type_label(first.identifier_type),
            value=first.channel_identifier,
            channel=first.channel.name,
            holders=tuple(_holder(key, held.get(key)) for key in ids),
            shared=len(held) > 1,
        )


def _holder(customer_id: uuid.UUID, link: Link | None) -> HeldIdentifier:
    if link is None:
        return HeldIdentifier(str(customer_id), "", "", verified=False, confidence="")
    confidence = f"{link.confidence_score:.2f}"
    return HeldIdentifier(str(customer_id), str(link.pk), link.status, link.verified, confidence)


# --- evidence and earlier words ---


def _pairs(customers: Mapping[uuid.UUID, Customer]) -> tuple[PairEvidence, ...]:
    """Score every pair as a run would, strongest first; merged and erased customers have no profile."""
    profiles = load_profiles(list(customers))
    names = {str(key): customer.display_name for key, customer in customers.items()}
    model = live_model()
    pairs = ((profiles[left], profiles[right]) for left, right in combinations(sorted(profiles), 2))
    scores = score_pairs(model, pairs)
    return tuple(
        _pair(score, names) for score in sorted(scores, key=lambda score: score.weight, reverse=True)
    )


def _pair(score: PairScore, names: Mapping[str, str]) -> PairEvidence:
    return PairEvidence(
        left=score.left,
        left_name=names[score.left],
        right=score.right,
        right_name=names[score.right],
        weight=score.weight,
        probability=score.probability,
        band=band_of(live_policy(), score).value,
        steps=tuple(_steps(score)),
        hard_conflict=score.hard_conflict,
    )


def _steps(score: PairScore) -> Iterator[Step]:
    """Walk from nothing to the weight, one bar a field that says something."""
    end = 0.0
    for evidence in score.fields:
        start, end = end, end + evidence.weight
        yield Step(evidence, field_label(evidence.field), start, end)


def _change_since(judgement: Judgement, profiles: Mapping[uuid.UUID, Profile]) -> str:
    left = profiles.get(judgement.left.canonical_id)
    right = profiles.get(judgement.right.canonical_id)
    if left is None or right is None or judgement.fingerprint == fingerprint_of(left, right):
        return ""
    return describe_change(changed_fields(judgement.compared, left, right))


def _verdicts(customers: Mapping[uuid.UUID, Customer]) -> tuple[Verdict, ...]:
    """What people said of these customers, or of those absorbed into them, newest first."""
    ids = list(customers)
    left = Q(left__in=ids) | Q(left__merged_into__in=ids)
    right = Q(right__in=ids) | Q(right__merged_into__in=ids)
    found = Judgement.objects.filter(left & right, superseded_at__isnull=True).order_by("-pk")
    rows = list(found.select_related("left", "right"))
    profiles = load_profiles(ids) if rows else {}
    return tuple(
        Verdict(
            left_name=row.left.display_name,
            right_name=row.right.display_name,
            verdict=row.verdict,
            verdict_label=row.get_verdict_display(),
            relation_label=row.get_relation_display() if row.relation else "",
            changed=_change_since(row, profiles),
            reason=row.reason,
            who=row.actor_name,
            when=row.created_at,
        )
        for row in rows
    )
