"""What numbers tell of many pairs of e-mail addresses: one mailbox, one local part, certainly different."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rapidfuzz.distance import OSA

from resolution.matching.comparisons.answers import (
    SILENT,
    UNDECIDED,
    Answers,
    Codes,
    Mask,
    mask_of,
    number_of,
    within,
)
from resolution.matching.comparisons.email import MOST_SLIPS
from resolution.matching.comparisons.signs import signs_of
from resolution.matching.facts import mailboxes_of
from resolution.matching.normalise.email import are_shared_mailboxes, domains, is_relay
from resolution.matching.table import Column, number_values


class _EmailFacts:
    def __init__(self, column: Column) -> None:
        addresses = column.arrow
        locals_, domains_ = mailboxes_of(column), domains(addresses)
        self.local, self.signs = number_values(locals_), signs_of(column.values)
        self.shared = mask_of(are_shared_mailboxes(locals_))
        known = domains_.dictionary_encode()
        relays = _flags(known.dictionary.to_pylist(), lambda domain: is_relay(f"@{domain}"))
        self.relay = relays[known.indices.to_numpy()]


def _flags(values: Sequence[Any], holds: Callable[[Any], bool]) -> Mask:
    return np.fromiter(map(holds, values), dtype=np.bool_, count=len(values))


def email_facts(column: Column) -> _EmailFacts:
    """What the screen asks of the distinct e-mail addresses of a column, worked out once."""
    found: _EmailFacts = column.fact("email", lambda _: _EmailFacts(column))
    return found


def screen_emails(column: Column, left: Codes, right: Codes) -> Answers:
    """One local part at two providers and a few slips are left open."""
    facts = email_facts(column)
    answers = np.full(len(left), number_of("email", "different"), dtype=np.int8)
    equal = left == right
    answers[equal] = np.where(
        facts.shared[left[equal]], number_of("email", "shared"), number_of("email", "exact")
    )
    answers[~equal & (facts.relay[left] | facts.relay[right])] = SILENT
    other = ~equal & (answers != SILENT)
    same_local = other & (facts.local[left] == facts.local[right])
    answers[same_local] = UNDECIDED
    places = np.flatnonzero(other & ~same_local)
    places = places[facts.signs.slips(left[places], right[places]) <= MOST_SLIPS]
    answers[places[within(column.values, left, right, places, OSA.distance, MOST_SLIPS)]] = UNDECIDED
    return answers
