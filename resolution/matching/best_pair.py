"""Customers with several values are compared by the pair of values that speaks loudest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from resolution.matching.comparisons.answers import SILENT, Answers, Codes
from resolution.matching.scores import Floats
from resolution.matching.table import Column, Rows
from resolution.types import Address, Name


def value_pairs(column: Column, left: Rows, right: Rows) -> tuple[Rows, Codes, Codes]:
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


def best_of_each(
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
