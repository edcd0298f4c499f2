"""Field by field: the values of several customers, what differs in them, and what a merge would take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from customers.models import PROFILE_FIELDS
from resolution.selectors.labels import field_label
from resolution.selectors.pair_evidence import PairEvidence
from resolution.services.merge_plan import CustomerFacts, ValueFact
from resolution.services.survivorship import ADDRESS, DECIDING, RULES, TYPED
from resolution.types import FieldChoice, FieldEvidence, MergePlan

KEYS = "12345"  # each takes the values of one column
LEAST_ALIKE = 0.5  # of 1; below it single characters are not worth marking
# The scored field that speaks for a profile field.
SCORED_AS = {
    "given_name": "given_name", "family_name": "family_name", "email": "email", "phone": "phone",
    "company": "company", "birth_date": "birth_date", "address": "address",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of characters, and whether it differs from the value it is compared with."""

    text: str
    differs: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of one field; `channels` says where it was seen, `wins` if the result takes it.

    `column` is the key of its column, or the customer's name where there is none.
    """

    customer_id: str
    column: str
    value: str
    segments: tuple[Segment, ...]
    wins: bool
    verified: bool
    channels: str


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field across all customers, and what the merged customer will have.

    `rule` is the code of types.FieldChoice, `rule_label` the phrase for it. `source` is a customer id or
    "typed", `source_name` that customer's name. `evidence` is the field's part in the match weight of a pair,
    only when two are compared.
    """

    field: str
    label: str
    cells: tuple[Cell, ...]
    differs: bool
    result: str
    source: str
    source_name: str
    rule: str
    rule_label: str
    picked: bool
    typed: bool
    evidence: FieldEvidence | None


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


def field_rows(
    facts: Mapping[str, CustomerFacts],
    plan: MergePlan,
    seen_on: Mapping[tuple[str, str], str],
    pairs: Sequence[PairEvidence],
) -> Iterator[FieldRow]:
    """Give every profile field; `seen_on` is (customer, field) → the channels its value was seen on."""
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
                _cell(
                    key,
                    column_key(place) or facts[key].name,
                    facts[key].values[name],
                    values,
                    choice,
                    seen_on.get((key, name), ""),
                )
                for place, key in enumerate(values)
            ),
            differs=len(filled) > 1,
            result=choice.value if choice else "",
            source=choice.source if choice else "",
            source_name=facts[choice.source].name if choice and choice.source in facts else "",
            rule=choice.rule if choice else "",
            rule_label=_rule_label(choice) if choice else "",
            picked=choice is not None and choice.rule == "picked",
            typed=choice is not None and choice.source == TYPED,
            evidence=evidence.get(name),
        )


def _rule_label(choice: FieldChoice) -> str:
    whole = choice.field in ADDRESS and choice.rule in DECIDING
    return f"{RULES[choice.rule]}, the whole address" if whole else RULES[choice.rule]


def column_key(place: int) -> str:
    """The key that takes the values of the column at this place (from 0); empty where there is none."""
    return KEYS[place : place + 1]


def _cell(
    key: str,
    column: str,
    fact: ValueFact,
    values: Mapping[str, str],
    choice: FieldChoice | None,
    channels: str,
) -> Cell:
    """Mark a value's characters against the first other customer that has another one."""
    others = [value for other, value in values.items() if other != key and value]
    rival = next((value for value in others if value != fact.value), fact.value if others else "")
    return Cell(
        customer_id=key,
        column=column,
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
