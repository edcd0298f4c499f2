"""What a steward filled in on the workbench, read once; nothing of it is lost when the page comes back."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time

from django.http import QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_date

from resolution.errors import InvalidInput
from resolution.numbers import LARGEST_INTEGER, read_whole
from resolution.services.survivorship import TYPED, Pick

PICK, VERSION = "pick-", "version-"
REASON_LENGTH = 500


@dataclass(frozen=True, slots=True)
class WorkbenchForm:
    """The fields of the page. `versions` and `version` are what the steward saw of customers and conflict."""

    action: str
    members: tuple[uuid.UUID, ...]
    survivor: uuid.UUID | None
    picks: Mapping[str, Pick]
    versions: Mapping[uuid.UUID, int]
    version: int
    reason: str
    relation: str
    until: str
    only_differing: bool
    with_empty: bool

    @classmethod
    def read(cls, given: QueryDict) -> WorkbenchForm:
        """Read a posted form, or an address that names members. Raises InvalidInput naming what is wrong."""
        survivor = given.get("survivor", "")
        return cls(
            action=given.get("action", ""),
            members=tuple(_id(text) for text in given.getlist("member")),
            survivor=_id(survivor) if survivor else None,
            picks=_picks(given),
            versions=read_versions(given),
            version=_number(given.get("version", "0")),
            reason=given.get("reason", "").strip()[:REASON_LENGTH],
            relation=given.get("relation", ""),
            until=given.get("until", ""),
            only_differing="only-differing" in given,
            with_empty="with-empty" in given,
        )

    def moment(self) -> datetime:
        """The day in `until` at its beginning. Raises InvalidInput when it is none."""
        try:
            day = parse_date(self.until)
        except ValueError:
            day = None
        if day is None:
            raise InvalidInput(f"“{self.until[:30]}” is no day to park until; give one such as 2026-12-24.")
        return timezone.make_aware(datetime.combine(day, time.min))


def read_versions(given: QueryDict) -> dict[uuid.UUID, int]:
    """The customers' versions that the page showed. Raises InvalidInput naming what is wrong."""
    return {_id(name): _number(value) for name, value in _named(given, VERSION).items()}


def _picks(given: QueryDict) -> dict[str, Pick]:
    return {
        field: {TYPED: given.get(f"{TYPED}-{field}", "").strip()} if value == TYPED else value
        for field, value in _named(given, PICK).items()
        if value
    }


def _named(given: QueryDict, prefix: str) -> dict[str, str]:
    """The fields whose name begins with `prefix`, by the rest of their name."""
    return {name.removeprefix(prefix): str(given[name]) for name in given if name.startswith(prefix)}


def _id(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text.strip())
    except ValueError as error:
        raise InvalidInput(f"“{text[:60]}” is no customer id; copy one from a customer's page.") from error


def _number(text: str) -> int:
    number = read_whole(text, most=LARGEST_INTEGER)
    if number is None:
        raise InvalidInput(f"“{text[:30]}” is no version number; open the page again.")
    return number
