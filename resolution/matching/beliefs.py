"""What is believed before a pair was looked at: shipped shares, and how common the table's values are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from resolution.matching.comparisons import extra
from resolution.matching.model import FREQUENCY_FIELDS, Frequencies, Level, MatchModel
from resolution.matching.scores import NAME
from resolution.matching.table import EXTRA, Column, ProfileTable, Rows

# Records that the shipped shares of names count for.
BELIEF_NAMES = 2_000.0
# Fewer records of a value than this tell nothing of how common it is.
FEWEST_OF_A_VALUE = 5
MOST_VALUES_KEPT = 20_000
# What more records than this have is a firm's or nobody's, and says less of one person than other values do.
MOST_OF_A_PERSON = 12
SHARED_FIELDS = ("email", "phone", "company")

# What is believed of a column nobody knows: records of one person mostly agree, others as often as by chance.
EXTRA_BELIEF = {"exact": (0.85, 0.2, 0.5), "close": (0.04, 0.02, 0.02), "different": (0.11, 0.78, 0.48)}


def believe(base: MatchModel, table: ProfileTable, distinct: ProfileTable | None = None) -> MatchModel:
    """What is thought before any pair was looked at: shipped shares, the table's frequencies and columns.

    How common a value is, is counted in `distinct`, where copies of one record count as one.
    """
    comparisons = dict(base.comparisons)
    for name in table.columns:
        if name.startswith(EXTRA) and name not in comparisons:
            comparisons[name] = tuple(
                Level(level, m=same, u=random, household=home)
                for level, (same, home, random) in ((level, EXTRA_BELIEF[level]) for level in extra.LEVELS)
            )
    known = replace(base, comparisons=comparisons, frequencies=learn_frequencies(distinct or table, base))
    possible = max(len(table) * (len(table) - 1) / 2, 1.0)
    prior = min(math.log2(max(len(table) / 2, 1.0) / possible), -1.0)
    return replace(known, prior=prior, household_prior=prior)


def learn_frequencies(table: ProfileTable, base: MatchModel) -> dict[str, Frequencies]:
    """Blend the shipped shares of names with the table's own, count extra columns and what many share."""
    found = dict(base.frequencies)
    column = table.columns[NAME]
    for name, part in zip(FREQUENCY_FIELDS, map(column.part, ("given", "family")), strict=True):
        numbers = part.codes[column.codes]
        counts = np.bincount(numbers[numbers >= 0], minlength=len(part.texts))
        found[name] = _blend(base.frequencies[name], part.texts, counts)
    for name, column in table.columns.items():
        if name.startswith(EXTRA) and len(column.codes):
            found[name] = _count(column)
    for name in SHARED_FIELDS:
        if shared := _count_shared(table.columns[name]):
            found[name] = beside(shared, base.comparisons[name][0].u)
    return found


def _common(texts: Sequence[str], counts: Rows) -> dict[str, int]:
    order = np.argsort(-counts, kind="stable")[:MOST_VALUES_KEPT]
    return {texts[place]: int(counts[place]) for place in order if counts[place] >= FEWEST_OF_A_VALUE}


def _blend(shipped: Frequencies, texts: Sequence[str], counts: Rows) -> Frequencies:
    total = counts.sum() + BELIEF_NAMES
    common = _common(texts, counts)
    values = {
        text: min((common.get(text, 0) + BELIEF_NAMES * shipped.share_of(text)) / total, 1.0)
        for text in dict.fromkeys((*shipped.values, *common))
    }
    return Frequencies(values, shipped.default, shipped.floor)


def _count(column: Column) -> Frequencies:
    counts = np.bincount(column.codes, minlength=len(column.values))
    total = float(counts.sum())
    rarest = min(FEWEST_OF_A_VALUE / total, 1.0)
    values = {text: count / total for text, count in _common(column.values, counts).items()}
    return Frequencies(values, rarest, rarest)


def _count_shared(column: Column) -> dict[str, float]:
    """The shares of those values that more records have than one person does."""
    counts = np.bincount(column.codes, minlength=len(column.values))
    total = float(counts.sum())
    places = np.flatnonzero(counts > MOST_OF_A_PERSON)
    return {column.values[place]: float(counts[place] / total) for place in places.tolist()}


def beside(shared: Mapping[str, float], exact: float) -> Frequencies:
    """Shares of some values, of which the others have that of any two strangers who agree."""
    return Frequencies({text: max(share, exact) for text, share in shared.items()}, exact, exact)
