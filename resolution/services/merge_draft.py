"""The one place where a merge's plan is put together from its facts, people's words and the rules."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from resolution.selectors.identifier_rules import Rule
from resolution.selectors.merge_facts import field_limits
from resolution.services.limit_plan import bounds_of_union
from resolution.services.merge_plan import CustomerFacts, Picks, plan_merge
from resolution.types import DifferenceFact, MergePlan


def plan_of(
    members: Sequence[CustomerFacts],
    different: Sequence[DifferenceFact],
    rules: Mapping[str, Rule],
    *,
    survivor_id: uuid.UUID | None = None,
    picks: Picks | None = None,
    by_machine: bool = False,
    warnings: Sequence[str] = (),
) -> MergePlan:
    """Plan a merge of the members under the rules of identifiers; `different` may tell of others too.

    `warnings` go before those of the rules. What only a person may join is refused to a machine.
    """
    bounds = bounds_of_union(members, rules, by_machine=by_machine)
    return plan_merge(
        members=members,
        survivor_id=str(survivor_id) if survivor_id else None,
        picks=picks,
        limits=field_limits(),
        different=different,
        refusals=bounds.refusals,
        warnings=(*warnings, *bounds.warnings),
    )
