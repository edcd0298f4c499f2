"""Who has a value in what was written of them, in whatever way it was written there.

The columns say "Anna.Smith+news@GoogleMail.com" and "0221 / 12 345" where the value is canonical. One query
finds all that might be meant, by the letters and digits that every spelling has; matching then reads those.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

from django.db import connection

from resolution.matching.blocked import ANY, FIELD_OF, Blocked
from resolution.matching.normalise.email import SAME_PROVIDER
from resolution.selectors.profiles import load_profiles
from resolution.types import Profile

CUSTOMERS_READ = 2_000
_COUNTRY_DIGITS = 3  # the most a country code has: national spellings lack it
_LAST_DIGITS = 6  # what every spelling of a number ends with

# Letters of a number are read as the digits of their keys. A text in another script may be any value.
_MEANT = r"""
    SELECT DISTINCT coalesce(merged_into_id, id) FROM customers
    WHERE NOT status = 'erased' AND (
        email <> '' AND %(emails)s::text[] <> '{}' AND (
            replace(lower(email), '.', '') LIKE ANY(%(emails)s) OR octet_length(email) > char_length(email)
        )
        OR phone <> '' AND %(phones)s::text[] <> '{}' AND (
            regexp_replace(
                translate(upper(phone), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', '22233344455566677778889999'),
                '\D', '', 'g'
            ) LIKE ANY(%(phones)s)
            OR octet_length(phone) > char_length(phone)
        )
    )
"""


def find_written(block: Blocked) -> frozenset[uuid.UUID]:
    """Return the customers with such a value in a column or a link, unless another block covers it.

    Three queries for every `CUSTOMERS_READ` who might be meant, one more for all.
    """
    meant = _find_meant(block)
    pieces = (meant[start : start + CUSTOMERS_READ] for start in range(0, len(meant), CUSTOMERS_READ))
    return frozenset(
        key for piece in pieces for key, profile in load_profiles(piece).items() if _has(block, profile)
    )


def like(pattern: str) -> str:
    """Write a pattern of ours as one of SQL."""
    escaped = pattern.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return escaped.replace(ANY, "%")


def _find_meant(block: Blocked) -> list[uuid.UUID]:
    emails = list(_spellings_of_email(block.value)) if block.type in ("", "email") else []
    phones = list(_spellings_of_phone(block)) if block.type in ("", "phone") else []
    with connection.cursor() as cursor:
        cursor.execute(_MEANT, {"emails": emails, "phones": phones})
        return [customer for (customer,) in cursor.fetchall()]


def _spellings_of_email(value: str) -> Iterator[str]:
    """Patterns of the spellings without their dots: perhaps with a name around it, a tag, another domain."""
    yield f"%{_squeezed(value)}%"
    for other, domain in SAME_PROVIDER.items():
        local, at, rest = value.rpartition("@")
        if not at or ANY in rest or rest == domain:
            yield f"%{_squeezed(f'{local}@{other}')}%"


def _squeezed(value: str) -> str:
    return like(value).replace(".", "").replace("@", "%@")


def _spellings_of_phone(block: Blocked) -> Iterator[str]:
    """A pattern of the digits that every spelling has; none when a value has no digit."""
    *_, last = pieces = [re.sub(r"\D", "", piece) for piece in block.value.split(ANY)]
    if last:
        yield f"%{last[-_LAST_DIGITS:]}%"
    elif any(pieces):
        yield f"%{max(pieces, key=len)[_COUNTRY_DIGITS:]}%"


def _has(block: Blocked, profile: Profile) -> bool:
    return any(
        block.covers(type, value) for type, field in FIELD_OF.items() for value in getattr(profile, field)
    )
