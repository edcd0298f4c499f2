"""The one door to scoring: pairs of profiles and a model to match weights, levels and reasons.

    weight = prior + sum of field weights + household correction        (log2 odds)

Online look-up, batch, the file tool, training and tests all come through here, so the same two customers
always get the same weight, levels and reasons. A field missing on a side adds nothing and has no row. The
household correction is never positive: it says how much likelier the agreements are for two people of one
home than for two people at random.

`score_rows` works on the columns of a table and gives arrays; `score_pairs` and `score_pair` give the same as
`PairScore`s with their reasons. What makes it fast, in the order it pays: values are numbered, so equality is
an equality of numbers; a pair is dropped as soon as an optimistic bound shows that it cannot reach the floor;
texts are compared once for each distinct pair of values that is still wanted; names, the most telling for
their price, go first.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from resolution.matching.comparisons.external_id import system_of
from resolution.matching.comparisons.many import (
    SILENT,
    Answers,
    Codes,
    compare_many,
    compare_many_names,
    compare_two,
    distinct_pairs,
    number_of,
)
from resolution.matching.comparisons.name import TWO_NAMES, are_two_names, compare_names
from resolution.matching.comparisons.outcome import Outcome
from resolution.matching.model import Level, MatchModel
from resolution.matching.table import Column, Part, ProfileTable, Rows, table_of, texts_at
from resolution.types import Address, FieldEvidence, Name, PairScore, Profile

Floats: TypeAlias = npt.NDArray[np.float64]

NAME = "name"
GIVEN, FAMILY = "given_name", "family_name"
# The most telling for their price first, so that bounds bite early. Extra columns come last.
SINGLE_FIELDS = ("birth_date", "email", "phone", "external_id", "address", "company", "handle")

# Rounding of sums must not drop a pair that sits on the floor.
SLACK = 1e-6
# A household correction smaller than this, in bits, says nothing to a steward.
SMALLEST_CORRECTION = 0.01
# Pairs that are scored at a time: the more, the fewer values meet twice; memory is bounded.
PAIRS_A_BATCH = 1 << 18
PROFILE_PAIRS_A_BATCH = 1 << 13

PRIOR_DETAIL = "two customers picked at random"
HOUSEHOLD_DETAIL = "two people of one home or firm would agree on as much"


@dataclass(frozen=True, eq=False)
class Scores:
    """n scored pairs in the order they were given, as arrays of length n.

    `weight` is log2 odds. `at_random` is its part without the household's correction, `at_home` the log2
    odds of one home against two people at random. `levels` and `weights` have an entry a field: the number of
    its level among the field's, SILENT where it says nothing, and the log2 odds it added. `correction` is the
    household's. `values` has the numbers of the values compared, left and right, where asked for.
    """

    left: Rows
    right: Rows
    weight: Floats
    levels: Mapping[str, Answers]
    weights: Mapping[str, Floats]
    at_random: Floats
    at_home: Floats
    correction: Floats
    values: Mapping[str, tuple[Codes, Codes]]

    def __len__(self) -> int:
        return len(self.weight)


def score_pair(model: MatchModel, left: Profile, right: Profile) -> PairScore:
    """Score two profiles. Exchanging them exchanges `left` and `right` in the result and nothing else."""
    [score] = score_pairs(model, [(left, right)])
    return score


def score_pairs(
    model: MatchModel, pairs: Iterable[tuple[Profile, Profile]], *, floor: float | None = None
) -> Iterator[PairScore]:
    """Score pairs in their order, leaving out those below `floor` (log2 odds) as cheaply as can be told."""
    waiting = iter(pairs)
    while batch := list(islice(waiting, PROFILE_PAIRS_A_BATCH)):
        yield from _score_profiles(model, batch, floor)


def _score_profiles(
    model: MatchModel, pairs: Sequence[tuple[Profile, Profile]], floor: float | None
) -> Iterator[PairScore]:
    places: dict[int, int] = {}
    profiles: list[Profile] = []
    for pair in pairs:
        for profile in pair:
            if id(profile) not in places:
                places[id(profile)] = len(profiles)
                profiles.append(profile)
    table = table_of(profiles)
    left = np.array([places[id(one)] for one, _ in pairs], dtype=np.int64)
    right = np.array([places[id(other)] for _, other in pairs], dtype=np.int64)
    scorer = scorer_of(model)
    scores = scorer.score(table, left, right, floor, explained=True)
    return scorer.explain(table, scores, profiles)


def score_rows(
    model: MatchModel,
    table: ProfileTable,
    left: Rows,
    right: Rows,
    *,
    floor: float | None = None,
    explained: bool = False,
) -> Iterator[Scores]:
    """Score rows of a table against each other, a bounded batch at a time, without those below `floor`."""
    scorer = scorer_of(model)
    for start in range(0, len(left), PAIRS_A_BATCH):
        part = slice(start, start + PAIRS_A_BATCH)
        yield scorer.score(table, left[part], right[part], floor, explained=explained)


def explain_rows(
    model: MatchModel, table: ProfileTable, scores: Scores, profiles: Sequence[Profile]
) -> Iterator[PairScore]:
    """Give the reasons of scores that were made `explained`; `profiles` are those of the table's rows."""
    return scorer_of(model).explain(table, scores, profiles)


@lru_cache(8)
def scorer_of(model: MatchModel) -> Scorer:
    """Make a model ready to evaluate, once."""
    return Scorer(model)


class Scorer:
    """A model made ready to evaluate: the weights of each level as arrays."""

    def __init__(self, model: MatchModel) -> None:
        self.model = model
        self.same = {field: _bits(levels, "weight") for field, levels in model.comparisons.items()}
        self.household = {
            field: _bits(levels, "household_weight") for field, levels in model.comparisons.items()
        }
        self.extras = tuple(field for field in model.comparisons if field.startswith("extra:"))
        self.fields = (*SINGLE_FIELDS, *self.extras)
        self.known_names = model.frequencies[GIVEN].values.keys()
        self.prior_row = FieldEvidence("prior", "start", PRIOR_DETAIL, model.prior)
        self.best = {field: _best_case(model, field) for field in self.fields}

    def score(
        self, table: ProfileTable, left: Rows, right: Rows, floor: float | None, *, explained: bool = False
    ) -> Scores:
        """Score one batch of pairs; those that cannot reach the floor are dropped on the way."""
        work = _Batch(self, table, left, right, None if floor is None else floor - SLACK, explained)
        for field in self.fields:
            if field in table.columns and field in self.same:
                work.compare(field)
        return work.result(floor)

    def value_weights(self, field: str, level: int, values: Sequence[str]) -> tuple[Floats, Floats]:
        """What an exact agreement on each value adds: by how common it is, where the model knows."""
        table, exact = self.model.frequencies.get(field), self.model.comparisons[field][level]
        if table is None or level != 0:
            count = len(values)
            return np.full(count, exact.weight), np.full(count, exact.household_weight)
        share = np.array([table.share_of_either(value, field == GIVEN) for value in values], dtype=np.float64)
        return np.log2(exact.m / share), np.log2(np.maximum(exact.household, share) / share)

    def explain(
        self, table: ProfileTable, scores: Scores, profiles: Sequence[Profile]
    ) -> Iterator[PairScore]:
        """Write the reasons of explained scores: the scalar comparisons' phrases on what counted."""
        for place in range(len(scores)):
            left, right = profiles[scores.left[place]], profiles[scores.right[place]]
            rows = [self.prior_row, *self._evidence(table, scores, place)]
            if scores.correction[place]:
                correction = float(scores.correction[place])
                rows.append(FieldEvidence("household", "possible", HOUSEHOLD_DETAIL, correction))
            conflict = hard_conflict(left, right, self.model.exclusive_systems)
            yield PairScore(left.key, right.key, float(scores.weight[place]), tuple(rows), conflict)

    def _evidence(self, table: ProfileTable, scores: Scores, place: int) -> Iterator[FieldEvidence]:
        for field, (lefts, rights) in scores.values.items():
            left, right = int(lefts[place]), int(rights[place])
            if left < 0:
                continue
            values = table.columns[field].values
            if field == NAME:
                yield from self._name_evidence(scores, place, values[left], values[right])
            elif scores.levels[field][place] != SILENT:
                outcome = compare_two(field, values[left], values[right])
                yield _row(field, outcome, scores, place, values[left], values[right])

    def _name_evidence(self, scores: Scores, place: int, left: Name, right: Name) -> Iterator[FieldEvidence]:
        given, family = compare_names((left.given, left.family), (right.given, right.family))
        if given is not None:
            if scores.levels[GIVEN][place] == _NEAR:
                given = TWO_NAMES
            yield _row(GIVEN, given, scores, place, left.given, right.given)
        if family is not None:
            yield _row(FAMILY, family, scores, place, left.family, right.family)


class _Batch:
    """The pairs of one batch on their way through the fields; dropped ones leave every array."""

    def __init__(
        self,
        scorer: Scorer,
        table: ProfileTable,
        left: Rows,
        right: Rows,
        floor: float | None,
        explained: bool,
    ) -> None:
        self.scorer, self.table, self.left, self.right, self.floor = scorer, table, left, right, floor
        self.explained = explained
        self.at_random = np.full(len(left), scorer.model.prior)
        self.at_home = np.full(len(left), scorer.model.household_prior)
        self.levels: dict[str, Answers] = {}
        self.weights: dict[str, Floats] = {}
        self.values: dict[str, tuple[Codes, Codes]] = {}
        self._compare_names()
        self.hope_random: Floats | None = None
        self.hope_against_home: Floats | None = None
        if floor is not None:
            self.hope_random, self.hope_against_home = self._hopes()
        self._drop_hopeless()

    def _hopes(self) -> tuple[Floats, Floats]:
        """The most that the fields still to come, present on both sides, could add."""
        random, against_home = np.zeros(len(self.left)), np.zeros(len(self.left))
        for field in self.scorer.fields:
            if column := self.table.columns.get(field):
                both = column.filled[self.left] & column.filled[self.right]
                best = self.scorer.best[field]
                random += best[0] * both
                against_home += best[1] * both
        return random, against_home

    def compare(self, field: str) -> None:
        """Compare one field of all pairs that are left, then drop those without hope."""
        column = self.table.columns[field]
        both = column.filled[self.left] & column.filled[self.right]
        if self.hope_random is not None and self.hope_against_home is not None:
            best = self.scorer.best[field]
            self.hope_random -= best[0] * both
            self.hope_against_home -= best[1] * both
        places = np.flatnonzero(both)
        owner, left, right = _value_pairs(column, self.left[places], self.right[places])
        levels = compare_many(field, column, left, right)
        same, household = self._weigh(field, column, levels, left, right)
        chosen = _best_of_each(owner, levels, same, household, column, left, right)
        self._note(field, places[owner[chosen]], levels[chosen], same[chosen], household[chosen])
        self._note_values(field, places[owner[chosen]], left[chosen], right[chosen])
        self._drop_hopeless()

    def _compare_names(self) -> None:
        column = self.table.columns[NAME]
        both = np.flatnonzero(column.filled[self.left] & column.filled[self.right])
        owner, left, right = _value_pairs(column, self.left[both], self.right[both])
        given, family = compare_many_names(column, left, right)
        givens, families = column.part("given"), column.part("family")
        self._mark_two_names(givens.texts, given, givens.codes[left], givens.codes[right])
        given_same, given_home = self._weigh_part(GIVEN, givens, given, left, right)
        family_same, family_home = self._weigh_part(FAMILY, families, family, left, right)
        same, home = given_same + family_same, given_home + family_home
        said = np.where((given == SILENT) & (family == SILENT), SILENT, 0).astype(np.int8)
        chosen = _best_of_each(owner, said, same, home, column, left, right)
        places = both[owner[chosen]]
        self._note(GIVEN, places, given[chosen], given_same[chosen], given_home[chosen])
        self._note(FAMILY, places, family[chosen], family_same[chosen], family_home[chosen])
        self._note_values(NAME, places, left[chosen], right[chosen])

    def _mark_two_names(self, texts: Sequence[str], levels: Answers, left: Codes, right: Codes) -> None:
        """Close spellings that are two known names are no slip."""
        places = np.flatnonzero(levels == _CLOSE)
        low, high, inverse = distinct_pairs(left[places], right[places])
        known, two = self.scorer.known_names, np.zeros(len(low), dtype=np.bool_)
        both = np.flatnonzero(_are_known(known, texts, low) & _are_known(known, texts, high))
        pairs = zip(texts_at(texts, low[both]), texts_at(texts, high[both]), strict=True)
        two[both] = np.fromiter((are_two_names(*pair, known) for pair in pairs), np.bool_, count=len(both))
        levels[places[two[inverse]]] = _NEAR

    def _weigh_part(
        self, field: str, part: Part, levels: Answers, left: Codes, right: Codes
    ) -> tuple[Floats, Floats]:
        """An exact name weighs by how common it is; of two spellings, the shorter counts."""
        same, household = self._weigh_levels(field, levels)
        exact = np.flatnonzero(levels == 0)
        if len(exact):
            chosen = part.codes[left[exact]]
            others = part.codes[right[exact]]
            spelled = np.flatnonzero(chosen != others)
            chosen[spelled] = _shorter(part.texts, chosen[spelled], others[spelled])
            distinct, inverse = np.unique(chosen, return_inverse=True)
            table = self.scorer.value_weights(field, 0, texts_at(part.texts, distinct))
            same[exact], household[exact] = table[0][inverse], table[1][inverse]
        return same, household

    def _weigh(
        self, field: str, column: Column, levels: Answers, left: Codes, right: Codes
    ) -> tuple[Floats, Floats]:
        same, household = self._weigh_levels(field, levels)
        if field in self.scorer.model.frequencies:
            exact = np.flatnonzero((levels == 0) & (left == right))
            distinct, inverse = np.unique(left[exact], return_inverse=True)
            table = self.scorer.value_weights(field, 0, texts_at(column.values, distinct))
            same[exact], household[exact] = table[0][inverse], table[1][inverse]
        return same, household

    def _weigh_levels(self, field: str, levels: Answers) -> tuple[Floats, Floats]:
        """SILENT is -1 and picks the zero that ends each table of bits."""
        return self.scorer.same[field][levels], self.scorer.household[field][levels]

    def _note(self, field: str, places: Rows, levels: Answers, same: Floats, household: Floats) -> None:
        self.levels[field] = np.full(len(self.left), SILENT, dtype=np.int8)
        self.levels[field][places] = levels
        self.weights[field] = np.zeros(len(self.left))
        self.weights[field][places] = same
        self.at_random[places] += same
        self.at_home[places] += household

    def _note_values(self, field: str, places: Rows, left: Codes, right: Codes) -> None:
        if not self.explained:
            return
        lefts = np.full(len(self.left), -1, dtype=np.int32)
        rights = lefts.copy()
        lefts[places], rights[places] = left, right
        self.values[field] = (lefts, rights)

    def _drop_hopeless(self) -> None:
        if self.floor is None or self.hope_random is None or self.hope_against_home is None:
            return
        kept = (self.at_random + self.hope_random >= self.floor) & (
            self.at_random - self.at_home + self.hope_against_home >= self.floor
        )
        if not kept.all():
            self._keep(kept)

    def _keep(self, kept: npt.NDArray[np.bool_]) -> None:
        self.left, self.right = self.left[kept], self.right[kept]
        self.at_random, self.at_home = self.at_random[kept], self.at_home[kept]
        if self.hope_random is not None and self.hope_against_home is not None:
            self.hope_random = self.hope_random[kept]
            self.hope_against_home = self.hope_against_home[kept]
        self.levels = {field: levels[kept] for field, levels in self.levels.items()}
        self.weights = {field: weights[kept] for field, weights in self.weights.items()}
        self.values = {field: (left[kept], right[kept]) for field, (left, right) in self.values.items()}

    def result(self, floor: float | None) -> Scores:
        correction = -np.logaddexp2(0.0, self.at_home)
        correction[correction > -SMALLEST_CORRECTION] = 0.0
        weight = self.at_random + correction
        if floor is not None:
            kept = weight >= floor
            self._keep(kept)
            weight, correction = weight[kept], correction[kept]
        return Scores(
            self.left, self.right, weight, self.levels, self.weights,
            self.at_random, self.at_home, correction, self.values,
        )  # fmt: skip


def _are_known(known: Container[str], texts: Sequence[str], codes: Codes) -> npt.NDArray[np.bool_]:
    """Which names begin with one that is known."""
    distinct, inverse = np.unique(codes, return_inverse=True)
    found = [text.partition(" ")[0] in known for text in texts_at(texts, distinct)]
    return np.array(found, dtype=np.bool_)[inverse]


def _bits(levels: Sequence[Level], attribute: str) -> Floats:
    """The log2 odds of each level, then the zero of silence, which is looked up as the last."""
    return np.array([*(getattr(level, attribute) for level in levels), 0.0])


def _best_case(model: MatchModel, field: str) -> tuple[float, float]:
    """The most a field can add, and the most it can add against two people of one home; at least 0."""
    levels = model.comparisons.get(field, ())
    same = [level.weight for level in levels]
    against = [level.weight - level.household_weight for level in levels]
    if levels and (table := model.frequencies.get(field)):
        same.append(math.log2(levels[0].m / table.rarest))
        against.append(math.log2(levels[0].m / min(max(levels[0].household, table.rarest), 1.0)))
    return max(0.0, *same, 0.0), max(0.0, *against, 0.0)


def _value_pairs(column: Column, left: Rows, right: Rows) -> tuple[Rows, Codes, Codes]:
    """Every value of the left with every value of the right: the pair's place, and both values' numbers."""
    if column.single:
        return np.arange(len(left)), column.first[left], column.first[right]
    lefts, rights = column.counts[left], column.counts[right]
    products = lefts * rights
    owner = np.repeat(np.arange(len(left)), products)
    within = np.arange(len(owner)) - np.repeat(np.cumsum(products) - products, products)
    per_row = rights[owner]
    first = column.codes[column.starts[left][owner] + within // per_row]
    second = column.codes[column.starts[right][owner] + within % per_row]
    return owner, first, second


def _best_of_each(
    owner: Rows, levels: Answers, same: Floats, household: Floats, column: Column, left: Codes, right: Codes
) -> Rows:
    """The place of the value pair of each pair that speaks loudest for one person; silent ones have none.

    Of two that speak as loudly, the one less likely of one home; then by the values, so that order never
    counts.
    """
    said = np.flatnonzero(levels != SILENT)
    if column.single or len(said) < 2:
        return said
    rank = column.fact("rank", _ranks)
    ones, others = rank[left[said]], rank[right[said]]
    order = np.lexsort(
        (np.maximum(ones, others), np.minimum(ones, others), household[said], -same[said], owner[said])
    )
    ordered = said[order]
    first = np.ones(len(ordered), dtype=np.bool_)
    first[1:] = owner[ordered[1:]] != owner[ordered[:-1]]
    found: Rows = ordered[first]
    return found


def _ranks(values: Sequence[Any]) -> Rows:
    order = sorted(range(len(values)), key=lambda place: _sortable(values[place]))
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[order] = np.arange(len(values))
    return ranks


def _sortable(value: Any) -> Any:
    if isinstance(value, Name):
        return (value.given, value.family)
    if isinstance(value, Address):
        return (value.street, value.house, value.postcode, value.city, value.country)
    return value


def _shorter(texts: Sequence[str], left: Codes, right: Codes) -> Codes:
    ones, others = texts_at(texts, left), texts_at(texts, right)
    first = [(len(one), one) <= (len(other), other) for one, other in zip(ones, others, strict=True)]
    return np.where(np.array(first, dtype=np.bool_), left, right)


def _row(
    field: str, outcome: Outcome | None, scores: Scores, place: int, left: Any, right: Any
) -> FieldEvidence:
    if outcome is None:
        raise AssertionError(f"{field} was scored and has nothing to say")
    weight = float(scores.weights[field][place])
    return FieldEvidence(field, outcome.level, outcome.detail, weight, _as_text(left), _as_text(right))


def _as_text(value: str | Address) -> str:
    if isinstance(value, str):
        return value
    line, town = f"{value.house} {value.street}".strip(), f"{value.postcode} {value.city}".strip()
    return ", ".join(filter(None, (line, town)))


def hard_conflict(left: Profile, right: Profile, exclusive_systems: Sequence[str]) -> str:
    """Name the first system in which both have ids and share none, though it gives a person one id only."""
    for system in exclusive_systems:
        lefts = {value for value in left.external_ids if system_of(value) == system}
        rights = {value for value in right.external_ids if system_of(value) == system}
        if lefts and rights and lefts.isdisjoint(rights):
            return f"two different ids of {system}, which gives a customer only one"
    return ""


_CLOSE, _NEAR = number_of(GIVEN, "close"), number_of(GIVEN, "near")
