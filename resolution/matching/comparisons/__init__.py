"""Two values of one field to a level and the phrase a steward reads.

Every comparison is symmetric and returns an `Outcome`, or None when the two values cannot speak for or
against one customer: missing, hidden behind a relay, of different systems. FIELD_LEVELS lists each field's
levels from the strongest agreement to plain disagreement; the model gives each its weight.
"""

from __future__ import annotations

from resolution.matching.comparisons import (
    address,
    birth_date,
    company,
    email,
    external_id,
    extra,
    handle,
    name,
    phone,
)
from resolution.matching.comparisons.outcome import Outcome

FIELD_LEVELS: dict[str, tuple[str, ...]] = {
    "given_name": name.GIVEN_LEVELS,
    "family_name": name.FAMILY_LEVELS,
    "birth_date": birth_date.LEVELS,
    "email": email.LEVELS,
    "phone": phone.LEVELS,
    "external_id": external_id.LEVELS,
    "address": address.LEVELS,
    "company": company.LEVELS,
    "handle": handle.LEVELS,
}

_MODULES = (birth_date, email, phone, external_id, address, company, handle, extra)
_OUTCOMES: dict[str, tuple[Outcome, ...]] = {
    "given_name": name.GIVEN_OUTCOMES,
    "family_name": name.FAMILY_OUTCOMES,
} | {
    module.__name__.rpartition(".")[2]: tuple(
        found for found in vars(module).values() if isinstance(found, Outcome)
    )
    for module in _MODULES
}


def phrase_of(field: str, level: str) -> str:
    """Say what a level of a field means, in its commonest case; empty for one unknown."""
    outcomes = _OUTCOMES.get(field.partition(":")[0], ())
    return next((found.detail for found in outcomes if found.level == level), "")
