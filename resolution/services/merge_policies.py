"""Changing the rules on which merges need a second person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from resolution.errors import InvalidInput, StaleVersion
from resolution.matching.normalise.text import clean_text
from resolution.models import MergePolicy
from resolution.selectors.merge_policy import find_policy
from resolution.services import audit, locks
from resolution.services.audit import Trail
from resolution.services.queue import account_of
from resolution.types import Actor

Rule = MergePolicy.Rule
MOST_RECORDS = 1_000_000
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What a rule shall be, as its `version` was seen; None leaves a part as it is."""

    rule: str
    version: int
    enabled: bool | None = None
    number: int | None = None
    attribute: str | None = None


def change_policies(*, changes: Sequence[PolicyChange], actor: Actor) -> list[MergePolicy]:
    """Change rules, all or none; those that stay as they are get no new version.

    Raises NotFound, NotPermitted for an actor without account, StaleVersion, InvalidInput.
    """
    account_of(actor)
    with audit.change(actor) as trail:
        rows = {row.rule: row for row in locks.lock_rows(MergePolicy.objects.all())}
        for change in changes:
            _change(trail, rows.get(change.rule) or find_policy(change.rule), change)
        return [rows[change.rule] for change in changes]


def drafted(policy: MergePolicy, change: PolicyChange) -> MergePolicy:
    """Return the rule as it would be; nothing is stored. Raises InvalidInput."""
    wanted = MergePolicy(**{field.attname: getattr(policy, field.attname) for field in policy._meta.fields})
    for name, value in _checked(change).items():
        setattr(wanted, name, value)
    return wanted


def _change(trail: Trail, policy: MergePolicy, change: PolicyChange) -> None:
    if policy.version != change.version:
        raise StaleVersion(
            f"The rule “{policy}” is at version {policy.version}, and you saw {change.version};"
            " load it again.",
            rule=policy.rule,
            version=policy.version,
            seen=change.version,
        )
    news = {name: value for name, value in _checked(change).items() if getattr(policy, name) != value}
    if not news:
        return
    before = {name: getattr(policy, name) for name in news}
    for name, value in news.items():
        setattr(policy, name, value)
    policy.version += 1
    policy.changed_by_id = account_of(trail.actor)
    policy.save()
    trail.record("policy", method=policy.rule, old=before, new=news, version=policy.version)


def _checked(change: PolicyChange) -> Mapping[str, Any]:
    """The parts to change. Raises InvalidInput for one the rule does not have, or a value out of bounds."""
    given: dict[str, Any] = {
        "enabled": change.enabled,
        "number": change.number,
        "attribute": change.attribute,
    }
    news = {name: value for name, value in given.items() if value is not None}
    if "number" in news:
        _check_number(change.rule, news["number"])
    if "attribute" in news:
        news["attribute"] = _check_attribute(change.rule, news["attribute"])
    return news


def _check_number(rule: str, number: int) -> None:
    if rule != Rule.MANY_RECORDS:
        raise InvalidInput(
            f"The rule {rule[:40]} has no number; only {Rule.MANY_RECORDS} has.", rule=rule[:40]
        )
    if not 1 <= number <= MOST_RECORDS:
        raise InvalidInput(
            f"{number} records were given; a number from 1 to {MOST_RECORDS:,} is wanted.", number=number
        )


def _check_attribute(rule: str, attribute: str) -> str:
    if rule != Rule.VIP:
        raise InvalidInput(f"The rule {rule[:40]} has no attribute; only {Rule.VIP} has.", rule=rule[:40])
    name = clean_text(attribute)
    if not 1 <= len(name) <= _LONGEST:
        raise InvalidInput(
            f"The attribute has {len(name)} characters; 1 to {_LONGEST} are wanted, such as vip.",
            attribute=name[:_LONGEST],
        )
    return name
