"""Who had these identifiers at a moment: answered from the intervals of links, without a cache or a write."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from customers.selectors import Key, find_first_moments
from resolution.conf import policy
from resolution.selectors.past_owners import find_past_owners
from resolution.services.intake import Intake
from resolution.services.moments import told
from resolution.types import Band, Identifier, PastOwner, Resolution


def answer_as_of(newcomer: Intake, moment: datetime) -> Resolution:
    """Answer by who had the newcomer's identifiers then; the customer named is who that is now.

    Raises CustomerErased.
    """
    identifiers = {newcomer.key_of(entry): entry for entry in newcomer.explicit}
    owners = find_past_owners(identifiers, moment)
    sure = {key: row for key, row in owners.items() if row.confidence >= policy().lookup_confidence}
    nobody = {key: entry for key, entry in identifiers.items() if key not in owners}
    reasons = (
        *(_reason(row, moment, sure=key in sure) for key, row in owners.items()),
        *_reasons_of_nobody(nobody, moment),
        *newcomer.notes,
    )
    return _resolution(list(sure.values()), tuple(owners.values()), reasons, moment)


def _resolution(
    sure: Collection[PastOwner], owners: tuple[PastOwner, ...], reasons: tuple[str, ...], moment: datetime
) -> Resolution:
    customers = list(dict.fromkeys(row.canonical_id for row in sure))
    status, band = _STATUS[min(len(customers), 2)]
    first = customers[0] if customers else None
    return Resolution(
        status=status,
        customer_id=first,
        confidence=max((float(row.confidence) for row in sure if row.canonical_id == first), default=0.0),
        band=band,
        reasons=reasons,
        as_of=moment,
        owners=owners,
    )


# by how many customers of today had the identifiers
_STATUS = (("unknown", Band.NONE), ("matched", Band.AUTO), ("review", Band.REVIEW))


def _reason(row: PastOwner, moment: datetime, *, sure: bool) -> str:
    entry = row.identifier
    until = f"until {told(row.valid_to)}" if row.valid_to else "and still is"
    today = "" if row.canonical_id == row.customer_id else f", who is customer {row.canonical_id} now"
    weak = "" if sure else f" The link has confidence {row.confidence:.2f} only, too little to answer by."
    return (
        f"On {told(moment)} {entry.type} {entry.value} was customer {row.customer_id}'s{today}: from"
        f" {told(row.valid_from)} {until}.{weak}"
    )


def _reasons_of_nobody(nobody: Mapping[Key, Identifier], moment: datetime) -> Iterator[str]:
    firsts = find_first_moments(nobody.keys())
    for key, entry in nobody.items():
        what, when = f"{entry.type} {entry.value}", told(moment)
        first = firsts.get(key)
        if first is None:
            yield f"Nobody is known ever to have had {what}."
        elif moment < first:
            yield f"Nothing is known of {what} on {when}; its first known owner had it from {told(first)} on."
        else:
            yield f"Nobody is known to have had {what} on {when}; others had it at other times."
