"""The one door to scoring: two profiles and a model to a match weight with its reason per field.

    weight = prior + sum of field weights + household correction        (log2 odds)

Online look-up, batch and tests all come through here, so the same two customers always get the same
weight, levels and reasons. A field missing on a side adds nothing and has no row. The household correction
is never positive: it says how much likelier the agreements are for two people of one home than for two
people at random.

What makes it fast, in the order it pays: profiles are prepared once; names, the costliest texts, are
compared once per distinct pair; a pair is dropped as soon as an optimistic bound shows that it cannot
reach the floor; and reasons are written only for pairs that stay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from resolution.matching.comparisons.address import AddressParts, compare_addresses
from resolution.matching.comparisons.birth_date import compare_birth_dates
from resolution.matching.comparisons.company import compare_companies
from resolution.matching.comparisons.email import compare_emails
from resolution.matching.comparisons.external_id import compare_external_ids, system_of
from resolution.matching.comparisons.handle import compare_handles
from resolution.matching.comparisons.name import TWO_NAMES, NameParts, are_two_names, compare_names
from resolution.matching.comparisons.outcome import Outcome
from resolution.matching.comparisons.phone import compare_phones
from resolution.matching.model import Level, MatchModel
from resolution.types import FieldEvidence, PairScore, Profile

Compare = Callable[[Any, Any], Outcome | None]

# Fields of one outcome each, the most telling for its price first, so that bounds bite early. Names, which
# have two outcomes, come before them all.
SINGLE_FIELDS: tuple[tuple[str, Compare], ...] = (
    ("birth_date", compare_birth_dates),
    ("email", compare_emails),
    ("phone", compare_phones),
    ("external_id", compare_external_ids),
    ("address", compare_addresses),
    ("company", compare_companies),
    ("handle", compare_handles),
)
NAME_BIT = 1

# Rounding of sums must not drop a pair that sits on the floor.
SLACK = 1e-6
# A household correction smaller than this, in bits, says nothing to a steward.
SMALLEST_CORRECTION = 0.01
# Profiles kept prepared within one run.
MOST_READY = 1 << 20
# Names whose weights are kept.
MOST_NAMES = 1 << 16

PRIOR_DETAIL = "two customers picked at random"
HOUSEHOLD_DETAIL = "two people of one home or firm would agree on as much"


class _Weights(NamedTuple):
    """What a level adds, in bits: one person, and one household, each against two people at random."""

    same: float
    household: float


# The best pair of values of one field: field, outcome, weights, left value, right value.
_Finding = tuple[str, Outcome, _Weights, Any, Any]


class _Ready(NamedTuple):
    """A profile prepared for comparing: hashable parts, and a bit for every field it has."""

    profile: Profile
    names: tuple[NameParts, ...]
    singles: tuple[tuple[Any, ...], ...]
    present: int


def score_pair(model: MatchModel, left: Profile, right: Profile) -> PairScore:
    """Score two profiles. Exchanging them exchanges `left` and `right` in the result and nothing else."""
    score = _scorer_of(model).score(_prepare(left), _prepare(right), -math.inf)
    if score is None:
        raise AssertionError("a pair without a floor was dropped")
    return score


def score_pairs(
    model: MatchModel, pairs: Iterable[tuple[Profile, Profile]], *, floor: float | None = None
) -> Iterator[PairScore]:
    """Score pairs in their order, leaving out those below `floor` (log2 odds) as cheaply as can be told.

    What comes out is equal to what `score_pair` gives.
    """
    scorer = _scorer_of(model)
    lowest = -math.inf if floor is None else floor
    ready: dict[int, _Ready] = {}
    for left, right in pairs:
        score = scorer.score(_recall(ready, left), _recall(ready, right), lowest)
        if score is not None:
            yield score


def _recall(ready: dict[int, _Ready], profile: Profile) -> _Ready:
    """Prepare each profile once; the entry keeps the profile alive, so its id stays its own."""
    found = ready.get(id(profile))
    if found is None:
        if len(ready) >= MOST_READY:
            ready.clear()
        found = ready[id(profile)] = _prepare(profile)
    return found


def _prepare(profile: Profile) -> _Ready:
    names = tuple([(name.given, name.family) for name in profile.names])
    addresses: tuple[AddressParts, ...] = tuple(
        [(part.street, part.house, part.postcode, part.city, part.country) for part in profile.addresses]
    )
    singles = (
        profile.birth_dates,
        profile.emails,
        profile.phones,
        profile.external_ids,
        addresses,
        profile.companies,
        profile.handles,
    )
    present = NAME_BIT if names else 0
    for place, values in enumerate(singles):
        if values:
            present |= NAME_BIT << (place + 1)
    return _Ready(profile, names, singles, present)


@lru_cache(8)
def _scorer_of(model: MatchModel) -> _Scorer:
    return _Scorer(model)


class _Scorer:
    """A model made ready to evaluate: weights per level, and a plan per combination of fields."""

    def __init__(self, model: MatchModel) -> None:
        self.model = model
        self.weights = {field: _level_weights(levels) for field, levels in model.comparisons.items()}
        self.common_given = model.frequencies["given_name"].values
        self.name_weights = lru_cache(MOST_NAMES)(self._weigh_by_frequency)
        self.prior_row = FieldEvidence("prior", "start", PRIOR_DETAIL, model.prior)
        self.plans = [_plan(present, self.weights) for present in range(NAME_BIT << (len(SINGLE_FIELDS) + 1))]

    def score(self, left: _Ready, right: _Ready, floor: float) -> PairScore | None:
        """Score a pair, or give None as soon as it cannot reach the floor."""
        findings = self._compare_fields(left, right, floor - SLACK)
        if findings is None:
            return None
        weight, correction = self._sum_up(findings)
        return self._explain(left, right, findings, weight, correction) if weight >= floor else None

    def _compare_fields(self, left: _Ready, right: _Ready, floor: float) -> list[_Finding] | None:
        """Compare field by field while what may still come could lift the pair to the floor.

        Two odds are watched: against two people at random, and against two people of one home.
        """
        present = left.present & right.present
        findings = self._compare_names(left.names, right.names) if present & NAME_BIT else []
        at_random = self.model.prior
        at_home = at_random - self.model.household_prior
        for _, _, (same, household), _, _ in findings:
            at_random += same
            at_home += same - household
        for place, field, compare, weights, best_random, best_home in self.plans[present]:
            if at_random + best_random < floor or at_home + best_home < floor:
                return None
            lefts, rights = left.singles[place], right.singles[place]
            if len(lefts) == len(rights) == 1:
                best = (compare(lefts[0], rights[0]), lefts[0], rights[0])
            else:
                best = _best_single(compare, weights, lefts, rights)
            outcome = best[0]
            if outcome is not None:
                same, household = weight = weights[outcome[0]]
                findings.append((field, outcome, weight, best[1], best[2]))
                at_random += same
                at_home += same - household
        return findings

    def _compare_names(self, lefts: tuple[NameParts, ...], rights: tuple[NameParts, ...]) -> list[_Finding]:
        """Compare every name with every name and keep the pair that speaks loudest for one person."""
        if len(lefts) == len(rights) == 1:
            return self._name_findings(lefts[0], rights[0])
        found = [(self._name_findings(left, right), left, right) for left in lefts for right in rights]
        return max(found, key=lambda item: (_total(item[0]), _either_order(item[1], item[2])))[0]

    def _name_findings(self, left: NameParts, right: NameParts) -> list[_Finding]:
        given, family = compare_names(left, right)
        findings: list[_Finding] = []
        if given is not None:
            if given.level == "close" and are_two_names(left[0], right[0], self.common_given):
                given = TWO_NAMES
            findings.append(self._name_finding("given_name", given, left[0], right[0]))
        if family is not None:
            findings.append(self._name_finding("family_name", family, left[1], right[1]))
        return findings

    def _name_finding(self, field: str, outcome: Outcome, left: str, right: str) -> _Finding:
        """An exact name weighs by how common it is; of two spellings, the shorter counts."""
        if outcome.level != "exact":
            return field, outcome, self.weights[field][outcome.level], left, right
        value = left if left == right else min(left, right, key=lambda name: (len(name), name))
        return field, outcome, self.name_weights(field, value), left, right

    def _weigh_by_frequency(self, field: str, value: str) -> _Weights:
        table, exact = self.model.frequencies[field], self.model.comparisons[field][0]
        first = value.split()[0] if field == "given_name" else value
        share = max(table.share_of(value), table.share_of(first))
        return _Weights(math.log2(exact.m / share), math.log2(max(exact.household, share) / share))

    def _sum_up(self, findings: list[_Finding]) -> tuple[float, float]:
        """The match weight and the household correction in it."""
        same, household = self.model.prior, self.model.household_prior
        for _, _, weights, _, _ in findings:
            same += weights[0]
            household += weights[1]
        correction = -math.log2(1 + 2**household) if household < 60 else -household
        if correction > -SMALLEST_CORRECTION:
            correction = 0.0
        return same + correction, correction

    def _explain(
        self, left: _Ready, right: _Ready, findings: list[_Finding], weight: float, correction: float
    ) -> PairScore:
        rows = [self.prior_row, *map(_evidence_of, findings)]
        if correction:
            rows.append(FieldEvidence("household", "possible", HOUSEHOLD_DETAIL, correction))
        conflict = _hard_conflict(left.profile, right.profile, self.model.exclusive_systems)
        return PairScore(left.profile.key, right.profile.key, weight, tuple(rows), conflict)


def _level_weights(levels: tuple[Level, ...]) -> dict[str, _Weights]:
    return {level.name: _Weights(level.weight, level.household_weight) for level in levels}


class _Step(NamedTuple):
    """One field to compare, and the most that it and all later fields can add."""

    place: int
    field: str
    compare: Compare
    weights: Mapping[str, _Weights]
    best_random: float
    best_home: float


def _plan(present: int, weights: Mapping[str, Mapping[str, _Weights]]) -> list[_Step]:
    """The steps for the fields that both profiles have. A silent field adds 0, so no bound is below 0."""
    steps: list[_Step] = []
    best_random = best_home = 0.0
    for place, (field, compare) in reversed(list(enumerate(SINGLE_FIELDS))):
        if present & NAME_BIT << (place + 1):
            levels = weights[field].values()
            best_random += max(0.0, *(level.same for level in levels))
            best_home += max(0.0, *(level.same - level.household for level in levels))
            steps.insert(0, _Step(place, field, compare, weights[field], best_random, best_home))
    return steps


def _best_single(
    compare: Compare, weights: Mapping[str, _Weights], lefts: tuple[Any, ...], rights: tuple[Any, ...]
) -> tuple[Outcome | None, Any, Any]:
    """The pair of values that speaks loudest for one person; its outcome is None when no pair speaks."""
    found = [
        (outcome, left, right)
        for left in lefts
        for right in rights
        if (outcome := compare(left, right)) is not None
    ]
    if not found:
        return None, None, None
    return max(found, key=lambda item: (weights[item[0].level].same, _either_order(item[1], item[2])))


def _either_order(left: Any, right: Any) -> tuple[Any, Any]:
    """One sorting key for a pair and the same pair exchanged."""
    return (left, right) if left <= right else (right, left)


def _total(findings: list[_Finding]) -> float:
    return sum(weights.same for _, _, weights, _, _ in findings)


def _evidence_of(finding: _Finding) -> FieldEvidence:
    field, outcome, weights, left, right = finding
    return FieldEvidence(field, outcome.level, outcome.detail, weights.same, _as_text(left), _as_text(right))


def _as_text(value: str | AddressParts) -> str:
    if isinstance(value, str):
        return value
    street, house, postcode, city, _ = value
    return ", ".join(filter(None, (f"{house} {street}".strip(), f"{postcode} {city}".strip())))


def _hard_conflict(left: Profile, right: Profile, exclusive_systems: tuple[str, ...]) -> str:
    """Name the first system in which both have ids and share none, though it gives a person one id only."""
    for system in exclusive_systems:
        lefts = {value for value in left.external_ids if system_of(value) == system}
        rights = {value for value in right.external_ids if system_of(value) == system}
        if lefts and rights and lefts.isdisjoint(rights):
            return f"two different ids of {system}, which gives a customer only one"
    return ""
