"""The comparisons for many pairs at once, with the very answers of one at a time.

The scalar functions beside this file are the definition. Here arrays of facts about the distinct values give
the cheap answers first: equal, and certainly different. What is left is compared by the scalar functions,
once for each distinct pair of values. Answers are numbers of FIELD_LEVELS, SILENT where nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from resolution.matching.comparisons import extra
from resolution.matching.comparisons.address import compare_addresses
from resolution.matching.comparisons.answers import (
    LEVEL_NUMBERS,
    SILENT,
    UNDECIDED,
    Answers,
    Codes,
    Compare,
    Screen,
    distinct_pairs,
    nothing_known,
    number_of,
)
from resolution.matching.comparisons.birth_date import compare_birth_dates
from resolution.matching.comparisons.company import compare_companies
from resolution.matching.comparisons.email import compare_emails
from resolution.matching.comparisons.external_id import compare_external_ids
from resolution.matching.comparisons.handle import compare_handles
from resolution.matching.comparisons.name import SWAPPED, compare_family, compare_given, compare_names
from resolution.matching.comparisons.outcome import Outcome
from resolution.matching.comparisons.phone import compare_phones
from resolution.matching.comparisons.screens.address import address_facts, screen_addresses
from resolution.matching.comparisons.screens.birth_date import date_facts, screen_dates
from resolution.matching.comparisons.screens.email import email_facts, screen_emails
from resolution.matching.comparisons.screens.ids import id_facts, screen_handles, screen_ids
from resolution.matching.comparisons.screens.name import (
    given_facts,
    may_be_swapped,
    screen_family,
    screen_given,
    word_facts,
    word_numbers,
)
from resolution.matching.comparisons.screens.phone import phone_facts, screen_phones
from resolution.matching.comparisons.screens.texts import screen_companies, screen_extras
from resolution.matching.normalise.bulk import Mapper, in_process
from resolution.matching.table import Column, Part, ProfileTable, texts_at
from resolution.types import Address

# Fewer pairs than this are compared one by one: facts about all values would cost more.
SCREENED_FROM = 512


def compare_many(field: str, column: Column, left: Codes, right: Codes) -> Answers:
    """Compare values by their numbers: n pairs → n answers, same order. For every field but the name."""
    kind = "extra" if field.startswith("extra:") else field
    compare, screen = _COMPARISONS[kind]
    return _settle(kind, column, left, right, compare, screen)


def compare_many_names(column: Column, left: Codes, right: Codes) -> tuple[Answers, Answers]:
    """Compare names by their numbers: the answers for the given and for the family name."""
    givens, families = column.part("given"), column.part("family")
    given = _settle_part("given_name", givens, givens.codes[left], givens.codes[right])
    family = _settle_part("family_name", families, families.codes[left], families.codes[right])
    both_differ = (given >= _GIVEN_FAR) & (family >= _FAMILY_FAR)
    differing = np.flatnonzero(both_differ)
    if len(differing):
        places = differing
        if len(differing) >= SCREENED_FROM:
            places = differing[may_be_swapped(column, left[differing], right[differing])]
        ones, others = (_both_parts(givens, families, side[places]) for side in (left, right))
        found = [compare_names(one, other) == _SWAPPED for one, other in zip(ones, others, strict=True)]
        swapped = places[np.array(found, dtype=np.bool_)]
        given[swapped], family[swapped] = _GIVEN_SWAPPED, _FAMILY_SWAPPED
    return given, family


def _both_parts(givens: Part, families: Part, codes: Codes) -> list[tuple[str, str]]:
    parts = (texts_at(part.texts, part.codes[codes]) for part in (givens, families))
    return list(zip(*parts, strict=True))


def compare_two(field: str, left: Any, right: Any) -> Outcome | None:
    """Compare two values of a field other than the name by the scalar function."""
    kind = "extra" if field.startswith("extra:") else field
    return _COMPARISONS[kind][0](left, right)


def _settle(
    kind: str, column: Column, left: Codes, right: Codes, compare: Compare, screen: Screen
) -> Answers:
    answers = screen(column, left, right) if len(left) >= SCREENED_FROM else nothing_known(len(left))
    return _compare_rest(kind, column.values, left, right, compare, answers)


def _settle_part(field: str, part: Part, left: Codes, right: Codes) -> Answers:
    answers = np.full(len(left), SILENT, dtype=np.int8)
    both = np.flatnonzero((left >= 0) & (right >= 0))
    if not len(both):
        return answers
    compare, screen = _PARTS[field]
    ones, others = left[both], right[both]
    found = screen(part, ones, others) if len(both) >= SCREENED_FROM else nothing_known(len(both))
    answers[both] = _compare_rest(field, part.texts, ones, others, compare, found)
    return answers


def _compare_rest(
    kind: str, values: Sequence[Any], left: Codes, right: Codes, compare: Compare, answers: Answers
) -> Answers:
    """Fill what is undecided in by the scalar function, each distinct pair once."""
    open_places = np.flatnonzero(answers == UNDECIDED)
    if not len(open_places):
        return answers
    ones, others = left[open_places], right[open_places]
    if len(open_places) < SCREENED_FROM:
        answers[open_places] = _compare_each(kind, values, ones, others, compare)
        return answers
    low, high, inverse = distinct_pairs(ones, others)
    answers[open_places] = _compare_each(kind, values, low, high, compare)[inverse]
    return answers


def _compare_each(kind: str, values: Sequence[Any], left: Codes, right: Codes, compare: Compare) -> Answers:
    numbers = LEVEL_NUMBERS[kind]
    outcomes = map(compare, texts_at(values, left), texts_at(values, right))
    return np.array([SILENT if said is None else numbers[said.level] for said in outcomes], dtype=np.int8)


def work_out_facts(table: ProfileTable, *, mapper: Mapper = in_process) -> None:
    """Work out beforehand what the screens ask of every column; `mapper` may use several threads.

    They would do it themselves, one after the other. Short columns are left to them.
    """
    columns = {
        field: column for field, column in table.columns.items() if len(column.values) >= SCREENED_FROM
    }
    known = [field for field in _FACTS if field in columns]
    work: list[Callable[[], object]] = [partial(_FACTS[field], columns[field]) for field in known]
    if "name" in columns:
        names = columns["name"]
        work += [partial(word_facts, names.part("family")), partial(given_facts, names.part("given"))]
        work.append(partial(word_numbers, names))
    list(mapper(lambda make: make(), work))


def _compare_address_values(left: Address, right: Address) -> Outcome | None:
    return compare_addresses(
        (left.street, left.house, left.postcode, left.city, left.country),
        (right.street, right.house, right.postcode, right.city, right.country),
    )


_SWAPPED = (SWAPPED, SWAPPED)
_GIVEN_FAR, _FAMILY_FAR = number_of("given_name", "far"), number_of("family_name", "far")
_GIVEN_DIFFERENT, _GIVEN_SWAPPED = number_of("given_name", "different"), number_of("given_name", "swapped")
_FAMILY_SWAPPED = number_of("family_name", "swapped")

_FACTS: Mapping[str, Callable[[Column], Any]] = {
    "email": email_facts,
    "address": address_facts,
    "phone": phone_facts,
    "external_id": id_facts,
    "birth_date": date_facts,
}
_PARTS: Mapping[str, tuple[Compare, Callable[[Part, Codes, Codes], Answers]]] = {
    "given_name": (compare_given, screen_given),
    "family_name": (compare_family, screen_family),
}
_COMPARISONS: Mapping[str, tuple[Compare, Screen]] = {
    "birth_date": (compare_birth_dates, screen_dates),
    "email": (compare_emails, screen_emails),
    "phone": (compare_phones, screen_phones),
    "external_id": (compare_external_ids, screen_ids),
    "address": (_compare_address_values, screen_addresses),
    "company": (compare_companies, screen_companies),
    "handle": (compare_handles, screen_handles),
    "extra": (extra.compare_extras, screen_extras),
}
