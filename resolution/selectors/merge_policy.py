"""The rules in force on who may merge alone, and what other rules would have meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from uuid import UUID

from django.db.models import Q

from resolution.errors import NotFound
from resolution.matching.kernel import score_pairs
from resolution.models import Judgement, MergePolicy, MergeProposal
from resolution.selectors.match_model import live_model
from resolution.selectors.profiles import load_profiles
from resolution.services.second_person import Circumstances, Rules, needs_second_person

Rule = MergePolicy.Rule
LOOKED_BACK = 100


@dataclass(frozen=True, slots=True)
class RuleCount:
    """How many merges one rule would have asked a second person about."""

    rule: str
    label: str
    number: int


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What rules would have meant for the last proposals that were decided.

    `decided` of them were looked at, `unknown` are too old to tell, `needing` would have needed a second
    person.
    """

    decided: int
    unknown: int
    needing: int
    rules: tuple[RuleCount, ...]


def merge_rules() -> Rules:
    """Return the rules in force. One query."""
    return rules_of(MergePolicy.objects.all())


def rules_of(policies: Iterable[MergePolicy]) -> Rules:
    """Put rows together; a rule without its row is one that asks a second person."""
    rows = {row.rule: row for row in policies}
    on = {rule: row.enabled for rule, row in rows.items()}
    many, vip = rows.get(Rule.MANY_RECORDS), rows.get(Rule.VIP)
    return Rules(
        everything=on.get(Rule.EVERYTHING, True),
        hard_conflict=on.get(Rule.HARD_CONFLICT, True),
        typed_value=on.get(Rule.TYPED_VALUE, True),
        many_records=many.number if many and many.enabled else None,
        vip=vip.attribute if vip and vip.enabled else "",
        unmerge=on.get(Rule.UNMERGE, True),
        bulk=on.get(Rule.BULK, True),
    )


def list_policies() -> list[MergePolicy]:
    """Return the rules in the order they are shown."""
    order = {rule: place for place, rule in enumerate(Rule.values)}
    rows = MergePolicy.objects.select_related("changed_by")
    return sorted(rows, key=lambda row: order[row.rule])


def find_policy(rule: str) -> MergePolicy:
    """Return one rule. Raises NotFound naming those there are."""
    row = MergePolicy.objects.select_related("changed_by").filter(rule=rule).first()
    if row is None:
        known = ", ".join(Rule.values)
        raise NotFound(f"There is no rule “{rule[:40]}”; there are {known}.", rule=rule[:40])
    return row


def what_if(rules: Rules, *, last: int = LOOKED_BACK) -> WhatIf:
    """Say how many of the last decided proposals would have needed a second person. One query."""
    decided = MergeProposal.objects.filter(state__in=["approved", "rejected", "passed"]).order_by("-pk")
    stored = list(decided.values_list("circumstances", flat=True)[:last])
    known = [Circumstances.read(entry) for entry in stored if entry]
    reasons = [needs_second_person(entry, rules) for entry in known]
    counts = Counter(reason.rule for found in reasons for reason in found)
    return WhatIf(
        decided=len(stored),
        unknown=len(stored) - len(known),
        needing=sum(map(bool, reasons)),
        rules=tuple(RuleCount(rule, Rule(rule).label, number) for rule, number in counts.most_common()),
    )


def took_back_words(groups: Sequence[Iterable[UUID]], person: int | None) -> list[bool]:
    """Tell of each group whether this account has put another word in place of “different” on two of it.

    Whoever does so and then proposes would be the only one to have seen what was said. One query.
    """
    members = [frozenset(group) for group in groups]
    everybody = frozenset[UUID]().union(*members)
    words = Judgement.objects.filter(
        Q(left__in=everybody) | Q(left__merged_into__in=everybody),
        verdict=Judgement.Verdict.DIFFERENT,
        superseded_by__judged_by__in=[person] if person else [],
    ).exclude(superseded_by__verdict=Judgement.Verdict.DIFFERENT)
    pairs = [
        {word.left.canonical_id, word.right.canonical_id} for word in words.select_related("left", "right")
    ]
    return [any(len(pair) == 2 and pair <= group for pair in pairs) for group in members]


def contradict_hard(groups: Sequence[Iterable[UUID]]) -> list[bool]:
    """Tell of each group whether a pair of its customers has a hard conflict; few queries for any number."""
    members = [sorted(group) for group in groups]
    profiles = load_profiles({key for group in members for key in group})
    pairs = [
        (place, pair)
        for place, group in enumerate(members)
        for pair in combinations([profiles[key] for key in group if key in profiles], 2)
    ]
    scores = score_pairs(live_model(), (pair for _, pair in pairs)) if pairs else ()
    hard = {place for (place, _), score in zip(pairs, scores, strict=True) if score.hard_conflict}
    return [place in hard for place in range(len(members))]
