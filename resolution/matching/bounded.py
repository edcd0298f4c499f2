"""One batch of pairs on its way through the fields, those without hope dropped as early as can be told.

After each field the pairs are left out that could not reach the floor if every field still to come agreed
as strongly as its model allows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from resolution.matching.best_pair import best_of_each, value_pairs
from resolution.matching.comparisons.answers import SILENT, Answers, Codes, distinct_pairs, number_of
from resolution.matching.comparisons.many import compare_many, compare_many_names
from resolution.matching.comparisons.name import are_two_names
from resolution.matching.scores import FAMILY, GIVEN, NAME, Floats, Scores
from resolution.matching.table import Column, Part, ProfileTable, Rows, texts_at
from resolution.matching.weights import Weights

# Rounding of sums must not drop a pair that sits on the floor.
SLACK = 1e-6
# A household correction smaller than this, in bits, says nothing to a steward.
SMALLEST_CORRECTION = 0.01

_CLOSE, _NEAR = number_of(GIVEN, "close"), number_of(GIVEN, "near")
_SWAPPED = number_of(GIVEN, "swapped")


def score_batch(
    weights: Weights, table: ProfileTable, left: Rows, right: Rows, floor: float | None, *, explained: bool
) -> Scores:
    """Score one batch of pairs; those that cannot reach the floor (log2 odds) are dropped on the way."""
    work = _Batch(weights, table, left, right, None if floor is None else floor - SLACK, explained)
    for field in weights.fields:
        if field in table.columns and field in weights.same:
            work.compare(field)
    return work.result(floor)


class _Batch:
    """The pairs of one batch on their way through the fields; dropped ones leave every array."""

    def __init__(
        self,
        weights: Weights,
        table: ProfileTable,
        left: Rows,
        right: Rows,
        floor: float | None,
        explained: bool,
    ) -> None:
        self.ready, self.table, self.left, self.right, self.floor = weights, table, left, right, floor
        self.explained = explained
        self.at_random = np.full(len(left), weights.model.prior)
        self.at_home = np.full(len(left), weights.model.household_prior)
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
        for field in self.ready.fields:
            column = self.table.columns.get(field)
            if column and len(column.codes):
                both = column.filled[self.left] & column.filled[self.right]
                best = self.ready.best[field]
                random += best[0] * both
                against_home += best[1] * both
        return random, against_home

    def compare(self, field: str) -> None:
        """Compare one field of all pairs that are left, then drop those without hope."""
        column = self.table.columns[field]
        both = column.filled[self.left] & column.filled[self.right]
        if not both.any():
            self._note_silence(field)
            return
        if self.hope_random is not None and self.hope_against_home is not None:
            best = self.ready.best[field]
            self.hope_random -= best[0] * both
            self.hope_against_home -= best[1] * both
        places = np.flatnonzero(both)
        owner, left, right = value_pairs(column, self.left[places], self.right[places])
        levels = compare_many(field, column, left, right)
        same, household = self._weigh(field, column, levels, left, right)
        chosen = best_of_each(owner, levels, same, household, column, left, right)
        self._note(field, places[owner[chosen]], levels[chosen], same[chosen], household[chosen])
        self._note_values(field, places[owner[chosen]], left[chosen], right[chosen])
        self._drop_hopeless()

    def _compare_names(self) -> None:
        column = self.table.columns[NAME]
        both = np.flatnonzero(column.filled[self.left] & column.filled[self.right])
        owner, left, right = value_pairs(column, self.left[both], self.right[both])
        given, family = compare_many_names(column, left, right)
        givens, families = column.part("given"), column.part("family")
        self._mark_two_names(givens.texts, given, givens.codes[left], givens.codes[right])
        given_same, given_home = self._weigh_part(GIVEN, givens, given, left, right)
        family_same, family_home = self._weigh_part(FAMILY, families, family, left, right)
        swapped = np.flatnonzero(given == _SWAPPED)
        for field, part, same in ((GIVEN, givens, given_same), (FAMILY, families, family_same)):
            self._cap_swapped(field, part, same, swapped, left[swapped], right[swapped])
        same, home = given_same + family_same, given_home + family_home
        said = np.where((given == SILENT) & (family == SILENT), SILENT, 0).astype(np.int8)
        chosen = best_of_each(owner, said, same, home, column, left, right)
        places = both[owner[chosen]]
        self._note(GIVEN, places, given[chosen], given_same[chosen], given_home[chosen])
        self._note(FAMILY, places, family[chosen], family_same[chosen], family_home[chosen])
        self._note_values(NAME, places, left[chosen], right[chosen])

    def _mark_two_names(self, texts: Sequence[str], levels: Answers, left: Codes, right: Codes) -> None:
        """Close spellings that are two known names are no slip."""
        places = np.flatnonzero(levels == _CLOSE)
        if not len(places):
            return
        low, high, inverse = distinct_pairs(left[places], right[places])
        two = np.zeros(len(low), dtype=np.bool_)
        firsts, others = _first_words(texts, low), _first_words(texts, high)
        known = self.ready.known_names
        for place, (first, other) in enumerate(zip(firsts, others, strict=True)):
            two[place] = first in known and other in known and are_two_names(first, other)
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
            table = self.ready.value_weights(field, 0, texts_at(part.texts, distinct))
            same[exact], household[exact] = table[0][inverse], table[1][inverse]
        return same, household

    def _cap_swapped(
        self, field: str, part: Part, same: Floats, swapped: Rows, left: Codes, right: Codes
    ) -> None:
        """Names that changed places say no more than they would say in place; the commoner reading counts."""
        for side in (left, right) if len(swapped) else ():
            distinct, inverse = np.unique(part.codes[side], return_inverse=True)
            in_place = self.ready.value_weights(field, 0, texts_at(part.texts, distinct))[0]
            same[swapped] = np.minimum(same[swapped], in_place[inverse])

    def _weigh(
        self, field: str, column: Column, levels: Answers, left: Codes, right: Codes
    ) -> tuple[Floats, Floats]:
        same, household = self._weigh_levels(field, levels)
        if field in self.ready.model.frequencies:
            exact = np.flatnonzero((levels == 0) & (left == right))
            distinct, inverse = np.unique(left[exact], return_inverse=True)
            table = self.ready.value_weights(field, 0, texts_at(column.values, distinct))
            same[exact], household[exact] = table[0][inverse], table[1][inverse]
        return same, household

    def _weigh_levels(self, field: str, levels: Answers) -> tuple[Floats, Floats]:
        """SILENT is -1 and picks the zero that ends each table of bits."""
        return self.ready.same[field][levels], self.ready.household[field][levels]

    def _note(self, field: str, places: Rows, levels: Answers, same: Floats, household: Floats) -> None:
        self._note_silence(field)
        self.levels[field][places] = levels
        self.weights[field][places] = same
        self.at_random[places] += same
        self.at_home[places] += household

    def _note_silence(self, field: str) -> None:
        self.levels[field] = np.full(len(self.left), SILENT, dtype=np.int8)
        self.weights[field] = np.zeros(len(self.left))

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


def _first_words(texts: Sequence[str], codes: Codes) -> list[str]:
    return [text.partition(" ")[0] for text in texts_at(texts, codes)]


def _shorter(texts: Sequence[str], left: Codes, right: Codes) -> Codes:
    ones, others = texts_at(texts, left), texts_at(texts, right)
    first = [(len(one), one) <= (len(other), other) for one, other in zip(ones, others, strict=True)]
    return np.where(np.array(first, dtype=np.bool_), left, right)
