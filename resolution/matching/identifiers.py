"""The types of identifier, how far each is trusted, and the one function that makes any of them canonical.

Read the table first: it decides what a message may be resolved by, in which order, and whether two
different values of one type can belong to one customer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from resolution.matching.normalise.email import normalise_email
from resolution.matching.normalise.external_id import normalise_external_id, normalise_handle
from resolution.matching.normalise.phone import normalise_phone
from resolution.matching.normalise.text import LONGEST_VALUE, Canonical, clean_text
from resolution.types import Identifier


@dataclass(frozen=True, slots=True)
class IdentifierType:
    """How one type of identifier is treated.

    `trust` ranks types (1 is believed first). `exclusive` says that a customer has one value only, so that
    two different verified values are a hard conflict. `canonical` makes a value canonical for a region.
    """

    code: str
    label: str
    trust: int
    exclusive: bool
    canonical: Callable[[str, str], Canonical]


IDENTIFIER_TYPES: dict[str, IdentifierType] = {
    kind.code: kind
    for kind in (
        IdentifierType(
            "external_id", "External id", 1, False, lambda value, region: normalise_external_id(value)
        ),
        IdentifierType("email", "E-mail", 2, False, lambda value, region: normalise_email(value)),
        IdentifierType("phone", "Phone", 3, False, normalise_phone),
        IdentifierType("handle", "Handle", 4, False, lambda value, region: normalise_handle(value)),
    )
}

# Other words for a type, as channels and files write them. A messenger on a phone number is a phone.
TYPE_ALIASES = {
    "e-mail": "email",
    "mail": "email",
    "mobile": "phone",
    "sms": "phone",
    "tel": "phone",
    "telephone": "phone",
    "whatsapp": "phone",
    "username": "handle",
    "external_customer_id": "external_id",
}


class UnknownIdentifierType(ValueError):
    """The named type of identifier does not exist; the message lists those that do."""

    def __init__(self, type: str) -> None:
        self.type = type
        known = ", ".join(sorted(IDENTIFIER_TYPES))
        super().__init__(f"{clean_text(type)[:40]!r} is not a type of identifier; use one of: {known}.")


def identifier_type(type: str) -> IdentifierType:
    """Find a type by its code or another word for it; raises UnknownIdentifierType."""
    code = type.strip().lower() if isinstance(type, str) else str(type)
    try:
        return IDENTIFIER_TYPES[TYPE_ALIASES.get(code, code)]
    except KeyError:
        raise UnknownIdentifierType(code) from None


def normalise_identifier(type: str, value: str, *, region: str = "") -> Identifier:
    """Make a value canonical; total on any text, and an unusable one says why.

    `region` is an ISO alpha-2 code that decides how a national phone number is read. The result's `value` is
    the raw text without what a database cannot hold, cut at 255 characters. Raises UnknownIdentifierType.
    """
    kind = identifier_type(type)
    found = kind.canonical(value, region) if value.strip() else Canonical("", "blank")
    return Identifier(kind.code, clean_text(value)[:LONGEST_VALUE], found.value, unusable=found.unusable)
