"""What similarity tells of many pairs of companies, and of the texts of columns only one caller knows."""

from __future__ import annotations

import numpy as np
from rapidfuzz import fuzz

from resolution.matching.comparisons.answers import UNDECIDED, Answers, Codes, number_of, within
from resolution.matching.comparisons.company import NAMES_ALIKE
from resolution.matching.comparisons.signs import maybe_near, signs_of
from resolution.matching.table import Column


def screen_companies(column: Column, left: Codes, right: Codes) -> Answers:
    """Nothing of a company is left to the scalar function."""
    answers = np.full(len(left), number_of("company", "different"), dtype=np.int8)
    places = np.flatnonzero(left != right)
    alike = within(column.values, left, right, places, fuzz.token_sort_ratio, NAMES_ALIKE)
    answers[places[alike]] = number_of("company", "close")
    answers[left == right] = number_of("company", "exact")
    return answers


def screen_extras(column: Column, left: Codes, right: Codes) -> Answers:
    """What may be near or alike is left open."""
    answers = np.full(len(left), number_of("extra", "different"), dtype=np.int8)
    places = np.flatnonzero(left != right)
    answers[places[maybe_near(column.values, column.fact("signs", signs_of), left, right, places)]] = (
        UNDECIDED
    )
    answers[left == right] = number_of("extra", "exact")
    return answers
