"""Values that people blocked: no evidence, no key, no answer. The shipped list is `normalise.junk`.

A pattern is literal text with * for any run of characters, nothing else: it is matched in one pass over the
value, whatever somebody typed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from resolution.types import Identifier, Profile

ANY = "*"
# What a pattern has to say at least, or it would block nearly everything.
FEWEST_LITERALS = 4
MOST_STARS = 3
# Type of identifier → where a profile keeps its values.
FIELD_OF = {"email": "emails", "phone": "phones", "handle": "handles", "external_id": "external_ids"}


@dataclass(frozen=True, slots=True)
class Blocked:
    """One value or pattern in canonical form; an empty type means any."""

    type: str
    value: str
    pattern: bool = False
    reason: str = ""

    def covers(self, type: str, value: str) -> bool:
        """Tell whether a canonical value is blocked; an external id also without its system."""
        if self.type and self.type != type:
            return False
        bare = value.partition(":")[2] if type == "external_id" else ""
        return self._fits(value) or bool(bare and self._fits(bare))

    def _fits(self, value: str) -> bool:
        return fits_pattern(self.value, value) if self.pattern else self.value == value

    @property
    def why(self) -> str:
        """The phrase behind "was not used"."""
        return f"it is blocked ({self.reason})" if self.reason else "it is blocked"


@dataclass(frozen=True)
class Blocklist:
    """All that is blocked, ready to ask of many values."""

    entries: tuple[Blocked, ...] = ()

    @cached_property
    def _exact(self) -> dict[tuple[str, str], Blocked]:
        return {(entry.type, entry.value): entry for entry in self.entries if not entry.pattern}

    @cached_property
    def _patterns(self) -> tuple[Blocked, ...]:
        return tuple(entry for entry in self.entries if entry.pattern)

    def find(self, type: str, value: str) -> Blocked | None:
        """Return what blocks a canonical value, None when nothing does."""
        if not self.entries or not value:
            return None
        names = [value, value.partition(":")[2]] if type == "external_id" else [value]
        for name in names:
            if found := self._exact.get((type, name)) or self._exact.get(("", name)):
                return found
        return next((entry for entry in self._patterns if entry.covers(type, value)), None)

    def mark(self, identifier: Identifier) -> Identifier:
        """Return an identifier as it may be used: a blocked one is unusable and says why."""
        found = self.find(identifier.type, identifier.normalised)
        return replace(identifier, normalised="", unusable=found.why) if found else identifier

    def strip(self, profile: Profile) -> Profile:
        """Return a profile without what is blocked; the same one when nothing is."""
        if not self.entries:
            return profile
        kept = {}
        for type, field in FIELD_OF.items():
            values: tuple[str, ...] = getattr(profile, field)
            left = tuple(value for value in values if not self.find(type, value))
            if len(left) < len(values):
                kept[field] = left
        return replace(profile, **kept) if kept else profile  # type: ignore[arg-type]


NOTHING_BLOCKED = Blocklist()


def blocklist_of(entries: Iterable[Blocked]) -> Blocklist:
    return Blocklist(tuple(entries))


def fits_pattern(pattern: str, value: str) -> bool:
    """Tell whether a value is a pattern's, * standing for any run of characters; linear in the value."""
    first, *middle = pattern.split(ANY)
    if not middle:
        return pattern == value
    *inner, last = middle
    if not value.startswith(first) or len(value) < len(first) + len(last) or not value.endswith(last):
        return False
    place, end = len(first), len(value) - len(last)
    for part in inner:
        found = value.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True


def fault_of_pattern(pattern: str) -> str:
    """Say what is wrong with a pattern in a phrase; empty when it can be used."""
    literals = len(pattern.replace(ANY, "").strip())
    stars = pattern.count(ANY)
    if not stars:
        return f"it has no {ANY}; give it as a value instead"
    if stars > MOST_STARS:
        return f"it has {stars} {ANY}, and at most {MOST_STARS} may be used"
    if ANY * 2 in pattern:
        return f"it has two {ANY} side by side, where one says the same"
    if literals < FEWEST_LITERALS:
        return f"only {literals} of its characters are fixed, and at least {FEWEST_LITERALS} are wanted"
    return ""
